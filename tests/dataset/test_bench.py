"""`vrm-synth bench`: stages, rates and memory are measured, and advice follows from the figures."""

from __future__ import annotations

import dataclasses

import pytest

from vrm_synth.core.errors import AvatarError, RenderError
from vrm_synth.dataset import bench as measuring
from vrm_synth.dataset.bench import STAGES, WARM_UP, BenchReport, BenchTask, Rate, advice, bench, pictures
from vrm_synth.render.system import is_software

MIB = 2**20
CALM = BenchReport(
    avatar="demo",
    triangles=32_000,
    size=512,
    device="NVIDIA H100, OpenGL 4.6",
    cores=8,
    milliseconds={"load": 500.0, "plan": 4.0, "pose": 3.0, "draw": 4.0, "read back": 1.0, "encode": 2.0, "write": 0.1},
    rates=(Rate(1, 70.0, 250 * MIB), Rate(8, 500.0, 250 * MIB)),
)


def test_every_stage_is_timed_and_every_picture_reported(avatars):
    progress: list[None] = []
    report = bench(str(avatars / "free.vrm"), 3, 2, size=64, done=lambda: progress.append(None))
    assert len(progress) == pictures(3, 2) == 3 * (3 + WARM_UP)
    assert tuple(report.milliseconds) == STAGES and all(ms > 0 for ms in report.milliseconds.values())
    assert [r.workers for r in report.rates] == [1, 2]
    assert all(r.per_second > 0 and 20 * MIB < r.memory < 8192 * MIB for r in report.rates)
    assert report.triangles > 0 and "OpenGL" in report.device and report.cores >= 1


def test_one_worker_is_measured_once(avatars):
    report = bench(str(avatars / "free.vrm"), 2, 1, size=32)
    assert [r.workers for r in report.rates] == [1] and pictures(2, 1) == 2 + WARM_UP


def test_bench_removes_its_temporary_files(avatars, tmp_path, monkeypatch):
    monkeypatch.setattr(measuring.tempfile, "tempdir", str(tmp_path))
    bench(str(avatars / "free.vrm"), 2, 1, size=32)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_an_avatar_is_refused_before_workers_start(tmp_path):
    (tmp_path / "no.vrm").write_bytes(b"no")
    with pytest.raises(AvatarError):
        bench(str(tmp_path / "no.vrm"), 2, 2)


def test_a_crashed_worker_ends_the_benchmark(tmp_path):
    with pytest.raises(RenderError, match="SIGKILL"):
        BenchTask("demo", tmp_path, 64, "gl", 0).on_crash(3, "SIGKILL")


@pytest.mark.parametrize(
    ("device", "software"),
    [
        ("llvmpipe (LLVM 15.0.6, 256 bits), OpenGL 4.5", True),
        ("ANGLE (Google, Vulkan 1.3 (SwiftShader Device))", True),
        ("NVIDIA H100 80GB HBM3/PCIe/SSE2, OpenGL 4.6.0", False),
        ("AMD Radeon RX 7900 (radeonsi, navi31)", False),
    ],
)
def test_software_drivers_are_known_by_name(device, software):
    assert is_software(device) is software
    (first, *_) = advice(dataclasses.replace(CALM, device=device))
    assert first.startswith("The CPU draws" if software else "A GPU draws")


def changed(**stages: float) -> BenchReport:
    return dataclasses.replace(CALM, milliseconds=CALM.milliseconds | stages)


@pytest.mark.parametrize(
    ("report", "message"),
    [
        (changed(encode=9.0), "Encoding and writing take 43% of a picture's time"),
        (changed(write=9.0), "Writing is slow here"),
        (dataclasses.replace(changed(draw=90.0), device="llvmpipe"), "Drawing takes 90%"),
        (dataclasses.replace(CALM, device="llvmpipe, OpenGL 4.5 (Core Profile) Mesa 22.3.6"), "Mesa 22 draws"),
        (dataclasses.replace(CALM, rates=(CALM.rates[0], Rate(8, 140.0, MIB))), "8 workers make 2.0 times"),
    ],
)
def test_each_advice_appears_for_its_figures_only(report, message):
    assert [line for line in advice(report) if line.startswith(message)]
    assert not [line for line in advice(CALM) if line.startswith(message.split(" take")[0].split(" makes")[0][:12])]


def test_a_recent_mesa_gets_no_advice_to_upgrade():
    device = "llvmpipe, OpenGL 4.5 (Core Profile) Mesa 25.0.7"
    assert not [line for line in advice(dataclasses.replace(CALM, device=device)) if "Mesa" in line]


def test_memory_advice_appears_only_if_memory_is_short(monkeypatch):
    monkeypatch.setattr(measuring, "physical_memory", lambda: 2048 * MIB)
    assert advice(CALM)[-1] == "A worker holds 250 MiB: no more than 4 fit well."
    monkeypatch.setattr(measuring, "physical_memory", lambda: 65_536 * MIB)
    assert len(advice(CALM)) == 1
    monkeypatch.setattr(measuring, "physical_memory", lambda: 0)
    assert len(advice(CALM)) == 1
