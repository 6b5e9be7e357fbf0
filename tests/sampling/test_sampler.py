"""Sampling: the same result as diffusers' pipeline, and bytes of an image that do not depend on its batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from tests.sampling.conftest import variant
from vrm_synth.models import DiffusionModel, open_base
from vrm_synth.sampling.image_requests import ImageRequest
from vrm_synth.sampling.sampler import DiffusionSampler, initial_noise
from vrm_synth.sampling.sampler_settings import SCHEDULERS, DeviceConfig, SamplerSettings, SamplingError
from vrm_synth.sampling.schedulers import make_scheduler

SETTINGS = SamplerSettings(32, 32, steps=4, guidance_scale=3.0)
REQUESTS = [ImageRequest(f"a girl, picture {i}", "blurry" if i % 2 else "", seed=100 + i) for i in range(7)]


def generate(
    model: DiffusionModel,
    requests: list[ImageRequest],
    device_config: DeviceConfig,
    settings: SamplerSettings = SETTINGS,
) -> list[bytes]:
    return [p.tobytes() for p in DiffusionSampler(model, settings, device_config).generate(requests)]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize(("guidance_scale", "rescale"), [(1.0, 0.0), (4.0, 0.0), (4.0, 0.7)])
def test_the_same_bytes_as_diffusers_pipeline(folder, model, scheduler, guidance_scale, rescale):
    settings = replace(SETTINGS, scheduler=scheduler, guidance_scale=guidance_scale, guidance_rescale=rescale)
    ours = DiffusionSampler(model, settings, DeviceConfig(batch_size=2)).denoise(REQUESTS[:2])
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, use_safetensors=True)
    pipeline.scheduler = make_scheduler(scheduler, pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    expected_latents = pipeline(
        [r.prompt for r in REQUESTS[:2]],
        negative_prompt=[r.negative_prompt for r in REQUESTS[:2]],
        latents=initial_noise([r.seed for r in REQUESTS[:2]], (4, 4, 4)),
        num_inference_steps=settings.steps,
        guidance_scale=guidance_scale,
        guidance_rescale=rescale,
        height=32,
        width=32,
        output_type="latent",
    ).images
    assert torch.equal(ours, expected_latents)


@pytest.mark.parametrize("size", [1, 3, 4])
def test_bytes_do_not_depend_on_order_or_batch(model, size):
    device_config = DeviceConfig(batch_size=size)
    in_order = dict(zip(REQUESTS, generate(model, REQUESTS, device_config), strict=True))
    assert len(set(in_order.values())) == len(REQUESTS)
    reversed_requests = REQUESTS[::-1]
    assert dict(zip(reversed_requests, generate(model, reversed_requests, device_config), strict=True)) == in_order
    for request in REQUESTS[1::3]:
        assert generate(model, [request], device_config) == [in_order[request]]


def test_noise_depends_on_the_seed_alone():
    together = initial_noise([5, 6, 5], (4, 8, 8))
    assert torch.equal(together[0], together[2]) and torch.equal(together[1:2], initial_noise([6], (4, 8, 8)))
    assert not torch.equal(together[0], together[1])
    many = initial_noise(range(64), (4, 16, 16))
    assert abs(float(many.mean())) < 0.01 and abs(float(many.std()) - 1) < 0.01


def test_v_prediction_is_read_from_the_model(model, tmp_path):
    """The same weights with v prediction give another image; a DDIM step equals the closed form."""
    v = variant(tmp_path / "v", prediction_type="v_prediction")
    assert generate(v, REQUESTS[:1], DeviceConfig()) != generate(model, REQUESTS[:1], DeviceConfig())
    scheduler = make_scheduler("ddim", v.scheduler_config)
    scheduler.set_timesteps(10)
    t = scheduler.timesteps[3]
    x, v_pred = initial_noise([1], (4, 8, 8)), initial_noise([2], (4, 8, 8))
    result = scheduler.step(v_pred, t, x).pred_original_sample
    a = scheduler.alphas_cumprod[t]
    assert torch.allclose(result, a.sqrt() * x - (1 - a).sqrt() * v_pred, atol=1e-6)


def test_zero_terminal_snr_schedule_starts_at_last_timestep(tmp_path):
    trained = variant(tmp_path / "z", prediction_type="v_prediction", rescale_betas_zero_snr=True)
    for name in SCHEDULERS:
        scheduler = make_scheduler(name, trained.scheduler_config)
        scheduler.set_timesteps(5)
        assert int(scheduler.timesteps[0]) == 999, name
        assert float(scheduler.alphas_cumprod[-1]) < 1e-6, name
    assert generate(trained, REQUESTS[:1], DeviceConfig())


def test_unknown_prediction_type_is_refused():
    with pytest.raises(SamplingError, match="unknown prediction_type; got sample; allowed: epsilon or v_prediction"):
        make_scheduler("ddim", {"prediction_type": "sample"})


def test_too_long_prompt_is_refused_before_sampling(model):
    sampler = DiffusionSampler(model, SETTINGS, DeviceConfig())
    with pytest.raises(SamplingError, match=r'"x x .*": prompt is too long; got 302 tokens; allowed: up to 256'):
        next(sampler.generate([REQUESTS[0], ImageRequest("x " * 300)]))
    with pytest.raises(SamplingError, match="too long"):
        sampler.check([ImageRequest("x", "y " * 300)])


def test_sizes_must_be_multiples(model):
    with pytest.raises(SamplingError, match="width does not suit the model; got 30; allowed: multiples of 16"):
        DiffusionSampler(model, replace(SETTINGS, width=30), DeviceConfig())
    (wide,) = DiffusionSampler(model, replace(SETTINGS, width=48), DeviceConfig()).generate(REQUESTS[:1])
    assert wide.shape == (32, 48, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"steps": 1001},
        {"guidance_scale": 0.5},
        {"guidance_scale": float("nan")},
        {"scheduler": "euler"},
        {"width": 0},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(SamplingError, match="allowed"):
        replace(SETTINGS, **wrong)


def test_nan_is_an_error(folder):
    broken = open_base(folder)
    with torch.no_grad():
        broken.unet.conv_out.bias.fill_(float("nan"))
    with pytest.raises(SamplingError, match=r"picture 0.*not made of numbers.*another precision"):
        generate(broken, REQUESTS[:1], DeviceConfig())


def test_reconstruction_equals_the_vae(model):
    picture = np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)
    result = DiffusionSampler(model, SETTINGS, DeviceConfig()).reconstruct([picture, picture])
    assert result[0].shape == (32, 32, 3) and np.array_equal(result[0], result[1])
    with torch.no_grad():
        pixels = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
        direct = model.vae.decode(model.vae.encode(pixels).latent_dist.mode()).sample
    expected = ((direct / 2 + 0.5).clamp(0, 1) * 255).round()[0].permute(1, 2, 0).numpy()
    assert np.abs(result[0].astype(int) - expected).max() <= 1


def test_half_precision_is_close_to_single(folder):
    single = DiffusionSampler(open_base(folder), SETTINGS, DeviceConfig()).denoise(REQUESTS[:1])
    half = DiffusionSampler(open_base(folder), SETTINGS, DeviceConfig(precision="bfloat16")).denoise(REQUESTS[:1])
    assert half.dtype == torch.float32
    assert float((half - single).std() / single.std()) < 0.1 and not torch.equal(half, single)


def test_progress_adds_up_to_the_number_of_images(model):
    fractions: list[float] = []
    list(DiffusionSampler(model, SETTINGS, DeviceConfig(batch_size=4)).generate(REQUESTS, fractions.append))
    assert sum(fractions) == pytest.approx(len(REQUESTS))
