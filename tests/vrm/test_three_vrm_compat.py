"""as_three_vrm undoes exactly what three-vrm does not do; figures checked against its pictures."""

from __future__ import annotations

import pytest

from tests.vrm.vrm_file import Doc, changed, glb, vrm0, vrm1
from vrm_synth.vrm import load_bytes
from vrm_synth.vrm.three_vrm_compat import as_three_vrm


def test_vrm0_differences_are_undone() -> None:
    def change(doc: Doc) -> None:
        vrm = doc["extensions"]["VRM"]
        vrm["materialProperties"][0]["vectorProperties"]["_EmissionColor"] = [2, 0.5, 0, 1]
        vrm["blendShapeMaster"]["blendShapeGroups"][0]["materialValues"] = [
            {"materialName": "skin", "propertyName": name, "targetValue": [1, 0.5, 0.25, 0.75]}
            for name in ("_Color", "_EmissionColor", "_ShadeColor")
        ]

    ours = load_bytes(changed(change, vrm0), "x.vrm")
    theirs = as_three_vrm(ours)
    assert theirs.materials[0].emissive_factor == pytest.approx((2**2.2, 0.5**2.2, 0))
    assert theirs.materials[0].base_color_factor == ours.materials[0].base_color_factor
    for bind in theirs.expressions["happy"].material_color_binds:
        assert bind.target == pytest.approx((1, 0.5, 0.25, 0.75))  # as the file has them
    assert [j.gravity_dir for j in theirs.springs[0].joints] == [(0.1, -1, 0.2)] * 2
    assert theirs.look_at is not None and theirs.look_at.horizontal_outer.curve == ()
    assert theirs.humanoid == ours.humanoid and theirs.meshes is ours.meshes


def test_vrm1_is_left_alone() -> None:
    doc, data = vrm1()
    avatar = load_bytes(glb(doc, bytes(data)), "x.vrm")
    assert as_three_vrm(avatar) is avatar
