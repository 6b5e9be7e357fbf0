"""Groups of facts: what a caption says or leaves out as one, by drop-out and where it would be too long."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from vrm_synth.facts.facts import Facts, HairFacts, SkinFacts, ViewFacts


def _character(**nothing: str) -> Callable[[Facts], Facts]:
    return lambda f: replace(f, character=replace(f.character, **nothing))  # type: ignore[arg-type]


def _pose(**nothing: object) -> Callable[[Facts], Facts]:
    return lambda f: replace(f, pose=replace(f.pose, **nothing))  # type: ignore[arg-type]


def _face(**nothing: str) -> Callable[[Facts], Facts]:
    return lambda f: replace(f, face=replace(f.face, **nothing))  # type: ignore[arg-type]


def _view(f: Facts) -> Facts:
    return replace(f, view=ViewFacts(height=f.view.height, roll=f.view.roll), pose=replace(f.pose, looking_back=False))


def _height(f: Facts) -> Facts:
    return replace(f, view=replace(f.view, height="", roll=""))


def _scene(**nothing: str) -> Callable[[Facts], Facts]:
    return lambda f: replace(f, scene=replace(f.scene, **nothing))  # type: ignore[arg-type]


# Group → the facts without it. Of the character itself nothing is left but "a character".
WITHOUT: Mapping[str, Callable[[Facts], Facts]] = {
    "name": _character(name=""),
    "kind": _character(kind=""),
    "style": _character(style=""),
    "description": _character(description=""),
    "framing": lambda f: replace(f, framing=""),
    "hair": lambda f: replace(f, hair=HairFacts()),
    "eye_color": lambda f: replace(f, eye_colors=()),
    "skin": lambda f: replace(f, skin=SkinFacts()),
    "garments": lambda f: replace(f, garments=()),
    "accessories": lambda f: replace(f, accessories=()),
    "expression": _face(expression=""),
    "eyelids": _face(eyes=""),
    "mouth": _face(mouth=""),
    "gaze": _face(gaze=""),
    "phrases": _pose(phrases=()),
    "posture": _pose(posture=""),
    "torso": _pose(torso=""),
    "legs": _pose(legs=""),
    "arms": _pose(left_arm="", right_arm=""),
    "hands": lambda f: replace(f, left_hand="", right_hand=""),
    "view": _view,
    "height": _height,
    "light": _scene(light=""),
    "background": _scene(background=""),
}
GROUPS: tuple[str, ...] = tuple(WITHOUT)

# Groups of several things, which a long caption loses one by one, the last first.
_LISTS: Mapping[str, Callable[[Facts], Facts]] = {
    "garments": lambda f: replace(f, garments=f.garments[:-1]),
    "accessories": lambda f: replace(f, accessories=f.accessories[:-1]),
    "phrases": lambda f: replace(f, pose=replace(f.pose, phrases=f.pose.phrases[:-1])),
}


def shortened(facts: Facts, order: tuple[str, ...]) -> Iterator[Facts]:
    """The facts, then with ever less of them: group after group in `order`, the last of several things first."""
    yield facts
    for group in order:
        without = _LISTS.get(group, WITHOUT[group])
        while (less := without(facts)) != facts:
            facts = less
            yield facts
            if group not in _LISTS:
                break
