"""`vrm-synth sample`: its output, its errors, and processes that share the work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from tests.patience import HANG, free_port
from tests.sampling.run_builder import make_run
from tests.sampling.test_image_requests import dataset
from vrm_synth.cli.main import main

QUICK = ["--steps", "2", "--size", "32"]


def call(*args: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(a) for a in args])
    assert result.exit_code == code and "Traceback" not in result.output, result.output
    return result.output


def test_prompts_tables_and_datasets(folder, tmp_path):
    output = call("sample", folder, "--prompt", "a", "--prompt", "b", "--count", "2", *QUICK, "-o", tmp_path / "p")
    assert f"4 pictures in {tmp_path / 'p'}; a look at them: {tmp_path / 'p' / 'grid.png'}" in output
    (tmp_path / "p.csv").write_text("prompt,seed\na,1\n")
    call("sample", folder, "--prompts", tmp_path / "p.csv", *QUICK, "-o", tmp_path / "t")
    assert (tmp_path / "t" / "000000.png").read_bytes() == (tmp_path / "p" / "000001.png").read_bytes()
    rows = [{"file_name": "x.png", "caption": c} for c in ("zero", "a", "c")]
    dataset(tmp_path / "d" / "test", *rows)
    call("sample", folder, "--dataset", tmp_path / "d", "--split", "test", "--limit", "2", *QUICK, "-o", tmp_path / "s")
    assert (tmp_path / "s" / "000001.png").read_bytes() == (tmp_path / "p" / "000001.png").read_bytes()
    assert "2 of them from before" in call(
        "sample", folder, "--dataset", tmp_path / "d", "--limit", "2", *QUICK, "-o", tmp_path / "s"
    )


def test_a_runs_checkpoints(model, folder, tmp_path):
    run = make_run(tmp_path / "RUN", model, tmp_path)
    for name, args in {
        "latest": [],
        "20": ["--checkpoint", "20"],
        "best": ["--checkpoint", "best"],
        "10": ["--checkpoint", "10"],
    }.items():
        call("sample", run, "--prompt", "a", *QUICK, *args, "-o", tmp_path / name)
    drawn = {p: (tmp_path / p / "000000.png").read_bytes() for p in ("latest", "20", "best", "10")}
    assert drawn["latest"] == drawn["20"] == drawn["best"] != drawn["10"]
    with Image.open(tmp_path / "10" / "000000.png") as picture:
        model_metadata = json.loads(picture.text["vrm_synth"])["model"]
    assert tuple(model_metadata[k] for k in ("name", "step", "ema")) == ("RUN", 10, True)
    call("sample", folder, "--checkpoint", "10", "--prompt", "a", "-o", tmp_path / "x", code=1)


def test_a_run_is_drawn_at_the_size_it_was_trained_at(model, tmp_path):
    run = make_run(tmp_path / "RUN", model, tmp_path)
    (run / "run.yaml").write_text((run / "run.yaml").read_text().replace("size: 512", "size: 128"))
    call("sample", run, "--prompt", "a", "--steps", "1", "-o", tmp_path / "s")
    with Image.open(tmp_path / "s" / "000000.png") as picture:
        assert picture.size == (128, 128)


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ([], 2, "by one of --prompt, --prompts and --dataset"),
        (["--prompt", "a", "--dataset", "d"], 2, "by one of"),
        (["--prompt", "a", "--split", "test"], 2, "belong to --dataset"),
        (["--prompt", "a", "--size", "0x0"], 1, "width out of range; got 0"),
        (["--prompt", "a", "--size", "30"], 1, "width does not suit the model; got 30; allowed: multiples of 16"),
        (["--prompt", "a", "--size", "big"], 2, "neither a side nor WIDTHxHEIGHT"),
        (["--prompt", "a", "--guidance-scale", "0"], 2, "1<=x<=100"),
        (["--prompt", "a " * 300], 1, "prompt is too long"),
        (["--prompt", " "], 1, "no prompt"),
        (["--prompt", "a", "--device", "tpu"], 1, "unknown device; got tpu; allowed: cpu, cuda or cuda:N"),
        (["--prompt", "a", "--device", "cuda:99"], 1, "no such device here; got cuda:99; allowed: cpu"),
        (["--prompt", "a", "--lora", "x.bin"], 1, "x.bin: not a LoRA that can be opened"),
        (["--prompts", "none.csv"], 1, "none.csv: No such file"),
    ],
    ids=lambda v: str(v)[:40],
)
def test_refusals_are_one_line_and_make_nothing(folder, tmp_path, args, code, message):
    out = call("sample", folder, *args, "-o", tmp_path / "out", code=code)
    assert message in out and not (tmp_path / "out").exists()


def test_a_missing_model_is_reported(tmp_path):
    assert "no such base model; got nowhere" in call("sample", "nowhere", "--prompt", "a", "-o", tmp_path / "o", code=1)


def test_two_processes_of_torchrun_share_the_pictures(folder, tmp_path):
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "vrm_synth",
        "sample",
        folder,
        "--prompt",
        "a",
        "--count",
        "5",
        "--batch-size",
        "2",
    ]
    shared = {
        **os.environ,
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    started = [
        subprocess.Popen(
            [*command, *QUICK, "-o", tmp_path / "two"],
            env={**shared, "RANK": str(r)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for r in range(2)
    ]
    outputs = [p.communicate(timeout=HANG)[0] for p in started]
    assert [p.returncode for p in started] == [0, 0]
    assert "5 pictures" in outputs[0] and outputs[1] == ""
    call("sample", folder, "--prompt", "a", "--count", "5", "--batch-size", "2", *QUICK, "-o", tmp_path / "one")
    drawn: list[dict[str, bytes]] = [
        {p.name: p.read_bytes() for p in Path(tmp_path / d).iterdir()} for d in ("one", "two")
    ]
    assert drawn[0] == drawn[1] and len(drawn[0]) == 7
