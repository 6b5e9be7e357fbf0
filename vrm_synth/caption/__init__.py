"""Captions: the facts of a picture → text, in several styles. They state only what the picture shows."""

from vrm_synth.core.lazy_imports import lazily

TYPE_CHECKING = False  # what type checkers take for true
if TYPE_CHECKING:
    from vrm_synth.caption.captioner import Captioner, caption, captioner_of, captions
    from vrm_synth.caption.groups import GROUPS
    from vrm_synth.caption.settings import DEFAULT_COLUMNS, STYLES, CaptionColumns, CaptionSettings

__all__ = [
    "DEFAULT_COLUMNS",
    "GROUPS",
    "STYLES",
    "CaptionColumns",
    "CaptionSettings",
    "Captioner",
    "caption",
    "captioner_of",
    "captions",
]
__getattr__ = lazily(
    __name__,
    {
        **dict.fromkeys(("Captioner", "caption", "captioner_of", "captions"), "captioner"),
        **dict.fromkeys(("DEFAULT_COLUMNS", "STYLES", "CaptionColumns", "CaptionSettings"), "settings"),
        "GROUPS": "groups",
    },
)
