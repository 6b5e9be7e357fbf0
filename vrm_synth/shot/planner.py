"""Plan shots: (recipe, i) → Shot, every choice drawn from its own random stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from vrm_synth.camera.framing import Aim, Margins
from vrm_synth.camera.views import NamedView, load_azimuths, load_views, view
from vrm_synth.core.errors import ShotError
from vrm_synth.core.rng import rng
from vrm_synth.core.transforms import IDENTITY_QUAT, quat_axis_angle, quat_mul
from vrm_synth.core.vectors import Vec3
from vrm_synth.pose.lookat import LookAtAngles
from vrm_synth.pose.pose_library import Pose
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.shot.body_view import MAX_EYE_CONTACT_ANGLE, BodyView
from vrm_synth.shot.choices import Choices
from vrm_synth.shot.figure import Figure
from vrm_synth.shot.posed_body import PosedBody, pose_body
from vrm_synth.shot.recipe import Recipe
from vrm_synth.shot.shot import Shot
from vrm_synth.shot.weighted_choice import Weights, draw
from vrm_synth.stage.backgrounds import background
from vrm_synth.stage.light_setups import light
from vrm_synth.vrm.avatar import Avatar

# Largest jitter of a pose, degrees a bone: enough that no two necks are the same, too little to move a hand off its
# hip. Legs keep still, or feet would leave the floor.
JITTER_DEGREES = {"chest": 3.0, "neck": 5.0, "head": 5.0}
MAX_EXTRA_MARGIN = 0.05  # most that jitter adds to a margin of the view
NEUTRAL = "neutral"
BLINKS = ("blink", "blinkLeft", "blinkRight")  # expressions that are drawn whole
FROM_BELOW = "low"  # an elevation, and the end of a view's name
OPEN_LEGS = {"sitting", "legs_apart"}  # tags of poses that show what is under a skirt from below
MAX_ROLL = 3.0  # degrees
ASIDE_DEGREES = (22.0, 32.0)  # degrees that an averted gaze turns away from the camera's side


@dataclass(frozen=True, eq=False)
class PlannedShot:
    """A shot, and what its picture is to be described by (facts/observe.py).

    shot: the picture as data.
    posed: what `evaluate` makes of the shot, bit for bit; None where a gaze is still to turn the eyes.
    view: the posed body before the camera, its eyes as posed.
    pose: the pose that it is in, with its phrases.
    aim: direction of the camera.
    gaze: viewer or away where the shot turns the eyes for its own camera, else "".
    """

    shot: Shot
    posed: PosedAvatar | None
    view: BodyView
    pose: Pose
    aim: Aim
    gaze: str


def plan_shot(recipe: Recipe, i: int, open_avatar: Callable[[str], Avatar], attempt: int = 0) -> PlannedShot:
    """Shot i of a recipe: a pure function of (recipe, i, attempt) and of the avatars' files.

    open_avatar: source → Avatar; it may keep what it opened. attempt: 1, 2, … are other pictures of the same avatar,
    for where the first was none; where a body has several views, other views of the same body. Raises ShotError,
    AvatarError.
    """
    source = source_at(recipe, i)
    of_view = recipe  # the recipe by whose seed the camera is chosen; the body is by that of `recipe`
    if attempt:
        of_view = recipe.model_copy(update={"seed": int(rng(recipe.seed, "attempt", attempt).integers(2**62))})
        recipe = of_view if recipe.views_per_pose == 1 else recipe
    seed, first = recipe.seed, first_view(recipe, i)
    is_deciding = i == first and of_view is recipe
    avatar = open_avatar(source)
    pose = _pose(recipe, first)
    wind = _wind(recipe, first)
    body = pose_body(avatar, pose, _expression(recipe, avatar, first), recipe.settle_seconds, wind)
    v, aim, body_view = _before_camera(of_view, pose, body, i)
    # What belongs to the body, its light included, is decided by the first attempt at its first view.
    _, first_aim, first_body_view = (v, aim, body_view) if is_deciding else _before_camera(recipe, pose, body, first)
    gaze, look_at = _gaze(recipe, first_body_view, first_aim, first)
    setup = draw(recipe.lighting, seed, "lighting", first)
    key_light, ambient = light(setup, first_aim.azimuth, rng(seed, "light", first))
    backdrop = draw(recipe.background, seed, "background", first)
    choices = Choices(
        pose=pose.name,
        mirrored=pose.mirrored,
        view=v.name,
        crop=v.crop_name,
        azimuth_name=v.azimuth_name,
        elevation_name=v.elevation_name,
        expression=next(iter(body.expressions), NEUTRAL),
        gaze=draw(recipe.gaze, seed, "gaze", first),
        lighting=setup,
        background=backdrop,
        wording=int(rng(of_view.seed, "wording", i).integers(2**31)),
    )
    shot = Shot(
        id=f"{i:06d}",
        figures=(_figure(source, body, look_at, recipe.settle_seconds),),
        camera=body_view.camera,
        size=recipe.size,
        wind=wind,
        light=key_light,
        ambient=ambient,
        background=background(backdrop),
        outlines=recipe.outlines,
        supersample=recipe.supersample,
        antialias=recipe.antialias,
        choices=choices,
    )
    return PlannedShot(shot, body.posed if look_at is None else None, body_view, pose, aim, gaze if is_deciding else "")


def source_at(recipe: Recipe, i: int) -> str:
    """The source of the avatar that shot i shows; no avatar is opened. Raises ShotError."""
    if isinstance(i, bool) or not isinstance(i, int) or not 0 <= i < recipe.count:
        raise ShotError("no such shot", got=i, allowed=f"0 to {recipe.count - 1}", where="recipe")
    sources = {f"{n}": 1.0 for n in range(len(recipe.avatars))}
    return recipe.avatars[int(draw(sources, recipe.seed, "avatar", first_view(recipe, i)))]


def first_view(recipe: Recipe, i: int) -> int:
    """The first of the shots that show the same body as shot i: `views_per_pose` shots in a row do."""
    return i - i % recipe.views_per_pose


def _before_camera(recipe: Recipe, pose: Pose, body: PosedBody, i: int) -> tuple[NamedView, Aim, BodyView]:
    """The view of shot i, its camera's aim, and the body before that camera."""
    v = _view(recipe, pose, i)
    aim, margins = _jittered_aim(recipe, v, i)
    width, height = recipe.size
    camera = body.frame(v.crop.down_to, aim, margins, width / height)
    return v, aim, BodyView(body.parts, body.posed, body.vertices, camera, recipe.size)


def _figure(
    source: str, body: PosedBody, look_at: LookAtAngles | Vec3 | None = None, settle_seconds: float | None = None
) -> Figure:
    return Figure(source, body.bones, body.hips_offset, body.expressions, look_at, settle_seconds)


# ---------------------------------------------------------------- random choices, each from its own stream


def _pose(recipe: Recipe, i: int) -> Pose:
    pose = recipe.pose(draw(recipe.poses, recipe.seed, "pose", i))
    if rng(recipe.seed, "mirror", i).random() < recipe.mirror and not pose.symmetric:
        pose = pose.mirror()
    if recipe.jitter.pose == 0:
        return pose
    jitter_rng = rng(recipe.seed, "pose straying", i)  # the stream's name decides the pictures
    bones = dict(pose.bones)
    for bone, most in JITTER_DEGREES.items():
        axis = jitter_rng.normal(size=3)
        degrees = recipe.jitter.pose * jitter_rng.uniform(0, most)
        turn = quat_axis_angle(axis / np.linalg.norm(axis), np.radians(degrees))
        x, y, z, w = quat_mul(bones.get(bone, IDENTITY_QUAT), turn).tolist()
        bones[bone] = (x, y, z, w)
    return replace(pose, bones=bones)


def _expression(recipe: Recipe, avatar: Avatar, i: int) -> dict[str, float]:
    has = {n: w for n, w in recipe.expressions.items() if n == NEUTRAL or _shows(avatar, n)}
    name = draw(has or {NEUTRAL: 1.0}, recipe.seed, "expression", i)
    if name == NEUTRAL:
        return {}
    # A blink that is not complete reads as tired eyes, not as closed ones.
    whole = avatar.expressions[name].is_binary or name in BLINKS
    return {name: 1.0 if whole else float(rng(recipe.seed, "expression weight", i).uniform(0.75, 1.0))}


def _shows(avatar: Avatar, expression: str) -> bool:
    return expression in avatar.visible_expressions


def _view(recipe: Recipe, pose: Pose, i: int) -> NamedView:
    if recipe.views is not None:
        return load_views()[_draw_no_low_angle_on_open_legs(recipe, pose, "view", recipe.views, i)]
    crop = draw(recipe.crops, recipe.seed, "crop", i)
    faces = {n: w for n, w in recipe.azimuths.items() if crop != "face" or abs(load_azimuths()[n].degrees) <= 90}
    azimuth = draw(faces or recipe.azimuths, recipe.seed, "azimuth", i)
    return view(crop, azimuth, _draw_no_low_angle_on_open_legs(recipe, pose, "elevation", recipe.elevations, i))


def _draw_no_low_angle_on_open_legs(recipe: Recipe, pose: Pose, stream: str, weights: Weights, i: int) -> str:
    """A view or an elevation, drawn again where it would look from below at a pose that opens the legs.

    A recipe that allows nothing else gets it.
    """
    name = draw(weights, recipe.seed, stream, i)
    others = {n: w for n, w in weights.items() if not n.endswith(FROM_BELOW)}
    if name in others or not others or not OPEN_LEGS & set(pose.tags):
        return name
    return draw(others, recipe.seed, f"{stream} again", i)


def _jittered_aim(recipe: Recipe, v: NamedView, i: int) -> tuple[Aim, Margins]:
    camera_rng, amount = rng(recipe.seed, "camera", i), recipe.jitter.camera
    azimuth = v.azimuth.degrees + amount * camera_rng.uniform(-1, 1) * v.azimuth.spread
    elevation = v.elevation.degrees + amount * camera_rng.uniform(-1, 1) * v.elevation.spread
    roll = amount * camera_rng.uniform(-1, 1) * MAX_ROLL
    fov = camera_rng.uniform(*recipe.fov)
    wider = amount * MAX_EXTRA_MARGIN * camera_rng.uniform(0, 1, 4)
    room = v.crop.margins
    # A crop that cuts the body has its cut at the picture's edge; room there would show what it leaves out.
    left, right, bottom, top = (min(m + w, 0.45) if m > 0 else 0.0 for m, w in zip(room, wider.tolist(), strict=True))
    return Aim(azimuth, elevation, roll, fov), Margins(left, right, bottom, top)


def _wind(recipe: Recipe, i: int) -> Vec3 | None:
    """A level wind from any side, up to the recipe's strength."""
    if not recipe.wind or recipe.settle_seconds is None:
        return None
    wind_rng = rng(recipe.seed, "wind", i)
    turn, strength = 2 * np.pi * wind_rng.random(), recipe.wind * wind_rng.random()
    return round(strength * float(np.sin(turn)), 6), 0.0, round(strength * float(np.cos(turn)), 6)


def _gaze(recipe: Recipe, view: BodyView, aim: Aim, i: int) -> tuple[str, LookAtAngles | Vec3 | None]:
    """(gaze of the PlannedShot, look_at of the Figure): by angles alone, since nothing is drawn yet."""
    requested = draw(recipe.gaze, recipe.seed, "gaze", i)
    if requested == "ahead" or not view.face_in_picture or not view.gaze_is_visible:
        return "", None
    if requested == "viewer":
        return ("viewer", view.camera.position) if view.face_angle <= MAX_EYE_CONTACT_ANGLE else ("", None)
    degrees = float(rng(recipe.seed, "gaze angle", i).uniform(*ASIDE_DEGREES))
    # The eyes go to the side where the camera is not.
    return "away", LookAtAngles(-degrees if view.face_azimuth(aim.azimuth) > 0 else degrees, 0.0)
