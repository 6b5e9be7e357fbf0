"""The gl backend: moderngl on EGL, a whole avatar in one pass of draws."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import moderngl
import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.errors import RenderError
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.render.base import Draw, Frame, View
from vrm_synth.render.geometry_buffer import (
    GeometryBuffer,
    GeometryField,
    VertexLabels,
    VisibleSurface,
    visible_surface,
)
from vrm_synth.render.gl.context import create_context
from vrm_synth.render.gl.geometry_pass import outputs_of, read_attachment, read_geometry
from vrm_synth.render.gl.mip_cache import MipCache
from vrm_synth.render.gl.programs import ProgramStore, resolve_program
from vrm_synth.render.gl.scene_buffers import SceneBuffers
from vrm_synth.render.gl.targets import (
    COLOR_ALONE,
    COLOR_AND_LABEL,
    DEPTH,
    LABEL_ALONE,
    R8,
    Target,
    Targets,
    raise_driver_error,
    set_color_mask,
)
from vrm_synth.render.gl.uniforms import FRAME_SIZE, CameraMatrices, frame_block
from vrm_synth.render.gl.unpremultiply import unpremultiply
from vrm_synth.render.system import is_software
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.drawn_triangles import drawn_triangles

FRAME_BINDING = 0
NEARER_LAYER = 11  # texture unit of geometry.frag's nearer_layer
# Coverage blends over what is there; alpha accumulates. Colours are encoded, so this is what three.js,
# browsers and Unity in gamma mode do.
BLEND_FUNC = (moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA, moderngl.ONE, moderngl.ONE_MINUS_SRC_ALPHA)
MULTISAMPLES = (2, 4, 8, 16)
RING = 3  # pictures in flight on a GPU: one being drawn, one being copied, one being read


class GLBackend:
    """A RenderBackend (render/base.py) on moderngl.

    device: index of the EGL device.
    cache: number of avatars kept on the GPU.
    mips: the folder that keeps mip chains of textures, None for none.

    Raises RenderError where no context can be made (then the message names the package to install).
    """

    def __init__(self, device: int = 0, cache: int = 4, mips: Path | None = None):
        self._ctx = create_context(device)
        info = self._ctx.info
        self._limit = min(info["GL_MAX_RENDERBUFFER_SIZE"], info["GL_MAX_TEXTURE_SIZE"])
        self._software = is_software(info["GL_RENDERER"])
        self._mips = None if mips is None else MipCache(mips)
        self._programs = ProgramStore(self._ctx)
        self._resolves: dict[int, moderngl.VertexArray] = {}  # by supersample
        self._frame = self._ctx.buffer(reserve=FRAME_SIZE)
        self._scenes: OrderedDict[Avatar, SceneBuffers] = OrderedDict()
        self._cache = cache
        self._targets = Targets(self._ctx)
        self._window_z = np.empty((0, 0, 1), np.uint32)  # kept, or each picture would fault in its pages anew

    @property
    def device(self) -> str:
        """The driver's own name and version."""
        return f"{self._ctx.info['GL_RENDERER']}, OpenGL {self._ctx.info['GL_VERSION']}"

    def render(self, posed: PosedAvatar, view: View) -> Frame:
        """Draw once. Raises RenderError where the driver's limits are exceeded, or it fails (out of memory)."""
        order = self.draw(posed, view)
        frame = self._with_buffers(Frame(self.read_back(view), order), posed, view)
        with self._ctx:
            raise_driver_error(self._ctx)
        return frame

    def stream(self, pictures: Iterable[tuple[PosedAvatar, View]]) -> Iterator[Frame]:
        """Draw pictures one after the other: the frames of render(), in order. On a GPU a picture is read back while
        the next ones are drawn. Raises RenderError."""
        ahead = 0 if self._software else RING - 1
        in_flight: deque[tuple[_PendingRead, Frame]] = deque()
        for posed, view in pictures:
            order = self.draw(posed, view)
            read = self._begin_reading(view)
            in_flight.append((read, self._with_buffers(Frame(np.empty(0, np.uint8), order), posed, view)))
            if len(in_flight) > ahead:
                read, frame = in_flight.popleft()
                yield replace(frame, rgba=self._finish_reading(read))
        for read, frame in in_flight:
            yield replace(frame, rgba=self._finish_reading(read))

    def draw(self, posed: PosedAvatar, view: View) -> tuple[Draw, ...]:
        """Submit the draws, the first half of render(). Returns their order."""
        (width, height), n = view.size, view.supersample
        if (1 if self._multisamples(view) else n) * max(width, height) > self._limit:
            raise RenderError(
                "picture larger than the driver can draw",
                got=f"{width}×{height} at supersample {n}",
                allowed=f"up to {self._limit} pixels a side",
            )
        with self._ctx:  # another renderer of this process may be current
            scene = self._scene(posed.avatar)
            target = self._draw_target(view).framebuffer
            target.use()
            r, g, b, a = view.background or (0.0, 0.0, 0.0, 0.0)
            labels = self._labels(view)
            if labels is not None:
                set_color_mask(target, LABEL_ALONE)
                target.clear()
                set_color_mask(target, COLOR_ALONE)
            target.clear(r * a, g * a, b * a, a, depth=1.0)
            if labels is not None:
                set_color_mask(target, COLOR_AND_LABEL)
            self._ctx.blend_func = BLEND_FUNC  # type: ignore[assignment]  # four factors are allowed, too
            camera_matrices = CameraMatrices.of(view)
            self._frame.write(frame_block(view, camera_matrices))
            self._frame.bind_to_uniform_block(FRAME_BINDING)
            return scene.draw(posed, view, camera_matrices, target, labels)

    def finish(self) -> None:
        """Wait until everything submitted is drawn; for benchmarks."""
        with self._ctx:
            self._ctx.finish()

    def read_back(self, view: View) -> NDArray[np.uint8]:
        """Resolve what draw() drew of the same view and read it, the second half of render(): (H, W, 4) uint8."""
        width, height = view.size
        pixels = np.empty((height, width, 4), np.uint8)
        with self._ctx:
            resolved, is_straight = self._resolve(view)
            resolved.read_into(pixels, components=4, alignment=1)
        return pixels if is_straight else unpremultiply(pixels)[::-1]

    def close(self) -> None:
        """Free everything, the context last."""
        with self._ctx:
            for scene in self._scenes.values():
                scene.release()
            self._scenes.clear()
        self._ctx.release()

    def _scene(self, avatar: Avatar) -> SceneBuffers:
        scene = self._scenes.pop(avatar, None)
        if scene is None:
            while len(self._scenes) >= self._cache:
                self._scenes.popitem(last=False)[1].release()
            scene = SceneBuffers(self._ctx, self._programs, avatar, self._mips)
        self._scenes[avatar] = scene
        return scene

    def _draw_target(self, view: View) -> Target:
        """The framebuffer that draw() draws this view into."""
        multisamples = self._multisamples(view)
        n = 1 if multisamples else view.supersample
        return self._targets.draw_target(
            (view.size[0] * n, view.size[1] * n), multisamples, with_labels=self._labels(view) is not None
        )

    def _labels(self, view: View) -> VertexLabels | None:
        """The labels that the colour drawing of a view also writes: none among the driver's multisamples, which cannot
        be read one by one."""
        return None if self._multisamples(view) else view.buffers.vertex_labels

    def _with_buffers(self, frame: Frame, posed: PosedAvatar, view: View) -> Frame:
        """Add the buffers that a view asks for to its frame, right after draw()."""
        if not view.buffers.surface and view.buffers.geometry is None and not view.buffers.depth_layers:
            return frame
        of_samples = view.buffers.surface and not self._multisamples(view)
        with self._ctx:
            surface = self._read_surface(view) if of_samples else None
            geometry = None
            if view.buffers.geometry is not None or (view.buffers.surface and not of_samples):
                geometry = next(self._geometry_layers(posed, view, view.buffers.geometry or frozenset(), 1))
            count = view.buffers.depth_layers
            layers = tuple(self._geometry_layers(posed, view, frozenset(), count, peel=True)) if count else ()
        if view.buffers.surface and geometry is not None and not of_samples:
            surface = visible_surface(geometry, view.buffers.vertex_labels, drawn_triangles(posed.avatar))
        requested = geometry if view.buffers.geometry is not None else None
        return replace(frame, surface=surface, geometry=requested, layers=layers)

    def _read_surface(self, view: View) -> VisibleSurface:
        """One sample of each pixel that draw() drew, the one below and right of its centre where they are many."""
        target, n = self._draw_target(view), view.supersample
        rows = slice(target.size[1] - 1 - n // 2, None, -n), slice(n // 2, None, n)
        if self._window_z.shape[:2] != target.size[::-1]:
            self._window_z = np.empty((*target.size[::-1], 1), np.uint32)
        window_z = read_attachment(target.framebuffer, -1, DEPTH, self._window_z)[rows][..., 0]
        depth = view.camera.depth_of(window_z.astype(np.float32) * np.float32(2.0**-32))
        depth[window_z == np.uint32(2**32 - 1)] = np.inf
        label = None if self._labels(view) is None else read_attachment(target.framebuffer, 1, R8)[rows][..., 0]
        return VisibleSurface(depth, label)

    def _geometry_layers(
        self, posed: PosedAvatar, view: View, fields: frozenset[GeometryField], count: int, peel: bool = False
    ) -> Iterator[GeometryBuffer]:
        """Draw a geometry buffer, or layers of them by depth peeling."""
        outputs = outputs_of(fields)
        scene, camera_matrices = self._scene(posed.avatar), CameraMatrices.of(view)
        self._frame.bind_to_uniform_block(FRAME_BINDING)
        for layer in range(count):
            target = self._targets.geometry_target(view.size, outputs.attachments, layer)
            if peel:
                nearer = self._targets.geometry_target(view.size, outputs.attachments, layer + 1)
                if layer == 0:
                    nearer.framebuffer.clear(-1.0, -1.0, -1.0, -1.0)
                self._ctx.clear_samplers(NEARER_LAYER, NEARER_LAYER + 1)
                nearer.colors[outputs.names.index("OUT_DEPTH")].use(NEARER_LAYER)
            target.framebuffer.use()
            target.framebuffer.clear(depth=1.0)
            scene.draw_geometry(posed, view, camera_matrices, target.framebuffer, outputs.features(peel))
            yield read_geometry(target.framebuffer, outputs, fields)

    def _multisamples(self, view: View) -> int:
        """Samples a pixel of the driver's multisampling; 0 for none."""
        wanted = view.supersample**2
        if wanted == 1 or view.antialias == "supersample" or (view.antialias == "auto" and self._software):
            return 0
        allowed = [n for n in MULTISAMPLES if n <= self._ctx.max_samples]
        if wanted in allowed:
            return wanted
        if view.antialias == "auto":
            return 0
        raise RenderError(
            "no such multisampling here",
            got=f"supersample {view.supersample}, {wanted} samples a pixel",
            allowed=f"{', '.join(map(str, allowed)) or 'no'} samples a pixel, or antialias supersample",
            where=self._ctx.info["GL_RENDERER"],
        )

    def _resolve(self, view: View) -> tuple[moderngl.Framebuffer, bool]:
        """Resolve what draw() drew to one sample a pixel. Returns the framebuffer, and True where it already has
        straight alpha and its top row first."""
        n, target = view.supersample, self._draw_target(view)
        if n == 1:
            return target.framebuffer, False
        resolved = self._targets.resolve_target(view.size).framebuffer
        if target.samples:
            self._ctx.copy_framebuffer(resolved, target.framebuffer)
            return resolved, False
        resolved.use()
        self._ctx.disable(moderngl.DEPTH_TEST | moderngl.BLEND | moderngl.CULL_FACE)
        self._ctx.clear_samplers()
        target.color.use(0)
        if n not in self._resolves:
            self._resolves[n] = self._ctx.vertex_array(resolve_program(self._ctx, n), [])
        self._resolves[n].render(moderngl.TRIANGLES, vertices=3)
        return resolved, True

    def _begin_reading(self, view: View) -> _PendingRead:
        width, height = view.size
        with self._ctx:
            resolved, is_straight = self._resolve(view)
            buffer = self._targets.pixel_buffer(width * height * 4)
            resolved.read_into(buffer, components=4, alignment=1)
        return _PendingRead(buffer, (height, width, 4), is_straight)

    def _finish_reading(self, read: _PendingRead) -> NDArray[np.uint8]:
        pixels = np.empty(read.shape, np.uint8)
        with self._ctx:
            read.buffer.read_into(pixels, pixels.nbytes)
            self._targets.give_back(read.buffer)
            raise_driver_error(self._ctx)
        return pixels if read.is_straight else unpremultiply(pixels)[::-1]


@dataclass(frozen=True, eq=False)
class _PendingRead:
    """A picture that is being copied into a pixel buffer.

    buffer: it.
    shape: (height, width, 4).
    is_straight: True where it has straight alpha and its top row first.
    """

    buffer: moderngl.Buffer
    shape: tuple[int, int, int]
    is_straight: bool
