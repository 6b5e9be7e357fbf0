"""Framebuffers and pixel buffers of a context, kept from picture to picture while the size stays."""

from __future__ import annotations

from dataclasses import dataclass

import moderngl

from vrm_synth.core.errors import RenderError


@dataclass(frozen=True, eq=False)
class Target:
    """A framebuffer and its attachments.

    framebuffer: to draw into.
    colors: its textures, by attachment.
    depth: its depth buffer, None where it has none.
    size: (width, height) pixels.
    samples: of the driver's multisampling a pixel, 0 without.
    """

    framebuffer: moderngl.Framebuffer
    colors: tuple[moderngl.Texture, ...]
    depth: moderngl.Texture | moderngl.Renderbuffer | None
    size: tuple[int, int]
    samples: int

    @property
    def color(self) -> moderngl.Texture:
        """The first attachment."""
        return self.colors[0]

    def release(self) -> None:
        """Free the framebuffer and its attachments."""
        for resource in (self.framebuffer, *self.colors, self.depth):
            if resource is not None:
                resource.release()


Attachment = tuple[int, str]  # components and moderngl's dtype of a texture
RGBA8: Attachment = (4, "f1")
R8: Attachment = (1, "f1")
R32F: Attachment = (1, "f4")
DEPTH: Attachment = (1, "u4")  # window z of the depth buffer, 0 to 2³² − 1: read faster than as floats


_ON, _OFF = (True, True, True, True), (False, False, False, False)
COLOR_ALONE, LABEL_ALONE, COLOR_AND_LABEL = (_ON, _OFF), (_OFF, _ON), (_ON, _ON)  # masks of two attachments


def set_color_mask(framebuffer: moderngl.Framebuffer, mask: tuple[tuple[bool, bool, bool, bool], ...]) -> None:
    """Choose the attachments that draws and clears write."""
    framebuffer.color_mask = mask  # type: ignore[assignment]  # one mask for each attachment is allowed, too


def raise_driver_error(ctx: moderngl.Context) -> None:
    """Raise RenderError where OpenGL has noted an error since the last call: what is drawn may be anything."""
    error = ctx.error
    if error != "GL_NO_ERROR":
        raise RenderError("the driver failed while drawing", got=error, where=ctx.info["GL_RENDERER"])


class Targets:
    """The framebuffers and pixel buffers of one context."""

    def __init__(self, ctx: moderngl.Context):
        self._ctx = ctx
        self._targets: dict[str, tuple[tuple[Attachment, ...], Target]] = {}  # by what they are for
        self._free: list[moderngl.Buffer] = []
        self._idle = ctx.framebuffer([ctx.texture((1, 1), 4)])  # bound while no other is

    def draw_target(self, size: tuple[int, int], samples: int, with_labels: bool = False) -> Target:
        """The framebuffer with colour and depth that is drawn into, with labels beside the colour or without.
        samples: as Target's."""
        attachments = (RGBA8, R8) if with_labels else (RGBA8,)
        return self._get(f"draw {len(attachments)}", size, attachments, samples, depth=True)

    def resolve_target(self, size: tuple[int, int]) -> Target:
        """The framebuffer with colour alone, one sample a pixel, that a drawing is resolved into."""
        return self._get("resolve", size, (RGBA8,), 0, depth=False)

    def geometry_target(self, size: tuple[int, int], attachments: tuple[Attachment, ...], layer: int = 0) -> Target:
        """A framebuffer of one sample a pixel for a geometry buffer. layer: an odd and an even one are two."""
        return self._get(f"geometry {layer % 2}", size, attachments, 0, depth=True)

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

    def _get(
        self, purpose: str, size: tuple[int, int], attachments: tuple[Attachment, ...], samples: int, depth: bool
    ) -> Target:
        kept = self._targets.get(purpose)
        if kept is None or (kept[0], kept[1].size, kept[1].samples) != (attachments, size, samples):
            if kept is not None:
                self._idle.use()  # moderngl binds again what was bound, and OpenGL refuses what is deleted
                kept[1].release()
            colors = tuple(self._ctx.texture(size, n, samples=samples, dtype=dtype) for n, dtype in attachments)
            buffer = self._ctx.depth_renderbuffer(size, samples=samples) if depth else None
            raise_driver_error(self._ctx)
            target = Target(self._ctx.framebuffer(colors, buffer), colors, buffer, size, samples)
            raise_driver_error(self._ctx)
            self._targets[purpose] = (attachments, target)
        return self._targets[purpose][1]
