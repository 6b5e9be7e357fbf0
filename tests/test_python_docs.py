"""docs/python.md: its snippets run, one after the other, as a reader would type them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vrm_synth.builtin_avatar import build_glb

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "python.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^\*\*(\d+)\. .*?^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the files that the page names."""
    (tmp_path / "aki.vrm").write_bytes(build_glb())
    (tmp_path / "mine.yaml").write_text("say:\n- text: pointing up\nbones:\n  rightUpperArm: [-71, 17, 5]\n")
    (tmp_path / "recipe.yaml").write_text("avatars: [demo]\ncount: 4\nsize: 64\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_are_eleven_short_snippets():
    assert [number for number, _ in SNIPPETS] == [str(n) for n in range(1, 12)]
    assert TEXT.count("```python") == len(SNIPPETS)
    assert all(len(code.splitlines()) <= 8 for _, code in SNIPPETS)


def test_the_snippets_run_one_after_the_other(folder, capsys):
    pytest.importorskip("torch")
    names: dict[str, object] = {}
    for number, code in SNIPPETS:
        exec(compile(code, f"docs/python.md, snippet {number}", "exec"), names)
    assert names["frame"].rgba.shape == (256, 256, 4)
    assert [image.size for image in names["turntable"]] == [(128, 128)] * 3
    assert names["again"] == names["shot"]
    assert len(names["dataset"]) == 4
    assert capsys.readouterr().out.count("(64, 64)") == 4
    assert len(names["images"]) == 2
    assert len(names["own"]) == 4 and all(text.endswith("of a figure") for text, _ in names["own"].values())
    assert (folder / "aki.png").stat().st_size > 10_000


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)", TEXT))))
def test_links_lead_to_files(target):
    assert (Path(__file__).resolve().parents[1] / "docs" / target).exists()
