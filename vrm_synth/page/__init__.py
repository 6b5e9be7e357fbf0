"""Self-contained HTML pages: pictures side by side, tables, facts; no script, nothing fetched."""

from vrm_synth.page.html import Entry, Grid, Page, Table, to_html
from vrm_synth.page.page_image import PageImage

__all__ = ["Entry", "Grid", "Page", "PageImage", "Table", "to_html"]
