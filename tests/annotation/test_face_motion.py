"""Names that exporters give to morph targets that no expression is bound to."""

import re

import pytest

from vrm_synth.annotation.face_motion import _TARGET_NAMES, _plain

NAMES = {
    "vis_char_001_fbx:blendShape1.vrc_blink_left": "blinkLeft",
    "blendShape2.vrc_blink_right": "blinkRight",
    "blink_both": "blink",
    "eyeBlinkLeft": "blinkLeft",
    "Fcl_EYE_Close_L": "blinkLeft",
    "Fcl_EYE_Close": "blink",
    "Fcl_MTH_A": "aa",
    "blendShape1.vrc_v_oh": "oh",
    "v_ih": "ih",
    "まばたき": "blink",
    "あ": "aa",
    "jawOpen": "aa",
    "browInnerUp": "brows",
    "Fcl_BRW_Surprised": "brows",
    "eyebrowsup": "brows",
}


@pytest.mark.parametrize("target", NAMES)
def test_a_target_is_known_by_its_name(target):
    names = [name for name, pattern in _TARGET_NAMES.items() if re.fullmatch(pattern, _plain(target))]
    assert names == [NAMES[target]]


@pytest.mark.parametrize("target", ["blink_speed", "vrc_v_sil", "lowerlid_left", "Body", "eyebrowsleft", "あい", ""])
def test_other_names_mean_nothing(target):
    assert not any(re.fullmatch(p, _plain(target)) for p in _TARGET_NAMES.values())
