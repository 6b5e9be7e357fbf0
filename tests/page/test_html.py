"""HTML pages: their content, and that untrusted text never becomes markup."""

from __future__ import annotations

import html
import io
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from tests.page.browser import dom, needs_chromium, screenshot
from vrm_synth.page import FigureTable, Grid, GridRow, Page, PageImage, to_html

NASTY = (
    """</title></style><script>document.title='taken'</script><img src=x onerror="document.title='taken'">"'&{{7*7}}"""
)


def picture(color: tuple[int, ...] = (200, 80, 90), side: int = 64) -> PageImage:
    return PageImage.of(Image.new("RGBA" if len(color) == 4 else "RGB", (side, side), color), "a square")


def nasty_page() -> Page:
    entry = GridRow(NASTY, (picture(), None), (NASTY, ""), {NASTY: NASTY}, [(NASTY, NASTY)])
    one = GridRow(NASTY, [PageImage(picture().data, 64, 64, NASTY)], [NASTY])
    return Page(
        NASTY,
        [
            Grid([NASTY, "b"], [entry], NASTY, NASTY),
            Grid(["g"], [one]),
            FigureTable([NASTY, "n"], [[NASTY, 1.5]], NASTY, NASTY),
        ],
        NASTY,
        {NASTY: NASTY},
    )


class Tags(HTMLParser):
    """Every tag with its attributes, and all text."""

    def __init__(self, data: bytes):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(data.decode())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def test_untrusted_text_is_escaped_everywhere():
    tags = Tags(to_html(nasty_page()))
    assert {t for t, _ in tags.tags} <= {
        "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3", "p", "ul", "li", "span", "main",
        "section", "div", "article", "figure", "img", "figcaption", "b", "details", "summary", "dl", "dt", "dd", "code",
        "scroll", "table", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip
    assert all(not name.startswith("on") for _, attrs in tags.tags for name in attrs)
    assert all(attrs["src"].startswith("data:image/") for tag, attrs in tags.tags if tag == "img")
    assert sum(NASTY in text for text in tags.text) == 21  # each place of the page above, as it was given


def test_a_page_loads_nothing_external():
    tags = Tags(to_html(nasty_page()))
    assert not {"href", "action", "srcset", "background"} & {name for _, attrs in tags.tags for name in attrs}
    policies = [attrs["content"] for tag, attrs in tags.tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1 and policies[0].startswith("default-src 'none'; img-src data:")
    style = to_html(Page("", [])).decode().split("<style>")[1].split("</style>")[0]
    assert "url(" not in style and "@import" not in style


def test_equal_pages_give_equal_bytes():
    assert to_html(nasty_page()) == to_html(nasty_page())


def test_half_a_surrogate_pair_becomes_a_question_mark():
    assert b"a?b" in to_html(Page("a\ud800b", []))


def test_rows_must_fit_their_columns():
    with pytest.raises(ValueError, match="1 cells under 2"):
        to_html(Page("p", [Grid(["a", "b"], [GridRow("e", [picture()])])]))
    with pytest.raises(ValueError, match="1 cells under 2"):
        to_html(Page("p", [FigureTable(["a", "b"], [["x"]])]))


def test_small_pictures_keep_every_pixel_and_large_ones_shrink():
    pixels = np.random.default_rng(1).integers(0, 256, (32, 48, 3), np.uint8)
    image = PageImage.of(Image.fromarray(pixels))
    assert (image.width, image.height, image.small) == (48, 32, True)
    assert image.uri.startswith("data:image/webp;base64,")
    with Image.open(io.BytesIO(image.data)) as decoded:
        assert np.array_equal(np.asarray(decoded.convert("RGB")), pixels)
    large = PageImage.of(Image.new("RGB", (1000, 600)), longest=512)
    assert (large.width, large.height, large.small) == (512, 307, False)
    with pytest.raises(ValueError, match="PNG, JPEG or WebP"):
        _ = PageImage(b"GIF89a", 1, 1).uri


def test_a_transparent_picture_stays_transparent():
    with Image.open(io.BytesIO(picture((255, 0, 0, 0)).data)) as decoded:
        assert decoded.mode == "RGBA" and decoded.getpixel((3, 3))[3] == 0


@needs_chromium
def test_a_browser_shows_the_page_and_runs_nothing(tmp_path):
    file = tmp_path / "page.html"
    file.write_bytes(to_html(nasty_page()))
    dom_text = dom(file, tmp_path / "profile")
    assert f"<title>{html.escape(NASTY, quote=False)}</title>" in dom_text
    assert "taken</title>" not in dom_text and "<script" not in dom_text
    screenshot(file, tmp_path / "profile", tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as shown:
        pixels = np.asarray(shown.convert("RGB")).reshape(-1, 3).astype(int)
    assert (np.abs(pixels - (200, 80, 90)).max(axis=1) < 12).mean() > 0.02, "the pictures are not to be seen"
