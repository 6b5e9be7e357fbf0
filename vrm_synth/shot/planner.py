"""Plan shots: (recipe, i) → Shot and Observations, every choice drawn from its own random stream."""

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
from vrm_synth.shot.character import Character, character
from vrm_synth.shot.choices import Choices
from vrm_synth.shot.figure import Figure
from vrm_synth.shot.observations import Observations
from vrm_synth.shot.posed_body import PosedBody, pose_body
from vrm_synth.shot.recipe import Recipe
from vrm_synth.shot.shot import Shot
from vrm_synth.shot.visibility import MAX_EYE_CONTACT_ANGLE, Visibility
from vrm_synth.shot.weighted_choice import Weights, draw
from vrm_synth.stage.backgrounds import background
from vrm_synth.stage.light_setups import light
from vrm_synth.vrm.avatar import Avatar

# Largest jitter of a pose, degrees a bone: enough that no two necks are the same, too little to move a hand off its
# hip. Legs keep still, or feet would leave the floor.
JITTER_DEGREES = {"chest": 3.0, "neck": 5.0, "head": 5.0}
MAX_EXTRA_MARGIN = 0.05  # most that jitter adds to a margin of the view
NEUTRAL = "neutral"
FROM_BELOW = "low"  # an elevation, and the end of a view's name
OPEN_LEGS = {"sitting", "legs_apart"}  # tags of poses that show what is under a skirt from below
MAX_ROLL = 3.0  # degrees
EYES_SHUT = ("happy", "relaxed", "blink", "blinkLeft", "blinkRight")  # by convention, half the time
HAIR_TAIL_NODES = "hairTail"  # prefix of the built-in avatar's nodes that move its ponytail or twintails
ASIDE_DEGREES = (22.0, 32.0)  # degrees that an averted gaze turns away from the camera's side


@dataclass(frozen=True, eq=False)
class PlannedShot:
    """A shot of a recipe, what its picture will show, and the pose in which it was planned.

    shot: the picture as data.
    observations: what was measured on the posed body before the camera.
    posed: what `evaluate` makes of the shot, bit for bit; None where a gaze is still to turn the eyes.
    """

    shot: Shot
    observations: Observations
    posed: PosedAvatar | None


def plan_shot(recipe: Recipe, i: int, open_avatar: Callable[[str], Avatar], attempt: int = 0) -> PlannedShot:
    """Shot i of a recipe: a pure function of (recipe, i, attempt) and of the avatars' files.

    open_avatar: source → Avatar; it may keep what it opened. attempt: 1, 2, … are other pictures of the same avatar,
    for where the first was none. Raises ShotError, AvatarError.
    """
    source = source_at(recipe, i)
    if attempt:
        recipe = recipe.model_copy(update={"seed": int(rng(recipe.seed, "attempt", attempt).integers(2**62))})
    seed = recipe.seed
    avatar = open_avatar(source)
    pose = _pose(recipe, i)
    wind = _wind(recipe, i)
    body = pose_body(avatar, pose, _expression(recipe, avatar, i), recipe.settle_seconds, wind)
    v = _view(recipe, pose, i)
    aim, margins = _jittered_aim(recipe, v, i)
    width, height = recipe.size
    camera = body.frame(v.crop.down_to, aim, margins, width / height)
    visibility = Visibility(body.parts, body.posed, body.vertices, camera, recipe.size)
    gaze, look_at = _gaze(recipe, visibility, aim, i)
    setup = draw(recipe.lighting, seed, "lighting", i)
    key_light, ambient = light(setup, aim.azimuth, rng(seed, "light", i))
    backdrop = draw(recipe.background, seed, "background", i)
    words = character(avatar, source, recipe.characters)
    choices = Choices(
        character=words.name,
        noun=words.noun,
        outfit=words.outfit,
        pose=pose.name,
        mirrored=pose.mirrored,
        view=v.name,
        crop=v.crop_name,
        azimuth_name=v.azimuth_name,
        elevation_name=v.elevation_name,
        expression=next(iter(body.expressions), NEUTRAL),
        gaze=draw(recipe.gaze, seed, "gaze", i),
        lighting=setup,
        background=backdrop,
        wording=int(rng(seed, "wording", i).integers(2**31)),
    )
    shot = Shot(
        id=f"{i:06d}",
        figures=(_figure(source, body, look_at, recipe.settle_seconds),),
        camera=camera,
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
    observations = _observations(visibility, pose, words, aim, gaze, choices)
    return PlannedShot(shot, observations, body.posed if look_at is None else None)


def source_at(recipe: Recipe, i: int) -> str:
    """The source of the avatar that shot i shows; no avatar is opened. Raises ShotError."""
    if isinstance(i, bool) or not isinstance(i, int) or not 0 <= i < recipe.count:
        raise ShotError("no such shot", got=i, allowed=f"0 to {recipe.count - 1}", where="recipe")
    sources = {f"{n}": 1.0 for n in range(len(recipe.avatars))}
    return recipe.avatars[int(draw(sources, recipe.seed, "avatar", i))]


def _figure(
    source: str, body: PosedBody, look_at: LookAtAngles | Vec3 | None = None, settle_seconds: float | None = None
) -> Figure:
    return Figure(source, body.bones, body.hips_offset, body.expressions, look_at, settle_seconds)


def _observations(
    visibility: Visibility, pose: Pose, words: Character, aim: Aim, gaze: str, choices: Choices
) -> Observations:
    # Of eyes that are shut neither the colour nor the direction can be seen.
    shut = choices.expression in EYES_SHUT
    front_known = visibility.posed.avatar.front_known
    return Observations(
        framing=visibility.framing(choices.crop),
        face_in_sight=visibility.face_in_sight,
        hair=words.tied_hair if words.tied_hair and visibility.tails_in_sight(HAIR_TAIL_NODES) else words.hair,
        eyes="" if shut else words.eyes,
        phrases=visibility.phrases(pose),
        expression=visibility.expression(choices.expression),
        gaze=gaze if visibility.face_readable and not shut else "",
        azimuth=round(aim.azimuth, 2) if front_known else None,
        elevation=round(aim.elevation, 2),
        face_azimuth=round(visibility.face_azimuth(aim.azimuth), 2) if front_known else None,
        face_elevation=round(visibility.face_elevation(aim.azimuth, aim.elevation), 2),
    )


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
    whole = avatar.expressions[name].is_binary
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


def _gaze(recipe: Recipe, visibility: Visibility, aim: Aim, i: int) -> tuple[str, LookAtAngles | Vec3 | None]:
    """(gaze for Observations, look_at of the Figure)."""
    requested = draw(recipe.gaze, recipe.seed, "gaze", i)
    if requested == "ahead" or not visibility.face_in_sight or not visibility.gaze_is_visible:
        return "", None
    if requested == "viewer":
        return ("viewer", visibility.camera.position) if visibility.face_angle <= MAX_EYE_CONTACT_ANGLE else ("", None)
    degrees = float(rng(recipe.seed, "gaze angle", i).uniform(*ASIDE_DEGREES))
    # The eyes go to the side where the camera is not.
    return "away", LookAtAngles(-degrees if visibility.face_azimuth(aim.azimuth) > 0 else degrees, 0.0)
