"""Framebuffers and pixel buffers of a context, kept from picture to picture while the size stays."""

from __future__ import annotations

from dataclasses import dataclass

import moderngl


@dataclass(frozen=True, eq=False)
class Target:
    """A framebuffer and its attachments.

    framebuffer: to draw into.
    color: RGBA8 texture.
    depth: its depth buffer, None where it has none.
    size: (width, height) pixels.
    samples: of the driver's multisampling a pixel, 0 without.
    """

    framebuffer: moderngl.Framebuffer
    color: moderngl.Texture
    depth: moderngl.Texture | moderngl.Renderbuffer | None
    size: tuple[int, int]
    samples: int

    def release(self) -> None:
        """Free the framebuffer and its attachments."""
        for resource in (self.framebuffer, self.color, self.depth):
            if resource is not None:
                resource.release()


class Targets:
    """The framebuffers and pixel buffers of one context."""

    def __init__(self, ctx: moderngl.Context):
        self._ctx = ctx
        self._targets: dict[bool, Target] = {}  # one with depth, one without
        self._free: list[moderngl.Buffer] = []

    def draw_target(self, size: tuple[int, int], samples: int) -> Target:
        """The framebuffer with colour and depth that is drawn into. samples: as Target's."""
        return self._get(size, samples, True)

    def resolve_target(self, size: tuple[int, int]) -> Target:
        """The framebuffer with colour alone, one sample a pixel, that a drawing is resolved into."""
        return self._get(size, 0, False)

    def pixel_buffer(self, size: int) -> moderngl.Buffer:
        """Take a buffer of `size` bytes; `give_back` it when it has been read."""
        for buffer in self._free:
            if buffer.size == size:
                self._free.remove(buffer)
                return buffer
        while self._free:  # of a size that is no longer used
            self._free.pop().release()
        return self._ctx.buffer(reserve=size)

    def give_back(self, buffer: moderngl.Buffer) -> None:
        """Return a pixel buffer that has been read."""
        self._free.append(buffer)

    def _get(self, size: tuple[int, int], samples: int, depth: bool) -> Target:
        target = self._targets.get(depth)
        if target is None or (target.size, target.samples) != (size, samples):
            if target is not None:
                target.release()
            color = self._ctx.texture(size, 4, samples=samples)
            buffer = self._ctx.depth_renderbuffer(size, samples=samples) if depth else None
            target = Target(self._ctx.framebuffer([color], buffer), color, buffer, size, samples)
            self._targets[depth] = target
        return target
