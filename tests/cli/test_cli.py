"""The command line: what it prints, where, and with which exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

import vrm_synth
from tests.corpus import CORPUS, needs_corpus
from tests.dataset.conftest import shot
from tests.patience import HANG, descendants, ended, wait_until
from tests.vrm.vrm_file import glb, vrm0, vrm1
from vrm_synth import __version__
from vrm_synth.cli import main
from vrm_synth.vrm import load

COMMANDS = [
    (), ("render",), ("demo",), ("shots",), ("inspect",), ("avatar",), ("avatar", "demo"), ("poses",),
    ("poses", "list"), ("poses", "show"), ("cameras",), ("cameras", "list"), ("cameras", "show"), ("bench",),
    ("verify",), ("subset",), ("merge",), ("convert",),
    ("train",), ("sample",), ("preview",),
]  # fmt: skip


def run(*args: object, code: int = 0) -> Result:
    """Call the command; it must end with `code`, and never in a traceback."""
    result = CliRunner().invoke(main, [str(a) for a in args])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def error(*args: object, code: int = 1) -> str:
    """The one line of a refusal; nothing goes to stdout."""
    result = run(*args, code=code)
    said = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(said) == 1 and result.stdout == ""
    return said[0]


def start(*args: object, **more: object) -> subprocess.Popen[str]:
    """The command as a process of its own, in a group of its own, which heeds Ctrl-C: where the tests themselves run in
    a shell's background it would be ignored from the start."""
    return subprocess.Popen(
        [sys.executable, "-m", "vrm_synth", *map(str, args)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **more,  # type: ignore[call-overload]
    )  # fmt: skip


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with free.vrm (CC0), kept.vrm (not), old.vrm (VRM 0.x), recipe.yaml and shots.json."""
    doc, data = vrm1()
    (tmp_path / "free.vrm").write_bytes(glb(doc, bytes(data)))
    del doc["extensions"]["VRMC_vrm"]["meta"]["otherLicenseUrl"]
    (tmp_path / "kept.vrm").write_bytes(glb(doc, bytes(data)))
    doc, data = vrm0()
    (tmp_path / "old.vrm").write_bytes(glb(doc, bytes(data)))
    (tmp_path / "recipe.yaml").write_text("avatars: [free.vrm]\ncount: 6\nsize: 32\nsettle_seconds: 0\n")
    (tmp_path / "shots.json").write_text(json.dumps([shot("a"), shot("b", "kept.vrm"), shot("c", "old.vrm")]))
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_explains_every_command(command):
    text = run(*command, "--help").stdout
    assert "Usage:" in text
    if (len(command) == 2 and "list" not in command) or command in [
        ("render",),
        ("demo",),
        ("shots",),
        ("inspect",),
        ("train",),
        ("sample",),
        ("preview",),
    ]:
        assert "Example" in text and f"vrm-synth {' '.join(command)}" in text
    assert run(*command, "-h").stdout == text


def test_help_and_version_are_quick_and_load_nothing_heavy():
    code = (
        "import sys; from vrm_synth.cli import main\ntry: main(['--version'])\nexcept SystemExit: print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG, check=True)
    version, modules = done.stdout.splitlines()
    assert version == f"vrm-synth, version {__version__}"
    assert not {"numpy", "scipy", "PIL", "moderngl", "pydantic", "tqdm", "torch", "yaml"} & set(modules.split())


@pytest.mark.parametrize(
    "args",
    [
        ("nothing",), ("render",), ("render", "r.yaml"), ("demo",), ("demo", "-o", "x", "--count", "0"),
        ("demo", "-o", "x", "--shard", "2/2"), ("demo", "-o", "x", "--shard", "1/0"),
        ("demo", "-o", "x", "--shard", "a/b"), ("demo", "-o", "x", "--device", "0,"), ("inspect",),
        ("shots", "s.json"), ("shots", "s.json", "-o", "x", "--workers", "0"),
        ("shots", "s.json", "-o", "x", "--renderer", "vulkan"), ("avatar", "demo"),
        ("avatar", "demo", "-o", "x.vrm", "--vrm", "2"),
        ("avatar", "demo", "-o", "x.vrm", "--variant", "1", "--set", "outfit=dress"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_is_status_2_and_makes_nothing(args, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    error(*args, code=2)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("args", "name", "allowed"),
    [
        (("avatar", "demo", "-o"), "a.obj", ".vrm or .glb"),
        (("avatar", "demo", "-o"), "a", ".vrm or .glb"),
        (("poses", "show", "-o"), "a.gif", ".png"),
        (("cameras", "show", "-o"), "a.jpg", ".png"),
        (("inspect", "demo", "--render"), "a.webp", ".png"),
    ],
)  # fmt: skip
def test_a_file_is_named_as_what_it_becomes(args, name, allowed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert f"'{name}' must end in {allowed}." in error(*args, name, code=2)
    assert os.listdir(tmp_path) == []


def test_avatar_demo_writes_glb_whatever_its_case(tmp_path):
    run("avatar", "demo", "-o", tmp_path / "a.GLB")
    assert (tmp_path / "a.GLB").read_bytes()[:4] == b"glTF"


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for package in ("models", "sampling"):  # which the command imports anew
        monkeypatch.setattr(vrm_synth, package, import_module(f"vrm_synth.{package}"))
    for name in [m for m in sys.modules if m.startswith(("vrm_synth.models", "vrm_synth.sampling"))]:
        monkeypatch.delitem(sys.modules, name)
    said = error("sample", "tiny", "--prompt", "a", "-o", tmp_path / "x")
    assert "torch is not installed; pip install 'vrm-synth[train]'" in said and not (tmp_path / "x").exists()


def test_inspect_prints_a_table_and_json_of_each_file(here):
    text = run("inspect", here / "free.vrm", here / "old.vrm").stdout
    assert "VRM 1.0" in text and "VRM 0.x" in text and "CC0" in text
    facts = json.loads(run("inspect", here / "free.vrm", here / "old.vrm", "--json").stdout)
    assert [f["vrm_version"] for f in facts] == ["1", "0"]
    assert facts[0]["sha256"] == load(here / "free.vrm").sha256


def test_inspect_says_what_parts_the_surface_is_taken_for_and_why():
    rows = json.loads(run("inspect", "demo", "--json").stdout)[0]["parts"]
    shoe = next(row for row in rows if row["subject"] == "Shoe")
    assert (shoe["part"], shoe["why"]) == ("shoes", "material name")
    assert sum(row["share"] for row in rows) == pytest.approx(1.0, abs=0.01)
    lines = run("inspect", "demo").stdout.splitlines()
    assert any("shoes" in line and line.endswith("material name: Shoe, Sole") for line in lines)


@needs_corpus
def test_evidence_from_outside_the_file_is_printed_beside_what_it_says(here):
    path = CORPUS / "avatars" / "boombox_export4.vrm"
    text = run("inspect", path).stdout
    assert "Redistribution_Prohibited" in text and "evidence: CC0-1.0 by https://github.com/gm3/boom-tools" in text
    assert json.loads(run("inspect", path, "--json").stdout)[0]["evidence"]["license"] == "CC0-1.0"
    (here / "shots.json").write_text(json.dumps([shot("a", path)]))
    said = run("shots", here / "shots.json", "-o", here / "out").stderr
    assert "license Redistribution_Prohibited; CC0-1.0 by https://" in said


def test_inspect_goes_on_past_a_broken_file(here):
    (here / "page.vrm").write_text("<html>")
    result = run("inspect", here / "page.vrm", here / "none.vrm", here / "free.vrm", "--json", code=1)
    facts = json.loads(result.stdout)
    assert [("error" in f) for f in facts] == [True, True, False]
    assert len(result.stderr.splitlines()) == 2 and "page.vrm" in result.stderr and "none.vrm" in result.stderr


def test_avatar_demo_writes_a_file_that_loads(tmp_path):
    assert (
        run("avatar", "demo", "-o", tmp_path / "a.vrm", "--set", "hair_color=blue").stdout == f"{tmp_path / 'a.vrm'}\n"
    )
    found = load(tmp_path / "a.vrm")
    assert found.vrm_version == "1" and found.meta.license.is_cc0
    assert "hair_color" in run("avatar", "demo", "--list").stdout


def test_avatar_demo_refuses_what_it_does_not_know(tmp_path):
    said = error("avatar", "demo", "-o", tmp_path / "a.vrm", "--set", "hair_color=plaid")
    assert "hair_color" in said and "got plaid" in said and "pink" in said
    assert os.listdir(tmp_path) == []


def test_lists_of_presets():
    poses = json.loads(run("poses", "list", "--json").stdout)
    assert len(poses) >= 24 and {"name", "says", "tags", "bones"} <= set(poses[0])
    table = run("poses", "list").stdout.splitlines()
    assert len(table) == len(poses) and all(row.startswith(p["name"]) for row, p in zip(table, poses, strict=True))
    views = {v["name"]: v for v in json.loads(run("cameras", "list", "--json").stdout)}
    assert views["face_side_left_high"]["azimuth"] == 90 and views["face_side_left_high"]["elevation"] > 0
    assert len(views) >= 48 and "ELEVATION" in run("cameras", "list").stdout


def test_sheets_of_presets(here, monkeypatch):
    run("poses", "show", "stand", "wave", "-o", here / "p.png", "--avatar", here / "free.vrm")
    run("cameras", "show", "bust_front_level", "-o", here / "c.png", "--avatar", here / "free.vrm", "--pose", "wave")
    with Image.open(here / "p.png") as two, Image.open(here / "c.png") as one:
        assert two.size[0] > 1.8 * one.size[0] and one.size[0] > 256
    monkeypatch.chdir(here)
    run("cameras", "show", "bust_front_level", "--avatar", "free.vrm")
    assert (here / "cameras.png").is_file()
    assert "got wive" in error("poses", "show", "wive", "-o", here / "x.png")
    assert not (here / "x.png").exists()


def test_every_entry_of_the_manifest_can_be_read_alone():
    from vrm_synth.cli.shots import _manifest_license
    from vrm_synth.licensing.evidence import load_evidence

    for sha256, entry in load_evidence().items():
        assert _manifest_license(sha256) == f"; {entry.license} by {entry.evidence}"
    assert _manifest_license("0" * 64) == ""


def test_shots_answers_each_and_prints_licenses(here):
    result = run("shots", here / "shots.json", "-o", here / "out")
    assert result.stdout == f"3 pictures in {here / 'out'}\n"
    assert sorted(os.listdir(here / "out")) == ["a.json", "a.png", "b.json", "b.png", "c.json", "c.png"]
    assert "free.vrm: license CC0" in result.stderr
    assert "kept.vrm: license VRM Public License 1.0" in result.stderr


def test_shots_ends_with_1_where_one_failed(here):
    (here / "shots.json").write_text(json.dumps([shot("a"), shot("b", "none.vrm"), shot("c", size=[0, 0])]))
    result = run("shots", here / "shots.json", "-o", here / "out", code=1)
    assert result.stdout == f"1 picture in {here / 'out'}, 2 failed\n"
    assert sorted(os.listdir(here / "out")) == ["a.json", "a.png", "b.json", "c.json"]
    assert sum(line.startswith("Error: ") for line in result.stderr.splitlines()) == 2


@pytest.mark.parametrize("name", ["../a", "/etc/a", "a/../../b", "..\\a"])
def test_shots_writes_nothing_outside_its_folder(here, name):
    (here / "shots.json").write_text(json.dumps([shot("a"), shot(name)]))
    before = sorted(os.listdir(here))
    assert "no usable id" in error("shots", here / "shots.json", "-o", here / "out")
    assert sorted(os.listdir(here)) == before


def test_render_makes_a_dataset_whose_lines_shots_can_render_again(here):
    options = ("-o", here / "out", "--shard-size", 2)
    result = run("render", here / "recipe.yaml", *options, "--shard", "1/2")
    out = here / "out"
    assert (
        result.stdout == f"2 pictures in {out}; other shards are missing: when they are there, vrm-synth finish {out}\n"
    )
    assert "2 shards of" in error("finish", here / "out")
    result = run("render", here / "recipe.yaml", *options)
    assert result.stdout == f"4 pictures in {here / 'out'}; a look at them: {here / 'out' / 'contact_sheet.png'}\n"
    assert run("render", here / "recipe.yaml", *options).stdout.startswith(
        f"nothing was missing in {here / 'out'}; a look"
    )
    (here / "out" / "complete.json").unlink()
    assert "contact_sheet.png" in run("finish", here / "out").stdout
    assert (here / "out" / "complete.json").exists()
    metrics = json.loads((here / "out" / "metrics.json").read_text())
    assert metrics["pictures"] == 4 and metrics["pictures_per_second"] > 0
    assert set(metrics["pictures_per_second_by_stage"]) == {"load", "plan", "draw", "encode", "put"}
    for lines in here.glob("out/train/*/metadata.jsonl"):
        run("shots", lines, "-o", here / "again")
    pictures = list(here.glob("out/train/*/*.png"))
    assert len(pictures) == 6
    for picture in pictures:
        assert (here / "again" / picture.name).read_bytes() == picture.read_bytes()


def test_render_refuses_a_license_until_it_is_accepted(here):
    (here / "recipe.yaml").write_text("avatars: [kept.vrm]\ncount: 1\nsize: 16\n")
    said = error("render", here / "recipe.yaml", "-o", here / "out")
    assert "kept.vrm: license not accepted; got VRM Public License 1.0" in said and not (here / "out").exists()
    assert "not accepted" in error(
        "render", here / "recipe.yaml", "-o", here / "out", "--accept-license", "VRM Public License 1.0"
    )
    table = dict(line.split("  ", 1) for line in run("inspect", here / "kept.vrm").stdout.splitlines() if "  " in line)
    name = table["license"].strip()
    assert name == json.loads(run("inspect", here / "kept.vrm", "--json").stdout)[0]["license"]["name"]
    run("render", here / "recipe.yaml", "-o", here / "out", "--accept-license", name)
    (lines,) = here.glob("out/train/*/metadata.jsonl")
    assert json.loads(lines.read_text())["license"] == name


def test_render_takes_evidence_from_the_users_manifest(here):
    (here / "recipe.yaml").write_text("avatars: [kept.vrm]\ncount: 1\nsize: 16\n")
    (here / "mine.yaml").write_text(
        f"assets:\n  - sha256: {load(here / 'kept.vrm').sha256}\n    name: kept\n    license: CC0-1.0\n"
        "    evidence: https://example.org/license\n    quote: all of it is CC0\n    date: 2026-01-31\n"
    )
    run("render", here / "recipe.yaml", "-o", here / "out", "--manifest", here / "mine.yaml")
    assert "https://example.org/license" in (here / "out" / "README.md").read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("avatars: [free.vrm]\ncount: 1\ncolour: red\n", r"recipe.yaml:3: colour: unknown key"),
        ("avatars: [free.vrm]\ncount: none\n", "recipe.yaml:2: count"),
        ("avatars: [gone.vrm]\ncount: 1\n", "recipe.yaml:1: avatars"),
        ("avatars: [", "recipe.yaml:1: not YAML"),
    ],
)
def test_a_recipe_with_a_mistake_is_refused_with_its_line(here, text, message):
    (here / "recipe.yaml").write_text(text)
    assert message in error("render", here / "recipe.yaml", "-o", here / "out")
    assert not (here / "out").exists()


def test_missing_files_and_folders_that_cannot_be_made_are_one_line(here):
    assert "gone.yaml" in error("render", here / "gone.yaml", "-o", here / "out")
    assert "gone.json" in error("shots", here / "gone.json", "-o", here / "out")
    assert "cannot be made: Not a directory" in error("shots", here / "shots.json", "-o", here / "free.vrm" / "out")
    assert "cannot be made" in error("render", here / "recipe.yaml", "-o", here / "free.vrm" / "out")
    assert "cannot be written" in error(
        "poses", "show", "stand", "--avatar", here / "free.vrm", "-o", here / "no" / "a.png"
    )
    assert "cannot be written" in error("avatar", "demo", "-o", here / "no" / "a.vrm")
    assert "gone.vrm" in error("poses", "show", "--avatar", here / "gone.vrm", "-o", here / "a.png")


@pytest.mark.parametrize("command", ["shots", "render"])
def test_a_full_disk_is_one_line(here, command):
    source = {"shots": "shots.json", "render": "recipe.yaml"}[command]
    code = (
        "import resource, sys\nfrom vrm_synth.cli import main\nresource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))\n"
        f"sys.argv = ['vrm-synth', {command!r}, {str(here / source)!r}, '-o', {str(here / 'out')!r}]\nmain()"
    )
    environment = {**os.environ, "MESA_SHADER_CACHE_DISABLE": "true"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG, env=environment)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "cannot be written: File too large" in done.stderr.splitlines()[-1]
    assert not list((here / "out").rglob("*.part"))


SLOW = 1000  # shots that take long: so many that nobody who looks at the first is too late for the last


def slow_shots(here: Path) -> Path:
    path = here / "shots.json"
    path.write_text(json.dumps([shot(f"s{i}", spring_bones={"settle_seconds": 40 + i / 100}) for i in range(SLOW)]))
    return path


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_is_one_line_and_130(here, workers):
    process = start("shots", slow_shots(here), "-o", here / "out", "--workers", workers)
    assert wait_until(lambda: list((here / "out").glob("*.png")), lambda: process.poll() is None)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=HANG)
    # A shell shows 130 for either: Python may end itself by the signal where it was inside a C call.
    assert process.returncode in (130, -signal.SIGINT)
    assert out == "" and err.splitlines()[-1] == "Interrupted." and "Traceback" not in err
    assert not list((here / "out").rglob("*.part"))


def test_ctrl_c_leaves_a_folder_that_the_same_command_goes_on_with(here):
    (here / "recipe.yaml").write_text("avatars: [free.vrm]\ncount: 100000\nsize: 32\n")
    process = start("render", here / "recipe.yaml", "-o", here / "out", "--shard-size", 4)
    assert wait_until(lambda: len(list((here / "out").glob("records/*.json"))) > 1, lambda: process.poll() is None)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=HANG)
    assert process.returncode in (130, -signal.SIGINT) and "Traceback" not in err
    assert {p.name for p in (here / "out").iterdir()} == {"train", "records", "dataset.json"}
    for record in here.glob("out/records/*.json"):
        assert all(
            (here / "out" / file["name"]).stat().st_size == file["bytes"]
            for file in json.loads(record.read_text())["files"]
        )


def test_workers_end_when_their_parent_is_killed(here):
    process = start("shots", slow_shots(here), "-o", here / "out", "--workers", 2)
    assert wait_until(lambda: list((here / "out").glob("*.png")), lambda: process.poll() is None)
    started = descendants(process.pid)
    assert len(started) >= 2
    process.kill()
    process.communicate(timeout=HANG)
    wait_until(lambda: all(map(ended, started)))
    assert len(list((here / "out").glob("*.png"))) < SLOW


def test_a_reader_that_has_seen_enough_is_no_error():
    command = f"{sys.executable} -m vrm_synth poses list --json | head -c 10"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=HANG)
    assert done.stdout.startswith("[") and done.stderr == ""


# ---------------------------------------------------------------- bench


def test_bench_tells_rates_stages_and_what_to_do(here):
    said = run("bench", here / "free.vrm", "--count", 2, "--workers", 1, "--size", 32).stdout
    assert "1 worker" in said and "pictures/s" in said and "free.vrm" in said
    assert all(f"\n  {stage} " in said for stage in ("load", "plan", "pose", "draw", "read back", "encode", "write"))
    assert "\n- " in said
    found = json.loads(run("bench", here / "free.vrm", "--count", 2, "--workers", 1, "--size", 32, "--json").stdout)
    assert found["rates"][0]["workers"] == 1 and found["advice"]


def test_bench_refuses_what_is_no_avatar(here):
    assert "free.glb" in error("bench", here / "free.glb", "--count", 2)
