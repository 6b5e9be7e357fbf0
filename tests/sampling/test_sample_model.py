"""Sampling from Python: the same images in memory, in a folder and from the command line."""

from __future__ import annotations

import inspect

import click
import pytest

from tests.sampling.run_builder import make_run
from tests.sampling.test_command import QUICK, call
from vrm_synth.cli.sampling_flags import sampling_flags
from vrm_synth.core.errors import VrmSynthError
from vrm_synth.sampling.run_preview import preview
from vrm_synth.sampling.sample_model import sample
from vrm_synth.sampling.sampler_settings import SamplerSettings
from vrm_synth.sampling.user_options import SamplingOptions


def test_images_equal_those_of_a_folder_and_of_the_command(folder, tmp_path):
    images = sample(folder, ["a", "b"], seed=5, count=2, steps=2, size=32)
    assert [image.size for image in images] == [(32, 32)] * 4 and images[0].mode == "RGB"
    stored = sample(folder, ["a", "b"], tmp_path / "s", seed=5, count=2, steps=2, size=32)
    assert [a.tobytes() for a in images] == [b.tobytes() for b in stored]
    call("sample", folder, "--prompt", "a", "--prompt", "b", "--seed", 5, "--count", 2, *QUICK, "-o", tmp_path / "c")
    for file in ("000000.png", "000003.png", "metadata.jsonl", "grid.png"):
        assert (tmp_path / "s" / file).read_bytes() == (tmp_path / "c" / file).read_bytes()


def test_every_way_to_sample_has_the_same_defaults():
    settings = SamplerSettings(64, 64)
    signature = inspect.signature(sample).parameters
    options = SamplingOptions()
    flags = {p.name: p.default for p in sampling_flags(click.command()(lambda: None)).params}
    for name in ("steps", "guidance_scale", "guidance_rescale", "scheduler"):
        assert getattr(settings, name) == getattr(options, name) == signature[name].default == flags[name], name


def test_a_single_prompt_and_progress(folder):
    reports: list[tuple[float, int]] = []
    (image,) = sample(folder, "a", steps=2, size=(48, 32), progress=lambda done, total: reports.append((done, total)))
    assert image.size == (48, 32)
    assert reports[0] == (0.0, 1) and reports[-1] == (1.0, 1)


def test_checkpoints_of_a_run(model, tmp_path):
    run = make_run(tmp_path / "RUN", model, tmp_path)
    old, new = (sample(run, "a", checkpoint=step, steps=1, size=32)[0] for step in (10, "latest"))
    assert old.tobytes() != new.tobytes()
    with pytest.raises(VrmSynthError, match="no such checkpoint; got 11"):
        sample(run, "a", checkpoint=11)


def test_preview_equals_the_commands(model, tmp_path):
    from PIL import Image

    (tmp_path / "data").mkdir()
    Image.new("RGB", (32, 32), (9, 90, 200)).save(tmp_path / "data" / "a.png")
    (tmp_path / "data" / "metadata.jsonl").write_text('{"file_name": "a.png", "caption": "a"}\n')
    run = make_run(tmp_path / "RUN", model, tmp_path / "data")
    call("preview", run, *QUICK, "-o", tmp_path / "c")
    made = preview(run, tmp_path / "p", options=SamplingOptions(steps=2, size=(32, 32)))
    assert (made.captions, made.step) == (1, 20)
    assert made.page.read_bytes() == (tmp_path / "c" / "preview.html").read_bytes()
    assert made.grid.read_bytes() == (tmp_path / "c" / "preview.png").read_bytes()
