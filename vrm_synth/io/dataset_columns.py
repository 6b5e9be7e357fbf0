"""The columns of a dataset's metadata: name, type, source and meaning of each, in one list.

A sample of ours has a line of metadata (metadata.jsonl, a tar's .json, a Parquet shard's `metadata`) and a row in
metadata.parquet. The writers, the readers, the table and the dataset card take names and types from COLUMNS. A new
column is an entry of it; a pass (core/passes.py) has its column by its file's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from vrm_synth.core.passes import CONDITIONING_IMAGE, PASSES, is_image

ColumnType = Literal["string", "bool", "int32", "int64", "double"]  # as Arrow spells them
Source = Literal["file", "shard", "task", "license", "size", "choices", "observations", "object"]


@dataclass(frozen=True)
class Column:
    """One column of metadata.

    name: unique.
    dtype: its type in metadata.parquet.
    source: where its value comes from:
        "file": the name of a file of the sample, in metadata.jsonl alone;
        "shard": the sample's key, split and shard number, in metadata.parquet alone;
        "task": the key of that name in the line of metadata, known when the shot is rendered;
        "license": the same, from the license of the avatar;
        "size": the size of the shot, in metadata.parquet alone;
        "choices", "observations": the field of that name in the shot's Choices, in the picture's Observations, in
            metadata.parquet alone;
        "object": an object in a sample's metadata, JSON text in metadata.jsonl and metadata.parquet.
    description: one line.
    """

    name: str
    dtype: ColumnType
    source: Source
    description: str


def file_column(suffix: str) -> str:
    """The column of metadata.jsonl that names a sample's further file: "mask.png" → "mask_file_name", which `datasets`
    opens as a picture; "position.npz" → "position_path", which it leaves as text."""
    return f"{suffix.partition('.')[0]}{_FILE_COLUMN_END if is_image(suffix) else _PATH_COLUMN_END}"


def file_columns(row: Iterable[str]) -> list[str]:
    """Those of a row's columns that name further files, known to us or not."""
    return [name for name in row if name.endswith((_FILE_COLUMN_END, _PATH_COLUMN_END))]


FILE_NAME = "file_name"  # the column of metadata.jsonl that names the picture
_FILE_COLUMN_END, _PATH_COLUMN_END = "_file_name", "_path"

# In the order of metadata.parquet. Those that no caption or search needs are left out: of Choices expression, gaze
# (Observations have what the picture shows), azimuth_name, elevation_name (`view` names them) and wording; of
# Observations phrases.
COLUMNS: tuple[Column, ...] = (
    Column(FILE_NAME, "string", "file", "the picture's file, in the folder of its metadata.jsonl"),
    *(
        Column(file_column(p.suffix), "string", "file", f"the file of the {p.name}")
        for p in (*PASSES.values(), CONDITIONING_IMAGE)
    ),
    Column("key", "string", "shard", "the sample's name, unique in the dataset"),
    Column("split", "string", "shard", "name of its split"),
    Column("shard", "int32", "shard", "number of its shard"),
    Column("i", "int64", "task", "number of the shot in its recipe"),
    Column("attempt", "int32", "task", "which attempt was kept, from 0"),
    Column("seed", "int64", "task", "the recipe's"),
    Column("caption", "string", "task", "a sentence about what the picture is known to show"),
    Column("avatar", "string", "task", "name of the avatar: its file's without suffix, or demo:N"),
    Column("avatar_sha256", "string", "task", "SHA-256 of the avatar's file, hexadecimal"),
    Column("license", "string", "license", "name of the avatar's license"),
    Column("license_url", "string", "license", "URL of the license's text"),
    Column("license_terms", "string", "license", "the avatar file's permission fields"),
    Column("renderer", "string", "task", "name and version of the driver that drew it"),
    Column("width", "int32", "size", "pixels"),
    Column("height", "int32", "size", "pixels"),
    Column("character", "string", "choices", "the avatar's proper name"),
    Column("noun", "string", "choices", "what the avatar is, with its article"),
    Column("outfit", "string", "choices", "what the avatar wears"),
    Column("pose", "string", "choices", "name of the pose"),
    Column("mirrored", "bool", "choices", "the pose is mirrored, left for right"),
    Column("view", "string", "choices", "name of the view, crop_azimuth_elevation"),
    Column("crop", "string", "choices", "name of the view's crop"),
    Column("lighting", "string", "choices", "name of the light setup"),
    Column("background", "string", "choices", "a colour's name, #rrggbb or transparent"),
    Column("framing", "string", "observations", "full, or the crop whose cut the picture has"),
    Column("face_in_sight", "bool", "observations", "the face is turned to the camera and not hidden"),
    Column("hair", "string", "observations", "words for the hair as it is in sight"),
    Column("eyes", "string", "observations", "words for the eyes; empty where they may be shut"),
    Column("expression", "string", "observations", "the expression that can be read on the face"),
    Column("gaze", "string", "observations", "viewer or away, where it can be read"),
    Column("azimuth", "double", "observations", "degrees of the camera around the body, + to the avatar's left"),
    Column("elevation", "double", "observations", "degrees of the camera above the level"),
    Column("face_azimuth", "double", "observations", "degrees of the camera around where the face points"),
    Column("face_elevation", "double", "observations", "degrees of the camera by the axis of the head"),
    Column("shot", "string", "object", "the picture as data, an entry of the shots format"),
    Column("observations", "string", "object", "everything that the picture is found to show"),
    Column("annotations", "string", "object", "keypoints, boxes, head and gaze, where the recipe asks for them"),
)
OPTIONAL_COLUMNS = frozenset({"annotations"})  # that a dataset has or has not, by its recipe


def names(*sources: Source) -> tuple[str, ...]:
    """Names of the columns of these sources, in order."""
    return tuple(c.name for c in COLUMNS if c.source in sources)


TABLE_COLUMNS: Mapping[str, Column] = {c.name: c for c in COLUMNS if c.source != "file"}  # of metadata.parquet
SAMPLE_COLUMNS = names("task", "license", "object")  # of a sample's line of metadata, without names of files
OBJECT_COLUMNS = names("object")


def card_type(name: str, value: object) -> str:
    """The type of a sample's column as `datasets` spells it in a card; by its value where the column is none of ours.

    JSON has whole numbers of one size alone.
    """
    column = TABLE_COLUMNS.get(name)
    dtype = column.dtype if column else {bool: "bool", int: "int64", float: "double"}.get(type(value), "string")
    return {"int32": "int64", "double": "float64"}.get(dtype, dtype)


def sample_row(values: Mapping[str, Any]) -> dict[str, Any]:
    """A sample's metadata, of the value of each of SAMPLE_COLUMNS; OPTIONAL_COLUMNS may lack. Raises ValueError for any
    other set of columns."""
    if values.keys() | OPTIONAL_COLUMNS != set(SAMPLE_COLUMNS):
        raise ValueError(f"other columns than SAMPLE_COLUMNS: {sorted(values.keys() ^ set(SAMPLE_COLUMNS))}")
    return dict(values)
