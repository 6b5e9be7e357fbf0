"""Names of files in a dataset's folder, and the suffixes of the files that hold its data."""

from __future__ import annotations

METADATA_LINES = "metadata.jsonl"  # of an image folder: a row a picture
METADATA_TABLE = "metadata.parquet"  # of a dataset of ours: one table of all its rows, without pictures
DATASET_JSON = "dataset.json"  # of a dataset of ours: what it was made from
DATASET_CARD = "README.md"

SHARD_SUFFIXES = (".tar", ".parquet")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".jxl")
CAPTION_SUFFIXES = (".txt", ".caption")
# Not read; where they are all that there is, the reader says what it wants instead.
ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz", ".zip")
UNREAD_LISTS = ("metadata.csv",)
UNREAD_IMAGE_SUFFIXES = (".avif", ".bmp", ".gif", ".heic", ".heif", ".jp2", ".tif", ".tiff")
