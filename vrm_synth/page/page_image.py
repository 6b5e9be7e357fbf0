"""Pictures of a page, encoded small and embedded in it."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import PIL.Image

SMALL = 128  # pixels: up to here every pixel is to be seen, so nothing may be lost and nothing smoothed
QUALITY = 92  # of lossy WebP; at 512² a toon picture takes about 30 kB, as PNG ten times that
_KINDS = {b"\x89PNG": "image/png", b"RIFF": "image/webp", b"\xff\xd8\xff": "image/jpeg"}


@dataclass(frozen=True)
class PageImage:
    """A picture embedded in a page.

    data: a PNG, JPEG or WebP file.
    width: in pixels.
    height: in pixels.
    alt: a description, for those who cannot see it.
    """

    data: bytes
    width: int
    height: int
    alt: str = ""

    @staticmethod
    def of(image: PIL.Image.Image, alt: str = "", longest: int = 512) -> PageImage:
        """Encode `image` (any mode) as WebP, shrunk to `longest` pixels a side at most; up to SMALL without loss."""
        scale = min(1.0, longest / max(image.size))
        # Premultiplied while it shrinks: the colour of transparent pixels must not bleed into the edges.
        shown = image.convert("RGBA")
        if scale < 1.0:
            size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            shown = shown.convert("RGBa").resize(size, PIL.Image.Resampling.LANCZOS).convert("RGBA")
        if shown.getchannel("A").getextrema() == (255, 255):
            shown = shown.convert("RGB")
        data = io.BytesIO()
        shown.save(data, "WEBP", lossless=max(shown.size) <= SMALL, quality=QUALITY, method=4)
        return PageImage(data.getvalue(), shown.width, shown.height, alt)

    @property
    def uri(self) -> str:
        """The file as a data: URI. Raises ValueError where it is of another kind than the three."""
        for magic, kind in _KINDS.items():
            if self.data.startswith(magic):
                return f"data:{kind};base64,{base64.b64encode(self.data).decode('ascii')}"
        raise ValueError("a page's picture is a PNG, JPEG or WebP file")

    @property
    def small(self) -> bool:
        """True where it is so small that a page enlarges it by whole pixels."""
        return max(self.width, self.height) <= SMALL
