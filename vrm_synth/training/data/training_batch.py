"""A batch of training samples, as latents with captions and masks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch


@dataclass(frozen=True)
class TrainingBatch:
    """The samples of one step, or one rank's part of them. Tensors are on the CPU.

    step: number of the update, from 0.
    size: (width, height) in pixels; the whole global batch has one, hence one compiled graph.
    sample_numbers: each sample's number in the run, step × global batch + j. All of a sample's randomness follows from
        it, so it is the same for any number of ranks.
    keys: "source/row's name" of each sample, for the log.
    captions: mirrored, shuffled or dropped ("") as the configuration asks.
    moments: (n, 2 × channels, h, w) float32, the VAE's mean and log variance, see `Encoder`.
    masks: (n, 1, h, w) float32, the share of figure in each latent's pixels, 0 … 1, from the render's exact mask or the
        picture's alpha; 1 where the picture has neither.
    """

    step: int
    size: tuple[int, int]
    sample_numbers: tuple[int, ...]
    keys: tuple[str, ...]
    captions: tuple[str, ...]
    moments: torch.Tensor
    masks: torch.Tensor

    def __len__(self) -> int:
        return len(self.sample_numbers)

    def split(self, count: int) -> tuple[TrainingBatch, ...]:
        """Split into `count` equal micro-batches, in order. Raises ValueError where they would not be equal."""
        size, remainder = divmod(len(self), count)
        if remainder:
            raise ValueError(f"{len(self)} samples do not make {count} equal parts")
        return tuple(self._slice(slice(i * size, (i + 1) * size)) for i in range(count))

    def _slice(self, rows: slice) -> TrainingBatch:
        return replace(
            self,
            sample_numbers=self.sample_numbers[rows],
            keys=self.keys[rows],
            captions=self.captions[rows],
            moments=self.moments[rows],
            masks=self.masks[rows],
        )
