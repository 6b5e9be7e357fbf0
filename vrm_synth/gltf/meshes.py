"""Read meshes: every primitive becomes an indexed triangle list with at most 4 joints per vertex."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pygltflib
from numpy.typing import NDArray

from vrm_synth.core.errors import AvatarError
from vrm_synth.gltf.accessors import Accessors
from vrm_synth.gltf.json_reader import MAX_NUMBER, out_of_range
from vrm_synth.gltf.limits import Limits
from vrm_synth.gltf.model import F32, Mesh, Primitive
from vrm_synth.gltf.oddities import Oddities
from vrm_synth.gltf.uv_sets import UvSets

_FLOAT = (pygltflib.FLOAT,)
_FRACTION = (pygltflib.FLOAT, pygltflib.UNSIGNED_BYTE, pygltflib.UNSIGNED_SHORT)
_JOINT = (pygltflib.UNSIGNED_BYTE, pygltflib.UNSIGNED_SHORT)
_INDEX = (pygltflib.UNSIGNED_BYTE, pygltflib.UNSIGNED_SHORT, pygltflib.UNSIGNED_INT)
_SIGNED = (pygltflib.FLOAT, pygltflib.BYTE, pygltflib.SHORT)
_ANY = (*_SIGNED, pygltflib.UNSIGNED_BYTE, pygltflib.UNSIGNED_SHORT)

_MAX_JOINT_SETS = 8  # JOINTS_n and WEIGHTS_n from this n on are not read

# glTF 3.7.2.1: the attributes that are read, with their types; TEXCOORD is any of the sets that uv_sets.py keeps.
_ATTRIBUTES: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {
    "POSITION": (("VEC3",), _FLOAT),
    "NORMAL": (("VEC3",), _FLOAT),
    "TANGENT": (("VEC4",), _FLOAT),
    "COLOR_0": (("VEC3", "VEC4"), _FRACTION),
    "TEXCOORD": (("VEC2",), _FRACTION),
    **{f"JOINTS_{n}": (("VEC4",), _JOINT) for n in range(_MAX_JOINT_SETS)},
    **{f"WEIGHTS_{n}": (("VEC4",), _FRACTION) for n in range(_MAX_JOINT_SETS)},
}

# KHR_mesh_quantization: the types that it adds. Node transforms and bind matrices undo the scale.
_QUANTIZED = _ATTRIBUTES | {
    "POSITION": (("VEC3",), _ANY),
    "NORMAL": (("VEC3",), _SIGNED),
    "TANGENT": (("VEC4",), _SIGNED),
    "TEXCOORD": (("VEC2",), _ANY),
}


@dataclass
class MeshReader:
    """Reader of a document's meshes. Call check() first: it refuses what is out of bounds before data is read.

    Arrays that primitives share in the file (one vertex buffer, many index lists) are shared in memory.

    Attributes:
        gltf: the parsed document.
        accessors: its accessors.
        limits: bounds on vertices and indices.
        oddities: collects what is left out or repaired.
        uv_sets: one for each of the file's materials; a primitive without a material gets the index after the last.
    """

    gltf: pygltflib.GLTF2
    accessors: Accessors
    limits: Limits
    oddities: Oddities
    uv_sets: tuple[UvSets, ...]
    _cache: dict[object, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._quantized = "KHR_mesh_quantization" in (*self.gltf.extensionsUsed, *self.gltf.extensionsRequired)
        self._attributes = _QUANTIZED if self._quantized else _ATTRIBUTES

    def check(self) -> None:
        """Check every primitive's accessors, counts and material against the file and the limits."""
        vertices = indices = 0
        stacks: set[tuple[object, ...]] = set()
        for m, mesh in enumerate(self.gltf.meshes):
            counts = [len(p.targets) for p in mesh.primitives]
            if len(set(counts)) > 1:
                raise AvatarError(
                    "primitives of one mesh have different numbers of morph targets",
                    got=", ".join(map(str, counts[:12])),
                    where=f"meshes[{m}]",
                )
            for p, primitive in enumerate(mesh.primitives):
                where = f"meshes[{m}].primitives[{p}]"
                if self._skip_reason(primitive) is not None:
                    continue
                count = self._check_attributes(primitive, where)
                vertices += count
                indices += self._check_indices(primitive, count, where)
                if vertices > self.limits.vertices:
                    raise AvatarError("too many vertices", got=vertices, allowed=self.limits.vertices, where=where)
                if indices > self.limits.indices:
                    raise AvatarError("too many indices", got=indices, allowed=self.limits.indices, where=where)
                key = _targets_key(primitive)
                self._check_targets(primitive, count, where)
                if key not in stacks:
                    stacks.add(key)
                    kinds = sum(any(name in t for t in primitive.targets) for name in ("POSITION", "NORMAL"))
                    self.accessors.reserve_numbers(
                        len(primitive.targets) * count * 3 * max(kinds, 1), f"{where}.targets"
                    )

    def _skip_reason(self, primitive: pygltflib.Primitive) -> str | None:
        """Return why a primitive is left out, or None where it is drawn."""
        if primitive.mode not in (pygltflib.TRIANGLES, pygltflib.TRIANGLE_STRIP, pygltflib.TRIANGLE_FAN):
            return "is made of points or lines, which are not drawn"
        index, accessors = primitive.indices, self.gltf.accessors
        if index is not None and index < len(accessors) and accessors[index].count == 0:
            return "has no indices, so there is nothing to draw"
        return None

    def _check_attributes(self, primitive: pygltflib.Primitive, where: str) -> int:
        """Check the vertex attributes; return the number of vertices."""
        if primitive.material is not None and primitive.material >= len(self.uv_sets):
            raise out_of_range("materials", primitive.material, len(self.uv_sets), f"{where}.material")
        if "POSITION" not in primitive.attributes:
            raise AvatarError("primitive has no POSITION", where=f"{where}.attributes")
        kept = {f"TEXCOORD_{n}" for n in self._uv_sets(primitive).kept}
        count = None
        for name in sorted(primitive.attributes, key=lambda n: n != "POSITION"):
            family = "TEXCOORD" if name in kept else name
            if family not in _ATTRIBUTES:
                continue
            json_path = f"{where}.attributes.{name}"
            types, components = self._attributes[family]
            n = self.accessors.check(primitive.attributes[name], json_path, types, components)
            if count is None:
                count = n
            if n != count:
                raise AvatarError("vertex counts differ", got=n, allowed=f"POSITION's {count}", where=json_path)
        assert count is not None  # POSITION is there
        return count

    def _uv_sets(self, primitive: pygltflib.Primitive) -> UvSets:
        return UvSets() if primitive.material is None else self.uv_sets[primitive.material]

    def _check_indices(self, primitive: pygltflib.Primitive, vertices: int, where: str) -> int:
        """Check the index accessor; return an upper bound of the indices of the triangle list."""
        count = vertices
        if primitive.indices is not None:
            count = self.accessors.check(primitive.indices, f"{where}.indices", ("SCALAR",), _INDEX)
        return count if primitive.mode == pygltflib.TRIANGLES else 3 * count

    def _check_targets(self, primitive: pygltflib.Primitive, vertices: int, where: str) -> None:
        for t, target in enumerate(primitive.targets):
            for name in ("POSITION", "NORMAL"):
                if name not in target:
                    continue
                json_path = f"{where}.targets[{t}].{name}"
                n = self.accessors.check(target[name], json_path, ("VEC3",), _SIGNED if self._quantized else _FLOAT)
                if n != vertices:
                    raise AvatarError("vertex counts differ", got=n, allowed=f"POSITION's {vertices}", where=json_path)

    def read(self) -> tuple[Mesh, ...]:
        """Read all meshes; primitives of points and lines are left out."""
        return tuple(self._mesh(mesh, m) for m, mesh in enumerate(self.gltf.meshes))

    def _mesh(self, mesh: pygltflib.Mesh, m: int) -> Mesh:
        primitives: list[Primitive] = []
        for p, primitive in enumerate(mesh.primitives):
            where = f"meshes[{m}].primitives[{p}]"
            skip_reason = self._skip_reason(primitive)
            if skip_reason is None:
                primitives.append(self._primitive(primitive, where))
            else:
                self.oddities.add(f"{where} {skip_reason}")
        targets = max((len(p.targets) for p in mesh.primitives), default=0)
        weights = tuple(mesh.weights[:targets]) + (0.0,) * (targets - len(mesh.weights))
        if mesh.weights and len(mesh.weights) != targets:
            self.oddities.add(f"meshes[{m}] has {len(mesh.weights)} weights for {targets} morph targets")
        return Mesh(mesh.name, tuple(primitives), weights, _target_names(mesh)[:targets])

    def _primitive(self, primitive: pygltflib.Primitive, where: str) -> Primitive:
        positions = self._cached(
            ("POSITION", primitive.attributes["POSITION"]), lambda: self._positions(primitive, where)
        )
        joints, weights = self._skinning(primitive, where)
        morph_positions, morph_normals = self._morphs(primitive, len(positions), where)
        colors = self._vectors(primitive, "COLOR_0", 1.0, where)
        if colors is not None and colors.shape[1] == 3:
            colors = _read_only(np.concatenate([colors, np.ones((len(colors), 1), np.float32)], 1))
        return Primitive(
            positions=positions,
            indices=self._triangles(primitive, len(positions), where),
            material=len(self.uv_sets) if primitive.material is None else primitive.material,
            normals=self._vectors(primitive, "NORMAL", 0.0, where),
            tangents=self._vectors(primitive, "TANGENT", 0.0, where),
            tex_coords=self._tex_coords(primitive, len(positions), where),
            colors=colors,
            joints=joints,
            weights=weights,
            morph_positions=morph_positions,
            morph_normals=morph_normals,
        )

    def _cached(self, key: object, make: Any) -> Any:
        if key not in self._cache:
            self._cache[key] = make()
        return self._cache[key]

    def _positions(self, primitive: pygltflib.Primitive, where: str) -> F32:
        values = self.accessors.read(primitive.attributes["POSITION"], where).astype(np.float32, copy=False)
        good = (np.abs(values) <= MAX_NUMBER).all(1)  # false for NaN too
        if not good.all():
            bad = int(np.argmin(good))
            raise AvatarError(
                "vertex position is not finite, or absurdly far",
                got=f"vertex {bad}: {values[bad].tolist()}",
                where=f"{where}.attributes.POSITION",
            )
        return _read_only(values)

    def _vectors(self, primitive: pygltflib.Primitive, name: str, fill: float, where: str) -> F32 | None:
        """Read an optional attribute as floats; numbers that are not finite become `fill`, with an oddity."""
        accessor = primitive.attributes.get(name)
        if accessor is None:
            return None

        def make() -> F32:
            values = self.accessors.read(accessor, where)
            unscaled = self._quantized and name.startswith("TEXCOORD")  # KHR_texture_transform scales them
            values = values.astype(np.float32, copy=False) if unscaled else _as_floats(values)
            return self._finite(values, fill, f"{where}.attributes.{name}")

        return self._cached((name, accessor), make)

    def _finite(self, values: F32, fill: float, where: str) -> F32:
        good = np.isfinite(values)
        if not good.all():
            self.oddities.add(f"{where} has {int((~good).sum())} numbers that are not finite, taken as {fill:g}")
            values = np.where(good, values, np.float32(fill))
        return _read_only(values)

    def _tex_coords(self, primitive: pygltflib.Primitive, vertices: int, where: str) -> tuple[F32, ...]:
        sets = self._uv_sets(primitive)
        found = [self._vectors(primitive, f"TEXCOORD_{n}", 0.0, where) for n in sets.kept]
        missing = [n for n, values in zip(sets.kept, found, strict=True) if values is None and n in sets.used]
        if all(values is None for values in found):
            if missing:
                self.oddities.add(
                    f"{where} has no UVs for the textures of materials[{primitive.material}]; it has none"
                )
            return ()
        if missing:
            names = ", ".join(f"TEXCOORD_{n}" for n in missing)
            self.oddities.add(f"{where} has no {names}, which materials[{primitive.material}] reads; taken as zeros")
        wanted = [values is not None or n in missing for n, values in zip(sets.kept, found, strict=True)]
        zeros = np.broadcast_to(np.zeros(2, np.float32), (vertices, 2))
        return tuple(zeros if values is None else values for values in found[: len(wanted) - wanted[::-1].index(True)])

    def _triangles(self, primitive: pygltflib.Primitive, vertices: int, where: str) -> NDArray[np.uint32]:
        json_path = f"{where}.indices"
        if primitive.indices is None:
            flat = np.arange(vertices, dtype=np.uint32)
        else:
            flat = self.accessors.read(primitive.indices, json_path)[:, 0].astype(np.uint32)
            if int(flat.max()) >= vertices:
                raise AvatarError(
                    "vertex index is out of range",
                    got=int(flat.max()),
                    allowed=f"0 to {vertices - 1}",
                    where=f"{json_path} (accessors[{primitive.indices}])",
                )
        return _read_only(np.ascontiguousarray(_triangulate(flat, primitive.mode, json_path, self.oddities)))

    def _skinning(
        self, primitive: pygltflib.Primitive, where: str
    ) -> tuple[NDArray[np.uint16] | None, NDArray[np.float32] | None]:
        pairs = {
            n: [f"{name}_{n}" in primitive.attributes for name in ("JOINTS", "WEIGHTS")] for n in range(_MAX_JOINT_SETS)
        }
        for n, (joints_there, weights_there) in pairs.items():
            if joints_there != weights_there:
                one, other = ("JOINTS", "WEIGHTS") if joints_there else ("WEIGHTS", "JOINTS")
                self.oddities.add(f"{where} has {one}_{n} without {other}_{n}; it is left out")
        sets = [n for n, there in pairs.items() if all(there)]
        if not sets:
            return None, None
        key = tuple((primitive.attributes[f"JOINTS_{n}"], primitive.attributes[f"WEIGHTS_{n}"]) for n in sets)
        joints, weights = self._cached(("skin", key), lambda: self._read_influences(key, where))
        return joints, weights

    def _read_influences(
        self, sets: tuple[tuple[int, int], ...], where: str
    ) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
        """Read (V, 4) joints and weights: the 4 largest of all sets, summing to 1; unused joints are 0."""
        joints = np.concatenate([self.accessors.read(j, where) for j, _ in sets], 1).astype(np.uint16)
        weights = np.concatenate([_as_floats(self.accessors.read(w, where)) for _, w in sets], 1)
        if not np.isfinite(weights).all():
            bad = int(np.argmin(np.isfinite(weights).all(1)))
            raise AvatarError("joint weight is not finite", got=f"vertex {bad}", where=f"{where}.attributes.WEIGHTS_0")
        if (weights < 0).any():
            self.oddities.add(
                f"{where} has {int((weights < 0).any(1).sum())} vertices with negative weights, taken as 0"
            )
            weights = np.maximum(weights, 0)
        if weights.shape[1] > 4:
            self.oddities.add(f"{where} has {weights.shape[1]} joints a vertex; the 4 that weigh most are kept")
            order = np.argsort(-weights, 1, kind="stable")[:, :4]
            joints, weights = np.take_along_axis(joints, order, 1), np.take_along_axis(weights, order, 1)
        sums = weights.sum(1, dtype=np.float64)
        empty = sums <= 0
        if empty.any():
            self.oddities.add(f"{where} has {int(empty.sum())} vertices of no weight, given to their first joint")
            weights = weights.copy()
            weights[empty, 0] = 1
            sums = np.where(empty, 1.0, sums)
        weights = (weights / sums[:, None]).astype(np.float32)
        joints = np.where(weights > 0, joints, 0).astype(np.uint16)
        return _read_only(joints), _read_only(weights)

    def _morphs(self, primitive: pygltflib.Primitive, vertices: int, where: str) -> tuple[F32, F32 | None]:
        if not primitive.targets:
            return _read_only(np.zeros((0, vertices, 3), np.float32)), None
        key = ("morph", vertices, _targets_key(primitive))
        result: tuple[F32, F32 | None] = self._cached(key, lambda: self._read_morphs(primitive, vertices, where))
        return result

    def _read_morphs(self, primitive: pygltflib.Primitive, vertices: int, where: str) -> tuple[F32, F32 | None]:
        stacks: dict[str, F32] = {}
        for name in ("POSITION", "NORMAL"):
            if name == "NORMAL" and not any(name in t for t in primitive.targets):
                continue
            stack = np.zeros((len(primitive.targets), vertices, 3), np.float32)
            for t, target in enumerate(primitive.targets):
                if name in target:
                    stack[t] = self.accessors.read(target[name], where)
            stacks[name] = self._finite(stack, 0.0, f"{where}.targets.{name}")
        return stacks["POSITION"], stacks.get("NORMAL")


def check_joints(gltf: pygltflib.GLTF2, meshes: tuple[Mesh, ...], oddities: Oddities) -> None:
    """Refuse a node whose mesh uses joints that its skin does not have; record an oddity where either is missing."""
    largest: dict[int, int] = {}
    for i, node in enumerate(gltf.nodes):
        if node.mesh is None:
            continue
        if node.skin is None:
            if any(p.joints is not None for p in meshes[node.mesh].primitives):
                oddities.add(f"nodes[{i}] has no skin for the joints of its meshes[{node.mesh}], drawn rigidly")
            continue
        if node.mesh not in largest:
            joints = [p.joints for p in meshes[node.mesh].primitives if p.joints is not None]
            largest[node.mesh] = max((int(j.max()) for j in joints), default=-1)
        if any(p.joints is None for p in meshes[node.mesh].primitives):
            oddities.add(
                f"nodes[{i}] has a skin, but its meshes[{node.mesh}] has a primitive without joints, drawn rigidly"
            )
        count = len(gltf.skins[node.skin].joints)
        if largest[node.mesh] >= count:
            raise AvatarError(
                "vertex hangs on a joint that the skin does not have",
                got=largest[node.mesh],
                allowed=f"0 to {count - 1}",
                where=f"meshes[{node.mesh}] with skins[{node.skin}] at nodes[{i}]",
            )


def _targets_key(primitive: pygltflib.Primitive) -> tuple[object, ...]:
    return tuple((t.get("POSITION"), t.get("NORMAL")) for t in primitive.targets)


def _triangulate(flat: NDArray[np.uint32], mode: int, where: str, oddities: Oddities) -> NDArray[np.uint32]:
    """Return (T, 3) triangles of a list, strip or fan (glTF 3.7.2.1), with the winding that the mode defines."""
    if mode == pygltflib.TRIANGLES:
        if len(flat) % 3:
            oddities.add(f"{where} has {len(flat)} indices, not a multiple of 3; the last ones are not drawn")
        return flat[: len(flat) // 3 * 3].reshape(-1, 3)
    count = max(len(flat) - 2, 0)
    i = np.arange(count)
    if mode == pygltflib.TRIANGLE_FAN:
        return np.stack([flat[i + 1], flat[i + 2], np.broadcast_to(flat[0], count)], 1)
    odd = i % 2
    return np.stack([flat[i], flat[i + 1 + odd], flat[i + 2 - odd]], 1)


def _target_names(mesh: pygltflib.Mesh) -> tuple[str, ...]:
    """Read mesh.extras.targetNames, or the first primitive's, where UniVRM writes them; () where malformed."""
    for holder in (mesh, *mesh.primitives[:1]):
        names = holder.extras.get("targetNames") if isinstance(holder.extras, dict) else None
        if isinstance(names, list) and all(isinstance(n, str) for n in names):
            return tuple(names)
    return ()


def _as_floats(values: NDArray[Any]) -> F32:
    """Return floats as they are, and integers normalized, whether or not the exporter set `normalized`."""
    if values.dtype.kind == "u":
        return values.astype(np.float32) / np.float32(np.iinfo(values.dtype).max)
    return values.astype(np.float32, copy=False)


def _read_only(values: NDArray[Any]) -> NDArray[Any]:
    values.setflags(write=False)
    return values
