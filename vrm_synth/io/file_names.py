"""Names of files and folders: those of a dataset of ours, and the suffixes of files that hold anybody's data.

A dataset of ours:

    dataset.json               its recipe, avatars and output format; written first
    train/00000…               shards, by split: a folder of pictures with its metadata.jsonl, a .tar, or a .parquet
    records/00000.json         a shard's completion record, the last thing that is written of it
    records/00000.index.jsonl  of a tar: where each member's bytes are, and the lines of metadata
    metadata.parquet           one table of everything
    README.md                  the dataset card
    contact_sheet.png          24 of the pictures
    coco.json                  where the recipe asks for annotations: those of all pictures
    legends.json               where passes have ids: the name of each
    transforms/000000.json     where bodies have several views and shards are folders: the cameras of one body's
    complete.json              the very last; not there while anything is missing
    metrics.json               how fast the last run went; no part of the data

The names of a sample's own files, and the columns of its metadata, are in dataset_columns.py.
"""

from __future__ import annotations

DATASET_JSON = "dataset.json"
DATASET_CARD = "README.md"
METADATA_LINES = "metadata.jsonl"  # of an image folder, ours or anybody's: a row a picture
METADATA_TABLE = "metadata.parquet"
CONTACT_SHEET = "contact_sheet.png"
COCO_JSON = "coco.json"
LEGENDS_JSON = "legends.json"
TRANSFORMS_FOLDER = "transforms"
COMPLETE_JSON = "complete.json"
METRICS_JSON = "metrics.json"
RECORDS_FOLDER = "records"
PROBE_PREFIX = ".probe-"  # of a file by which a run's processes on other machines see that it is one folder

SHARD_FORMATS = ("imagefolder", "webdataset", "parquet")

SHARD_SUFFIXES = (".tar", ".parquet")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".jxl")
CAPTION_SUFFIXES = (".txt", ".caption")
# Not read; where they are all that there is, the reader says what it wants instead.
ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz", ".zip")
UNREAD_LISTS = ("metadata.csv",)
UNREAD_IMAGE_SUFFIXES = (".avif", ".bmp", ".gif", ".heic", ".heif", ".jp2", ".tif", ".tiff")


def shard_stem(split: str, shard: int) -> str:
    """A shard's folder, or its file without the suffix."""
    return f"{split}/{shard:05d}"


def record_name(shard: int) -> str:
    """The file of a shard's completion record."""
    return f"{RECORDS_FOLDER}/{shard:05d}.json"


def index_name(shard: int) -> str:
    """The index of a tar: JSON lines of `key`, `members` (suffix → offset and size in bytes) and `row`.

    Beside the records and not beside the tar: `datasets` takes every file of a split's folder for a part of the data.
    """
    return f"{RECORDS_FOLDER}/{shard:05d}.index.jsonl"
