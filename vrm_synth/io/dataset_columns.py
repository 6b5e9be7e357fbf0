"""The columns of a dataset's metadata: name, type, source and meaning of each, in one list.

A sample of ours has a line of metadata (metadata.jsonl, a tar's .json, a Parquet shard's `metadata`) and a row in
metadata.parquet. The writers, the readers, the table and the dataset card take names and types from COLUMNS. A new
column is an entry of it; a pass (core/passes.py) has its column by its file's name, a caption beside the first that
of its name in the recipe. What a picture shows is one column, `facts`: an object whose type follows from the type
Facts, here alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from vrm_synth.core.passes import CONDITIONING_IMAGE, PASSES, is_image
from vrm_synth.facts.facts import facts_structure
from vrm_synth.facts.structure import Flag, ListOf, Node, Number, Struct, Text, Whole

if TYPE_CHECKING:
    import pyarrow as pa

ColumnType = Literal["string", "bool", "int32", "int64", "facts"]  # as Arrow spells them; the struct of Facts
Source = Literal["file", "shard", "task", "license", "size", "choices", "facts", "object"]


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
        "choices": the field of that name in the shot's Choices, in metadata.parquet alone;
        "facts": an object of fixed structure, a struct in Parquet, JSON text in metadata.jsonl and a tar's .json;
        "object": an object in a sample's metadata, JSON text everywhere.
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

# In the order of metadata.parquet. Of Choices those are left out that no search needs: expression and gaze (Facts have
# what the picture shows), azimuth_name, elevation_name (`view` names them) and wording.
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
    Column("caption", "string", "task", "the caption; further ones are columns of the names that the recipe gives"),
    Column("avatar", "string", "task", "name of the avatar: its file's without suffix, or demo:N"),
    Column("avatar_sha256", "string", "task", "SHA-256 of the avatar's file, hexadecimal"),
    Column("license", "string", "license", "name of the avatar's license"),
    Column("license_url", "string", "license", "URL of the license's text"),
    Column("license_terms", "string", "license", "the avatar file's permission fields"),
    Column("renderer", "string", "task", "name and version of the driver that drew it"),
    Column("width", "int32", "size", "pixels"),
    Column("height", "int32", "size", "pixels"),
    Column("pose", "string", "choices", "name of the pose"),
    Column("mirrored", "bool", "choices", "the pose is mirrored, left for right"),
    Column("view", "string", "choices", "name of the view, crop_azimuth_elevation"),
    Column("crop", "string", "choices", "name of the view's crop"),
    Column("lighting", "string", "choices", "name of the light setup"),
    Column("background", "string", "choices", "a colour's name, #rrggbb or transparent"),
    Column("facts", "facts", "facts", "what the picture shows, of which its captions are made"),
    Column("shot", "string", "object", "the picture as data, an entry of the shots format"),
    Column("annotations", "string", "object", "keypoints, boxes, head and gaze, where the recipe asks for them"),
)
OPTIONAL_COLUMNS = frozenset({"annotations"})  # that a dataset has or has not, by its recipe


def names(*sources: Source) -> tuple[str, ...]:
    """Names of the columns of these sources, in order."""
    return tuple(c.name for c in COLUMNS if c.source in sources)


TABLE_COLUMNS: Mapping[str, Column] = {c.name: c for c in COLUMNS if c.source != "file"}  # of metadata.parquet
SAMPLE_COLUMNS = names("task", "license", "facts", "object")  # of a sample's metadata, without names of files
OBJECT_COLUMNS = names("facts", "object")  # JSON text in metadata.jsonl and a tar's .json
FACTS = "facts"
CAPTION = "caption"  # the first caption: what .txt files and columns of that name have


def table_columns(captions: Sequence[str] = (CAPTION,)) -> Mapping[str, Column]:
    """The columns of metadata.parquet of a dataset with these columns of captions, in order."""
    columns: dict[str, Column] = {}
    for name, column in TABLE_COLUMNS.items():
        columns[name] = column
        if name == CAPTION:
            columns |= {c: Column(c, "string", "task", "a further caption") for c in captions if c != CAPTION}
    return columns


def arrow_type(dtype: ColumnType) -> pa.DataType:
    """The Arrow type of a column. Needs pyarrow."""
    import pyarrow as pa

    if dtype == "facts":
        return _arrow(facts_structure())
    return {"string": pa.string(), "bool": pa.bool_()}.get(dtype) or getattr(pa, dtype)()


def _arrow(node: Node) -> pa.DataType:
    import pyarrow as pa

    if isinstance(node, Struct):
        return pa.struct([(name, _arrow(member)) for name, member in node.members.items()])
    if isinstance(node, ListOf):
        return pa.list_(_arrow(node.item))
    return {Text: pa.string(), Flag: pa.bool_(), Whole: pa.int32(), Number: pa.float64()}[type(node)]


def facts_features(node: Node | None = None) -> Any:
    """The type of the column `facts` as `datasets` spells it in the schema of a Parquet file."""
    node = facts_structure() if node is None else node
    if isinstance(node, Struct):
        return {name: facts_features(member) for name, member in node.members.items()}
    if isinstance(node, ListOf):
        return [facts_features(node.item)]
    dtype = {Text: "string", Flag: "bool", Whole: "int32", Number: "float64"}[type(node)]
    return {"dtype": dtype, "_type": "Value"}


def facts_paths(node: Node | None = None, prefix: str = FACTS) -> tuple[str, ...]:
    """Every field of `facts` as SQL names it ("facts.hair.colors"); what lies within lists is not among them."""
    node = facts_structure() if node is None else node
    if not isinstance(node, Struct):
        return (prefix,)
    return tuple(path for name, member in node.members.items() for path in facts_paths(member, f"{prefix}.{name}"))


def canonical(name: str, value: Any) -> Any:
    """The value of a table's column as it is whether it comes from a sample or from the table: of facts without what is
    None, which an older table has not."""
    return _canonical(facts_structure(), value) if name == FACTS else value


def _canonical(node: Node, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(node, Struct) and isinstance(value, Mapping):
        members = {k: _canonical(node.members[k], v) if k in node.members else v for k, v in value.items()}
        return {k: v for k, v in sorted(members.items()) if v is not None}
    if isinstance(node, ListOf) and isinstance(value, list | tuple):
        return [_canonical(node.item, v) for v in value]
    is_number = isinstance(node, Number) and isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else value


def card_type(name: str, value: object) -> str:
    """The type of a sample's column as `datasets` spells it in a card; by its value where the column is none of ours.

    JSON has whole numbers of one size alone, and objects as text.
    """
    column = TABLE_COLUMNS.get(name)
    dtype = column.dtype if column else {bool: "bool", int: "int64", float: "float64"}.get(type(value), "string")
    return {"int32": "int64", "facts": "string"}.get(dtype, dtype)


def sample_row(values: Mapping[str, Any], captions: Sequence[str] = (CAPTION,)) -> dict[str, Any]:
    """A sample's metadata, of the value of each of SAMPLE_COLUMNS and of the further captions; OPTIONAL_COLUMNS may
    lack. Raises ValueError for any other set of columns."""
    expected = {*SAMPLE_COLUMNS, *captions}
    if values.keys() | OPTIONAL_COLUMNS != expected:
        raise ValueError(f"other columns than SAMPLE_COLUMNS: {sorted(values.keys() ^ expected)}")
    return dict(values)


def with_caption(row: Mapping[str, Any], column: str, text: str, others: Sequence[str]) -> dict[str, Any]:
    """A sample's metadata with a further caption, right after the others."""
    items = list(row.items())
    at = 1 + max((n for n, (name, _) in enumerate(items) if name in others), default=-1)
    return dict([*items[:at], (column, text), *items[at:]])
