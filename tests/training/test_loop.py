"""Whole runs: that they learn, that LoRAs do, what is exported, and that nothing is fetched or unpickled."""

from __future__ import annotations

import contextlib
import json
import pickle
import socket
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import load_file

from tests.models.test_diffusion_model import Malice
from tests.no_network import no_network, python_without
from tests.training import runs
from vrm_synth.cli.main import main
from vrm_synth.core.errors import ModelError, VrmSynthError
from vrm_synth.models import open_base, open_run
from vrm_synth.models.weight_files import sha256
from vrm_synth.training.callbacks import Callbacks
from vrm_synth.training.config import RunConfig
from vrm_synth.training.export import export
from vrm_synth.training.loop import train

CAPTIONS = ("warm colours, a fire", "the sea")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def two_pictures(folder: Path) -> Path:
    """Of two captions: red above yellow, and blue above green."""
    folder.mkdir()
    rows = []
    for i, (above, below) in enumerate([((230, 30, 40), (240, 210, 40)), ((30, 60, 220), (40, 180, 90))]):
        pixels = np.empty((64, 64, 3), np.uint8)
        pixels[:32], pixels[32:] = above, below
        Image.fromarray(pixels).save(folder / f"{i}.png")
        rows.append(json.dumps({"file_name": f"{i}.png", "caption": CAPTIONS[i], "license": "CC0-1.0"}))
    (folder / "metadata.jsonl").write_text("\n".join(rows) + "\n")
    return folder


def test_two_pictures_are_learnt_and_swapped_with_their_captions(tmp_path):
    from vrm_synth.sampling.image_requests import ImageRequest
    from vrm_synth.sampling.sampler import DiffusionSampler
    from vrm_synth.sampling.sampler_settings import DeviceConfig, SamplerSettings

    data = two_pictures(tmp_path / "data")
    # v, because of much noise epsilon says next to nothing of the picture, and there the caption decides.
    settings = runs.settings(
        data,
        steps=300,
        checkpoint_every=300,
        learning_rate=3e-3,
        schedule="cosine",
        decay_steps=300,
        init="scratch",
        prediction="v_prediction",
        more={"drop_captions": 0.0},
    )
    runs.go(settings, tmp_path / "run")
    losses = [line["loss"] for line in runs.log(tmp_path / "run")]
    first, last = np.mean(losses[:3]), np.mean(losses[-40:])
    assert last * 10 < first, (first, last)
    model = open_run(tmp_path / "run")
    sampler = DiffusionSampler(
        model, SamplerSettings(64, 64, steps=20, guidance_scale=1.0, scheduler="ddim"), DeviceConfig(batch_size=2)
    )
    targets = [np.asarray(Image.open(data / f"{i}.png"), np.float32) for i in (0, 1)]
    for seed in (0, 1):
        for order in ((0, 1), (1, 0)):
            drawn = sampler.generate([ImageRequest(CAPTIONS[i], seed=seed) for i in order])
            for i, pixels in zip(order, drawn, strict=True):
                off = [np.abs(pixels - t).mean() for t in targets]
                assert off[i] < 25 and off[1 - i] > 80, (seed, i, off)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return runs.dataset(tmp_path_factory.mktemp("data") / "set")


@pytest.fixture(scope="module")
def run(tmp_path_factory, data) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "full"
    runs.go(runs.settings(data, steps=3), folder)
    return folder


@pytest.mark.parametrize("dora", [False, True])
def test_a_lora_trains_its_own_weights_alone_and_is_read_by_diffusers(tmp_path, data, dora):
    from diffusers import StableDiffusionPipeline

    folder = tmp_path / "run"
    runs.go(runs.settings(data, steps=3, lora={"rank": 4, "alpha": 8.0, "dora": dora}, learning_rate=1e-2), folder)
    trained = open_run(folder).unet
    base = open_base(folder / "base")
    changed = [n for n, p in trained.named_parameters() if not torch.equal(p, base.unet.get_parameter(n))]
    assert changed and all(".to_" in n for n in changed)
    export(folder, tmp_path / "lora")
    export(folder, tmp_path / "merged", merged=True)
    x, t, c = torch.ones(1, 4, 8, 8), torch.tensor([5]), torch.ones(1, 77, 64)
    with torch.no_grad():
        expected = trained(x, t, encoder_hidden_states=c).sample
        pipe = StableDiffusionPipeline.from_pretrained(folder / "base", use_safetensors=True, local_files_only=True)
        assert not torch.allclose(pipe.unet(x, t, encoder_hidden_states=c).sample, expected, atol=1e-4)
        pipe.load_lora_weights(tmp_path / "lora", weight_name="pytorch_lora_weights.safetensors")
        assert torch.allclose(pipe.unet(x, t, encoder_hidden_states=c).sample, expected, atol=1e-5)
        merged = StableDiffusionPipeline.from_pretrained(tmp_path / "merged", use_safetensors=True)
        assert torch.allclose(merged.unet(x, t, encoder_hidden_states=c).sample, expected, atol=1e-6)


def test_an_exported_folder_is_the_runs_model_with_the_bases_own_parts(tmp_path, run):
    from diffusers import StableDiffusionPipeline

    record = export(run, tmp_path / "model")
    pipe = StableDiffusionPipeline.from_pretrained(tmp_path / "model", use_safetensors=True, local_files_only=True)
    trained = open_run(run).unet
    assert all(torch.equal(p, q) for p, q in zip(pipe.unet.parameters(), trained.parameters(), strict=True))
    for name in ("vae/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors", "tokenizer/vocab.json"):
        assert (tmp_path / "model" / name).read_bytes() == (run / "base" / name).read_bytes()
        assert record["sha256"][name] == sha256(run / "base" / name)
    assert not list((tmp_path / "model").rglob("*.bin"))
    card = (tmp_path / "model" / "README.md").read_text()
    assert "under **CC0-1.0**" in card and "| set | 6 | CC0-1.0 (6) |" in card
    reopened = open_base(tmp_path / "model")
    assert reopened.license is not None and reopened.license.name == "cc0-1.0"
    with pytest.raises(ModelError, match="exists already"):
        export(run, tmp_path / "model")


def test_the_card_carries_the_bases_license_and_needs_to_know_it(tmp_path, data):
    from vrm_synth.models.tiny_base import make_tiny_base

    base = make_tiny_base(tmp_path / "base")
    (base / "README.md").unlink()
    (base / "LICENSE").write_text("be kind")
    settings = runs.settings(data, steps=1) | {"base": str(base)}
    runs.go(settings, tmp_path / "unknown")
    with pytest.raises(ModelError, match="license is not known"):
        export(tmp_path / "unknown", tmp_path / "model")
    runs.go({**settings, "base_license": "Mitsua Open RAIL-M"}, tmp_path / "known")
    export(tmp_path / "known", tmp_path / "model")
    assert 'license_name: "Mitsua Open RAIL-M"' in (tmp_path / "model" / "README.md").read_text()
    assert (tmp_path / "model" / "LICENSE").read_text() == "be kind"


def test_stages_change_the_size_and_checkpoints_cross_them(tmp_path, data):
    stages = [{"until": 2, "size": 64}, {"size": 128, "offset_noise": 0.1}]
    runs.go(runs.settings(data, steps=1, stages=stages), tmp_path / "run")
    runs.go(runs.settings(data, steps=4, stages=stages), tmp_path / "run")
    assert [line["size"] for line in runs.log(tmp_path / "run")] == [[64, 64]] * 2 + [[128, 128]] * 2


def test_from_scratch_with_v_prediction_zero_snr_and_a_checkpointed_unet(tmp_path, data):
    settings = runs.settings(data, steps=2, init="scratch", prediction="v_prediction", zero_terminal_snr=True)
    runs.go({**settings, "gradient_checkpointing": True, "ema": None}, tmp_path / "run")
    model = open_run(tmp_path / "run")
    assert model.prediction_type == "v_prediction" and model.scheduler_config["rescale_betas_zero_snr"]
    export(tmp_path / "run", tmp_path / "model")
    assert "U-Net from scratch" in (tmp_path / "model" / "README.md").read_text()
    assert open_base(tmp_path / "model").prediction_type == "v_prediction"


def test_should_stop_writes_a_checkpoint_and_ends_the_run(tmp_path, data):
    steps_reported: list[int] = []
    config = RunConfig.model_validate(runs.settings(data, steps=50, checkpoint_every=50))
    callbacks = Callbacks(on_step=lambda r: steps_reported.append(r.step), should_stop=lambda: len(steps_reported) >= 2)
    assert train(config, tmp_path / "run", callbacks, device="cpu") == 3
    assert (tmp_path / "run" / "checkpoints" / "step-000003" / "state.json").exists()
    assert len(runs.log(tmp_path / "run")) == 3


def test_a_loss_that_is_no_number_ends_the_run_in_one_line(tmp_path, data):
    settings = runs.settings(data, steps=40, learning_rate=1e5, max_grad_norm=1e6, checkpoint_every=40)
    with pytest.raises(VrmSynthError, match=r"the loss of step \d+ is (nan|inf): training has diverged"):
        runs.go(settings, tmp_path / "run")


def test_nothing_is_fetched(tmp_path, data):
    settings = runs.settings(data, steps=1)
    with no_network() as requests:
        runs.go(settings, tmp_path / "run")
        export(tmp_path / "run", tmp_path / "model")
        quick = ["--steps", "1", "--size", "32"]
        call("sample", tmp_path / "run", "--dataset", data, "--limit", "1", *quick, "-o", tmp_path / "samples")
        call("sample", tmp_path / "model", "--prompt", "a", *quick, "-o", tmp_path / "more")
        call("preview", tmp_path / "run", "--limit", "1", *quick)
        with pytest.raises(ModelError, match=r"base model is not on this machine.*--online"):
            open_base("owner/name@main")
    assert requests == []


def test_importing_weights_fetches_nothing(tmp_path, monkeypatch):
    from vrm_synth.models.tiny_base import make_tiny_base

    python, child = python_without(tmp_path)
    (weights,) = (make_tiny_base(tmp_path / "base") / "unet").glob("*.safetensors")
    torch.save(load_file(str(weights)), weights.with_suffix(".bin"))
    weights.unlink()
    monkeypatch.setattr("vrm_synth.models.import_weights.sys.executable", str(python))
    with no_network() as requests:
        call("import-weights", tmp_path / "base", "-o", tmp_path / "model")
    assert requests == [] and child.read_text() == "run\n"
    assert open_base(tmp_path / "model").unet is not None


def test_the_block_can_fail(tmp_path):
    with no_network() as requests:
        with contextlib.suppress(OSError):
            socket.create_connection(("192.0.2.1", 80))
        with contextlib.suppress(OSError):
            socket.getaddrinfo("example.com", 80)
    assert [x.split()[0] for x in requests] == ["socket.getaddrinfo"] * 2
    with no_network() as requests, socket.socket() as s, contextlib.suppress(OSError):
        s.connect(("192.0.2.1", 80))
    assert requests == ["socket.connect ('192.0.2.1', 80)"]
    python, child = python_without(tmp_path)
    (tmp_path / "script.py").write_text("import socket\nsocket.getaddrinfo('example.com', 80)\n")
    assert subprocess.run([python, "-I", tmp_path / "script.py"], stderr=subprocess.DEVNULL).returncode
    assert child.read_text() == "run\nsocket.getaddrinfo example.com\n"


def call(*args: object) -> None:
    result = CliRunner().invoke(main, [str(a) for a in args])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("file", ["unet.safetensors", "optimizer.safetensors", "ema.safetensors", "state.json"])
def test_a_malicious_pickle_in_a_checkpoint_is_refused(tmp_path, data, file):
    folder = tmp_path / "run"
    runs.go(runs.settings(data, steps=1), folder)
    checkpoint = folder / "checkpoints" / "step-000001"
    evil = pickle.dumps(Malice(tmp_path / "ran"))
    (checkpoint / file).write_bytes(evil)
    if file != "state.json":  # an attacker signs it, too
        state = json.loads((checkpoint / "state.json").read_text())
        state["sha256"][file] = sha256(checkpoint / file)
        (checkpoint / "state.json").write_text(json.dumps(state))
    with pytest.raises(VrmSynthError) as e:
        runs.go(runs.settings(data, steps=2), folder)
    assert "\n" not in str(e.value)
    assert not (tmp_path / "ran").exists()
