"""Surface groups: what their labels count is what the geometry buffer and the labels of texels show."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from tests.corpus import CORPUS, needs_corpus
from tests.parts.answer_sheet import OVERRIDES
from vrm_synth.appearance.find_appearance import find_appearance
from vrm_synth.appearance.surface_groups import (
    MOST_GROUPS,
    PLACES,
    REGION_OF_BONE,
    Feature,
    group_surface,
    region_name,
)
from vrm_synth.camera.framing import Aim, Margins, fit
from vrm_synth.core.bones import BONE_NAMES
from vrm_synth.parts.labeling import label_parts
from vrm_synth.parts.overrides import PartOverrides
from vrm_synth.parts.part_names import PART_NAMES
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.render.base import Buffers, View
from vrm_synth.render.gl.backend import GLBackend
from vrm_synth.shot.body_parts import body_parts_of
from vrm_synth.vrm.avatar_loader import load

SIZE = (384, 384)
LARGE = 400  # pixels from which a part's count is compared
WITHIN = 0.08  # largest error of a count, as a share of it
AZIMUTHS = (0.0, 90.0, -140.0)


@needs_corpus
@pytest.mark.parametrize("name", ["bizdude", "cool_banana", "crimsom", "m_expressive", "v1_samplebot"])
def test_counts_by_part_are_those_of_the_geometry_buffer(name: str) -> None:
    assert CORPUS is not None
    avatar = load(CORPUS / "avatars" / f"{name}.vrm")
    own = PartOverrides.model_validate(yaml.safe_load(OVERRIDES.read_text())[f"{name}.vrm"])
    groups, labels = find_appearance(avatar, f"{name}.vrm", own).groups, label_parts(avatar, own)
    body, backend = body_parts_of(avatar), GLBackend()
    for azimuth in AZIMUTHS:
        camera = fit(body.rest, body.rest, Aim(azimuth, 5.0), 1.0, Margins())
        buffers = Buffers(surface=True, vertex_labels=groups.labels, geometry=frozenset(["uv"]))
        frame = backend.render(evaluate(avatar), View(camera, SIZE, buffers=buffers))
        assert frame.surface is not None and frame.surface.label is not None and frame.geometry is not None
        counted = groups.count(frame.surface.label)
        part = labels.at(frame.geometry.triangle, frame.geometry.uv)[frame.geometry.mask]
        true = np.bincount(part, minlength=len(PART_NAMES))
        assert counted.total == pytest.approx(float(frame.geometry.mask.sum()), rel=0.02)
        for k, of in enumerate(PART_NAMES):
            if true[k] >= LARGE:
                assert counted.by_part.get(of, 0.0) == pytest.approx(float(true[k]), rel=WITHIN), (azimuth, of)
    backend.close()


def test_every_bone_has_a_region() -> None:
    assert set(REGION_OF_BONE) == set(BONE_NAMES)
    assert region_name(BONE_NAMES.index("leftThumbDistal")) == "leftHand"
    assert (region_name(BONE_NAMES.index("upperChest")), region_name(-1)) == ("torso", "none")


def test_more_mixtures_than_labels_keep_the_sum_of_each_feature() -> None:
    generator = np.random.default_rng(1)
    count, kinds = 3000, 40
    features = [Feature("unknown", "head", k) for k in range(kinds)]
    triangle = np.repeat(np.arange(count), 4)
    feature, area = generator.integers(0, kinds, 4 * count), generator.random(4 * count)
    groups = group_surface(count, np.arange(count, dtype=np.int32), triangle, area, feature, features)
    assert groups.labels.values.max() <= MOST_GROUPS and groups.labels.values.min() >= 1
    shares = groups.shares[1 : 1 + int(groups.labels.values.max())]
    assert np.allclose(shares.sum(1), 1.0, atol=1e-5) and not groups.shares[0].any()


def test_pixels_of_a_pure_group_are_its_features() -> None:
    features = [Feature("hair", "head", place=PLACES[1]), Feature("shoes", "leftFoot", 0, "red")]
    last, triangle = np.arange(4, dtype=np.int32), np.arange(4)
    groups = group_surface(4, last, triangle, np.ones(4), np.array([0, 0, 1, 1]), features)
    picture = groups.labels.values[np.array([[0, 1], [2, 2]])]
    pixels = groups.count(picture)
    assert pixels.by_part == {"hair": 2.0, "shoes": 2.0} and pixels.by_item == {-1: 2.0, 0: 2.0}
    assert pixels.where(lambda f: f.color == "red") == 2.0 and pixels.total == 4.0


def test_a_surface_of_nothing_counts_nothing() -> None:
    none = np.zeros(0, np.intp)
    groups = group_surface(3, np.zeros(0, np.int32), none, np.zeros(0), none, [])
    assert groups.count(np.zeros((2, 2), np.uint8)).total == 0.0
