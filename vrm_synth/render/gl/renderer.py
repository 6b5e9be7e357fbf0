"""The fast renderer: moderngl on EGL, all of an avatar in one pass of draws."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import moderngl
import numpy as np
from numpy.typing import NDArray

from vrm_synth.avatar.model import Avatar
from vrm_synth.core.errors import RenderError
from vrm_synth.pose.posed import PosedAvatar
from vrm_synth.render.base import Draw, Frame, View
from vrm_synth.render.gl.blocks import FRAME_SIZE, frame_block
from vrm_synth.render.gl.context import create_context
from vrm_synth.render.gl.programs import ProgramStore, resolve_program
from vrm_synth.render.gl.scene import SceneBuffers
from vrm_synth.render.gl.straight import straightened

FRAME_BINDING = 0
# Coverage blends over what is there; alpha accumulates. Colours are encoded, so this is what three.js,
# browsers and Unity in gamma mode do.
BLEND_FUNC = (moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA, moderngl.ONE, moderngl.ONE_MINUS_SRC_ALPHA)


class GLRenderer:
    """A Renderer (render/base.py). device: index of the EGL device; cache: avatars kept on the GPU.

    Raises RenderError where no context can be made (then the message names the package to install).
    """

    def __init__(self, device: int = 0, cache: int = 4):
        self._ctx = create_context(device)
        self._limit = min(self._ctx.info["GL_MAX_RENDERBUFFER_SIZE"], self._ctx.info["GL_MAX_TEXTURE_SIZE"])
        self._programs = ProgramStore(self._ctx)
        self._resolves: dict[int, moderngl.VertexArray] = {}  # by supersample
        self._frame = self._ctx.buffer(reserve=FRAME_SIZE)
        self._scenes: OrderedDict[Avatar, SceneBuffers] = OrderedDict()
        self._cache = cache
        self._targets: dict[bool, _Target] = {}  # by whether it has a depth buffer

    @property
    def device(self) -> str:
        """The driver's own name and version."""
        return f"{self._ctx.info['GL_RENDERER']}, OpenGL {self._ctx.info['GL_VERSION']}"

    def render(self, posed: PosedAvatar, view: View) -> Frame:
        """Draw once. Raises RenderError where the driver's limits are exceeded."""
        order = self.draw(posed, view)
        return Frame(self.read_back(view), order)

    def draw(self, posed: PosedAvatar, view: View) -> tuple[Draw, ...]:
        """The first half of render(): submit the draws. Returns their order."""
        (width, height), n = view.size, view.supersample
        if n * max(width, height) > self._limit:
            raise RenderError(
                "picture larger than the driver can draw",
                got=f"{width}×{height} at supersample {n}",
                allowed=f"up to {self._limit} pixels a side",
            )
        with self._ctx:  # another renderer of this process may be current
            scene = self._scene(posed.avatar)
            drawn = self._target((width * n, height * n), depth=True).framebuffer
            drawn.use()
            r, g, b, a = view.background or (0.0, 0.0, 0.0, 0.0)
            drawn.clear(r * a, g * a, b * a, a, depth=1.0)
            self._ctx.blend_func = BLEND_FUNC  # type: ignore[assignment]  # four factors are allowed, too
            self._frame.write(frame_block(view))
            self._frame.bind_to_uniform_block(FRAME_BINDING)
            return scene.draw(posed, view, drawn)

    def finish(self) -> None:
        """Wait until everything submitted is drawn; for measuring."""
        with self._ctx:
            self._ctx.finish()

    def read_back(self, view: View) -> NDArray[np.uint8]:
        """The second half of render(): resolve what draw() drew of the same view, (H, W, 4) uint8."""
        (width, height), n = view.size, view.supersample
        with self._ctx:
            drawn = self._target((width * n, height * n), depth=True)
            if n == 1:
                pixels = np.empty((height, width, 4), np.uint8)
                drawn.framebuffer.read_into(pixels, components=4, alignment=1)
                return straightened(pixels)[::-1]
            finished = self._target((width, height), depth=False).framebuffer
            finished.use()
            self._ctx.disable(moderngl.DEPTH_TEST | moderngl.BLEND | moderngl.CULL_FACE)
            self._ctx.clear_samplers()
            drawn.color.use(0)
            if n not in self._resolves:
                self._resolves[n] = self._ctx.vertex_array(resolve_program(self._ctx, n), [])
            self._resolves[n].render(moderngl.TRIANGLES, vertices=3)
            pixels = np.frombuffer(finished.read(components=4, alignment=1), np.uint8)
        return pixels.reshape(height, width, 4)

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
            scene = SceneBuffers(self._ctx, self._programs, avatar)
        self._scenes[avatar] = scene
        return scene

    def _target(self, size: tuple[int, int], depth: bool) -> _Target:
        held = self._targets.get(depth)
        if held is None or held.framebuffer.size != size:
            if held is not None:
                held.release()
            color = self._ctx.texture(size, 4)
            buffer = self._ctx.depth_renderbuffer(size) if depth else None
            held = _Target(self._ctx.framebuffer([color], buffer), color, buffer)
            self._targets[depth] = held
        return held


@dataclass(frozen=True)
class _Target:
    """Something to draw into; kept from frame to frame while the size stays."""

    framebuffer: moderngl.Framebuffer
    color: moderngl.Texture
    depth: moderngl.Renderbuffer | None

    def release(self) -> None:
        for held in (self.framebuffer, self.color, self.depth):
            if held is not None:
                held.release()
