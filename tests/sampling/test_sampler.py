"""Drawing: against diffusers' own pipeline, and the promise that a picture's bytes are its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from tests.sampling.conftest import variant
from vrm_synth.models import Base, open_base
from vrm_synth.sampling.requests import Request
from vrm_synth.sampling.sampler import DiffusionSampler
from vrm_synth.sampling.schedule import make_scheduler
from vrm_synth.sampling.settings import SCHEDULERS, DeviceConfig, SamplingError, SamplingSettings
from vrm_synth.sampling.start_noise import start_noise

SETTINGS = SamplingSettings(32, 32, steps=4, guidance=3.0)
ASKED = [Request(f"a girl, picture {i}", "blurry" if i % 2 else "", seed=100 + i) for i in range(7)]


def draw(
    model: Base, requests: list[Request], place: DeviceConfig, settings: SamplingSettings = SETTINGS
) -> list[bytes]:
    return [p.tobytes() for p in DiffusionSampler(model, settings, place).draw(requests)]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize(("guidance", "rescale"), [(1.0, 0.0), (4.0, 0.0), (4.0, 0.7)])
def test_the_same_bytes_as_diffusers_pipeline(folder, model, scheduler, guidance, rescale):
    settings = replace(SETTINGS, scheduler=scheduler, guidance=guidance, guidance_rescale=rescale)
    ours = DiffusionSampler(model, settings, DeviceConfig(batch_size=2)).denoise(ASKED[:2])
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, use_safetensors=True)
    pipeline.scheduler = make_scheduler(scheduler, pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        [r.prompt for r in ASKED[:2]],
        negative_prompt=[r.negative_prompt for r in ASKED[:2]],
        latents=start_noise([r.seed for r in ASKED[:2]], (4, 4, 4)),
        num_inference_steps=settings.steps,
        guidance_scale=guidance,
        guidance_rescale=rescale,
        height=32,
        width=32,
        output_type="latent",
    ).images
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("size", [1, 3, 4])
def test_a_pictures_bytes_do_not_depend_on_order_or_companions(model, size):
    place = DeviceConfig(batch_size=size)
    straight = dict(zip(ASKED, draw(model, ASKED, place), strict=True))
    assert len(set(straight.values())) == len(ASKED)
    backwards = ASKED[::-1]
    assert dict(zip(backwards, draw(model, backwards, place), strict=True)) == straight
    for request in ASKED[1::3]:
        assert draw(model, [request], place) == [straight[request]]


def test_noise_is_the_pictures_own():
    together = start_noise([5, 6, 5], (4, 8, 8))
    assert torch.equal(together[0], together[2]) and torch.equal(together[1:2], start_noise([6], (4, 8, 8)))
    assert not torch.equal(together[0], together[1])
    many = start_noise(range(64), (4, 16, 16))
    assert abs(float(many.mean())) < 0.01 and abs(float(many.std()) - 1) < 0.01


def test_v_prediction_is_read_from_the_model(model, tmp_path):
    """The same weights, told to mean v, draw another picture; and the step is the closed form's."""
    v = variant(tmp_path / "v", prediction_type="v_prediction")
    assert draw(v, ASKED[:1], DeviceConfig()) != draw(model, ASKED[:1], DeviceConfig())
    scheduler = make_scheduler("ddim", v.scheduler_config)
    scheduler.set_timesteps(10)
    t = scheduler.timesteps[3]
    x, said = start_noise([1], (4, 8, 8)), start_noise([2], (4, 8, 8))
    found = scheduler.step(said, t, x).pred_original_sample
    a = scheduler.alphas_cumprod[t]
    assert torch.allclose(found, a.sqrt() * x - (1 - a).sqrt() * said, atol=1e-6)


def test_a_schedule_that_ends_in_noise_is_sampled_from_its_end(tmp_path):
    trained = variant(tmp_path / "z", prediction_type="v_prediction", rescale_betas_zero_snr=True)
    for name in SCHEDULERS:
        scheduler = make_scheduler(name, trained.scheduler_config)
        scheduler.set_timesteps(5)
        assert int(scheduler.timesteps[0]) == 999, name
        assert float(scheduler.alphas_cumprod[-1]) < 1e-6, name
    assert draw(trained, ASKED[:1], DeviceConfig())


def test_an_unknown_prediction_is_refused():
    with pytest.raises(SamplingError, match="unknown prediction_type; got sample; allowed: epsilon or v_prediction"):
        make_scheduler("ddim", {"prediction_type": "sample"})


def test_a_prompt_longer_than_the_window_is_refused_before_anything_is_drawn(model):
    sampler = DiffusionSampler(model, SETTINGS, DeviceConfig())
    with pytest.raises(SamplingError, match=r'"x x .*": prompt is too long; got 302 tokens; allowed: up to 256'):
        next(sampler.draw([ASKED[0], Request("x " * 300)]))
    with pytest.raises(SamplingError, match="too long"):
        sampler.check([Request("x", "y " * 300)])


def test_sizes_must_suit_the_model(model):
    with pytest.raises(SamplingError, match="width does not suit the model; got 30; allowed: multiples of 16"):
        DiffusionSampler(model, replace(SETTINGS, width=30), DeviceConfig())
    (wide,) = DiffusionSampler(model, replace(SETTINGS, width=48), DeviceConfig()).draw(ASKED[:1])
    assert wide.shape == (32, 48, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"steps": 1001},
        {"guidance": 0.5},
        {"guidance": float("nan")},
        {"scheduler": "euler"},
        {"width": 0},
    ],
    ids=str,
)
def test_settings_are_refused_not_clamped(wrong):
    with pytest.raises(SamplingError, match="allowed"):
        replace(SETTINGS, **wrong)


def test_a_model_that_draws_no_numbers_is_told_of(folder):
    broken = open_base(folder)
    with torch.no_grad():
        broken.unet.conv_out.bias.fill_(float("nan"))
    with pytest.raises(SamplingError, match=r"picture 0.*not made of numbers.*another precision"):
        draw(broken, ASKED[:1], DeviceConfig())


def test_reconstruction_is_the_vaes_own(model):
    picture = np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)
    found = DiffusionSampler(model, SETTINGS, DeviceConfig()).reconstruct([picture, picture])
    assert found[0].shape == (32, 32, 3) and np.array_equal(found[0], found[1])
    with torch.no_grad():
        given = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
        direct = model.vae.decode(model.vae.encode(given).latent_dist.mode()).sample
    wanted = ((direct / 2 + 0.5).clamp(0, 1) * 255).round()[0].permute(1, 2, 0).numpy()
    assert np.abs(found[0].astype(int) - wanted).max() <= 1


def test_half_precision_draws_nearly_the_same(folder):
    single = DiffusionSampler(open_base(folder), SETTINGS, DeviceConfig()).denoise(ASKED[:1])
    half = DiffusionSampler(open_base(folder), SETTINGS, DeviceConfig(precision="bfloat16")).denoise(ASKED[:1])
    assert half.dtype == torch.float32
    assert float((half - single).std() / single.std()) < 0.1 and not torch.equal(half, single)


def test_progress_adds_up_to_the_pictures(model):
    ticks: list[float] = []
    list(DiffusionSampler(model, SETTINGS, DeviceConfig(batch_size=4)).draw(ASKED, ticks.append))
    assert sum(ticks) == pytest.approx(len(ASKED))
