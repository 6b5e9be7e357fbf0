"""Labels of real avatars against answers that were made by looking at their pictures (answer_sheet.yaml)."""

from __future__ import annotations

import numpy as np
import pytest

from tests.corpus import CORPUS, needs_corpus
from tests.parts.answer_sheet import accepted, load_answers, load_overrides, rule_of_pixel
from tests.parts.rest_pictures import rest_pictures
from vrm_synth.parts import PartLabels, label_parts
from vrm_synth.parts.labeling import measured
from vrm_synth.vrm import load
from vrm_synth.vrm.avatar import Avatar

ANSWERS = load_answers()
SHORT = ("crimsom.vrm", "bizdude.vrm", "m_expressive.vrm")
# Least share of the judged pixels that have a label without overrides; 0 where neither names nor colors tell.
COVERAGE = {"crimsom.vrm": 0.95, "bizdude.vrm": 0.9, "m_expressive.vrm": 0.9, "zombie.vrm": 0.7, "robot.vrm": 0.9,
            "cool_banana.vrm": 0.8, "v1_samplebot.vrm": 0.95, "boombox7.vrm": 0.4}  # fmt: skip


def judge(avatar: Avatar, labels: PartLabels, file: str) -> tuple[float, float]:
    """(precision, coverage) by the answers of a file."""
    surface, _ = measured(avatar)
    names = np.array([avatar.nodes[n].name for n in surface.triangles.node_of])
    table = np.stack([accepted(r) for r in ANSWERS[file]])
    right = labeled = judged = 0
    for picture in rest_pictures(avatar, 256):
        hit = picture.triangle >= 0
        position = (picture.position[hit] - [0, surface.floor, 0]) / (surface.top - surface.floor)
        rule = rule_of_pixel(ANSWERS[file], position, picture.rgb[hit], names[picture.triangle[hit]].tolist())
        label = labels.at(picture.triangle, picture.uv)[hit]
        known = rule >= 0
        judged += int(known.sum())
        labeled += int((known & (label > 0)).sum())
        right += int((table[rule[known], label[known]] & (label[known] > 0)).sum())
    return (right / labeled if labeled else 1.0), labeled / judged


def files() -> list:
    return [pytest.param(f, marks=() if f in SHORT else pytest.mark.slow) for f in sorted(ANSWERS)]


@needs_corpus
@pytest.mark.corpus
@pytest.mark.parametrize("file", files())
def test_what_has_a_label_has_the_right_one(file):
    avatar = load(CORPUS / "avatars" / file)
    for sources in (("names",), ("texture",), ("names", "texture")):
        precision, coverage = judge(avatar, label_parts(avatar, sources=sources), file)
        assert precision >= 0.97, sources
    assert coverage >= COVERAGE.get(file, 0.0)
    overrides = load_overrides().get(file)
    if overrides is not None:
        precision, more = judge(avatar, label_parts(avatar, overrides), file)
        assert precision >= 0.97 and more >= coverage
