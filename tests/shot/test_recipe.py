"""Recipes: three keys are enough, and whatever is wrong is named with its line."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest
from pydantic import BaseModel

from tests.patience import calls
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.camera.views import load_azimuths, load_crops, load_elevations, load_views
from vrm_synth.core.errors import RecipeError
from vrm_synth.pose.pose_library import load_poses, read_pose, turns
from vrm_synth.shot import Recipe, builtin_recipe, load_recipe, plan_shot
from vrm_synth.shot.weighted_choice import draw
from vrm_synth.stage.backgrounds import NAMES
from vrm_synth.stage.light_setups import SETUPS
from vrm_synth.yaml_models.strict_yaml import MAX_DEPTH, MAX_FILE_BYTES

SMALLEST = "avatars: [demo]\ncount: 3\nseed: 1\n"


def recipe(tmp_path: Path, text: str) -> Recipe:
    path = tmp_path / "r.yaml"
    path.write_text(text, encoding="utf-8")
    return load_recipe(path)


def refusal(tmp_path: Path, text: str) -> str:
    """The error of a recipe without the file's name; asserts that it is one line of limited length."""
    with pytest.raises(RecipeError) as e:
        recipe(tmp_path, text)
    message = str(e.value)
    prefix = f"{tmp_path / 'r.yaml'}:"
    assert message.startswith(prefix)
    assert "\n" not in message and len(message) < 1200
    return message.removeprefix(prefix)


def test_three_keys_are_enough(tmp_path: Path) -> None:
    r = recipe(tmp_path, SMALLEST)
    assert (r.avatars, r.count, r.seed) == (("demo",), 3, 1)
    assert (r.size, r.supersample, r.outlines, r.settle_seconds) == ((512, 512), 2, True, 1.0)
    assert r.poses.keys() == load_poses().keys()
    assert r.background.keys() == set(NAMES)
    assert r.lighting.keys() == SETUPS.keys()
    assert (r.crops.keys(), r.azimuths.keys()) == (load_crops().keys(), load_azimuths().keys())
    assert r.elevations.keys() == load_elevations().keys()


def test_parts_come_back_from_json_as_they_were(tmp_path: Path) -> None:
    text = "parts: {demo: {materials: {Top: hat}, colors: [{color: '#102030', part: skin, height: [0.1, 0.2]}]}}\n"
    r = recipe(tmp_path, SMALLEST + text)
    assert r.parts["demo"].colors[0].height == (0.1, 0.2) and not recipe(tmp_path, SMALLEST).parts
    again = Recipe.model_validate(r.model_dump(mode="json", exclude={"avatar_lists"}) | {"avatars": ["demo"]})
    assert again.parts == r.parts


def test_the_seed_may_be_left_out(tmp_path: Path) -> None:
    assert recipe(tmp_path, "avatars: demo\ncount: 1\n").seed == 0


def test_an_expression_is_named_by_any_name_that_a_shot_takes(tmp_path: Path) -> None:
    long, wide = "x" * 200, "笑顔\u30001"
    assert recipe(tmp_path, SMALLEST + f"expressions: [{long}, {wide}]\n").expressions.keys() == {long, wide}
    for bad in ("x" * 201, "'a\\nb'".replace("'", '"'), "''"):
        with pytest.raises(RecipeError, match="unknown name"):
            recipe(tmp_path, SMALLEST + f"expressions: [{bad}]\n")


def test_choices_are_read_in_every_form(tmp_path: Path) -> None:
    r = recipe(
        tmp_path,
        SMALLEST
        + "size: [640, 480]\nbackground: ['#102030', white]\nposes: [wave, 'tag:sitting']\ncrops: bust\n"
        + "azimuths: {front: 3, back: 1.5, side_left: 0}\nexpressions: {happy: 1, Joyful: 2}\n",
    )
    assert r.size == (640, 480)
    assert r.background == {"#102030": 1.0, "white": 1.0}
    assert r.crops == {"bust": 1.0}
    assert r.azimuths == {"front": 3.0, "back": 1.5}
    assert r.expressions == {"happy": 1.0, "Joyful": 2.0}
    assert set(r.poses) == {"wave", *(n for n, p in load_poses().items() if "sitting" in p.tags)}
    assert recipe(tmp_path, SMALLEST + "views: [bust_front_level]\n").views == {"bust_front_level": 1.0}
    assert recipe(tmp_path, SMALLEST + "poses: all\n").poses == dict.fromkeys(load_poses(), 1.0)


def test_passes_are_a_name_or_a_list_each_once(tmp_path: Path) -> None:
    r = recipe(tmp_path, SMALLEST + "passes: [depth, mask, depth]\nconditioning: lines\n")
    assert (r.passes, r.conditioning) == (("depth", "mask"), "lines")
    assert recipe(tmp_path, SMALLEST + "passes: pose\n").passes == ("pose",)
    plain = recipe(tmp_path, SMALLEST)
    truth = (plain.passes, plain.conditioning, plain.annotations, plain.depth_layers, plain.views_per_pose)
    assert truth == ((), None, False, 4, 1)


def test_avatars_are_found_from_the_recipes_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    for name in ("b.vrm", "a.vrm", "sub/c.VRM", "sub/deep/d.vrm", "sub/note.txt"):
        (tmp_path / name).write_bytes(b"")
    monkeypatch.chdir("/")

    def avatar_names(entry: str) -> list[str]:
        sources = recipe(tmp_path, f"avatars: {entry}\ncount: 1\n").avatars
        return [str(Path(s).relative_to(tmp_path)) if s.startswith("/") else s for s in sources]

    assert avatar_names("b.vrm") == ["b.vrm"]
    assert avatar_names("['*.vrm']") == ["a.vrm", "b.vrm"]
    assert avatar_names("['**/*.vrm']") == ["a.vrm", "b.vrm", "sub/deep/d.vrm"]
    assert avatar_names("sub") == ["sub/c.VRM"]
    assert avatar_names("[b.vrm, demo, 'demo:2', 'demo:4..6', a.vrm]") == [
        "b.vrm", "demo", "demo:2", "demo:4", "demo:5", "demo:6", "a.vrm",
    ]  # fmt: skip
    assert avatar_names(f"['{tmp_path}/a.vrm']") == ["a.vrm"]
    assert avatar_names("['demo:hair_color=pink,outfit=dress']") == ["demo:hair_color=pink,outfit=dress"]


BAD = [
    ("count: 3\n", "1: missing key avatars"),
    ("avatars: demo\n", "1: missing key count"),
    ("", "1: not a mapping"),
    ("- demo\n", "1: not a mapping"),
    ("avatars: []\ncount: 1\n", "1: avatars: not allowed; got []; allowed: at least 1"),
    ("avatars:\n  - demo\n  - gone.vrm\ncount: 1\n", "3: avatars[1]: no such file; got 'gone.vrm'"),
    ("avatars:\n  - demo\n  - '*.vrm'\ncount: 1\n", "3: avatars[1]: the glob matches no file"),
    ("avatars: [3]\ncount: 1\n", "1: avatars[0]: not an avatar"),
    ("avatars: ['demo:hair=2']\ncount: 1\n", "1: avatars[0]: a demo avatar's setting is key=value"),
    ("avatars: ['demo:7..3']\ncount: 1\n", "1: avatars[0]: not a range"),
    ("avatars: ['demo:0..99999999']\ncount: 1\n", "1: avatars[0]: not a range"),
    (SMALLEST + "\n\nsiez: 64\n", "6: siez: unknown key (did you mean size?)"),
    (SMALLEST + "zzz: 64\n", "4: zzz: unknown key; got zzz; allowed: avatars, count, seed"),
    (SMALLEST + "count: 4\n", "4: the same key twice; got count"),
    ("avatars: demo\ncount: 0\n", "2: count: not allowed; got 0; allowed: greater than or equal to 1"),
    ("avatars: demo\ncount: 1.5\n", "2: count: "),
    ("avatars: demo\ncount: '7'\n", "2: count: not allowed; got '7'; allowed: a valid integer"),
    ("avatars: demo\ncount: yes\n", "2: count: "),
    (SMALLEST + "size: [64]\n", "4: size: not a size"),
    (SMALLEST + "size: [64, 9000]\n", "4: size[1]: not allowed; got 9000"),
    (SMALLEST + "size: 8192\nsupersample: 8\n", "4: size: size × supersample is too large"),
    (SMALLEST + "background: blu\n", "4: background: unknown name (did you mean blue?); got 'blu'"),
    (SMALLEST + "poses:\n  - wave\n  - wafe\n", "6: poses[1]: unknown name (did you mean wave?); got 'wafe'"),
    (SMALLEST + "poses: ['tag:nope']\n", "4: poses[0]: unknown name"),
    (SMALLEST + "crops:\n  bust: 1\n  fase: 1\n", "6: crops.fase: unknown name (did you mean face?)"),
    (SMALLEST + "crops: {bust: -1}\n", "4: crops.bust: not a weight; got -1"),
    (SMALLEST + "crops: {bust: .nan}\n", "4: crops.bust: not a weight"),
    (SMALLEST + "crops: {bust: 0}\n", "4: crops: nothing is left"),
    (SMALLEST + "crops: []\n", "4: crops: nothing is left"),
    (SMALLEST + "crops: 3\n", "4: crops: not a choice"),
    (SMALLEST + "views: [bust_front_level]\ncrops: bust\n", "4: views: views stands instead"),
    (SMALLEST + "jitter:\n  camera: 1\n  poze: 1\n", "6: jitter.poze: unknown key (did you mean pose?)"),
    (SMALLEST + "jitter:\n  camera: 1.5\n", "5: jitter.camera: not allowed; got 1.5; allowed: less than or equal"),
    (SMALLEST + "passes:\n  - depth\n  - dept\n", "6: passes[1]: no such pass (did you mean depth?); got 'dept'"),
    (SMALLEST + "passes: {depth: 1}\n", "4: passes: not a list of passes; got "),
    (SMALLEST + "passes: [3]\n", "4: passes[0]: no such pass; got 3; allowed: mask, depth"),
    (
        SMALLEST + "conditioning: canny\n",
        "4: conditioning: not allowed; got 'canny'; allowed: 'pose', 'depth'",
    ),
    (SMALLEST + "depth_layers: 17\n", "4: depth_layers: not allowed; got 17; allowed: less than or equal to 16"),
    (SMALLEST + "annotations: maybe\n", "4: annotations: not allowed; got 'maybe'"),
    (SMALLEST + "views_per_pose: 0\n", "4: views_per_pose: not allowed; got 0"),
    (SMALLEST + "fov: [40, 20]\n", "4: fov: fov ends before it begins"),
    (SMALLEST + "settle_seconds: -1\n", "4: settle_seconds: "),
    (SMALLEST + "settle_seconds: .inf\n", "4: settle_seconds: "),
    (SMALLEST + "mirror: 2\n", "4: mirror: "),
    (SMALLEST + "mirror: true\n", "4: mirror: "),
    (SMALLEST + "fov: 30\n", "4: fov: not allowed; got 30; allowed: a list"),
    (SMALLEST + "jitter: 0\n", "4: jitter: not allowed; got 0; allowed: a mapping of camera, pose"),
    (SMALLEST + "accept_licenses: CC\n", "4: accept_licenses: not allowed; got 'CC'; allowed: a list"),
    (SMALLEST + "characters: 3\n", "4: characters: not allowed; got 3; allowed: a mapping"),
    (SMALLEST + "characters:\n  no.vrm: {name: x}\n", "5: characters.no.vrm: no avatar of this recipe is called so"),
    (SMALLEST + "outlines: maybe\n", "4: outlines: "),
    (SMALLEST + "characters: {a.vrm: {nam: x}}\n", "4: characters.a.vrm.nam: unknown key (did you mean name?)"),
    (SMALLEST + "parts: {no.vrm: {}}\n", "4: parts.no.vrm: no avatar of this recipe is called so"),
    (SMALLEST + "parts: {demo: {materials: {Top: hiar}}}\n", "4: parts.demo.materials.Top: no such part (did you mean"),
    (SMALLEST + "parts: {demo: {colours: []}}\n", "4: parts.demo.colours: unknown key (did you mean colors?)"),
    (SMALLEST + "seed: &a 1\n", "4: anchors and aliases are not read"),
    (SMALLEST + "x: *a\n", "4: anchors and aliases are not read"),
    (SMALLEST + "x: !!python/object/apply:os.system [ls]\n", "4: not plain YAML"),
    (SMALLEST + "x: !!python/name:os.system x\n", "4: not YAML: could not determine a constructor"),
    (SMALLEST + "x: 2020-99-99\n", "4: not YAML: month"),
    (SMALLEST + "<<: {count: 4}\n", "4: not a key"),
    (SMALLEST + "[a, b]: 4\n", "4: not a key"),
    (SMALLEST + "x: [1, 2\n", "5: not YAML: "),
    (SMALLEST + "\tx: 1\n", "4: not YAML: "),
    ("x: " + "[" * 5000, "1: nested too deeply"),
    ("x:\n" + "".join(" " * i + "y:\n" for i in range(1, 40)), f"{MAX_DEPTH + 1}: nested too deeply"),
]


@pytest.mark.parametrize(("text", "complaint"), BAD, ids=[c[:40] for _, c in BAD])
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    assert refusal(tmp_path, text).startswith(complaint)


def test_a_yaml_alias_bomb_is_refused_cheaply(tmp_path: Path) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join(['*' + a] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    text, cost = "\n".join(lines), []
    for bomb in (lines[0], text):
        cost.append(calls(partial(refusal, tmp_path, bomb)))
    assert "anchors" in refusal(tmp_path, text)
    assert cost[1] <= cost[0] + 100  # it is refused at its first anchor, whatever follows


def test_files_that_are_not_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_bytes(b"count: 1\nx: \xff\n")
    with pytest.raises(RecipeError, match=r"r\.yaml:2: not UTF-8"):
        load_recipe(path)
    path.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(RecipeError, match="too long"):
        load_recipe(path)
    path.write_bytes(b"a: \0")
    with pytest.raises(RecipeError, match="not YAML"):
        load_recipe(path)
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path / "none.yaml")
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path)


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    assert recipe(tmp_path, "\ufeff" + SMALLEST).count == 3


def test_the_builtin_recipe() -> None:
    r = builtin_recipe(count=12, seed=5, size=256)
    assert (r.count, r.seed, r.size) == (12, 5, (256, 256))
    assert r.avatars == tuple(f"demo:{i}" for i in range(8))
    with pytest.raises(RecipeError, match="count"):
        builtin_recipe(count=0)


def test_every_field_is_documented() -> None:
    """In docs/recipes.md, and in a comment above the field."""
    page = Path(__file__).resolve().parents[2].joinpath("docs/recipes.md").read_text("utf-8")
    keys = {f.alias or name for name, f in Recipe.model_fields.items()}
    table = page.partition("## Captions")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == keys
    lines = Path(__file__).resolve().parents[2].joinpath("vrm_synth/shot/recipe.py").read_text("utf-8").splitlines()
    for name in Recipe.model_fields:
        at = max(i for i, line in enumerate(lines) if line.startswith(f"    {name}: "))
        assert lines[at - 1].startswith("    # "), name
    assert issubclass(Recipe, BaseModel)


# ---------------------------------------------------------------- drawing


def test_equal_weights_are_drawn_without_replacement() -> None:
    weights = dict.fromkeys("abcde", 1.0)
    for deal in range(20):
        dealt = [draw(weights, 7, "x", deal * 5 + k) for k in range(5)]
        assert sorted(dealt) == list("abcde")
    orders = {tuple(draw(weights, 7, "x", deal * 5 + k) for k in range(5)) for deal in range(20)}
    assert len(orders) > 10


def test_choices_follow_their_weights() -> None:
    drawn = [draw({"a": 1.0, "b": 3.0, "c": 6.0}, 3, "x", i) for i in range(4000)]
    for name, share in (("a", 0.1), ("b", 0.3), ("c", 0.6)):
        assert drawn.count(name) / 4000 == pytest.approx(share, abs=0.025)


def test_draws_are_keyed_by_position() -> None:
    weights = {"a": 1.0, "b": 2.0}
    forward = [draw(weights, 0, "x", i) for i in range(50)]
    assert forward == [draw(weights, 0, "x", i) for i in reversed(range(50))][::-1]
    assert forward != [draw(weights, 0, "y", i) for i in range(50)]
    assert forward != [draw(weights, 1, "x", i) for i in range(50)]


def test_all_views_can_be_named() -> None:
    assert Recipe.model_validate({"avatars": ["demo"], "count": 1, "views": "all"}).views == dict.fromkeys(
        load_views(), 1.0
    )


POSE = "say:\n- text: pointing up\ntags: [standing]\nbones:\n  rightUpperArm: [-71, 17, 5]\n"


@pytest.fixture
def own_files(tmp_path: Path) -> Path:
    """A folder whose name is a pattern, with two pose files beside recipes."""
    folder = tmp_path / "own [1]"
    (folder / "poses").mkdir(parents=True)
    for name in ("mine", "other"):
        (folder / "poses" / f"{name}.yaml").write_text(POSE)
    return folder


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("[wave, poses/*.yaml]", {"wave": 1, "mine": 1, "other": 1}),
        ("{wave: 1, poses/mine.yaml: 3}", {"wave": 1, "mine": 3}),
        ("poses/mine.yaml", {"mine": 1}),
        ("[poses/mine.yaml, poses/m*.yaml]", {"mine": 2}),
    ],
)
def test_pose_files_of_the_user_are_read(own_files: Path, text: str, weights: dict[str, float]) -> None:
    r = recipe(own_files, SMALLEST + f"poses: {text}\n")
    assert r.poses == weights
    assert r.own_poses.keys() == weights.keys() - {"wave"}
    assert r.pose("mine") == read_pose(own_files / "poses" / "mine.yaml")


def test_a_recipe_holds_its_pose_files(own_files: Path) -> None:
    r = recipe(own_files, SMALLEST + "poses: [wave, poses/*.yaml]\n")
    dumped = {k: v for k, v in r.model_dump(mode="json", exclude={"avatar_lists"}).items() if v is not None}
    for file in (own_files / "poses").iterdir():
        file.unlink()
    shots = [plan_shot(r, i, open_avatar).shot for i in range(3)]
    reloaded = Recipe.model_validate({**dumped, "avatars": ["demo"]})
    assert reloaded == r
    assert [plan_shot(reloaded, i, open_avatar).shot for i in range(3)] == shots
    assert {shot.choices.pose for shot in shots} == {"wave", "mine", "other"}


def test_a_pose_may_be_written_into_a_recipe(tmp_path: Path) -> None:
    r = recipe(
        tmp_path, SMALLEST + "own_poses: {mine: {say: [{text: standing}], bones: {head: [1, 2, 3]}}}\nposes: mine\n"
    )
    assert r.poses == {"mine": 1.0} and r.pose("mine").bones["head"] == turns((1, 2, 3))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("poses: [wave, poses/mien.yaml]", r"4: poses\[1\]: no such file \(did you mean mine.yaml\?\)"),
        ("poses: [poses/x*.yaml]", r"4: poses\[0\]: the glob matches no file"),
        ("poses: {poses/x*.yaml: 1}", r"4: poses.*: the glob matches no file"),
        ("poses: [poses/mine.yaml, more/mine.yaml]", r"4: poses\[1\]: two files of one name"),
        ("own_poses: {mine: {say: [{text: abc}]}}\nposes: poses/mine.yaml", r"4: own_poses.mine: a file in poses"),
        ("own_poses: {wave: {say: [{text: abc}]}}", r"4: own_poses.wave: a pose of the library has this name"),
        ("own_poses: {Mine: {say: [{text: abc}]}}", r"4: own_poses.Mine: not a pose's name"),
        ("own_poses: 3\nposes: poses/mine.yaml", r"4: own_poses: not allowed; got 3"),
        ("poses: 3", r"4: poses: not a choice"),
        ("poses: [mine]", r"4: poses\[0\]: unknown name"),
    ],
)
def test_an_unknown_pose_is_refused(own_files: Path, text: str, complaint: str) -> None:
    (own_files / "more").mkdir()
    (own_files / "more" / "mine.yaml").write_text(POSE)
    assert re.match(complaint, refusal(own_files, f"{SMALLEST}{text}\n"))


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("bad", b"\xff\xfe", "1: not UTF-8"),
        ("bad", POSE.replace("rightUpperArm", "rightUperArm").encode(), "rightUperArm: unknown bone .*rightUpperArm"),
        ("bad", POSE.replace("pointing up", '"a\\a b"').encode(), "2: say.0..text: not one line of text"),
        ("bad", POSE.replace("-71", ".nan").encode(), "5: bones.rightUpperArm.0.: not allowed; got nan"),
        ("bad", b"a: &a [*a]", "anchors and aliases"),
        ("bad", b"x" * (MAX_FILE_BYTES + 1), "too long"),
        ("Bad Name", POSE.encode(), "a pose's file is its name"),
        ("wave", POSE.encode(), "a pose of the library has this name"),
    ],
)  # fmt: skip
def test_a_hostile_pose_file_is_refused_in_one_line(own_files: Path, name: str, content: bytes, complaint: str) -> None:
    (own_files / "poses" / f"{name}.yaml").write_bytes(content)
    with pytest.raises(RecipeError, match=complaint) as e:
        recipe(own_files, SMALLEST + "poses: poses/*.yaml\n")
    assert "\n" not in str(e.value) and f"{name}.yaml" in str(e.value)
