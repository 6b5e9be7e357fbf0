"""A dataset that lies in a folder or behind a URL, as a Python object: its length and its samples."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.finish import is_complete
from vrm_synth.dataset.identity.dataset_json import read_identity
from vrm_synth.dataset.shards.record import read_records
from vrm_synth.io.dataset_columns import FACTS
from vrm_synth.io.image_decoder import open_image
from vrm_synth.io.npz import read_npz
from vrm_synth.io.open_store import open_store
from vrm_synth.io.png_decoder import decode_png
from vrm_synth.io.png_encoder import SIGNATURE
from vrm_synth.io.shard_readers import DatasetSample, read_shard
from vrm_synth.io.store import LocalStore, Store

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from vrm_synth.facts.facts import Facts
    from vrm_synth.shot import Shot


@dataclass(frozen=True, repr=False)
class LoadedSample:
    """One sample of a dataset; its image is decoded when it is asked for.

    split: name of its split.
    encoded: the sample as its shard has it.
    """

    split: str
    encoded: DatasetSample

    @property
    def key(self) -> str:
        """The sample's name, unique within the dataset."""
        return self.encoded.key

    @property
    def caption(self) -> str:
        """The caption; further ones are in `row`, by the names of their columns."""
        return self.encoded.caption

    @property
    def row(self) -> Mapping[str, Any]:
        """All columns of metadata."""
        return self.encoded.row

    @property
    def facts(self) -> Facts:
        """What the picture shows. Raises ShotError where the row has no facts."""
        from vrm_synth.facts.facts import Facts

        return Facts.from_json(self.row.get(FACTS))

    @property
    def image(self) -> Image.Image:
        """The picture, decoded. Raises DatasetError where it cannot be."""
        return open_image(self.encoded.picture, self.key)

    @property
    def passes(self) -> Mapping[str, bytes]:
        """The files of the sample's passes, by the name of the pass ("depth", "conditioning_image")."""
        return {suffix.partition(".")[0]: data for suffix, data in self.encoded.extras.items()}

    def read_pass(self, name: str) -> Mapping[str, NDArray[Any]]:
        """A pass as arrays: of a picture one of the pass's name, (H, W) or (H, W, 3) with the file's own bit depth; of
        an .npz those in it. Raises DatasetError where the sample has no such pass, or it is damaged."""
        data = self.passes.get(name)
        if data is None:
            raise DatasetError("no such pass", got=name, allowed=", ".join(self.passes) or "none", where=self.key)
        where = f"{self.key}: {name}"
        return {name: decode_png(data, where)} if data.startswith(SIGNATURE) else read_npz(data, where)

    @property
    def mask(self) -> Image.Image | None:
        """The figure's mask, 8-bit grey; None where the dataset has no masks."""
        data = self.passes.get("mask")
        return None if data is None else open_image(data, f"{self.key}: mask")

    @property
    def shot(self) -> Shot:
        """The picture as data. Raises ShotError where the row has no valid shot."""
        from vrm_synth.shot import Shot

        return Shot.from_json(dict(self.row["shot"]))

    def __repr__(self) -> str:
        return f"<LoadedSample {self.split}/{self.key}: {self.caption!r}>"


@dataclass(frozen=True, repr=False)
class FinishedDataset:
    """A dataset, iterated sample by sample in the order of its shards.

    store: where it lies.
    path: its folder, or its URL.
    """

    store: Store
    path: str

    @property
    def is_complete(self) -> bool:
        """True if all shards, the table and the card are there; another machine may have some to make."""
        return is_complete(self.store)

    def __len__(self) -> int:
        return sum(len(record.keys) for record in read_records(self.store))

    def __iter__(self) -> Iterator[LoadedSample]:
        shard_format = str(read_identity(self.store)["recipe"]["format"])
        for record in read_records(self.store):
            if record.keys:
                for sample in read_shard(self.store, shard_format, record.split, record.shard):
                    yield LoadedSample(record.split, sample)

    def table(self) -> Iterator[dict[str, Any]]:
        """The rows of metadata.parquet, without the pictures. Raises DatasetError."""
        from vrm_synth.dataset.summary.table import read_table
        from vrm_synth.io.file_names import METADATA_TABLE

        if isinstance(self.store, LocalStore):
            return read_table(self.store.folder / METADATA_TABLE)
        return read_table(io.BytesIO(self.store.read(METADATA_TABLE)))

    def __repr__(self) -> str:
        state = f"{len(self)} pictures" if self.is_complete else "not finished"
        return f"<FinishedDataset {self.path}: {state}>"


def open_dataset(path: str | Path) -> FinishedDataset:
    """The dataset in a folder or at a URL. Raises DatasetError where there is none of ours."""
    store = open_store(str(path))
    read_identity(store)
    return FinishedDataset(store, str(path))
