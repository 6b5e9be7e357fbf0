"""Base folders: what is opened, what is refused in one line, and the figures of SD 2.1-base's shape."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from vrm_synth.core.errors import ModelError
from vrm_synth.models import PRESETS, open_base
from vrm_synth.models.base_presets import SD21_UNET
from vrm_synth.models.import_weights import import_weights
from vrm_synth.models.tiny_base import make_tiny_base
from vrm_synth.training.flops import unet_flop


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture
def copy(tiny, tmp_path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "copy"))


class Malice:
    """Unpickled, it makes a folder."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def change(folder: Path, file: str, **values: object) -> None:
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_tiny_is_the_same_every_time(tiny, tmp_path):
    a, b = open_base(tiny), open_base("tiny", tiny_folder=tmp_path / "again")
    assert dict(a.file_sha256) == dict(b.file_sha256)
    assert (a.vae_scale, a.side, a.prediction_type) == (8, 64, "epsilon")
    assert b.license is not None and b.license.name == "CC0-1.0"


def test_tinys_vae_gives_back_the_mean_colours(tiny):
    vae = open_base(tiny).vae
    pixels = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    mean = torch.nn.functional.avg_pool2d(pixels, 8)
    back = vae.decode(vae.encode(pixels).latent_dist.mode()).sample
    assert (torch.nn.functional.avg_pool2d(back, 8) - mean).abs().max() < 0.05


@pytest.mark.parametrize("name", [n for n, p in PRESETS.items() if p.unet])
def test_a_preset_refuses_another_model(tiny, name):
    with pytest.raises(ModelError, match=rf"not a base of {name}: its unet has another block_out_channels"):
        open_base(tiny, preset=name)


@pytest.mark.parametrize(
    ("file", "values", "message"),
    [
        ("unet/config.json", {"cross_attention_dim": 32}, "cross_attention_dim is not the text encoder's width"),
        ("unet/config.json", {"in_channels": 9}, "in_channels are not the VAE's"),
        ("unet/config.json", {"block_out_channels": [32, 96]}, "the unet"),
        ("unet/config.json", {"_class_name": "Evil"}, "the unet is of another class; got Evil"),
        ("vae/config.json", {"block_out_channels": [8, 8, 8, 16]}, "the vae"),
        ("text_encoder/config.json", {"num_hidden_layers": 3}, "weights do not fit its config"),
        ("text_encoder/config.json", {"vocab_size": 100}, "text_encoder|more words"),
        ("tokenizer/tokenizer_config.json", {"model_max_length": 257}, "longer than the text encoder's"),
        ("scheduler/scheduler_config.json", {"prediction_type": "sample"}, "unknown prediction_type; got sample"),
    ],
    ids=str,
)
def test_components_that_do_not_match_are_reported_in_one_line(copy, file, values, message):
    change(copy, file, **values)
    with pytest.raises(ModelError, match=message) as e:
        open_base(copy)
    assert "\n" not in str(e.value) and str(copy) in str(e.value)


def test_damaged_weights_and_missing_tensors(copy):
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(str(weights))
    tensors.pop("conv_in.weight")
    save_file(tensors, str(weights))
    with pytest.raises(ModelError, match=r"do not fit its config\.json; got 1 missing or misshapen, conv_in\.weight"):
        open_base(copy)
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="not safetensors"):
        open_base(copy)


@pytest.mark.parametrize("source", ["nothing/here", "mitsua-cc0", "owner/name@main", "../x"])
def test_an_invalid_base_is_reported(source, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")  # where none of them is a folder by chance
    with pytest.raises(ModelError, match="allowed"):
        open_base(source)


@pytest.mark.parametrize("component", ["unet", "vae", "text_encoder"])
@pytest.mark.parametrize("suffix", [".bin", ".safetensors"])
def test_a_malicious_pickle_is_refused_in_every_component(copy, tmp_path, component, suffix):
    weights = next((copy / component).glob("*.safetensors"))
    if suffix == ".bin":
        weights.unlink()
        weights = weights.with_name(
            "pytorch_model.bin" if component == "text_encoder" else "diffusion_pytorch_model.bin"
        )
    weights.write_bytes(pickle.dumps(Malice(tmp_path / "ran")))
    with pytest.raises(ModelError, match="pickle, which can run code" if suffix == ".bin" else "not safetensors"):
        open_base(copy)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("form", ["zip", "plain"])
def test_import_weights_refuses_a_malicious_pickle(copy, tmp_path, form):
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    weights.unlink()
    bad = weights.with_suffix(".bin")
    if form == "zip":
        torch.save({"x": torch.zeros(1), "y": Malice(tmp_path / "ran")}, bad)
    else:
        bad.write_bytes(pickle.dumps(Malice(tmp_path / "ran")))
    with pytest.raises(ModelError, match="weights were refused"):
        import_weights(copy, tmp_path / "out")
    assert not (tmp_path / "ran").exists() and not (tmp_path / "out").exists()


def test_import_weights_gives_the_same_model(tiny, copy, tmp_path):
    for component, name in (("unet", "diffusion_pytorch_model"), ("text_encoder", "pytorch_model")):
        (weights,) = (copy / component).glob("*.safetensors")
        torch.save(load_file(str(weights)), copy / component / f"{name}.bin")
        weights.unlink()
    (copy / "run_me.py").write_text("raise SystemExit")
    record = import_weights(copy, tmp_path / "out")
    assert record["unet/diffusion_pytorch_model.bin"]["from_sha256"]
    assert not (tmp_path / "out" / "run_me.py").exists()
    a, b = open_base(tiny), open_base(tmp_path / "out")
    for x, y in ((a.unet, b.unet), (a.text_encoder, b.text_encoder)):
        assert all(torch.equal(p, q) for p, q in zip(x.parameters(), y.parameters(), strict=True))


def test_import_weights_names_a_variant_as_its_library_does(tiny, copy, tmp_path):
    for component, name in (("unet", "diffusion_pytorch_model"), ("text_encoder", "pytorch_model")):
        (weights,) = (copy / component).glob("*.safetensors")
        torch.save({k: v.half() for k, v in load_file(str(weights)).items()}, copy / component / f"{name}.fp16.bin")
        weights.unlink()
    import_weights(copy, tmp_path / "out")
    assert (tmp_path / "out" / "text_encoder" / "model.fp16.safetensors").exists()
    half = open_base(tiny).unet.conv_in.weight.half().float()
    assert torch.equal(open_base(tmp_path / "out").unet.conv_in.weight, half)


def test_a_single_file_of_weights_becomes_one_of_safetensors(copy, tmp_path):
    torch.save({"x": torch.zeros(2)}, tmp_path / "a.bin")
    with pytest.raises(ModelError, match=r"got b\.bin; allowed: \.safetensors"):
        import_weights(tmp_path / "a.bin", tmp_path / "b.bin")
    import_weights(tmp_path / "a.bin", tmp_path / "b.safetensors")
    assert load_file(str(tmp_path / "b.safetensors")).keys() == {"x"}


def test_the_tiny_text_encoder_has_the_names_that_transformers_4_knows(tiny):
    assert all(k.startswith("text_model.") for k in load_file(str(tiny / "text_encoder" / "model.safetensors")))


def test_new_weights_follow_from_the_seed_and_need_no_old_ones(copy):
    shutil.rmtree(copy / "unet")
    with pytest.raises(ModelError):
        open_base(copy, scratch_seed=1)  # nor is it known which shape
    (copy / "unet").mkdir()
    shape = {"sample_size": 8, "block_out_channels": [32, 64], "cross_attention_dim": 64, "norm_num_groups": 8,
             "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
             "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"]}  # fmt: skip
    (copy / "unet" / "config.json").write_text(json.dumps(shape))
    weights = [open_base(copy, scratch_seed=seed).unet.conv_in.weight for seed in (1, 1, 2)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_the_figures_of_sd21s_unet():
    from diffusers import UNet2DConditionModel

    config = {"sample_size": 64, **SD21_UNET}
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(config)
    assert sum(p.numel() for p in unet.parameters()) == 865_910_724
    assert len(unet.state_dict()) == 686
    forward, both = unet_flop(config, (512, 512))
    assert f"{forward / 1e12:.3f} / {both / 1e12:.3f}" == "0.804 / 2.409"
