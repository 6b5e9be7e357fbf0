"""The 18 preset expressions: their morph targets, blush, iris scale and overrides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vrm_synth.gltf.model import Vec4
from vrm_synth.vrm.avatar import Expression, MaterialColorBind, MorphTargetBind, Override, TextureTransformBind

# name: morph target → weight
_MORPHS: dict[str, dict[str, float]] = {
    "neutral": {"mouthNeutral": 1.0},
    "happy": {"eyeHappy": 1.0, "browHappy": 1.0, "mouthHappy": 1.0},
    "angry": {"eyeAngry": 1.0, "browAngry": 1.0, "mouthAngry": 1.0},
    "sad": {"eyeSad": 1.0, "browSad": 1.0, "mouthSad": 1.0},
    "relaxed": {"eyeRelaxed": 1.0, "browRelaxed": 1.0, "mouthRelaxed": 1.0},
    "surprised": {"eyeSurprised": 1.0, "browSurprised": 1.0, "mouthSurprised": 1.0},
    "aa": {"mouthAa": 1.0},
    "ih": {"mouthIh": 1.0},
    "ou": {"mouthOu": 1.0},
    "ee": {"mouthEe": 1.0},
    "oh": {"mouthOh": 1.0},
    "blink": {"blinkLeft": 1.0, "blinkRight": 1.0},
    "blinkLeft": {"blinkLeft": 1.0},
    "blinkRight": {"blinkRight": 1.0},
    "lookUp": {"gazeUp": 1.0},
    "lookDown": {"gazeDown": 1.0},
    "lookLeft": {"gazeLeft": 1.0},
    "lookRight": {"gazeRight": 1.0},
}
# blush's alpha at full expression
_BLUSH = {"happy": 0.85, "relaxed": 0.60, "angry": 0.50}
# surprise draws the irises smaller: scale of their texture's UV about the middle
_IRIS_SCALE = {"surprised": 1.22}
# name: (blink, lookAt, mouth)
_OVERRIDES: dict[str, tuple[Override, Override, Override]] = {
    "happy": ("block", "block", "blend"),
    "angry": ("none", "none", "blend"),
    "sad": ("none", "none", "blend"),
    "relaxed": ("blend", "none", "blend"),
    "surprised": ("block", "none", "block"),
}


def build_expressions(face_node: int, targets: Sequence[str], materials: Mapping[str, int]) -> dict[str, Expression]:
    """Build all presets. targets: the face mesh's morph targets in order; materials: name → index."""
    out = {}
    for name, morphs in _MORPHS.items():
        blink, look, mouth = _OVERRIDES.get(name, ("none", "none", "none"))
        color: Vec4 = (1.0, 1.0, 1.0, _BLUSH.get(name, 0.0))
        s = _IRIS_SCALE.get(name, 1.0)
        out[name] = Expression(
            name,
            is_preset=True,
            override_blink=blink,
            override_look_at=look,
            override_mouth=mouth,
            morph_target_binds=tuple(MorphTargetBind(face_node, targets.index(t), w) for t, w in morphs.items()),
            material_color_binds=(MaterialColorBind(materials["Cheek"], "color", color),) if name in _BLUSH else (),
            texture_transform_binds=(
                (TextureTransformBind(materials["Iris"], ((1 - s) / 2, (1 - s) / 2), (s, s)),)
                if name in _IRIS_SCALE
                else ()
            ),
        )
    return out
