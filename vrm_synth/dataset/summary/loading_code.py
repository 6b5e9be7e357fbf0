"""Code that loads a dataset in other programs: the part of the card's head that `datasets` reads, and lines of Python.

The tests run those lines, placeholder replaced, on every format of dataset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vrm_synth.core.passes import CONDITIONING_IMAGE, Pass
from vrm_synth.io.atomic_files import to_json
from vrm_synth.io.image_encodings import ENCODINGS

FOLDER_PLACEHOLDER = "PATH/OF/THIS/FOLDER"
FILES = {"imagefolder": "**", "webdataset": "*.tar", "parquet": "*.parquet"}  # of a split's folder, its data


@dataclass(frozen=True)
class DatasetFiles:
    """The files of a dataset.

    shard_format: of shards, a key of FILES.
    encoding: of pictures, a key of ENCODINGS, or "mixed" where datasets of several were merged.
    passes: the files that lie beside each picture.
    splits: their names, the one to show first.
    """

    shard_format: str
    encoding: str = "png"
    passes: tuple[Pass, ...] = ()
    splits: tuple[str, ...] = ("train",)

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The endings that names of pictures may have, without passes."""
        if self.encoding in ENCODINGS:
            return (ENCODINGS[self.encoding].suffix,)
        return tuple(dict.fromkeys(e.suffix for e in ENCODINGS.values()))


def head(files: DatasetFiles, columns: Mapping[str, str]) -> dict[str, Any]:
    """The files of each split for the card's YAML head, so that nothing else in the folder is data.

    columns: of a row, each with its type as `datasets` spells it.
    """
    if not files.splits:
        return {}
    data_files = [{"split": name, "path": f"{name}/{FILES[files.shard_format]}"} for name in files.splits]
    configs = {"configs": [{"config_name": "default", "data_files": data_files}]}
    return {"dataset_info": {"features": _features(files, columns)}, **configs} if _has_tars(files) else configs


def _features(files: DatasetFiles, columns: Mapping[str, str]) -> list[dict[str, Any]]:
    """The columns of a tar's samples. `datasets` would take them from the first five samples of one shard, knows no
    JPEG XL, and leaves pictures out whose suffix the five did not have."""
    pictures = (*files.suffixes, *(p.suffix for p in files.passes if p.is_image))
    row = [{"name": name, "dtype": kind} for name, kind in columns.items()]
    return [
        *({"name": suffix, "dtype": "image"} for suffix in pictures),
        {"name": "txt", "dtype": "string"},
        {"name": "json", "struct": row},
        {"name": "__key__", "dtype": "string"},
        {"name": "__url__", "dtype": "string"},
    ]


def sections(files: DatasetFiles) -> Sequence[str]:
    """Markdown: code that loads the dataset, and what it gives."""
    jxl = "import pillow_jxl  # pip install pillow-jxl-plugin: with it Pillow reads JPEG XL\n"
    plugin = jxl if "jxl" in files.suffixes else ""
    arguments = _arguments(files)
    datasets = (
        f"```python\n{plugin}from datasets import load_dataset  # 3.6 or newer\n\n"
        f"pictures = load_dataset({arguments})\nstreamed = load_dataset({arguments}, streaming=True)\n```"
    )
    webdataset = (_webdataset(files, plugin),) if _has_tars(files) else ()
    return (datasets, _columns(files), *webdataset, *_controlnet(files))


def _arguments(files: DatasetFiles) -> str:
    """Of `load_dataset`: the folder, whose card says the rest."""
    if (
        files.shard_format == "imagefolder" and "jxl" in files.suffixes
    ):  # whose files `datasets` does not take for pictures
        return (
            f'"imagefolder", data_files={to_json({name: f"{FOLDER_PLACEHOLDER}/{name}/**" for name in files.splits})}'
        )
    return to_json(FOLDER_PLACEHOLDER)


def _columns(files: DatasetFiles) -> str:
    if files.shard_format == "webdataset":
        names = [f"`{suffix}`" for suffix in files.suffixes]
        passes = "".join(f", `{p.suffix}`" for p in files.passes if p.is_image)
        text = f"A row has the picture ({' or '.join(names)}){passes}, the caption (`txt`) and the rest (`json`)."
    else:
        passes = "".join(f", `{p.name}`" for p in files.passes if p.is_image)
        rest = "the rest as JSON text (`metadata`)" if files.shard_format == "parquet" else "the rest, a column each"
        text = f"A row has `image`{passes}, `caption` and {rest}."
    return text + _arrays(files)


def _arrays(files: DatasetFiles) -> str:
    """A sentence about the files that are no picture columns."""
    arrays = [p for p in files.passes if not p.is_image]
    if not arrays:
        return ""
    where = {
        "imagefolder": "a column each names them by path",
        "webdataset": "members of the tar, which `datasets` does not show",
        "parquet": "a column each has their bytes and path",
    }[files.shard_format]
    named = ", ".join(f"`{p.suffix}`" for p in arrays)
    return f" Arrays for `numpy.load` ({named}) are no picture columns: {where}."


def _controlnet(files: DatasetFiles) -> Sequence[str]:
    """How diffusers' example trains a ControlNet, where there is a conditioning image."""
    if CONDITIONING_IMAGE not in files.passes:
        return ()
    if _has_tars(files) and len(files.suffixes) > 1:
        return ("To train a ControlNet, convert the pictures to one encoding first.",)
    columns = ("image", CONDITIONING_IMAGE.name, "caption")
    if _has_tars(files):
        columns = (files.suffixes[0], CONDITIONING_IMAGE.suffix, "txt")
    flags = ("image_column", "conditioning_image_column", "caption_column")
    options = " ".join(f"--{flag} {column}" for flag, column in zip(flags, columns, strict=True))
    return (
        "diffusers' `train_controlnet.py` takes these columns:",
        f"```sh\naccelerate launch train_controlnet.py --train_data_dir {FOLDER_PLACEHOLDER} \\\n  {options} …\n```",
    )


def _webdataset(files: DatasetFiles, plugin: str) -> str:
    split = files.splits[0] if files.splits else "train"
    first, rest = ("import glob\nimport io\n\n", f"{plugin}import webdataset\nfrom PIL import Image\n\n\n")
    return (
        f"```python\n{first}{rest}"
        "def picture(name, data):  # as it is, transparency included; passes too\n"
        f"    return Image.open(io.BytesIO(data)) if name.endswith({_endings(files)}) else None\n\n\n"
        f"shards = sorted(glob.glob({to_json(f'{FOLDER_PLACEHOLDER}/{split}/*.tar')}))\n"
        "samples = webdataset.WebDataset(shards, shardshuffle=False).decode(picture)\n```"
    )


def _endings(files: DatasetFiles) -> str:
    endings = dict.fromkeys((*files.suffixes, *("png" for p in files.passes if p.is_image)))
    quoted = [f'"{ending}"' for ending in endings]
    return quoted[0] if len(quoted) == 1 else f"({', '.join(quoted)})"


def _has_tars(files: DatasetFiles) -> bool:
    return files.shard_format == "webdataset"
