"""Preview: its four columns, its page, and the page in a browser."""

from __future__ import annotations

import base64
import html
import io
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from tests.page.browser import dom, needs_chromium, screenshot
from tests.sampling.run_builder import make_run
from tests.sampling.test_image_requests import dataset
from vrm_synth.cli.main import main
from vrm_synth.sampling.comparison import PREVIEW_COLUMNS, load_image, psnr
from vrm_synth.sampling.sampler_settings import SamplingError

CAPTIONS = ["A girl & a 'boy' <b>waving</b>, 桜", "a red square"]
CHOICES = {"pose": "wave", "mirrored": False, "background": "red"}
FACTS = {"face": {"expression": ""}, "view": {"azimuth": -4.52}}
QUICK = ["--steps", "2", "--size", "32"]


@pytest.fixture(scope="module")
def run(model, tmp_path_factory) -> Path:
    """A run on a dataset of two pictures, one of them half transparent."""
    folder = tmp_path_factory.mktemp("run")
    rows = [
        {
            "file_name": f"{i}.png",
            "caption": c,
            "i": i,
            "seed": 9,
            "avatar": "demo",
            "shot": {"id": "a", "choices": CHOICES},
            "facts": FACTS,
        }
        for i, c in enumerate(CAPTIONS)
    ]
    dataset(folder / "data", *rows)
    for i, alpha in enumerate((128, 255)):
        Image.new("RGBA", (48, 40), (200, 40, 60, alpha)).save(folder / "data" / f"{i}.png")
    return make_run(folder / "RUN", model, folder / "data")


def call(*args: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(a) for a in args])
    assert result.exit_code == code and "Traceback" not in result.output, result.output
    return result.output


@pytest.fixture(scope="module")
def page(run) -> str:
    torch.set_num_threads(1)
    output = call("preview", run, *QUICK)
    assert f"2 captions at step 20: {run / 'preview.html'}, {run / 'samples' / 'step-000020.png'}" in output
    return (run / "preview.html").read_text(encoding="utf-8")


def images(page: str) -> list[np.ndarray]:
    encoded = re.findall(r'src="data:image/webp;base64,([^"]+)"', page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(f))).convert("RGB")) for f in encoded]


def test_the_four_columns(page, run, tmp_path):
    shown = images(page)
    assert len(shown) == 8 and all(p.shape == (32, 32, 3) for p in shown)
    render, reconstruction, base, checkpoint = shown[4:]
    assert np.abs(render.astype(int) - (200, 40, 60)).max() <= 1
    assert psnr(render, reconstruction) > 30  # the tiny VAE gives a plain colour back
    assert not np.array_equal(base, checkpoint)
    assert np.abs(shown[0].astype(int) - (227, 147, 157)).max() <= 1  # half transparent, on white
    call("sample", run, "--prompt", CAPTIONS[1], "--seed", "1", *QUICK, "-o", tmp_path / "now")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "now" / "000000.png")), checkpoint)


def test_each_command_reproduces_its_image(page, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    commands = [html.unescape(c) for c in re.findall(r"<code>(.*?)</code>", page, re.DOTALL)]
    assert len(commands) == 8
    for k, words in enumerate(shlex.split(c) for c in commands[:4]):
        if words[:2] == ["vrm-synth", "sample"]:
            call(*words[1:-1], tmp_path / str(k))
            drawn = np.asarray(Image.open(tmp_path / str(k) / "000000.png"))
            assert np.array_equal(drawn, images(page)[k]), commands[k]
    assert [c.split()[0] for c in commands[:4]] == ["sed", "vrm-synth", "vrm-synth", "vrm-synth"]
    assert shlex.split(commands[4])[:3] == ["sed", "-n", "2p"]


def test_page_shows_facts_and_escaped_captions(page):
    assert html.escape(CAPTIONS[0], quote=False).replace("'", "&#39;") in page and "<b>waving" not in page
    facts = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page)
    for fact in [
        ("pose", "wave"),
        ("azimuth", "-4.5"),
        ("mirrored", "no"),
        ("background", "red"),
        ("shot", "0 of seed 9"),
    ]:
        assert fact in facts
    assert "expression" not in dict(facts)
    assert all(f"<span>{name}</span>" in page for name in PREVIEW_COLUMNS)


def test_another_checkpoint_in_another_folder(run, tmp_path):
    output = call("preview", run, *QUICK, "--checkpoint", "10", "--limit", "1", "-o", tmp_path / "look")
    assert "1 caption at step 10" in output
    assert sorted(p.name for p in (tmp_path / "look").iterdir()) == ["preview.html", "preview.png"]
    with Image.open(tmp_path / "look" / "preview.png") as grid:
        assert grid.width > 4 * 190
    assert "no such checkpoint; got 11; allowed: latest, best, step-000010, step-000020" in call(
        "preview", run, *QUICK, "--checkpoint", "11", code=1
    )


def test_a_folder_that_is_no_run_is_refused(folder, tmp_path):
    assert "is no training run" in call("preview", folder, code=2)
    (tmp_path / "run.yaml").write_text("data: 3\n")
    assert "run.yaml: not a run's configuration" in call("preview", tmp_path, code=1)


def test_unreadable_image_is_named(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    with pytest.raises(SamplingError, match=r"a\.png: not an image that can be read"):
        load_image(tmp_path / "a.png", (32, 32), where=str(tmp_path / "a.png"))
    with pytest.raises(SamplingError, match=r"00000\.tar: 000001: not an image that can be read"):
        load_image(b"RIFF", (32, 32), where="00000.tar: 000001")
    Image.new("RGB", (90, 30), (0, 0, 9)).save(tmp_path / "wide.png")
    assert load_image(tmp_path / "wide.png", (32, 48)).shape == (48, 32, 3)


def test_psnr_closed_form():
    a = np.zeros((4, 4, 3), np.uint8)
    assert psnr(a, a) == 100 and psnr(a, a + 255) == 0 and psnr(a, a + 16) == pytest.approx(24.05, abs=0.01)


@needs_chromium
def test_a_browser_shows_the_images(page, run, tmp_path):
    document = dom(run / "preview.html", tmp_path / "profile")
    assert document.count("<img ") == 8 and html.escape(CAPTIONS[0], quote=False) in document
    complaint = screenshot(run / "preview.html", tmp_path / "profile", tmp_path / "page.png")
    assert "Refused" not in complaint
    with Image.open(tmp_path / "page.png") as shown:
        pixels = np.asarray(shown.convert("RGB")).reshape(-1, 3).astype(int)
    assert (np.abs(pixels - (200, 40, 60)).max(axis=1) < 6).mean() > 0.03, "the pictures are not to be seen"


def test_unknown_metadata_does_not_break_the_page(run, model, tmp_path):
    """A dataset that is not ours: no shot, an odd one, choices that are no choices."""
    rows = [
        {"file_name": "a.png", "text": "t", "shot": ["x"]},
        {
            "file_name": "a.png",
            "text": "t",
            "shot": {"choices": {"pose": {"a": [1]}}},
            "facts": {"view": {"azimuth": "</script>"}},
            "license": 3,
        },
    ]
    folder = dataset(tmp_path / "d", *rows)
    Image.new("L", (20, 20), 200).save(folder / "a.png")
    call("preview", run, *QUICK, "--dataset", folder, "-o", tmp_path / "o")
    assert "&lt;/script&gt;" in (tmp_path / "o" / "preview.html").read_text()
