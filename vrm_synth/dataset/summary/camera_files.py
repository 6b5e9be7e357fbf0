"""Files of a finished dataset for tools that read cameras and annotations: coco.json, and NeRF's transforms.json.

Both are written as rows come, so that no more of a dataset is in memory than the views of one body.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol

from vrm_synth.annotation.cameras import NerfFrame, nerf_transforms
from vrm_synth.annotation.coco import CocoImage, coco_dataset
from vrm_synth.io.atomic_files import to_json
from vrm_synth.io.file_names import COCO_JSON, TRANSFORMS_FOLDER, shard_stem
from vrm_synth.io.image_encodings import ENCODINGS
from vrm_synth.shot import Shot

NamedFile = tuple[str, bytes | Path]  # in the dataset
DESCRIPTION = "Pictures of VRM avatars, rendered by vrm-synth; left and right are the figure's own"


def picture_name(settings: Mapping[str, Any], key: str, split: str, shard: int) -> str:
    """The name of a picture in annotations: its path in a folder of pictures, its member's name in other shards."""
    name = f"{key}.{ENCODINGS[settings['encoding']].suffix}"
    return f"{shard_stem(split, shard)}/{name}" if settings["format"] == "imagefolder" else name


class RowWriter(Protocol):
    """Makes files of a dataset from its rows, which come in order."""

    def add(self, row: Mapping[str, Any], key: str, split: str, shard: int) -> Iterator[NamedFile]:
        """Take a row; yields files that it completes."""
        ...

    def finish(self) -> Iterator[NamedFile]:
        """Yields the files that are left."""
        ...


def row_writers(settings: Mapping[str, Any], folder: Path, stack: ExitStack) -> list[RowWriter]:
    """The writers of a dataset. settings: `recipe` of its dataset.json; folder: for temporary files, which `stack`
    closes."""
    if settings["encoding"] not in ENCODINGS:  # merged of several: a row does not tell its picture's suffix
        return []
    writers: list[RowWriter] = []
    if settings.get("annotations"):
        writers.append(stack.enter_context(CocoWriter(folder, settings)))
    if settings.get("views_per_pose", 1) > 1 and settings["format"] == "imagefolder":
        writers.append(TransformsWriter(settings))
    return writers


class CocoWriter:
    """Writes coco.json row by row. A context manager, which closes its files."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]):
        self._settings = settings
        self._images = (folder / "images").open("w+", encoding="utf-8")
        self._figures = (folder / "figures").open("w+", encoding="utf-8")
        self._image_count = self._figure_count = 0
        self._path = folder / COCO_JSON

    def __enter__(self) -> CocoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._images.close()
        self._figures.close()

    def add(self, row: Mapping[str, Any], key: str, split: str, shard: int) -> Iterator[NamedFile]:
        """Add a picture; no file is complete before finish."""
        annotations = row["annotations"]
        name = picture_name(self._settings, key, split, shard)
        image = CocoImage(name, tuple(annotations["size"]), [annotations["coco"]], annotations["camera"])
        content = coco_dataset([image])
        self._image_count += 1
        self._write(self._images, content["images"][0] | {"id": self._image_count}, self._image_count)
        for figure in content["annotations"]:
            self._figure_count += 1
            ids = {"id": self._figure_count, "image_id": self._image_count}
            self._write(self._figures, figure | ids, self._figure_count)
        return iter(())

    def finish(self) -> Iterator[NamedFile]:
        """Yields coco.json."""
        empty = coco_dataset([], DESCRIPTION)
        with self._path.open("w", encoding="utf-8") as out:
            for name in ("info", "licenses", "categories"):
                out.write(f"{'{' if name == 'info' else ','}\n{to_json(name)}: {to_json(empty[name])}")
            for name, lines in (("images", self._images), ("annotations", self._figures)):
                lines.seek(0)
                out.write(f",\n{to_json(name)}: [")
                out.writelines(lines)
                out.write("\n]")
            out.write("\n}\n")
        yield COCO_JSON, self._path

    @staticmethod
    def _write(out: IO[str], entry: Mapping[str, Any], number: int) -> None:
        out.write(f"{',' if number > 1 else ''}\n{to_json(entry)}")


class TransformsWriter:
    """Collects the views of each body into transforms.json files. settings: `recipe` of the dataset.json."""

    def __init__(self, settings: Mapping[str, Any]):
        self._settings = settings
        self._views = int(settings["views_per_pose"])
        self._open: dict[int, list[NerfFrame]] = {}

    def add(self, row: Mapping[str, Any], key: str, split: str, shard: int) -> Iterator[NamedFile]:
        """Add a view; yields (name, bytes) of the file whose last view it is."""
        shot, first = Shot.from_json(dict(row["shot"])), row["i"] - row["i"] % self._views
        frames = self._open.setdefault(first, [])
        frames.append(NerfFrame(f"../{picture_name(self._settings, key, split, shard)}", shot.camera, shot.size))
        if len(frames) == self._views:
            yield self._file(first)

    def finish(self) -> Iterator[NamedFile]:
        """(name, bytes) of bodies that lack a view: quarantined, or beyond the recipe's count."""
        for first in sorted(self._open):
            yield self._file(first)

    def _file(self, first: int) -> NamedFile:
        content = nerf_transforms(self._open.pop(first))
        return f"{TRANSFORMS_FOLDER}/{first:06d}.json", (to_json(content, indent=1) + "\n").encode()
