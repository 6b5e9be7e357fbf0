"""Latents of training samples: from the cache, or read, cropped and encoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from vrm_synth.core.errors import DatasetError
from vrm_synth.training.data.data_config import DataConfig
from vrm_synth.training.data.fit_image import fit_image
from vrm_synth.training.data.row_sampler import TrainingSample
from vrm_synth.training.data.source import BadRowError, DataSource
from vrm_synth.training.latents.latent_cache import DTYPES, LatentCache, LatentKey
from vrm_synth.training.latents.latent_shard import Latent

ENCODE_BATCH_SIZE = 16  # pictures given to the encoder in one call
CROPS = {"crop": "centre", "pad": "whole"}  # DataConfig.fit → LatentKey.crop


class Encoder(Protocol):
    """The frozen VAE's encoder, as the cache needs it; vae_encoder.py has the one for diffusers' AutoencoderKL.

    identity: what the moments follow from beside the picture: the VAE's hash and the dtype that it computes in.
    factor: pixels a latent, each way (8).
    channels: of the latents (4).
    """

    identity: str
    factor: int
    channels: int

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Encode (n, 3, H, W) float32 in −1 … 1 → moments (n, 2 × channels, H / factor, W / factor) float32, both on
        the CPU: mean and log variance as diffusers' DiagonalGaussianDistribution takes them, not scaled."""


@dataclass(frozen=True)
class EncodedSample:
    """A sample with its latent.

    sample: the sample.
    latent: moments and mask.
    """

    sample: TrainingSample
    latent: Latent


@dataclass(frozen=True)
class DecodedSample:
    """A sample whose picture is still to be encoded.

    sample: the sample.
    picture_sha256: 32 bytes, of the picture.
    pixels: (H, W, 3) uint8, sRGB, of the bucket's size and mirrored where the sample is.
    mask: (h, w) uint8, share of figure in each latent's pixels × 255.
    """

    sample: TrainingSample
    picture_sha256: bytes
    pixels: NDArray[np.uint8]
    mask: NDArray[np.uint8]


class LatentLoader:
    """Loader of samples' latents. `load` is safe among threads.

    config: of the data.
    sources: in the configuration's order.
    encoder: the VAE's.
    cache: where latents are looked up and kept.
    """

    def __init__(self, config: DataConfig, sources: Sequence[DataSource], encoder: Encoder, cache: LatentCache):
        self._config, self._sources, self._encoder, self._cache = config, sources, encoder, cache
        red, green, blue = bytes.fromhex(config.background[1:])
        self._background = red, green, blue
        self._dtype = DTYPES[config.cache_dtype]

    def load(self, sample: TrainingSample) -> EncodedSample | DecodedSample:
        """Look a latent up in the cache; where it is missing, read and crop the picture. Raises BadRowError."""
        source = self._sources[sample.source]
        key = self.latent_key(sample)
        file_fingerprint = source.file_fingerprint(sample.row)
        picture_sha256 = self._cache.get_picture_sha256(file_fingerprint)
        latent = None if picture_sha256 is None else self._cache.get_latent(picture_sha256, key)
        if latent is not None:
            return EncodedSample(sample, latent)
        image = source.picture(sample.row)
        if image.sha256 != picture_sha256:
            self._cache.put_picture_sha256(file_fingerprint, image.sha256)
            latent = self._cache.get_latent(image.sha256, key)
            if latent is not None:
                return EncodedSample(sample, latent)
        pad, cell = self._config.fit == "pad", self._encoder.factor
        pixels, mask = fit_image(image.pixels, sample.size, self._background, image.mask, cell, pad)
        if sample.mirrored:
            pixels, mask = pixels[:, ::-1], mask[:, ::-1]
        return DecodedSample(sample, image.sha256, np.ascontiguousarray(pixels), np.ascontiguousarray(mask))

    def encode_latents(self, decoded: Sequence[DecodedSample]) -> list[EncodedSample | BadRowError]:
        """Encode samples of one size, and put the latents into the cache. Where a latent is not finite, a BadRowError
        takes the sample's place."""
        latent_digests = [self.latent_key(d.sample).latent_digest(d.picture_sha256) for d in decoded]
        latents: dict[bytes, Latent | None] = {}  # by digest; None: not finite
        missing: list[tuple[bytes, DecodedSample]] = []
        for latent_digest, d in zip(latent_digests, decoded, strict=True):
            if latent_digest in latents:
                continue
            # Samples are read ahead: an earlier step may have encoded this one since.
            latents[latent_digest] = self._cache.get_latent(d.picture_sha256, self.latent_key(d.sample))
            if latents[latent_digest] is None:
                missing.append((latent_digest, d))
        for start in range(0, len(missing), ENCODE_BATCH_SIZE):
            chunk = missing[start : start + ENCODE_BATCH_SIZE]
            moments = self._encoder(_to_tensor([d.pixels for _, d in chunk])).to(self._dtype)
            self._check_shape(moments, chunk[0][1].sample)
            for (latent_digest, d), m in zip(chunk, moments, strict=True):
                if bool(torch.isfinite(m).all()):
                    latents[latent_digest] = latent = Latent(m.clone(), torch.tensor(d.mask))
                    self._cache.put_latent(d.picture_sha256, self.latent_key(d.sample), latent)
        results: list[EncodedSample | BadRowError] = []
        for latent_digest, d in zip(latent_digests, decoded, strict=True):
            result = latents[latent_digest]
            results.append(BadRowError("latent is not finite") if result is None else EncodedSample(d.sample, result))
        return results

    def latent_key(self, sample: TrainingSample) -> LatentKey:
        """Cache key of a sample's latent."""
        variant = f"on {self._config.background.lower()}" + (", mirrored" if sample.mirrored else "")
        crop = CROPS[self._config.fit]
        return LatentKey(variant, self._encoder.identity, sample.size, crop, self._config.cache_dtype)

    def _check_shape(self, moments: torch.Tensor, sample: TrainingSample) -> None:
        width, height = (side // self._encoder.factor for side in sample.size)
        expected = (2 * self._encoder.channels, height, width)
        if tuple(moments.shape[1:]) != expected:
            what = "the encoder's moments are not of the shape that it declares"
            raise DatasetError(what, got=tuple(moments.shape[1:]), allowed=expected)


def _to_tensor(pictures: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
    """Stack pictures, each (H, W, 3) uint8, → (n, 3, H, W) float32 in −1 … 1."""
    pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()  # while they are bytes
    return pixels.float().div_(127.5).sub_(1.0)
