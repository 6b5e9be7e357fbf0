"""One avatar on the GPU, and how to draw it once."""

from __future__ import annotations

from dataclasses import dataclass

import moderngl
import numpy as np

from vrm_synth.gltf.model import Material, Texture
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.render.base import Compat, Draw, View
from vrm_synth.render.gl.draw_order import DrawItem, culled_sides, draw_order
from vrm_synth.render.gl.geometry import VERTEX, VERTEX_FORMAT, Instance, flatten, palette
from vrm_synth.render.gl.mip_cache import MipCache
from vrm_synth.render.gl.morphs import NO_RANGE, active_rows, upload
from vrm_synth.render.gl.programs import Features, ProgramStore, bound_slots, features, glows, view_features
from vrm_synth.render.gl.textures import COLOR_SLOTS, COLOR_SLOTS_THREE_VRM, TextureStore
from vrm_synth.render.gl.uniforms import MATERIAL_STRIDE, SLOTS, CameraMatrices, material_block
from vrm_synth.vrm.model import Avatar

MATERIAL_BINDING, PALETTE_BINDING, MORPHS_BINDING, DELTAS_BINDING = 1, 2, 3, 4
MATRIX = 3 * 16  # bytes of the palette
# Bytes of the palette as a uniform block, which llvmpipe reads faster than a storage buffer: a fifth of what vertices
# take (6.2 and 4.8 CPU-ms of the built-in avatar's 32,363 triangles and their outlines).
PALETTE_BLOCK = 65_536


class SceneBuffers:
    """Buffers, textures and vertex arrays of one avatar in one context."""

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
        size = max(self.geometry.palette_size, 1) * MATRIX
        self._large = size > PALETTE_BLOCK or ctx.info["GL_MAX_UNIFORM_BLOCK_SIZE"] < PALETTE_BLOCK
        self._palette = ctx.buffer(reserve=size if self._large else PALETTE_BLOCK)
        self._active = ctx.buffer(reserve=16)
        self._deltas = [upload(ctx, i, avatar.source) for i in self.geometry.instances]
        self._wraps = {k: (t.sampler.wrap_s, t.sampler.wrap_t) for k, t in enumerate(avatar.textures)}
        self._tangents = {
            m: any(i.primitive.tangents is not None for i in self.geometry.instances if i.primitive.material == m)
            for m in range(len(avatar.materials))
        }
        self._materials = ctx.buffer(reserve=max(len(avatar.materials), 1) * MATERIAL_STRIDE)
        self._written: tuple[Material, ...] = ()
        self._blocks: list[bytes] = []
        self._written_for: Compat = "none"
        self._textures = TextureStore(ctx, avatar, mips)
        self._variants: dict[tuple[DrawItem, Features, bool], _Variant] = {}
        self._mipmaps = True  # that of what is bound
        self._bound: dict[_Variant, tuple[tuple[int, moderngl.Texture, moderngl.Sampler], ...]] = {}

    def draw(
        self, posed: PosedAvatar, view: View, seen: CameraMatrices, target: moderngl.Framebuffer
    ) -> tuple[Draw, ...]:
        """Draw into `target`, which is in use; the Frame block is bound already. Returns the order drawn."""
        if self._indices is None:
            return ()
        ctx, g = self._ctx, self.geometry
        self._palette.write(palette(g, posed, seen.view_from_world))
        ranges = self._write_morphs(posed)
        self._write_materials(posed.materials, view.compat)
        if self._large:
            self._palette.bind_to_storage_buffer(PALETTE_BINDING)
        else:
            self._palette.bind_to_uniform_block(PALETTE_BINDING)
        self._active.bind_to_storage_buffer(MORPHS_BINDING)
        ctx.enable(moderngl.DEPTH_TEST)
        of_view = view_features(view)
        if view.mipmaps != self._mipmaps:
            self._bound.clear()
            self._mipmaps = view.mipmaps
        drawn = []
        for item in self._order(posed, view.outlines, seen):
            instance = g.instances[item.instance]
            material = posed.materials[instance.primitive.material]
            target.depth_mask = _writes_depth(material)
            variant = self._variant(item, instance, material, of_view)
            if variant not in self._bound:
                self._bound[variant] = tuple(
                    (u, *self._textures.get(t, s, view.mipmaps)) for u, t, s in variant.textures
                )
            for unit, texture, sampler in self._bound[variant]:
                texture.use(unit)
                sampler.use(unit)
            self._draw_item(item, instance, material, variant.vao, ranges[item.instance])
            name = material.name + (" (Outline)" if item.part == "outline" else "")
            drawn.append((instance.name, name, item.part))
        target.depth_mask = True
        return tuple(drawn)

    def release(self) -> None:
        """Free the GPU's copies."""
        for variant in self._variants.values():
            variant.vao.release()
        for buffer in (self._vertices, self._indices, self._palette, self._active, self._materials, *self._deltas):
            if buffer is not None:
                buffer.release()
        self._textures.release()

    def _order(self, posed: PosedAvatar, outlines: bool, seen: CameraMatrices) -> list[DrawItem]:
        depth_row = seen.clip_from_view[2] @ seen.view_from_world
        depths = ((depth_row @ posed.world_from_node)[self._nodes] * self._centers).sum(-1)
        return draw_order([posed.materials[m] for m in self._material_ids], self._material_ids, depths, outlines)

    def _write_morphs(self, posed: PosedAvatar) -> list[tuple[int, int]]:
        rows, ranges, at = [], [], 0
        for instance in self.geometry.instances:
            r = active_rows(instance, posed.morph_weights.get(instance.node))
            ranges.append((at, len(r)) if len(r) else NO_RANGE)
            rows.append(r)
            at += len(r)
        if at:
            data = np.concatenate(rows)
            if data.nbytes > self._active.size:
                self._active.orphan(data.nbytes)
            self._active.write(data)
        return ranges

    def _write_materials(self, materials: tuple[Material, ...], compat: Compat) -> None:
        if (materials is self._written and compat == self._written_for) or not materials:
            return
        same = compat == self._written_for and len(self._blocks) == len(materials)
        blocks = [
            self._blocks[i]  # expressions leave most materials as they are
            if same and m is self._written[i]
            else material_block(m, self._wraps, self._tangents[i], compat)
            for i, m in enumerate(materials)
        ]
        self._materials.write(b"".join(blocks))
        self._blocks, self._written, self._written_for = blocks, materials, compat

    def _draw_item(
        self,
        item: DrawItem,
        instance: Instance,
        material: Material,
        vao: moderngl.VertexArray,
        morph_range: tuple[int, int],
    ) -> None:
        ctx = self._ctx
        self._materials.bind_to_uniform_block(
            MATERIAL_BINDING, instance.primitive.material * MATERIAL_STRIDE, MATERIAL_STRIDE
        )
        deltas = self._deltas[item.instance]
        if deltas is not None and morph_range[1]:
            deltas.bind_to_storage_buffer(DELTAS_BINDING)
        if vao.program.extra != morph_range:
            vao.program["morph_range"] = vao.program.extra = morph_range

        ctx.front_face = "cw" if instance.mirrored else "ccw"
        (ctx.enable if material.alpha_mode == "BLEND" else ctx.disable)(moderngl.BLEND)
        for cull in culled_sides(material, item.part):
            if cull == "none":
                ctx.disable(moderngl.CULL_FACE)
            else:
                ctx.enable(moderngl.CULL_FACE)
                ctx.cull_face = cull
            vao.render(vertices=instance.index_count, first=instance.first_index)

    def _variant(self, item: DrawItem, instance: Instance, material: Material, of_view: Features) -> _Variant:
        key = (item, of_view, glows(material))
        if key not in self._variants:
            feature_set = of_view | features(material, instance, self._wraps, item.part == "outline")
            feature_set |= {"LARGE_PALETTE"} if self._large else frozenset()
            program = self._programs.get(feature_set)
            names = [n for n in VERTEX.names or () if n in program]
            layout = " ".join(
                f if n in program else _padding(f)
                for n, f in zip(VERTEX.names or (), VERTEX_FORMAT.split(), strict=True)
            )
            vao = self._ctx.vertex_array(program, [(self._vertices, layout, *names)], self._indices, 4)
            infos = material.texture_infos()
            colors = COLOR_SLOTS_THREE_VRM if "THREE_VRM" in of_view else COLOR_SLOTS
            textures = tuple(
                (SLOTS.index(slot), self.avatar.textures[infos[slot].texture], slot in colors)
                for slot in bound_slots(feature_set)
            )
            self._variants[key] = _Variant(vao, textures)
        return self._variants[key]


@dataclass(frozen=True, eq=False)
class _Variant:
    """How an item is drawn under a kind of view. textures: (unit, texture, whether it is sRGB)."""

    vao: moderngl.VertexArray
    textures: tuple[tuple[int, Texture, bool], ...]


def _writes_depth(material: Material) -> bool:
    return material.alpha_mode != "BLEND" or (material.mtoon is not None and material.mtoon.transparent_with_z_write)


def _padding(attribute_format: str) -> str:
    """The skip token of as many bytes as an attribute that a variant does not read."""
    count, kind = int(attribute_format[0]), attribute_format[1:]
    return f"{count * int(kind[1:])}x"
