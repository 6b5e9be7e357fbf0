"""A recipe: which avatars, how many pictures, and what may vary in them. A YAML file; three keys are enough.

    avatars: [avatars/*.vrm, demo]
    count: 100
    seed: 1

Everything else has a default, written beside each field below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

from vrm_synth.appearance.words import all_kinds
from vrm_synth.camera.views import load_azimuths, load_crops, load_elevations, load_views
from vrm_synth.caption.settings import DEFAULT_COLUMNS, CaptionColumns
from vrm_synth.core.errors import VrmSynthError
from vrm_synth.core.limits import MAX_IMAGE_SIDE
from vrm_synth.core.names import is_control_free, is_whole_line
from vrm_synth.core.near_names import did_you_mean
from vrm_synth.core.passes import DEFAULT_DEPTH_LAYERS, MAX_DEPTH_LAYERS, PASSES
from vrm_synth.parts.overrides import PartOverrides
from vrm_synth.pose.pose_files import MOST_FILES, find_pose_files, is_pose_file, read_pose_file
from vrm_synth.pose.pose_library import NAME, Pose, PoseFile, load_poses, pose_of
from vrm_synth.render.base import Antialias
from vrm_synth.shot import avatar_sources, weighted_choice
from vrm_synth.shot.figure import LONGEST_SETTLE
from vrm_synth.shot.shot import LONGEST_DRAWN_SIDE
from vrm_synth.stage.backgrounds import NAMES as BACKGROUNDS
from vrm_synth.stage.backgrounds import TRANSPARENT, background
from vrm_synth.stage.light_setups import SETUPS
from vrm_synth.yaml_models.strict_yaml import RefusedError, parse, read

GAZES = ("viewer", "ahead", "aside")
RANDOM = "random"


def _choice(expand: Callable[[str], Iterable[str]], known: Callable[[], Iterable[str]]) -> BeforeValidator:
    return BeforeValidator(lambda value: weighted_choice.read(value, expand, known()))


def _one_of(table: Callable[[], Iterable[str]]) -> BeforeValidator:
    """Names of a table; "all" is all of them."""
    return _choice(lambda n: tuple(table()) if n == "all" else (n,) if n in table() else (), lambda: ("all", *table()))


def _poses(value: Any, info: ValidationInfo) -> Weights:
    """name → weight; files of the user's stand for the names of the poses in them, as _embed_pose_files has read."""
    own, base = info.data.get("own_poses", {}), (info.context or {}).get("base", Path())

    def names(entry: str) -> Iterable[str]:
        if entry == "all":
            return tuple(load_poses())
        if entry.startswith("tag:"):
            return tuple(n for n, p in load_poses().items() if entry.removeprefix("tag:") in p.tags)
        if is_pose_file(entry):
            return tuple(n for p in find_pose_files(entry, base) if (n := p.stem) in own)
        return (entry,) if entry in load_poses() or entry in own else ()

    return weighted_choice.read(value, names, (*_pose_names(), *own))


def _embed_pose_files(data: dict[str, Any], base: Path) -> dict[str, Any]:
    """The recipe with the poses of the files that it names, so that nothing of it follows from files any more.

    Raises RefusedError for an entry that names no file, RecipeError for a file that is no pose.
    """
    entries = data.get("poses")
    if isinstance(entries, str):
        located: Iterable[tuple[tuple[str | int, ...], Any]] = [(("poses",), entries)]
    elif isinstance(entries, list | tuple):
        located = [(("poses", i), entry) for i, entry in enumerate(entries)]
    else:
        located = [(("poses", entry), entry) for entry in entries] if isinstance(entries, dict) else []
    files: dict[str, Path] = {}
    for location, entry in located:
        if not is_pose_file(entry):
            continue
        try:
            paths = find_pose_files(entry, base)
        except RefusedError as e:
            raise RefusedError(e.what, e.allowed, location) from None
        for path in paths:
            if files.setdefault(path.stem, path) != path:
                raise RefusedError(f"two files of one name, {files[path.stem]} too", "one each", location)
    if not files:
        return data
    if len(files) > MOST_FILES:
        raise RefusedError(f"{len(files)} files", f"up to {MOST_FILES}", ("poses",))
    own = data.get("own_poses")
    for name in own if isinstance(own, dict) else ():
        if name in files:
            raise RefusedError("a file in poses has this name", "one or the other", ("own_poses", name))
    read = {name: read_pose_file(path)[1] for name, path in files.items()}
    return data | {"own_poses": {**own, **read} if isinstance(own, dict) else read if own is None else own}


def _pass_names(value: Any) -> Any:
    """Names of PASSES, each once."""
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, list | tuple):
        raise RefusedError("not a list of passes", ", ".join(PASSES))
    for k, name in enumerate(entries):
        if name not in PASSES:
            raise RefusedError(f"no such pass{did_you_mean(str(name), tuple(PASSES))}", ", ".join(PASSES), (k,))
    return tuple(dict.fromkeys(entries))


def _own_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise RefusedError("not a pose's name", "a-z, 0-9 and _")
    if name in load_poses():
        raise RefusedError("a pose of the library has this name", "another name")
    return name


def _pose_names() -> Iterable[str]:
    tags = sorted({t for p in load_poses().values() for t in p.tags})
    return ("all", *(f"tag:{t}" for t in tags), *load_poses())


def _backgrounds(name: str) -> Iterable[str]:
    if name == RANDOM:
        return BACKGROUNDS
    try:
        background(name)
    except VrmSynthError:
        return ()
    return (name,)


def _expressions(name: str) -> Iterable[str]:
    return (name,) if is_control_free(name) else ()


def _one_line(text: str) -> str:
    if not is_whole_line(text) or not text.strip():
        raise RefusedError("not one line of text", "letters, digits, spaces and marks")
    return " ".join(text.split())


def _kind(name: str) -> str:
    if name not in all_kinds():
        raise RefusedError(f"no such kind{did_you_mean(name, all_kinds())}", ", ".join(all_kinds()))
    return name


def _with_first_caption(value: Any) -> Any:
    """The columns with `caption`, which every dataset has, before the others."""
    return {"caption": {}} | value if isinstance(value, dict) else value


def _size(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return (value, value)
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise RefusedError("not a size", "pixels of a square's side, or [width, height]")
    return value


def _sources(value: Any, info: ValidationInfo) -> tuple[str, ...]:
    context = info.context or {}
    return avatar_sources.resolve_avatars(value, context.get("base", Path()), context.get("note", lambda line: None))


Weights = dict[str, float]
Share = Annotated[float, Field(ge=0, le=1, strict=True)]
Pixels = Annotated[int, Field(ge=16, le=MAX_IMAGE_SIDE, strict=True)]
Degrees = Annotated[float, Field(ge=5, le=90)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=False)


class Jitter(_Strict):
    """Random deviation from the presets: 0 none, 1 as much as keeps the captions true."""

    camera: Share = 1.0
    pose: Share = 1.0


class CharacterWords(_Strict):
    """What the user knows of an avatar; it counts before what its file tells.

    name: a proper name.
    kind: a name of appearance/kinds.yaml.
    style: "anime" for a figure that looks drawn, "" for one that does not.
    description: a noun phrase in English ("a boy with red hair"), which stands for the looks in English captions.
    """

    name: Annotated[str, AfterValidator(_one_line)] | None = Field(None, min_length=1, max_length=60)
    kind: Annotated[str, AfterValidator(_kind)] | None = None
    style: Literal["", "anime"] | None = None
    description: Annotated[str, AfterValidator(_one_line)] | None = Field(None, min_length=1, max_length=200)


class Recipe(_Strict):
    """A validated recipe. Choices are name → weight; in the file also one name, or a list of names.

    `avatars` (the sources, resolved) is the flat form of `avatar_lists`, which is the file's `avatars`.
    """

    # .vrm files, folders, globs ("avatars/**/*.vrm"), demo, demo:3, demo:0..7; relative to the recipe's folder.
    avatar_lists: Annotated[
        tuple[Annotated[tuple[str, ...], BeforeValidator(_sources)], ...], Field(min_length=1, alias="avatars")
    ]
    # How many pictures.
    count: Annotated[int, Field(ge=1, le=1_000_000_000, strict=True)]
    # Seed of everything random: the same recipe and seed give the same pictures.
    seed: Annotated[int, Field(strict=True)] = 0

    # Shares of the shots that are kept apart, {test: 0.1}; the rest is "train".
    splits: Annotated[
        dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")], Annotated[float, Field(gt=0, lt=1)]],
        Field(max_length=8),
    ] = {}
    # Whether single shots are kept apart, or avatars, which the rest then never shows.
    split_by: Literal["shot", "avatar"] = "shot"

    # Pixels: a number for a square, or [width, height].
    size: Annotated[tuple[Pixels, Pixels], BeforeValidator(_size)] = (512, 512)
    # n draws n × n samples a pixel; 1 is no anti-aliasing.
    supersample: Annotated[int, Field(ge=1, le=8, strict=True)] = 2
    # Whether all samples are shaded (supersample) or edges alone get them (multisample); auto: multisample on GPUs.
    antialias: Antialias = "auto"
    # Colour names, "#rrggbb", transparent, or random for any named colour.
    background: Annotated[Weights, _choice(_backgrounds, lambda: (RANDOM, TRANSPARENT, "#rrggbb", *BACKGROUNDS))] = (
        Field(default=RANDOM, validate_default=True)
    )

    # Poses of the recipe's own: name → what a pose file holds. The files that `poses` names are put in here.
    own_poses: Annotated[dict[Annotated[str, AfterValidator(_own_name)], PoseFile], Field(max_length=MOST_FILES)] = {}
    # Names from `vrm-synth poses list`, "tag:sitting" for all with that tag, all, your own files (my/poses/*.yaml).
    poses: Annotated[Weights, BeforeValidator(_poses)] = Field(default="all", validate_default=True)
    # Probability that a pose is mirrored, captions included.
    mirror: Share = 0.5
    # Face, bust, cowboy (from the thighs up) and full.
    crops: Annotated[Weights, _one_of(load_crops)] = {"face": 2.0, "bust": 3.0, "cowboy": 3.0, "full": 4.0}
    # Where the camera stands around the avatar; left and right are the avatar's own.
    azimuths: Annotated[Weights, _one_of(load_azimuths)] = {
        "front": 5.0, "three_quarter_left": 3.0, "three_quarter_right": 3.0, "side_left": 1.0, "side_right": 1.0,
        "back": 1.0,
    }  # fmt: skip
    # How high it stands.
    elevations: Annotated[Weights, _one_of(load_elevations)] = {"level": 5.0, "high": 2.0, "low": 1.0}
    # Whole views by name ("bust_front_level"), instead of crops, azimuths and elevations.
    views: Annotated[Weights, _one_of(load_views)] | None = None
    # Vertical field of view, degrees, drawn from this range.
    fov: tuple[Degrees, Degrees] = (22.0, 40.0)

    # VRM 1.0 names (or an avatar's own); those that an avatar lacks are passed over; neutral is none.
    expressions: Annotated[Weights, _choice(_expressions, lambda: ("neutral", "happy", "any expression's name"))] = {
        "neutral": 4.0, "happy": 4.0, "relaxed": 2.0, "surprised": 1.0, "angry": 1.0, "sad": 1.0, "blink": 0.5,
    }  # fmt: skip
    # viewer: at the camera where the eyes can; ahead; aside: to one side.
    gaze: Annotated[Weights, _one_of(lambda: GAZES)] = {"viewer": 3.0, "ahead": 2.0, "aside": 1.0}
    # Where the key light stands: front, side, top, or flat for nearly shadowless.
    lighting: Annotated[Weights, _one_of(lambda: SETUPS)] = {"front": 4.0, "side": 2.0, "top": 1.0, "flat": 1.0}
    # Random deviation from the presets: {camera: 0..1, pose: 0..1}.
    jitter: Jitter = Jitter()
    # Seconds that hair and skirts swing before the picture; null leaves them at rest.
    settle_seconds: Annotated[float, Field(ge=0, le=LONGEST_SETTLE)] | None = 1.0
    # Strongest wind on them, in the unit of springs' gravity power: 0.2 stirs hair, 1 blows it sideways.
    wind: Annotated[float, Field(ge=0, le=10)] = 0.0
    # Draw the outlines that materials ask for.
    outlines: bool = True

    # Files beside each picture, of the same shot: mask, depth, normal, parts, pose… (docs/passes.md has all).
    passes: Annotated[tuple[str, ...], BeforeValidator(_pass_names)] = ()
    # What conditioning_image shows, for training a ControlNet: pose, depth, normal or lines; null for no such file.
    conditioning: Literal["pose", "depth", "normal", "lines"] | None = None
    # Surfaces behind each other that the pass depth_layers has.
    depth_layers: Annotated[int, Field(ge=1, le=MAX_DEPTH_LAYERS, strict=True)] = DEFAULT_DEPTH_LAYERS
    # Keypoints (COCO-WholeBody), boxes, head and gaze in each row, and coco.json for the dataset.
    annotations: bool = False
    # Views of each body, which stays as it is: expression, gaze, light and background, too. 1: a new body each shot.
    views_per_pose: Annotated[int, Field(ge=1, le=10_000, strict=True)] = 1

    # Columns of captions, each with its settings: {caption: {style: en, trigger: ohwx}, tags: {style: tags}}.
    captions: Annotated[CaptionColumns, BeforeValidator(_with_first_caption)] = Field(
        default=dict(DEFAULT_COLUMNS), validate_default=True
    )
    # What captions call an avatar: {"aki.vrm": {name: Aki, kind: boy}}, by file name or source.
    characters: dict[str, CharacterWords] = {}
    # What parts of an avatar are where names and colors mislead, by file name or source: docs/parts.md.
    parts: Annotated[dict[str, PartOverrides], Field(max_length=10_000)] = {}
    # Licenses beside CC0 that you accept, as `vrm-synth inspect` prints them, or by their URLs.
    accept_licenses: tuple[Annotated[str, Field(min_length=1, max_length=2000)], ...] = ()

    @property
    def avatars(self) -> tuple[str, ...]:
        """Every avatar's source, in order: absolute paths and "demo…"."""
        return tuple(s for several in self.avatar_lists for s in several)

    @cached_property
    def _own(self) -> dict[str, Pose]:
        return {name: pose_of(name, values) for name, values in self.own_poses.items()}

    def pose(self, name: str) -> Pose:
        """A pose that `poses` may name, of the recipe's own or of the library. Raises KeyError."""
        return self._own[name] if name in self._own else load_poses()[name]

    @model_validator(mode="before")
    @classmethod
    def _one_avatar_is_a_list(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("avatars"), str):
            return data | {"avatars": [data["avatars"]]}
        return data

    @model_validator(mode="before")
    @classmethod
    def _with_pose_files(cls, data: Any, info: ValidationInfo) -> Any:
        return _embed_pose_files(data, (info.context or {}).get("base", Path())) if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _fits(self) -> Recipe:
        if self.views is not None and self.model_fields_set & {"crops", "azimuths", "elevations"}:
            raise RefusedError("views stands instead of crops, azimuths and elevations", "one or the other", ("views",))
        if max(self.size) * self.supersample > LONGEST_DRAWN_SIDE:
            raise RefusedError(
                "size × supersample is too large", f"up to {LONGEST_DRAWN_SIDE} pixels a side", ("size",)
            )
        named = {*self.avatars, *(Path(s).name for s in self.avatars)}
        for key, name in [*(("characters", n) for n in self.characters), *(("parts", n) for n in self.parts)]:
            if name not in named:
                known = ", ".join(dict.fromkeys(Path(s).name for s in self.avatars))
                raise RefusedError("no avatar of this recipe is called so", known, (key, name))
        if sum(self.splits.values()) >= 1:
            raise RefusedError("the splits leave nothing for the rest", "shares that sum to less than 1", ("splits",))
        if "train" in self.splits:
            raise RefusedError("train is the split of the rest", "other names", ("splits", "train"))
        if self.fov[0] > self.fov[1]:
            raise RefusedError("fov ends before it begins", "[least, most]", ("fov",))
        return self


def words_of(characters: Mapping[str, CharacterWords], source: str) -> CharacterWords | None:
    """The user's words for an avatar, by its source as the recipe has it or its file's name."""
    own = characters.get(source)
    return own if own is not None else characters.get(PurePath(source).name)


def load_recipe(
    path: str | Path, note: avatar_sources.Note = lambda line: None, **changes: int | tuple[int, int] | None
) -> Recipe:
    """The recipe in a YAML file, its avatars resolved from the file's own folder. Raises RecipeError with the line.

    note: called with a line about files that a folder or a glob has and that are no avatars; changes: keys that count
    instead of the file's (count=5), None where its own does.
    """
    path = Path(path)
    changed = {key: value for key, value in changes.items() if value is not None}
    return parse(read(path), Recipe, str(path), changed, base=path.absolute().parent, note=note)
