"""The VAE as the cache's encoder: a picture's latent depends on the picture alone."""

from __future__ import annotations

import pytest
import torch
from diffusers import AutoencoderKL

from vrm_synth.training.latents import vae_encoder
from vrm_synth.training.latents.vae_encoder import VaeEncoder


@pytest.fixture(scope="module")
def vae() -> AutoencoderKL:
    torch.manual_seed(0)
    return AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 3,
        up_block_types=["UpDecoderBlock2D"] * 3,
        block_out_channels=[8, 8, 16],
        latent_channels=4,
        norm_num_groups=4,
        sample_size=64,
    )


def pictures(n: int) -> torch.Tensor:
    return torch.rand(n, 3, 64, 48, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_latent_does_not_depend_on_the_other_pictures_of_its_batch(vae, batch_size, monkeypatch):
    monkeypatch.setattr(vae_encoder, "BATCH_SIZES", {"cpu": batch_size})
    encode = VaeEncoder(vae, "ab")
    moments = encode(pictures(7))
    assert moments.shape == (7, 8, 16, 12) and moments.dtype == torch.float32
    for order in ([3], [6, 5, 4, 3, 2, 1, 0], [0, 0, 0], [2, 6]):
        assert torch.equal(encode(pictures(7)[order]), moments[order])


def test_moments_are_the_vaes_and_usable_in_a_training_step(vae):
    moments = VaeEncoder(vae, "ab")(pictures(2))
    posterior = vae.encode(pictures(2)).latent_dist
    assert torch.allclose(moments, posterior.parameters, atol=1e-5)
    weight = torch.ones((), requires_grad=True)
    (moments * weight).sum().backward()
    assert weight.grad is not None and not any(p.requires_grad for p in vae.parameters())


def test_the_identity_has_the_vae_and_the_dtype(vae):
    one, half = VaeEncoder(vae, "ab"), VaeEncoder(vae, "ab", dtype=torch.bfloat16)
    assert (one.identity, half.identity) == ("ab float32", "ab bfloat16")
    assert (one.factor, one.channels) == (4, 4)
    assert half(pictures(1)).dtype == torch.float32
    VaeEncoder(vae, "ab")
