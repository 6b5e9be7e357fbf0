"""Samples → latents: found in the cache, or read, cut out and encoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from vrm_synth.core.errors import DatasetError
from vrm_synth.train.data.config import DataConfig
from vrm_synth.train.data.fit_image import fit
from vrm_synth.train.data.sampler import TrainingSample
from vrm_synth.train.data.source import BadRowError, DataSource
from vrm_synth.train.latents.latent_cache import DTYPES, LatentCache, LatentKey
from vrm_synth.train.latents.shard import Latent

AT_ONCE = 16  # pictures handed to the encoder
CROPS = {"crop": "centre", "pad": "whole"}  # for the keys of latents


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
class EncodedSample:
    """A sample with its latent."""

    sample: TrainingSample
    latent: Latent


@dataclass(frozen=True)
class DecodedSample:
    """A sample whose picture is to be encoded. picture: its SHA-256. pixels: (H, W, 3) uint8, mask: (h, w) uint8."""

    sample: TrainingSample
    picture: bytes
    pixels: NDArray[np.uint8]
    mask: NDArray[np.uint8]


class LatentLoader:
    """The sources' pictures, the encoder and the cache. `load` is safe among threads."""

    def __init__(self, config: DataConfig, sources: Sequence[DataSource], encoder: Encoder, cache: LatentCache):
        self._config, self._sources, self._encoder, self._cache = config, sources, encoder, cache
        red, green, blue = bytes.fromhex(config.background[1:])
        self._background = red, green, blue
        self._dtype = DTYPES[config.cache_dtype]

    def load(self, sample: TrainingSample) -> EncodedSample | DecodedSample:
        """From the cache, or from the source. Raises BadRowError."""
        source = self._sources[sample.source]
        making = self._making(sample)
        print_ = source.fingerprint(sample.row)
        picture = self._cache.picture(print_)
        latent = None if picture is None else self._cache.find(picture, making)
        if latent is not None:
            return EncodedSample(sample, latent)
        read = source.picture(sample.row)
        if read.sha256 != picture:
            self._cache.know(print_, read.sha256)
            latent = self._cache.find(read.sha256, making)
            if latent is not None:
                return EncodedSample(sample, latent)
        pad, cell = self._config.fit == "pad", self._encoder.factor
        pixels, mask = fit(read.pixels, sample.size, self._background, read.mask, cell, pad)
        if sample.mirrored:
            pixels, mask = pixels[:, ::-1], mask[:, ::-1]
        return DecodedSample(sample, read.sha256, np.ascontiguousarray(pixels), np.ascontiguousarray(mask))

    def develop(self, raws: Sequence[DecodedSample]) -> list[EncodedSample | BadRowError]:
        """Encode pictures of one size, and keep them. A BadRowError stands for each whose latent is no number."""
        done: dict[bytes, EncodedSample | BadRowError] = {}
        keys = [self._making(raw.sample).key(raw.picture) for raw in raws]
        new: list[tuple[bytes, DecodedSample]] = []
        for key, raw in zip(keys, raws, strict=True):
            if key in done:
                continue
            # read ahead, it may have been encoded for an earlier step since
            latent = self._cache.find(raw.picture, self._making(raw.sample))
            if latent is None:
                new.append((key, raw))
            done[key] = BadRowError("latent is not finite") if latent is None else EncodedSample(raw.sample, latent)
        for start in range(0, len(new), AT_ONCE):
            some = new[start : start + AT_ONCE]
            moments = self._encoder(_tensor([raw.pixels for _, raw in some])).to(self._dtype)
            self._check_shape(moments, some[0][1].sample)
            for (key, raw), m in zip(some, moments, strict=True):
                if bool(torch.isfinite(m).all()):
                    latent = Latent(m.clone(), torch.tensor(raw.mask))
                    self._cache.keep(raw.picture, self._making(raw.sample), latent)
                    done[key] = EncodedSample(raw.sample, latent)
        out: list[EncodedSample | BadRowError] = []
        for key, raw in zip(keys, raws, strict=True):
            made = done[key]
            out.append(made if isinstance(made, BadRowError) else EncodedSample(raw.sample, made.latent))
        return out

    def _check_shape(self, moments: torch.Tensor, sample: TrainingSample) -> None:
        width, height = (side // self._encoder.factor for side in sample.size)
        wanted = (2 * self._encoder.channels, height, width)
        if tuple(moments.shape[1:]) != wanted:
            raise DatasetError("the encoder gives other moments than it says", got=moments.shape[1:], allowed=wanted)

    def _making(self, sample: TrainingSample) -> LatentKey:
        variant = f"on {self._config.background.lower()}" + (", mirrored" if sample.mirrored else "")
        crop = CROPS[self._config.fit]
        return LatentKey(variant, self._encoder.identity, sample.size, crop, self._config.cache_dtype)


def _tensor(pictures: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
    """(H, W, 3) uint8 each → (n, 3, H, W) float32 in −1…1."""
    pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()  # while they are bytes
    return pixels.float().div_(127.5).sub_(1.0)
