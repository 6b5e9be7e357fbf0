"""Names, order and flip pairs of COCO's, COCO-WholeBody's and OpenPose's keypoints.

Left and right are the person's own. Sources: the COCO keypoint task; COCO-WholeBody's data format; the order of its
133 names is that of mmpose's dataset description; the face's 68 points are iBUG's.
"""

from __future__ import annotations

BODY = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
FOOT = ("left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel")
FACE = tuple(f"face-{i}" for i in range(68))
FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")


def _hand(side: str) -> tuple[str, ...]:
    return (f"{side}_hand_root", *(f"{side}_{finger}{i}" for finger in FINGERS for i in (1, 2, 3, 4)))


LEFT_HAND, RIGHT_HAND = _hand("left"), _hand("right")
WHOLEBODY = (*BODY, *FOOT, *FACE, *LEFT_HAND, *RIGHT_HAND)

# Parts of the face, as indices of iBUG's 68 points; "right" is the person's own and on the left of a frontal picture.
JAW = tuple(range(17))  # from the right ear over the chin to the left ear
RIGHT_BROW, LEFT_BROW = (17, 18, 19, 20, 21), (22, 23, 24, 25, 26)  # outer to inner end; inner to outer end
NOSE_BRIDGE, NOSE_BASE = (27, 28, 29, 30), (31, 32, 33, 34, 35)  # down to the tip; right to left
RIGHT_EYE, LEFT_EYE = (36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47)  # the frontal picture's left corner first
OUTER_LIPS, INNER_LIPS = tuple(range(48, 60)), tuple(range(60, 68))  # right corner, upper lip, left corner, lower lip

# COCO's skeleton as pairs of names; categories number them from 1.
SKELETON = (
    ("left_ankle", "left_knee"), ("left_knee", "left_hip"), ("right_ankle", "right_knee"), ("right_knee", "right_hip"),
    ("left_hip", "right_hip"), ("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"),
    ("left_shoulder", "right_shoulder"), ("left_shoulder", "left_elbow"), ("right_shoulder", "right_elbow"),
    ("left_elbow", "left_wrist"), ("right_elbow", "right_wrist"), ("left_eye", "right_eye"), ("nose", "left_eye"),
    ("nose", "right_eye"), ("left_eye", "left_ear"), ("right_eye", "right_ear"), ("left_ear", "left_shoulder"),
    ("right_ear", "right_shoulder"),
)  # fmt: skip

# Keypoints that are joints of the VRM humanoid.
_LIMBS = {
    "shoulder": "UpperArm", "elbow": "LowerArm", "wrist": "Hand", "hip": "UpperLeg", "knee": "LowerLeg",
    "ankle": "Foot", "hand_root": "Hand", "thumb1": "ThumbMetacarpal", "thumb2": "ThumbProximal",
    "thumb3": "ThumbDistal",
}  # fmt: skip
_FINGERS = {"forefinger": "Index", "middle_finger": "Middle", "ring_finger": "Ring", "pinky_finger": "Little"}
_JOINTS = {
    **_LIMBS,
    **{
        f"{finger}{i}": f"{bone}{joint}"
        for finger, bone in _FINGERS.items()
        for i, joint in enumerate(("Proximal", "Intermediate", "Distal"), 1)
    },
}
BONE_OF_KEYPOINT = {f"{side}_{name}": f"{side}{bone}" for name, bone in _JOINTS.items() for side in ("left", "right")}

OPENPOSE_BODY = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
    "right_ear", "left_ear",
)  # fmt: skip


def mirrored_name(name: str) -> str:
    """The name that a keypoint or bone has in the mirrored picture: "left_eye" for "right_eye", itself on the middle.

    name: of COCO-WholeBody, OpenPose or VRM's humanoid bones.
    """
    if name.startswith("face-"):
        return f"face-{_mirrored_face(int(name.removeprefix('face-')))}"
    for side, other in (("left", "right"), ("right", "left")):
        if name.startswith(side):
            return other + name[len(side) :]
    return name


def flip_indices(names: tuple[str, ...]) -> tuple[int, ...]:
    """For each of `names`, the index of the one that it becomes in the mirrored picture: mmpose's flip_indices."""
    return tuple(names.index(mirrored_name(name)) for name in names)


def flip_pairs(names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """The pairs of indices that a mirrored picture exchanges, the smaller index first."""
    return tuple((i, j) for i, j in enumerate(flip_indices(names)) if i < j)


# Two indices of a row of the face that mirror each other have this sum; rows end before the index.
_FACE_SUMS = ((17, 16), (27, 43), (31, None), (36, 66), (40, 81), (42, 87), (46, 81), (48, 87), (55, 102), (60, 114),
              (65, 124), (68, 132))  # fmt: skip


def _mirrored_face(i: int) -> int:
    total = next(total for end, total in _FACE_SUMS if i < end)
    return i if total is None else total - i
