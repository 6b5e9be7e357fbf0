"""Avatars, poses, cameras and the renderer from Python; misspelt names are refused with the nearest one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import vrm_synth as vs
from vrm_synth.builtin_avatar import build_glb
from vrm_synth.shot import compose_shot, preset_shot
from vrm_synth.shot.render_options import DEFAULTS, RenderOptions

SMALL = {"size": 64, "supersample": 1}


@pytest.fixture(scope="module")
def avatar() -> vs.Avatar:
    return vs.demo_avatar(hair_color="pink")


@pytest.fixture(scope="module")
def renderer():
    with vs.Renderer() as opened:
        yield opened


def test_load_takes_a_path_or_the_built_in_name(tmp_path: Path) -> None:
    (tmp_path / "demo").write_bytes(build_glb())
    file = vs.load(tmp_path / "demo")
    assert file.sha256 == vs.load(str(tmp_path / "demo")).sha256 == vs.load("demo").sha256
    assert vs.load("demo:3").sha256 == vs.demo_avatar(3).sha256
    assert vs.load(vs.demo_avatar(height=1.6).source).sha256 == vs.demo_avatar(height=1.6).sha256


def test_reprs_are_one_line(avatar: vs.Avatar, renderer: vs.Renderer) -> None:
    pose = vs.load_poses()["wave"]
    shot = renderer.compose(avatar, {"pose": "wave"})
    things = (avatar, pose, pose.mirror(), shot.camera, renderer, shot, renderer.render(avatar, **SMALL))
    for text in map(repr, things):
        assert "\n" not in text and 8 < len(text) < 160, text
    assert repr(avatar).startswith("Avatar('Mio', 'demo:hair_color=pink', VRM 1.0, 54 bones, 18 expressions, ")
    assert repr(things[-1]) == "Frame(64×64)"


def test_a_view_and_the_camera_that_fits_it_are_the_same(avatar: vs.Avatar, renderer: vs.Renderer) -> None:
    camera = vs.frame_body(avatar, "wave", crop="bust")
    by_view = renderer.render(avatar, pose="wave", view="bust_front_level", **SMALL)
    by_camera = renderer.render(avatar, pose=vs.load_poses()["wave"], camera=camera, **SMALL)
    assert np.array_equal(by_view.rgba, by_camera.rgba)
    assert (
        renderer.compose(avatar, {"pose": "wave"}).view()
        == preset_shot(avatar, avatar.source, "wave", "full_front_level").view()
    )


def test_a_frame_has_image_arrays_and_draw_order(avatar: vs.Avatar, renderer: vs.Renderer) -> None:
    frame = renderer.render(avatar, size=(48, 64), background=None)
    assert frame.rgba.shape == (64, 48, 4) and frame.rgba.dtype == np.uint8
    assert frame.image.mode == "RGBA" and frame.image.size == (48, 64)
    assert np.array_equal(np.asarray(frame.image), frame.rgba)
    assert frame.rgba[0, 0, 3] == 0


OPTIONS: list[RenderOptions] = [
    {"expressions": {"happy": 1.0}, "view": "face_front_level"},
    {"look_at": vs.LookAtAngles(25.0, 0.0), "view": "face_front_level"},
    {"look_at": (2.0, 1.4, 1.0), "view": "face_front_level"},
    {"lights": vs.Light((1.0, 0.0, 0.0)), "view": "face_front_level"},
    {"lights": (None, vs.Ambient()), "view": "face_front_level"},
    {"lights": "side", "view": "face_front_level"},
    {"background": "#00ff00", "view": "face_front_level"},
    {"background": (0, 0, 1), "view": "face_front_level"},
    {"settle_seconds": 1.0, "wind": (1.0, 0.0, 0.0), "view": "face_front_level"},
    {"outlines": False, "view": "face_front_level"},
]


def test_every_render_option_changes_the_picture_and_streaming_draws_the_same(
    avatar: vs.Avatar, renderer: vs.Renderer
) -> None:
    plain = renderer.render(avatar, view="face_front_level", **SMALL).rgba
    options = [{**o, **SMALL} for o in OPTIONS]
    single = [renderer.render(avatar, **o).rgba for o in options]
    streamed = [frame.rgba for frame in renderer.stream(avatar, options)]
    assert all(np.array_equal(a, b) for a, b in zip(single, streamed, strict=True))
    assert [n for n, rgba in enumerate(single) if np.array_equal(rgba, plain)] == []


def test_rendering_a_shot_gives_the_same_picture_as_its_options(avatar: vs.Avatar, renderer: vs.Renderer) -> None:
    options: RenderOptions = {"pose": "salute", "look_at": "camera", "expressions": {"happy": 1.0}, **SMALL}
    shot = vs.Shot.from_json(renderer.compose(avatar, options).to_json())
    assert np.array_equal(renderer.render_shot(avatar, shot).rgba, renderer.render(avatar, **options).rgba)


def test_every_render_method_has_the_same_parameters() -> None:
    def named(function: Callable[..., object]) -> dict[str, object]:
        return {p.name: p.default for p in inspect.signature(function).parameters.values() if p.kind == p.KEYWORD_ONLY}

    assert list(DEFAULTS) == list(RenderOptions.__annotations__)
    own = {"passes": (), "depth_layers": 4, "annotate": False, "facts": False, "part_overrides": None}
    assert named(compose_shot) == DEFAULTS and named(vs.Renderer.render) == own | DEFAULTS
    for function in (vs.Renderer.render, compose_shot):
        lines = (inspect.getdoc(function) or "").splitlines()
        assert [line.partition(":")[0] for line in lines if line.partition(":")[0] in DEFAULTS] == list(DEFAULTS)


def test_poses_from_degrees_equal_those_of_pose_files(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "say:\n- text: pointing\nbones:\n  rightUpperArm: [-71, 17, 5]\nhips: [0, 0.1, 0]\n"
    )
    file = vs.load_pose(tmp_path / "mine.yaml")
    from_degrees = vs.Pose.from_degrees(rightUpperArm=(-71, 17, 5), move_hips=(0, 0.1, 0))
    assert (from_degrees.bones, from_degrees.hips, from_degrees.ground) == (file.bones, file.hips, file.ground)
    from_quaternions = vs.Pose.from_quaternions(from_degrees.bones)
    assert all(np.allclose(from_quaternions.bones[b], q, atol=1e-12) for b, q in from_degrees.bones.items())
    both = vs.Pose.from_degrees(bothUpperArm=(0, 0, -30), hands={"left": "fist"}).bones
    assert both["rightUpperArm"][2] == pytest.approx(-both["leftUpperArm"][2])


MISTAKES: list[tuple[Callable[[vs.Avatar, vs.Renderer], object], str]] = [
    (lambda a, r: r.render(a, pose="waev"), r"no such pose \(did you mean wave\?\)"),
    (lambda a, r: r.render(a, view="bust_front_levle"), r"no such view \(did you mean bust_front_level\?\)"),
    (lambda a, r: r.render(a, expressions={"hapy": 1}), r"no such expression \(did you mean happy\?\)"),
    (lambda a, r: r.render(a, expressions={"happy": 2}), "happy: bad expression weight"),
    (lambda a, r: r.render(a, lights="fron"), r"did you mean front\?"),
    (lambda a, r: r.render(a, background="whit"), r"did you mean white\?"),
    (lambda a, r: r.render(a, background=(1, 2)), "not a colour"),
    (lambda a, r: r.render(a, look_at="me"), "not a gaze"),
    (lambda a, r: r.render(a, look_at=(1, 2)), "not 3 numbers"),
    (lambda a, r: r.render(a, wind=(1, 0, 0)), "wind without settle_seconds"),
    (lambda a, r: r.render(a, size=0), "size: out of range"),
    (lambda a, r: r.render(a, size=(1, 2, 3)), "size: not a number"),
    (lambda a, r: r.render(a, view="full_front_level", camera=vs.frame_body(a)), "both a view and a camera"),
    (lambda a, r: list(r.stream(a, [{"psoe": "wave"}])), r"unknown argument \(did you mean pose\?\)"),
    (lambda a, r: list(r.stream(a, [{"source": "wave"}])), "unknown argument"),  # a parameter of compose_shot
    (lambda a, r: r.render(a, szie=64), r"unknown argument \(did you mean size\?\)"),
    (lambda a, r: vs.frame_body(a, crop="cowby"), r"no such crop \(did you mean cowboy\?\)"),
    (lambda a, r: vs.frame_body(a, "waev"), r"no such pose \(did you mean wave\?\)"),
    (lambda a, r: vs.frame_body(a, elevation=90), "too steep"),
    (lambda a, r: vs.Pose.from_degrees(rightUperArm=(1, 2, 3)), r"unknown bone \(did you mean rightUpperArm\?\)"),
    (lambda a, r: vs.Pose.from_degrees(head=(1, 2)), "head: too few values"),
    (lambda a, r: vs.Pose.from_degrees(head=(1, 2, 300)), "allowed: less than or equal to 180"),
    (lambda a, r: vs.Pose.from_degrees(hands="fits"), r"did you mean fist\?"),
    (lambda a, r: vs.Pose.from_quaternions(haed=(0, 0, 0, 1)), r"unknown bone \(did you mean head\?\)"),
    (lambda a, r: vs.Pose.from_quaternions(head=(0, 0, 0, 2)), "head: bad bone rotation"),
    (lambda a, r: vs.load_pose("mine.yaml"), "no such file"),
    (lambda a, r: vs.load("aki.vrm"), "aki.vrm: no such file"),
    (lambda a, r: vs.demo_avatar(hair_colour="pink"), r"unknown attribute \(did you mean hair_color\?\)"),
    (lambda a, r: vs.demo_avatar(hair_color="pnik"), "hair_color"),
    (lambda a, r: vs.demo_avatar(-1), "not a member of the family"),
    (lambda a, r: vs.Renderer("gll"), "no such renderer"),
    (lambda a, r: vs.Renderer(compat="unity"), "no such compat"),
    (lambda a, r: vs.open_dataset("nowhere"), "nowhere"),
    (lambda a, r: vs.train({"base": "tiny", "stesp": 3}, "run"), r"unknown key \(did you mean steps\?\)"),
]


@pytest.mark.parametrize(("mistake", "complaint"), MISTAKES, ids=[c for _, c in MISTAKES])
def test_a_misspelt_name_is_one_line_with_the_nearest(avatar, renderer, tmp_path, monkeypatch, mistake, complaint):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(vs.VrmSynthError, match=complaint) as e:
        mistake(avatar, renderer)
    assert "\n" not in str(e.value)


def test_a_closed_renderer_says_so(avatar: vs.Avatar) -> None:
    with vs.Renderer() as closing:
        assert "llvmpipe" in repr(closing) or closing.device in repr(closing)
    closing.close()
    assert repr(closing) == "Renderer(gl, closed)"
    with pytest.raises(vs.VrmSynthError, match="closed"):
        closing.render(avatar)


def test_compat_three_vrm_renders_the_same_bytes_twice(avatar: vs.Avatar) -> None:
    with vs.Renderer(compat="three-vrm") as compatible:
        first, second = (compatible.render(avatar, look_at=(1.0, 2.0, 1.0), **SMALL).rgba for _ in range(2))
    assert np.array_equal(first, second)
