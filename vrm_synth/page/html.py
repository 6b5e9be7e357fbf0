"""A page as data, and its rendering as HTML.

Texts come from strangers (captions, names, file names). Jinja's autoescape writes every one of them, in bodies and
in attributes; no text ever becomes a URL, a style or a script, and the page's own policy allows none of them but
its one style sheet and pictures inside the page. So a caption can say <script> and be read as that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import jinja2

from vrm_synth.page.page_image import PageImage

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class GridRow:
    """One row of a grid.

    title: above its pictures, a caption for example.
    pictures: one a column, None where there is none.
    notes: a line below each picture, or nothing.
    facts: name → value, shown when unfolded.
    commands: (what it does, the command), shown when unfolded.
    """

    title: str
    pictures: Sequence[PageImage | None]
    notes: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    commands: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Grid:
    """Rows below each other with their pictures in named columns; with one column, a gallery that flows.

    columns: names of the columns.
    rows: in order.
    heading: of the section.
    text: below the heading.
    """

    columns: Sequence[str]
    rows: Sequence[GridRow]
    heading: str = ""
    text: str = ""


@dataclass(frozen=True)
class FigureTable:
    """A table of figures; numbers are aligned to the right.

    columns: names of the columns.
    rows: of as many cells as there are columns.
    heading: of the section.
    text: below the heading.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str | int | float]]
    heading: str = ""
    text: str = ""


@dataclass(frozen=True)
class Page:
    """A page.

    title: its heading.
    sections: in order.
    text: below the title.
    facts: name → value, in a line below the title.
    """

    title: str
    sections: Sequence[Grid | FigureTable]
    text: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


def to_html(page: Page) -> bytes:
    """Render a page as one UTF-8 file. Raises ValueError where a row's cell count is not its column count."""
    for section in page.sections:
        _check(section)
    html: str = _template().render(page=page, style=(_HERE / "page.css").read_text(encoding="utf-8"))
    # Lone surrogates, which JSON can contain, cannot be encoded: they become question marks.
    return html.encode("utf-8", errors="replace")


def _check(section: Grid | FigureTable) -> None:
    rows = [row.pictures for row in section.rows] if isinstance(section, Grid) else section.rows
    wrong = [row for row in rows if len(row) != len(section.columns)]
    if wrong:
        raise ValueError(f"a row of {len(wrong[0])} cells under {len(section.columns)} columns")


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["grid"] = lambda section: isinstance(section, Grid)
    environment.tests["figure"] = lambda cell: isinstance(cell, int | float)
    return environment.get_template("page.html.jinja")
