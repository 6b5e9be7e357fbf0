"""Contact sheets: small pictures in a grid, each with its text below."""

from __future__ import annotations

import bisect
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from PIL import Image, ImageDraw, ImageFont

from vrm_synth.core.names import control_free_name

PAPER = (250, 249, 247)
INK = (38, 38, 46)
FAINT = (128, 126, 134)
CHECKS = ((255, 255, 255), (233, 233, 236))  # the checkerboard behind transparent pictures
GAP = 16
TITLE_SIZE = 26
TEXT_SIZE = 14
LINE_HEIGHT = 19  # pixels from one line of text to the next
MAX_TITLE = 1000  # characters: more than any sheet is wide


@dataclass(frozen=True)
class SheetCell:
    """A picture of a contact sheet.

    picture: RGBA or RGB, any size.
    text: wrapped below the title.
    title: on one line below the picture, may be "".
    """

    picture: Image.Image
    text: str
    title: str = ""


def contact_sheet(title: str, cells: Sequence[SheetCell], columns: int, width: int = 256, lines: int = 3) -> bytes:
    """Draw a contact sheet as a PNG file: `title`, then the cells row by row.

    width: of a cell in pixels, which the pictures are shrunk to fit; lines: of text below each, at most.
    """
    title = control_free_name(title, "", MAX_TITLE)
    cells = [replace(cell, title=control_free_name(cell.title, "", MAX_TITLE)) for cell in cells]
    columns = max(1, min(columns, len(cells)))
    shown = [_fit(cell.picture, width) for cell in cells]
    height = max((picture.height for picture in shown), default=0)
    titled = any(cell.title for cell in cells)
    texts = [_wrap(cell.text, width, lines) for cell in cells]
    below = (max(map(len, texts), default=0) + titled) * LINE_HEIGHT + 10
    top = GAP + TITLE_SIZE + GAP
    rows = math.ceil(len(cells) / columns)
    sheet = Image.new("RGB", (GAP + columns * (width + GAP), top + rows * (height + below + GAP)), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, GAP), _shorten(title, sheet.width - 2 * GAP, _font(TITLE_SIZE)), INK, _font(TITLE_SIZE))
    for n, (cell, picture, text) in enumerate(zip(cells, shown, texts, strict=True)):
        x = GAP + n % columns * (width + GAP)
        y = top + n // columns * (height + below + GAP)
        sheet.paste(picture, (x, y + height - picture.height))
        y += height + 6
        if titled:
            draw.text((x, y), _shorten(cell.title, width, _font(TEXT_SIZE)), INK, _font(TEXT_SIZE))
            y += LINE_HEIGHT
        for k, line in enumerate(text):
            draw.text((x, y + k * LINE_HEIGHT), line, FAINT if titled else INK, _font(TEXT_SIZE))
    data = io.BytesIO()
    sheet.save(data, "PNG", compress_level=6)
    return data.getvalue()


def _fit(picture: Image.Image, side: int) -> Image.Image:
    """Shrink to side × side at most, opaque: transparent parts show a checkerboard."""
    scale = min(1.0, side / max(picture.size))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    # Premultiplied while it shrinks: the colour of transparent pixels must not bleed into the edges.
    small = picture.convert("RGBA").convert("RGBa").resize(size, Image.Resampling.LANCZOS).convert("RGBA")
    if small.getchannel("A").getextrema() == (255, 255):
        return small.convert("RGB")
    paper = Image.new("RGB", size, CHECKS[0])
    draw = ImageDraw.Draw(paper)
    for y in range(0, size[1], 12):
        for x in range(y // 12 % 2 * 12, size[0], 24):
            draw.rectangle((x, y, x + 11, y + 11), CHECKS[1])
    paper.paste(small, (0, 0), small)
    return paper


_FONTS: dict[int, ImageFont.FreeTypeFont | ImageFont.ImageFont] = {}


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    if size not in _FONTS:
        _FONTS[size] = ImageFont.load_default(size)
    return _FONTS[size]


def _wrap(text: str, width: int, max_lines: int) -> list[str]:
    """Wrap `text` into at most `max_lines` lines of at most `width` pixels; overlong ones end in "…"."""
    font = _font(TEXT_SIZE)
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    if len(lines) > max_lines:
        lines = [*lines[: max_lines - 1], " ".join(lines[max_lines - 1 :])]
    return [_shorten(line, width, font) for line in lines]


def _shorten(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    if font.getlength(text) <= width:
        return text
    fitting = bisect.bisect_right(range(len(text)), width, key=lambda n: math.ceil(font.getlength(f"{text[: n + 1]}…")))
    return f"{text[:fitting].rstrip()}…"
