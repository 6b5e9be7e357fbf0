"""What the loop gets for step s: a pure function of (configuration, seed, s), whatever ran before.

data = open_data(config, encoder, seed=1, batch=48, cache=run / "cache", quarantine=run / "quarantine.jsonl")
data.prepare(range(start, stop), done=bar.update)     # optional: encode all that these steps draw, in file order
for batch in data.batches(range(start, stop), rank, world):
    for micro in batch.split(accumulation):
        ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from vrm_synth.train.data_config import DataConfig
from vrm_synth.train.source import Credit


class Encoder(Protocol):
    """The frozen VAE's encoder, as the cache needs it (encoder.py makes one of diffusers' AutoencoderKL).

    identity: what the moments follow from beside the picture: the VAE's hash and the dtype it computes in.
    factor: pixels a latent, each way (8). channels: of the latents (4).
    """

    identity: str
    factor: int
    channels: int

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, H, W) float32 in −1…1 on the CPU → (n, 2 × channels, H / factor, W / factor) float32 on the CPU:
        mean and log variance, as diffusers' DiagonalGaussianDistribution takes them, not scaled."""


@dataclass(frozen=True)
class Batch:
    """The samples of one step, or one rank's part of them. Tensors are on the CPU.

    step: its number. size: (width, height) in pixels, of the whole global batch, hence one graph.
    numbers: each sample's place in the whole run, step × global batch + j: the key of all its randomness, the same
    for any number of ranks. keys: "source/row's name", for the order's log.
    captions: mirrored, shuffled, dropped ("") as the configuration has it.
    moments: (n, 2 × channels, h, w) float32, see Encoder. masks: (n, 1, h, w) float32, the share of figure in each
    latent's pixels, from the render's exact mask or the picture's alpha; 1 where the picture has neither.
    """

    step: int
    size: tuple[int, int]
    numbers: tuple[int, ...]
    keys: tuple[str, ...]
    captions: tuple[str, ...]
    moments: torch.Tensor
    masks: torch.Tensor

    def __len__(self) -> int:
        return len(self.numbers)

    def split(self, parts: int) -> tuple[Batch, ...]:
        """As many equal parts, in order: the micro-batches of an accumulated step. Raises ValueError where they
        would not be equal."""
        raise NotImplementedError


class Data:
    """The run's samples. Nothing in it depends on history but the cache, which never changes a result."""

    @property
    def manifest(self) -> str:
        """SHA-256 of all that the order follows from: configuration, seed, batch and every source's manifest.
        A checkpoint keeps it; another one at resume means other data."""
        raise NotImplementedError

    @property
    def credits(self) -> Sequence[Credit]:
        """The sources for the ledger, in the configuration's order."""
        raise NotImplementedError

    @property
    def sizes(self) -> Sequence[tuple[int, int]]:
        """(width, height) of every bucket that steps may have, at most six: what to probe and compile for."""
        raise NotImplementedError

    @property
    def epoch_steps(self) -> float:
        """Steps after which every picture of an unmixed, single-bucket run has been drawn once."""
        raise NotImplementedError

    @property
    def quarantined(self) -> Mapping[str, int]:
        """Reason → rows left out so far, at indexing and since."""
        raise NotImplementedError

    def batch(self, step: int, rank: int = 0, world: int = 1) -> Batch:
        """Step's samples; of several ranks each gets a contiguous slice. What the cache lacks is encoded now.

        Raises DatasetError where a row's substitutes are all broken, ValueError where world does not divide the
        global batch."""
        raise NotImplementedError

    def batches(self, steps: range, rank: int = 0, world: int = 1, ahead: int = 2) -> Iterator[Batch]:
        """The same for many steps, files read ahead by a thread; encoding is done in the caller's own."""
        raise NotImplementedError

    def work(self, steps: range) -> int:
        """How many pictures `prepare` would go through: the total of its bar; 0 where an earlier one has it all."""
        raise NotImplementedError

    def prepare(
        self, steps: range, rank: int = 0, world: int = 1, done: Callable[[int], object] = lambda n: None
    ) -> None:
        """Encode what these steps draw and the cache lacks, in the order of the files; ranks share the work, and
        meet after it (that is the caller's barrier). done: called with the number of pictures gone through."""
        raise NotImplementedError

    def close(self) -> None:
        """Write what of the cache is still in memory; let go of files."""
        raise NotImplementedError


def open_data(
    config: DataConfig,
    encoder: Encoder,
    *,
    seed: int,
    batch: int,
    cache: Path,
    quarantine: Path | None = None,
    count_tokens: Callable[[Sequence[str]], Sequence[int]] | None = None,
    most_tokens: int = 77,
    note: Callable[[str], object] = lambda text: None,
) -> Data:
    """Open the sources, indexing those that are new or changed, and the cache.

    batch: the global batch, of all ranks and accumulated steps. cache: for tables and latents, unless the
    configuration names a folder. quarantine: a .jsonl that gets one line for each row left out.
    count_tokens: captions → tokens each, start and end included; without it no caption is overlong.
    note: gets a line for what takes long or is left out. Raises DatasetError, RecipeError."""
    raise NotImplementedError
