"""What a renderer draws into and reads from; kept from picture to picture while the size stays."""

from __future__ import annotations

from dataclasses import dataclass

import moderngl


@dataclass(frozen=True, eq=False)
class Target:
    """A framebuffer and what it owns. size: (width, height) pixels; samples of each."""

    framebuffer: moderngl.Framebuffer
    color: moderngl.Texture
    depth: moderngl.Texture | moderngl.Renderbuffer | None
    size: tuple[int, int]
    samples: int

    def release(self) -> None:
        """Free it."""
        for held in (self.framebuffer, self.color, self.depth):
            if held is not None:
                held.release()


class Targets:
    """The framebuffers and pixel buffers of one context."""

    def __init__(self, ctx: moderngl.Context):
        self._ctx = ctx
        self._held: dict[bool, Target] = {}  # by whether it has depth
        self._free: list[moderngl.Buffer] = []

    def to_draw(self, size: tuple[int, int], samples: int) -> Target:
        """Colour and depth; samples: 0, or those of the driver's multisampling."""
        return self._get(size, samples, True)

    def finished(self, size: tuple[int, int]) -> Target:
        """Colour alone, one sample a pixel: what a drawing is resolved into."""
        return self._get(size, 0, False)

    def pixel_buffer(self, size: int) -> moderngl.Buffer:
        """A buffer of `size` bytes that nobody waits for."""
        for buffer in self._free:
            if buffer.size == size:
                self._free.remove(buffer)
                return buffer
        while self._free:  # of a size that is no longer asked for
            self._free.pop().release()
        return self._ctx.buffer(reserve=size)

    def give_back(self, buffer: moderngl.Buffer) -> None:
        """A pixel buffer that has been read."""
        self._free.append(buffer)

    def _get(self, size: tuple[int, int], samples: int, depth: bool) -> Target:
        held = self._held.get(depth)
        if held is None or (held.size, held.samples) != (size, samples):
            if held is not None:
                held.release()
            color = self._ctx.texture(size, 4, samples=samples)
            buffer = self._ctx.depth_renderbuffer(size, samples=samples) if depth else None
            held = Target(self._ctx.framebuffer([color], buffer), color, buffer, size, samples)
            self._held[depth] = held
        return held
