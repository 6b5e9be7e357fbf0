"""One avatar's buffers, textures and vertex arrays on the GPU, and the draws of one picture."""

from __future__ import annotations

from dataclasses import dataclass

import moderngl
import numpy as np

from vrm_synth.core.errors import RenderError
from vrm_synth.gltf.model import Material, Texture
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.render.base import Compat, Draw, View
from vrm_synth.render.geometry_buffer import VertexLabels
from vrm_synth.render.gl.draw_order import DrawItem, culled_sides, draw_order
from vrm_synth.render.gl.geometry import VERTEX, VERTEX_FORMAT, flatten, palette, rest_positions
from vrm_synth.render.gl.mip_cache import MipCache
from vrm_synth.render.gl.morphs import NO_RANGE, active_rows, upload
from vrm_synth.render.gl.programs import (
    Features,
    ProgramStore,
    bound_slots,
    features,
    geometry_features,
    has_rim_or_matcap,
    view_features,
)
from vrm_synth.render.gl.targets import COLOR_ALONE, COLOR_AND_LABEL, LABEL_ALONE, set_color_mask
from vrm_synth.render.gl.texture_store import COLOR_SLOTS, COLOR_SLOTS_THREE_VRM, TextureStore
from vrm_synth.render.gl.uniforms import MATERIAL_STRIDE, SLOTS, CameraMatrices, material_block
from vrm_synth.vrm.avatar import Avatar

MATERIAL_BINDING, PALETTE_BINDING, MORPHS_BINDING, DELTAS_BINDING = 1, 2, 3, 4
NO_OUTPUTS: Features = frozenset()  # colour alone
LABEL_BESIDE_COLOR: Features = frozenset({"VERTEX_LABEL"})
LABEL_WITHOUT_COLOR: Features = frozenset({"VERTEX_LABEL", "GEOMETRY"})
MATRIX_BYTES = 3 * 16  # of a matrix in the palette, 3 × 4 float32
# Bytes of the palette as a uniform block, which llvmpipe reads faster than a storage buffer: a fifth of what vertices
# take (6.2 and 4.8 CPU-ms of the built-in avatar's 32,363 triangles and their outlines).
PALETTE_BLOCK = 65_536


class SceneBuffers:
    """Buffers, textures and vertex arrays of one avatar in one context. mips: the cache of mip chains."""

    def __init__(self, ctx: moderngl.Context, programs: ProgramStore, avatar: Avatar, mips: MipCache | None = None):
        self.avatar = avatar
        self._ctx, self._programs = ctx, programs
        self.geometry = flatten(evaluate(avatar))
        instances = self.geometry.instances
        self._material_ids = [i.primitive.material for i in instances]
        self._nodes = np.array([i.node for i in instances], np.intp)
        self._centers = np.array([(*i.center, 1.0) for i in instances]).reshape(-1, 4)
        self._vertices = ctx.buffer(self.geometry.vertices) if len(self.geometry.vertices) else None
        self._indices = ctx.buffer(self.geometry.indices) if len(self.geometry.indices) else None
        size = max(self.geometry.palette_size, 1) * MATRIX_BYTES
        self._palette_in_storage = size > PALETTE_BLOCK or ctx.info["GL_MAX_UNIFORM_BLOCK_SIZE"] < PALETTE_BLOCK
        self._palette = ctx.buffer(reserve=size if self._palette_in_storage else PALETTE_BLOCK)
        self._morph_table = ctx.buffer(reserve=16)
        self._deltas = [upload(ctx, i, avatar.source) for i in self.geometry.instances]
        self._wraps = {k: (t.sampler.wrap_s, t.sampler.wrap_t) for k, t in enumerate(avatar.textures)}
        self._tangents = {
            m: any(i.primitive.tangents is not None for i in self.geometry.instances if i.primitive.material == m)
            for m in range(len(avatar.materials))
        }
        self._materials = ctx.buffer(reserve=max(len(avatar.materials), 1) * MATERIAL_STRIDE)
        self._written_materials: tuple[Material, ...] = ()
        self._blocks: list[bytes] = []
        self._written_for: Compat = "none"
        self._textures = TextureStore(ctx, avatar, mips)
        self._variants: dict[tuple[DrawItem, Features, Features, bool], _Variant] = {}
        self._rest_positions: moderngl.Buffer | None = None  # made when first drawn
        self._label_buffer: moderngl.Buffer | None = None
        self._labels: VertexLabels | None = None  # that the buffer holds
        self._morph_ranges: list[tuple[int, int]] = []  # of each instance, in the table as it is written
        self._view_features: Features = NO_OUTPUTS
        self._prepared: tuple[PosedAvatar, View, list[DrawItem]] | None = None  # what the buffers hold
        self._mipmaps = True  # that of what is bound
        self._bound: dict[_Variant, tuple[tuple[int, moderngl.Texture, moderngl.Sampler], ...]] = {}

    def draw(
        self,
        posed: PosedAvatar,
        view: View,
        camera_matrices: CameraMatrices,
        target: moderngl.Framebuffer,
        labels: VertexLabels | None = None,
    ) -> tuple[Draw, ...]:
        """Draw into `target`, which is current, with the Frame block bound. Returns the order of the draws.

        labels: those that the target's second attachment gets. There a blended surface counts from alpha 0.5, so that
            it is drawn twice, once into each.
        """
        order = self._prepare(posed, view, camera_matrices)
        self._write_labels(labels)
        outputs = NO_OUTPUTS if labels is None else LABEL_BESIDE_COLOR
        drawn = []
        for item in order:
            instance = self.geometry.instances[item.instance]
            material = posed.materials[instance.primitive.material]
            blends = material.alpha_mode == "BLEND"
            target.depth_mask = _writes_depth(material)
            if labels is not None and blends:
                set_color_mask(target, COLOR_ALONE)
                self._draw_item(item, material, view, NO_OUTPUTS)
                set_color_mask(target, LABEL_ALONE)
                self._draw_item(item, material, view, LABEL_WITHOUT_COLOR)
                set_color_mask(target, COLOR_AND_LABEL)
            else:
                self._draw_item(item, material, view, outputs)
            name = material.name + (" (Outline)" if item.kind == "outline" else "")
            drawn.append((instance.name, name, item.kind))
        target.depth_mask = True
        return tuple(drawn)

    def draw_geometry(
        self,
        posed: PosedAvatar,
        view: View,
        camera_matrices: CameraMatrices,
        target: moderngl.Framebuffer,
        outputs: Features,
    ) -> None:
        """Draw into the geometry buffer `target`, which is current. outputs: as programs.geometry_features has them.

        As in colour, the last drawn of coincident surfaces counts, and a surface that blends without writing depth
        lies under what is drawn after it. Layers of depth peeling go by depth alone, and have no outlines.
        """
        for item in self._prepare(posed, view, camera_matrices):
            if "PEEL" in outputs and item.kind == "outline":
                continue
            material = posed.materials[self.geometry.instances[item.instance].primitive.material]
            target.depth_mask = "PEEL" in outputs or _writes_depth(material)
            self._draw_item(item, material, view, outputs)
        target.depth_mask = True

    def _prepare(self, posed: PosedAvatar, view: View, camera_matrices: CameraMatrices) -> list[DrawItem]:
        """Write and bind what the draws of one picture read. Returns their order."""
        if self._indices is None:
            return []
        if self._prepared is None or self._prepared[0] is not posed or self._prepared[1] is not view:
            self._palette.write(palette(self.geometry, posed, camera_matrices.view_from_world))
            self._morph_ranges = self._write_morphs(posed)
            self._write_materials(posed.materials, view.compat)
            self._view_features = view_features(view)
            self._prepared = (posed, view, self._order(posed, view.outlines, camera_matrices))
        if self._palette_in_storage:
            self._palette.bind_to_storage_buffer(PALETTE_BINDING)
        else:
            self._palette.bind_to_uniform_block(PALETTE_BINDING)
        self._morph_table.bind_to_storage_buffer(MORPHS_BINDING)
        self._ctx.enable(moderngl.DEPTH_TEST)
        if view.mipmaps != self._mipmaps:
            self._bound.clear()
            self._mipmaps = view.mipmaps
        return self._prepared[2]

    def release(self) -> None:
        """Free everything on the GPU."""
        for variant in self._variants.values():
            variant.vao.release()
        single = (
            self._vertices,
            self._indices,
            self._palette,
            self._morph_table,
            self._materials,
            self._rest_positions,
        )
        for buffer in (*single, *self._deltas):
            if buffer is not None:
                buffer.release()
        self._textures.release()

    def _order(self, posed: PosedAvatar, outlines: bool, camera_matrices: CameraMatrices) -> list[DrawItem]:
        depth_row = camera_matrices.clip_from_view[2] @ camera_matrices.view_from_world
        depths = ((depth_row @ posed.world_from_node)[self._nodes] * self._centers).sum(-1)
        return draw_order([posed.materials[m] for m in self._material_ids], self._material_ids, depths, outlines)

    def _write_morphs(self, posed: PosedAvatar) -> list[tuple[int, int]]:
        rows, ranges, at = [], [], 0
        for instance in self.geometry.instances:
            table = active_rows(instance, posed.morph_weights.get(instance.node))
            ranges.append((at, len(table)) if len(table) else NO_RANGE)
            rows.append(table)
            at += len(table)
        if at:
            data = np.concatenate(rows)
            if data.nbytes > self._morph_table.size:
                self._morph_table.orphan(data.nbytes)
            self._morph_table.write(data)
        return ranges

    def _write_labels(self, labels: VertexLabels | None) -> None:
        if labels is None or labels is self._labels or self._vertices is None:
            return
        count = len(self.geometry.vertices)
        if len(labels.values) != count:
            raise RenderError("labels of another avatar", got=f"{len(labels.values)} vertices", allowed=count)
        if self._label_buffer is None:
            self._label_buffer = self._ctx.buffer(reserve=count)
        self._label_buffer.write(labels.values)
        self._labels = labels

    def _write_materials(self, materials: tuple[Material, ...], compat: Compat) -> None:
        if (materials is self._written_materials and compat == self._written_for) or not materials:
            return
        same = compat == self._written_for and len(self._blocks) == len(materials)
        blocks = [
            self._blocks[i]  # expressions leave most materials as they are
            if same and m is self._written_materials[i]
            else material_block(m, self._wraps, self._tangents[i], compat)
            for i, m in enumerate(materials)
        ]
        self._materials.write(b"".join(blocks))
        self._blocks, self._written_materials, self._written_for = blocks, materials, compat

    def _draw_item(self, item: DrawItem, material: Material, view: View, outputs: Features) -> None:
        ctx, instance = self._ctx, self.geometry.instances[item.instance]
        variant = self._variant(item, material, outputs)
        if variant not in self._bound:
            self._bound[variant] = tuple((u, *self._textures.get(t, s, view.mipmaps)) for u, t, s in variant.textures)
        for unit, texture, sampler in self._bound[variant]:
            texture.use(unit)
            sampler.use(unit)
        self._materials.bind_to_uniform_block(
            MATERIAL_BINDING, instance.primitive.material * MATERIAL_STRIDE, MATERIAL_STRIDE
        )
        deltas, morph_range = self._deltas[item.instance], self._morph_ranges[item.instance]
        if deltas is not None and morph_range[1]:
            deltas.bind_to_storage_buffer(DELTAS_BINDING)
        program = variant.vao.program
        if program.extra != morph_range:
            program["morph_range"] = program.extra = morph_range
        if "first_triangle" in program:
            program["first_triangle"] = instance.first_index // 3

        ctx.front_face = "cw" if instance.mirrored else "ccw"
        blends = material.alpha_mode == "BLEND" and "GEOMETRY" not in variant.features
        (ctx.enable if blends else ctx.disable)(moderngl.BLEND)
        for cull in culled_sides(material, item.kind):
            if cull == "none":
                ctx.disable(moderngl.CULL_FACE)
            else:
                ctx.enable(moderngl.CULL_FACE)
                ctx.cull_face = cull
            variant.vao.render(vertices=instance.index_count, first=instance.first_index)

    def _variant(self, item: DrawItem, material: Material, outputs: Features) -> _Variant:
        instance = self.geometry.instances[item.instance]
        key = (item, self._view_features, outputs, has_rim_or_matcap(material))
        if key not in self._variants:
            feature_set = self._view_features | features(material, instance, self._wraps, item.kind == "outline")
            feature_set |= {"LARGE_PALETTE"} if self._palette_in_storage else frozenset()
            if outputs == LABEL_BESIDE_COLOR:
                feature_set |= outputs
            elif outputs:
                feature_set = geometry_features(material, feature_set, outputs)
            self._variants[key] = self._build_variant(feature_set, material, "THREE_VRM" in self._view_features)
        return self._variants[key]

    def _build_variant(self, feature_set: Features, material: Material, three_vrm: bool) -> _Variant:
        program = self._programs.get(feature_set)
        names = [n for n in VERTEX.names or () if n in program]
        layout = " ".join(
            f if n in program else _padding(f) for n, f in zip(VERTEX.names or (), VERTEX_FORMAT.split(), strict=True)
        )
        content = [(self._vertices, layout, *names)]
        if "in_rest" in program:
            if self._rest_positions is None:
                self._rest_positions = self._ctx.buffer(rest_positions(evaluate(self.avatar)))
            content.append((self._rest_positions, "3f4", "in_rest"))
        if "in_label" in program:
            content.append((self._label_buffer, "1f1", "in_label"))
        vao = self._ctx.vertex_array(program, content, self._indices, 4)
        infos = material.texture_infos()
        colors = COLOR_SLOTS_THREE_VRM if three_vrm else COLOR_SLOTS
        textures = tuple(
            (SLOTS.index(slot), self.avatar.textures[infos[slot].texture], slot in colors)
            for slot in bound_slots(feature_set)
        )
        return _Variant(vao, textures, feature_set)


@dataclass(frozen=True, eq=False)
class _Variant:
    """The program and textures of an item under a kind of view.

    vao: the vertex array, with its program.
    textures: (texture unit, texture, True for sRGB colour) of each slot that the program reads.
    features: of the program.
    """

    vao: moderngl.VertexArray
    textures: tuple[tuple[int, Texture, bool], ...]
    features: Features


def _writes_depth(material: Material) -> bool:
    return material.alpha_mode != "BLEND" or (material.mtoon is not None and material.mtoon.transparent_with_z_write)


def _padding(attribute_format: str) -> str:
    """moderngl's padding token for an attribute that a variant does not read, of as many bytes."""
    count, kind = int(attribute_format[0]), attribute_format[1:]
    return f"{count * int(kind[1:])}x"
