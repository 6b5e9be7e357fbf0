"""Bases that were published in half precision alone: opened, trained from, exported under plain names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel

from vrm_synth.core.errors import ModelError
from vrm_synth.models import open_base
from vrm_synth.models.tiny_base import make_tiny_base
from vrm_synth.models.weight_files import find_weights
from vrm_synth.training.export import _write_pipeline

KINDS = {"unet": UNet2DConditionModel, "vae": AutoencoderKL, "text_encoder": CLIPTextModel}


def half(folder: Path, shard: str, variant: str = "fp16") -> Path:
    """The tiny base with its weights as that variant alone."""
    make_tiny_base(folder)
    for component, kind in KINDS.items():
        model = kind.from_pretrained(folder / component).half()
        for file in (folder / component).glob("*.safetensors"):
            file.unlink()
        model.save_pretrained(folder / component, variant=variant, max_shard_size=shard)
    return folder


@pytest.mark.parametrize("shard", ["10GB", "60KB"])
def test_half_precision_alone_is_opened_and_exported_so_that_diffusers_finds_it(tmp_path, shard):
    full_precision, base = open_base(make_tiny_base(tmp_path / "whole")), open_base(half(tmp_path / "half", shard))
    for component in KINDS:
        files = find_weights(tmp_path / "half" / component)
        assert files.variant == "fp16" and (len(files.files) > 2) == (shard == "60KB")
        for a, b in zip(
            getattr(full_precision, component).parameters(), getattr(base, component).parameters(), strict=True
        ):
            assert b.dtype == torch.float32 and torch.equal(a.half().float(), b)
    (tmp_path / "made").mkdir()
    _write_pipeline(base, tmp_path / "made")
    assert not list((tmp_path / "made").rglob("*fp16*"))
    reopened = open_base(tmp_path / "made")
    pipe = StableDiffusionPipeline.from_pretrained(tmp_path / "made", use_safetensors=True, local_files_only=True)
    for component in KINDS:
        for model in (getattr(reopened, component), getattr(pipe, component)):
            pairs = zip(getattr(base, component).parameters(), model.parameters(), strict=True)
            assert all(torch.equal(a, b) for a, b in pairs)


def test_plain_weights_win_and_of_variants_the_more_exact(tmp_path):
    def names(*made: str) -> str | None:
        folder = tmp_path / "-".join(made)
        folder.mkdir()
        for name in made:
            (folder / name).touch()
        return find_weights(folder).variant

    assert names("model.fp16.safetensors", "model.safetensors") is None
    assert names("model.bf16.safetensors", "model.fp16.safetensors") == "fp16"
    assert names("model.fp16.safetensors", "model.fp32.safetensors") == "fp32"
    assert names("model.non_ema.safetensors") == "non_ema"
    assert names("model-00001-of-00002.safetensors", "model.fp16-00001-of-00002.safetensors") is None
    assert names("model-00001-of-00002.fp16.safetensors") == "fp16"
    with pytest.raises(ModelError, match="no weights"):
        names("model.safetensors.index.fp16.json")


def test_a_missing_shard_is_reported_in_one_line(tmp_path):
    base = half(tmp_path / "half", "60KB")
    next((base / "unet").glob("*00001-of*")).unlink()
    with pytest.raises(ModelError, match="the unet cannot be opened") as e:
        open_base(base)
    assert "\n" not in str(e.value)
