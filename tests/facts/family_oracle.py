"""Ground truth for facts of the built-in family: parameters, ray-cast ids, joints and the camera.

Nothing here asks the code that makes facts. Each claim of Facts is judged right or wrong, and each thing that the
picture shows plainly is counted as claimed or missed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.facts.family_clothes import color_fits, judge_items
from tests.facts.family_picture import Picture, is_part_of
from tests.facts.verdict import PLAIN, SMALL, Verdict
from vrm_synth.builtin_avatar.surface.palette import palette
from vrm_synth.facts.facts import Facts
from vrm_synth.parts.labeling import measured
from vrm_synth.vrm.drawn_triangles import drawn_triangles

FRINGE = 12.0  # degrees at each border of a view's name that are no fault either way
SIDES = {
    "front": 0.0,
    "three_quarter_left": 45.0,
    "three_quarter_right": -45.0,
    "side_left": 90.0,
    "side_right": -90.0,
    "behind_left": 135.0,
    "behind_right": -135.0,
    "back": 180.0,
}
POSTURES = {
    **dict.fromkeys(("crouch",), "crouching"),
    **dict.fromkeys(("kneel", "seiza"), "kneeling"),
    **dict.fromkeys(
        ("hug_knees", "sit_chair", "sit_cross_legged", "sit_crossed_legs", "sit_floor", "sit_sideways"), "sitting"
    ),
    **dict.fromkeys(("jump",), "midair"),
    **dict.fromkeys(("run",), ""),  # in the air or not, as one likes
}
BETWEEN_POSTURES = ("lunge",)  # on one knee nearly: a viewer may say that it stands, or not
HANDS = {
    "open": "open", "flat": "open", "spread": "open", "straight": "open", "fist": "fist", "peace": "peace",
    "point": "point", "thumb_up": "thumb_up",
}  # fmt: skip
EMOTIONS = ("happy", "angry", "sad", "relaxed", "surprised")
SKINS = {
    "fair": ("fair", "light"), "light": ("fair", "light"), "tan": ("tan",), "brown": ("brown", "dark"),
    "dark": ("dark", "brown"),
}  # fmt: skip


def judge(facts: Facts, p: Picture) -> Iterator[Verdict]:
    """Every claim of the facts and every plain sight of the picture."""
    yield Verdict("kind", facts.character.kind, facts.character.kind == "girl", True)
    yield Verdict("style", facts.character.style, facts.character.style == "anime", True)
    yield _framing(facts, p)
    yield from _view(facts, p)
    yield from _posture(facts, p)
    yield from _arms(facts, p)
    yield from _hands(facts, p)
    yield from _face(facts, p)
    yield from _looks(facts, p)
    yield from judge_items(facts, p)
    yield from _scene(facts, p)


# ---------------------------------------------------------------- the camera


def _framing(facts: Facts, p: Picture) -> Verdict:
    feet = p.has("leftFoot") and p.has("rightFoot")
    hips, head = p.has("hips"), p.has("head")
    knees = p.has("leftLowerLeg") or p.has("rightLowerLeg")
    chest = p.has("upperChest") or p.has("chest")
    points = [p.at(b) for b in p.joints]
    inside = all(0 <= x <= 1 and 0 <= y <= 1 for x, y in points)
    legs = p.region("UpperLeg", "LowerLeg", "Foot")
    standing = POSTURES.get(p.shot.choices.pose if p.shot.choices else "", "standing") == "standing"
    head_share = _head_height(p)
    right = {
        "": True,
        "full_body": inside and feet and head,
        "close_up": head and not hips and head_share >= 0.38 and legs < PLAIN,
        "portrait": head and not hips and legs < PLAIN and head_share >= 0.2,
        "upper_body": head and chest and not knees and not feet,
        "cowboy": head and hips and not feet,
    }[facts.framing]
    crop = p.shot.choices.crop if p.shot.choices else ""
    plain = standing and {
        "face": head_share >= 0.5 and not hips,
        "bust": head and not hips and legs < 50,
        "cowboy": head and hips and not knees,
        "full": inside,
    }.get(crop, False)
    return Verdict("framing", facts.framing, right, bool(plain))


def _head_height(p: Picture) -> float:
    """Share of the picture's height that pixels of the head (not hair that hangs) take."""
    lead = measured(p.avatar)[0].lead
    heads = [p.avatar.humanoid[b] for b in ("head", "leftEye", "rightEye") if b in p.avatar.humanoid]
    shown = np.isin(np.where(p.triangle >= 0, lead[p.triangle], -1), heads).any(1)
    rows = np.flatnonzero(shown)
    return (rows[-1] - rows[0] + 1) / p.triangle.shape[0] if len(rows) else 0.0


def _around(p: Picture, left: str, right: str, up: tuple[str, str], center: str) -> tuple[float, float]:
    """(azimuth, elevation) in degrees of the camera around a part of the body, by joints alone."""
    j = p.joints
    side = j[left] - j[right]
    upward = j[up[1]] - j[up[0]]
    upward /= np.linalg.norm(upward)
    side -= upward * (side @ upward)
    side /= np.linalg.norm(side)
    forward = np.cross(side, upward)  # +X is left, +Y up, +Z forward
    to_camera = np.asarray(p.shot.camera.position) - j[center]
    to_camera /= np.linalg.norm(to_camera)
    elevation = float(np.degrees(np.arcsin(np.clip(to_camera @ upward, -1, 1))))
    return float(np.degrees(np.arctan2(to_camera @ side, to_camera @ forward))), elevation


def _apart(a: float, b: float) -> float:
    return abs((a - b + 180.0) % 360.0 - 180.0)


def _view(facts: Facts, p: Picture) -> Iterator[Verdict]:
    hips = _around(p, "leftUpperLeg", "rightUpperLeg", ("hips", "spine"), "hips")
    chest = _around(p, "leftUpperArm", "rightUpperArm", ("chest", "neck"), "chest")
    middle = hips[0] + ((chest[0] - hips[0] + 180) % 360 - 180) / 2
    spread = _apart(hips[0], chest[0])
    steep = max(abs(hips[1]), abs(chest[1])) > 50
    claim = facts.view.body
    right = not claim or (
        _apart(middle, SIDES[claim]) <= 22.5 + FRINGE + spread / 2 and (not steep or _apart(middle, SIDES[claim]) <= 30)
    )
    # The body's side is plain where the trunk is: a close-up shows the head's.
    trunk = p.has("hips") and p.has("leftUpperArm") and p.has("rightUpperArm")
    core = min(_apart(middle, a) for a in SIDES.values()) <= 10 and spread <= 15 and not steep and trunk
    yield Verdict("view of the body", claim, right, core)
    head = p.posed.world_from_node[p.avatar.humanoid["head"]][:3, :3]
    to_camera = head.T @ (np.asarray(p.shot.camera.position) - p.joints["head"])
    azimuth = float(np.degrees(np.arctan2(to_camera[0], to_camera[2])))
    in_picture = p.region("head") >= PLAIN
    claim = facts.view.face
    right = not claim or (_apart(azimuth, SIDES[claim]) <= 22.5 + FRINGE and p.has("head"))
    core = min(_apart(azimuth, a) for a in SIDES.values()) <= 12 and in_picture
    level = abs(to_camera[1]) < 0.6 * np.linalg.norm(to_camera)
    yield Verdict("view of the face", claim, right, bool(core and level))
    line = np.asarray(p.shot.camera.position) - np.asarray(p.shot.camera.target)
    elevation = float(np.degrees(np.arcsin(line[1] / np.linalg.norm(line))))
    limits = {"": (-90, 90), "high": (10, 90), "level": (-14, 14), "low": (-90, -6)}[facts.view.height]
    chosen = p.shot.choices.elevation_name if p.shot.choices else ""
    plain = (abs(elevation) <= 6 or elevation >= 21 or elevation <= -17) and chosen != ""
    if facts.framing == "close_up":  # a bent head may be seen from another height than the body
        plain = False
    yield Verdict("height", facts.view.height, limits[0] <= elevation <= limits[1], plain)


# ---------------------------------------------------------------- the body


def _posture(facts: Facts, p: Picture) -> Iterator[Verdict]:
    pose = p.shot.choices.pose if p.shot.choices else ""
    true = POSTURES.get(pose, "standing")
    claim = facts.pose.posture
    right = not claim or not true or claim == true or (true == "midair" and claim == "standing" and pose != "jump")
    legs = p.region("UpperLeg") >= PLAIN and p.region("LowerLeg") >= PLAIN and p.region("Foot") >= 50
    yield Verdict(
        "posture", claim, right, bool(legs and true and pose not in BETWEEN_POSTURES and _all_in(p, "Foot", "LowerLeg"))
    )


def _all_in(p: Picture, *ends: str) -> bool:
    return all(p.has(side + e) for side in ("left", "right") for e in ends)


def _arms(facts: Facts, p: Picture) -> Iterator[Verdict]:
    j = p.joints
    up = j["neck"] - j["spine"]
    up /= np.linalg.norm(up)
    out_of = j["leftUpperArm"] - j["rightUpperArm"]
    out_of /= np.linalg.norm(out_of)
    forward = np.cross(out_of, up)
    length = np.linalg.norm(j["leftUpperArm"] - j["leftLowerArm"]) + np.linalg.norm(j["leftLowerArm"] - j["leftHand"])
    for side, sign, claim in (("left", 1.0, facts.pose.left_arm), ("right", -1.0, facts.pose.right_arm)):
        reach = (j[f"{side}Hand"] - j[f"{side}UpperArm"]) / length
        rise, out, front = reach @ up, sign * (reach @ out_of), reach @ forward
        upright = reach[1]
        right = {
            "": True,
            "down": max(-rise, -upright) > 0.45,
            "raised": max(rise, upright) > 0.25,
            "out": out > 0.45,
            "forward": front > 0.4,
            "crossed": front > -0.1 and out < 0.45,
            "behind_back": front < 0.15 and rise < 0.2,
        }[claim]
        plain = p.has(f"{side}Hand") and p.region(f"{side}Hand") >= 200 and p.region(f"{side}LowerArm") >= 150
        clear = rise > 0.75 or rise < -0.9 or out > 0.85 or front > 0.85
        # Nobody says where the arms go of one who rests the hands on the knees.
        knees = min(np.linalg.norm(j[f"{side}Hand"] - j[f"{s}LowerLeg"]) for s in ("left", "right"))
        clear = clear and knees > 0.5 * length
        yield Verdict("arm", claim, right, bool(plain and clear))


def _hands(facts: Facts, p: Picture) -> Iterator[Verdict]:
    for side, claim in (("left", facts.left_hand), ("right", facts.right_hand)):
        true = HANDS.get(p.hands[side], "")
        size = p.region(f"{side}Hand")
        # Of a hand that the picture's edge cuts nobody can tell what its other fingers do.
        whole = all(p.has(b) for b in p.joints if is_part_of(b, f"{side}Hand"))
        plain = true in ("peace", "fist", "point") and size >= 1500 and whole
        yield Verdict("hand", claim, not claim or claim == true, plain)


def _face(facts: Facts, p: Picture) -> Iterator[Verdict]:
    weights = dict(p.shot.figure.expressions)
    head = p.posed.world_from_node[p.avatar.humanoid["head"]][:3, :3]
    to_camera = head.T @ (np.asarray(p.shot.camera.position) - p.joints["head"])
    turned = float(np.degrees(np.arccos(to_camera[2] / np.linalg.norm(to_camera))))
    face = p.by_material.get("Face", 0.0)
    readable = turned <= 45 and face >= 1200
    emotion = next((n for n in EMOTIONS if weights.get(n, 0) >= 0.5), "")
    claim = facts.face.expression
    may_show = turned <= 85 and face >= 100
    # A relaxed face differs from a resting one by lids a little lower: in a small picture nobody sees it.
    large = face >= (2000 if emotion == "relaxed" else 1200)
    right = not claim or (claim == emotion and may_show)
    yield Verdict("expression", claim, right, bool(emotion and readable and large))
    shut = max((weights.get(n, 0.0) for n in ("blink",)), default=0.0)
    left, right = max(shut, weights.get("blinkLeft", 0.0)), max(shut, weights.get("blinkRight", 0.0))
    allowed = {"": True}
    smiling = emotion in ("happy", "relaxed")  # which shut the eyes in part or whole: judged by pixels of the irises
    iris = p.by_material.get("Iris", 0.0)
    allowed["open"] = left <= 0.2 and right <= 0.2 and (not smiling or iris > 0.02 * face)
    allowed["closed"] = (left >= 0.9 and right >= 0.9) or (smiling and iris < 0.012 * face)
    allowed["half_closed"] = (0.3 <= left <= 0.85 and 0.3 <= right <= 0.85) or smiling
    allowed["wink_left"] = left >= 0.9 and right <= 0.2
    allowed["wink_right"] = right >= 0.9 and left <= 0.2
    plain = readable and face >= 2500 and not smiling
    yield Verdict("eyes", facts.face.eyes, allowed[facts.face.eyes] and (may_show or not facts.face.eyes), bool(plain))
    gaze = facts.face.gaze
    if p.posed.look_at is not None and p.shot.figure.look_at is not None:
        yaw, pitch = p.posed.look_at.yaw, p.posed.look_at.pitch
    else:
        yaw = pitch = 0.0
    y, x = np.radians(yaw), np.radians(pitch)
    sight = np.array([np.sin(y) * np.cos(x), -np.sin(x), np.cos(y) * np.cos(x)])
    off = float(np.degrees(np.arccos(np.clip(sight @ to_camera / np.linalg.norm(to_camera), -1, 1))))
    right = {"": True, "viewer": off <= 18, "away": off >= 12}[gaze] and (not gaze or iris > 0)
    # The avatars' eyes turn by a fifth of what is asked: it is where they then look that a viewer sees. Of a bowed head
    # that is seen from above nobody can tell whether it looks down or up.
    level, real = _sight(p)
    meets, averted = off <= 4 and real <= 14, off >= 30 and level >= 22
    plain = readable and iris >= SMALL and (meets or averted)
    yield Verdict("gaze", gaze, bool(right), bool(plain and not smiling and left == right_of(weights) == 0))


def _sight(p: Picture) -> tuple[float, float]:
    """Degrees between where the eyes really look and the camera: around the head, and in all."""
    head, eye = (p.posed.world_from_node[p.avatar.humanoid[b]][:3, :3] for b in ("head", "leftEye"))
    middle = (p.joints["leftEye"] + p.joints["rightEye"]) / 2
    sight, to_camera = head.T @ eye @ (0.0, 0.0, 1.0), head.T @ (np.asarray(p.shot.camera.position) - middle)
    level = _apart(*(float(np.degrees(np.arctan2(v[0], v[2]))) for v in (sight, to_camera)))
    cosine = sight @ to_camera / np.linalg.norm(sight) / np.linalg.norm(to_camera)
    return level, float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def right_of(weights: dict[str, float]) -> float:
    """Weight by which the right eye is shut."""
    return max(weights.get("blink", 0.0), weights.get("blinkRight", 0.0))


# ---------------------------------------------------------------- looks


def _looks(facts: Facts, p: Picture) -> Iterator[Verdict]:
    hair = p.by_material.get("Hair", 0.0)
    true = p.params.hair_color
    for k, color in enumerate(facts.hair.colors or ("",)):
        right = (
            color == true
            or color == {"blonde": "yellow"}.get(true)
            or (k > 0 and color_fits(color, palette(p.params).hair_shade))
        )
        yield Verdict("hair color", color, not color or (right and hair >= 50), hair >= PLAIN and k == 0)
    lengths = {
        "bob": ("short", "medium"), "short": ("short",), "long": ("long",), "twintails": ("long",),
        "ponytail": ("long",),
    }[p.params.hair_style]  # fmt: skip
    claim = facts.hair.length
    whole = p.shot.choices is not None and p.shot.choices.crop == "full" and hair >= 2 * PLAIN
    style = p.params.hair_style
    tails = p.node_pixels("hairTail")
    tied = style in ("ponytail", "twintails")
    # From the front, the back of a body hides long hair: it is plain where it is seen below the shoulders.
    plain = whole and style in ("long", "short", "bob") and facts.hair.style == ""
    plain = plain and (style != "long" or _hair_below_shoulders(p) >= SMALL)
    yield Verdict("hair length", claim, not claim or claim in lengths, plain)
    claim = facts.hair.style
    seen = bool(tails) and min(tails.values()) >= 20
    right = not claim or (claim == style and (not tied or seen))
    plain = tied and bool(tails) and min(tails.values()) >= PLAIN
    yield Verdict("hair style", claim, right, plain)
    iris = p.by_material.get("Iris", 0.0)
    for k, color in enumerate(facts.eye_colors or ("",)):
        right = color == p.params.eye_color or (color in ("yellow", "gold") and p.params.eye_color == "gold")
        yield Verdict("eye color", color, not color or (right and iris >= 20), iris >= 2 * SMALL and k == 0)
    skin = p.by_material.get("Skin", 0.0) + p.by_material.get("Face", 0.0)
    claim = facts.skin.tone or facts.skin.color
    right = not claim or (facts.skin.tone in SKINS[p.params.skin] and skin >= 100)
    plain = skin >= 2 * PLAIN and p.params.skin in ("tan", "brown", "dark")
    yield Verdict("skin", claim, right, plain)


def _hair_below_shoulders(p: Picture) -> float:
    """Pixels of hair lower in the picture than both shoulders."""
    hair = np.array([m.name == "Hair" for m in p.avatar.materials], np.bool_)
    of_triangle = hair[drawn_triangles(p.avatar).material_of]
    shown = np.where(p.triangle >= 0, of_triangle[p.triangle], False)
    shoulders = max(p.at(f"{side}UpperArm")[1] for side in ("left", "right"))
    first = min(max(round(shoulders * p.triangle.shape[0]), 0), p.triangle.shape[0])
    return float(np.count_nonzero(shown[first:])) / p.scale


def _scene(facts: Facts, p: Picture) -> Iterator[Verdict]:
    chosen = p.shot.choices.background if p.shot.choices else ""
    known = not chosen.startswith("#")
    yield Verdict("background", facts.scene.background, facts.scene.background in ("", chosen), known)
    setup = p.shot.choices.lighting if p.shot.choices else ""
    yield Verdict("light", facts.scene.light, facts.scene.light in ("", setup), False)
