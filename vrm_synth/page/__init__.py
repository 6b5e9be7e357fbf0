"""Self-contained HTML pages: pictures side by side, tables, facts; no script, nothing fetched."""

from vrm_synth.page.html import FigureTable, Grid, GridRow, Page, to_html
from vrm_synth.page.page_image import PageImage

__all__ = ["FigureTable", "Grid", "GridRow", "Page", "PageImage", "to_html"]
