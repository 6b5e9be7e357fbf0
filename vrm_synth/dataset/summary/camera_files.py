"""Files of a finished dataset for tools that read cameras and annotations: coco.json, and NeRF's transforms.json.

Both are written as rows come, so that no more of a dataset is in memory than the views of one body.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from vrm_synth.annotation.cameras import NerfFrame, camera_json, nerf_transforms
from vrm_synth.annotation.coco import CocoImage, coco_dataset
from vrm_synth.io.atomic_files import to_json
from vrm_synth.io.file_names import TRANSFORMS_FOLDER, shard_stem
from vrm_synth.io.image_encodings import ENCODINGS
from vrm_synth.shot import Shot

DESCRIPTION = "Pictures of VRM avatars, rendered by vrm-synth; left and right are the figure's own"


def picture_name(settings: Mapping[str, Any], key: str, split: str, shard: int) -> str:
    """The name of a picture in annotations: its path in a folder of pictures, its member's name in other shards."""
    name = f"{key}.{ENCODINGS[settings['encoding']].suffix}"
    return f"{shard_stem(split, shard)}/{name}" if settings["format"] == "imagefolder" else name


class CocoWriter:
    """Writes coco.json row by row. A context manager, which closes its files.

    folder: for temporary files. settings: `recipe` of the dataset.json.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]):
        self._settings = settings
        self._wanted = bool(settings.get("annotations")) and settings["encoding"] in ENCODINGS
        self._images = (folder / "images").open("w+", encoding="utf-8")
        self._figures = (folder / "figures").open("w+", encoding="utf-8")
        self._counts = [0, 0]
        self._path = folder / "coco.json"

    def __enter__(self) -> CocoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._images.close()
        self._figures.close()

    def add(self, row: Mapping[str, Any], key: str, split: str, shard: int) -> None:
        """Add a picture, where its row has annotations."""
        if not self._wanted or "annotations" not in row:
            return
        annotations = row["annotations"]
        name = picture_name(self._settings, key, split, shard)
        image = CocoImage(name, tuple(annotations["size"]), [annotations["coco"]], annotations["camera"])
        content = coco_dataset([image])
        self._counts[0] += 1
        self._write(self._images, content["images"][0] | {"id": self._counts[0]}, self._counts[0])
        for figure in content["annotations"]:
            self._counts[1] += 1
            ids = {"id": self._counts[1], "image_id": self._counts[0]}
            self._write(self._figures, figure | ids, self._counts[1])

    def finish(self) -> Path | None:
        """The finished file; None where the dataset has no annotations."""
        if not self._wanted:
            return None
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
        return self._path

    @staticmethod
    def _write(out: IO[str], entry: Mapping[str, Any], number: int) -> None:
        out.write(f"{',' if number > 1 else ''}\n{to_json(entry)}")


class TransformsWriter:
    """Collects the views of each body into transforms.json files. settings: `recipe` of the dataset.json."""

    def __init__(self, settings: Mapping[str, Any]):
        self._settings = settings
        self._views = int(settings.get("views_per_pose", 1))
        self._wanted = self._views > 1 and settings["format"] == "imagefolder" and settings["encoding"] in ENCODINGS
        self._open: dict[int, list[NerfFrame]] = {}

    def add(self, row: Mapping[str, Any], key: str, split: str, shard: int) -> Iterator[tuple[str, bytes]]:
        """Add a view; yields (name, bytes) of the file whose last view it is."""
        if not self._wanted:
            return
        shot, first = Shot.from_json(dict(row["shot"])), row["i"] - row["i"] % self._views
        frames = self._open.setdefault(first, [])
        frames.append(NerfFrame(f"../{picture_name(self._settings, key, split, shard)}", shot.camera, shot.size))
        if len(frames) == self._views:
            yield self._file(first)

    def finish(self) -> Iterator[tuple[str, bytes]]:
        """(name, bytes) of bodies that lack a view: quarantined, or beyond the recipe's count."""
        for first in sorted(self._open):
            yield self._file(first)

    def _file(self, first: int) -> tuple[str, bytes]:
        content = nerf_transforms(self._open.pop(first))
        return f"{TRANSFORMS_FOLDER}/{first:06d}.json", (to_json(content, indent=1) + "\n").encode()


def row_camera(row: Mapping[str, Any]) -> dict[str, Any]:
    """The camera of a row, as OpenCV and COCO have it (annotation.cameras.camera_json)."""
    shot = Shot.from_json(dict(row["shot"]))
    return camera_json(shot.camera, shot.size)
