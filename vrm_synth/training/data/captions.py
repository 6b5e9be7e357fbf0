"""Caption augmentation: mirror, shuffle tags, choose sentence or tags. Pure functions of text and random draws."""

from __future__ import annotations

import re

import numpy as np

from vrm_synth.training.data.source import CaptionText

_SIDE = re.compile(r"(?<![A-Za-z])(left|right)(?=(?:wards?|most|hand(?:ed)?)?(?![A-Za-z]))", re.IGNORECASE)
_SIDE_JA = re.compile("左右|右左|左|右")
_OTHER = {"left": "right", "right": "left", "左": "右", "右": "左"}

# Left and right in another sense, or a sense of rotation, which is not translated here.
_UNCLEAR = re.compile(
    r"\bright[ _](?:now|away|there|here|after|before|through|up|next|beside|behind|in front|angles?)\b|\ball[ _]right\b"
    r"|\b(?:left|right)[- ]wing|\bleft[ _](?:behind|over|alone|open|unfinished|empty|the|a|an|his|her|their|its|with)\b"
    r"|\b(?:has|have|had|was|were|is|are|be|been|being|just|one|nothing|none)[ _]left\b|clockwise|時計回り",
    re.IGNORECASE,
)
# Writing and the like, which a mirror image would show reversed, as captions and tags name it.
_WRITING = re.compile(
    r"\b(?:texts?|writing|written|handwriting|letters?|lettering|typography|calligraphy|inscriptions?|logos?|emblems?"
    r"|watermarks?|signatures?|signed|speech[ _]bubbles?|kanji|hiragana|katakana|posters?|newspapers?|signboards?"
    r"|billboards?|clocks?|watch face|maps?|flags?|license plates?|username|web[ _]address|dated"
    r"|(?:artist|character|copyright|song)[ _]name)\b"
    r"|(?<!peace[ _])(?<!hand[ _])(?<!victory[ _])(?<!v[ _])\bsigns?\b"
    r"|文字|ロゴ|看板|署名|透かし|書道|ポスター|地図|旗",
    re.IGNORECASE,
)


def mirror(text: str) -> str | None:
    """Caption of the mirrored picture: left and right, the character's and the viewer's, are swapped.

    None where that would be wrong: writing in the picture, or a left or right that is no side ("right now").
    """
    if _UNCLEAR.search(text) or _WRITING.search(text):
        return None
    swapped = _SIDE.sub(lambda m: _match_case(m[1], _OTHER[m[1].lower()]), text)
    return _SIDE_JA.sub(lambda m: _OTHER.get(m[0], m[0]), swapped)


def _match_case(pattern: str, word: str) -> str:
    """The word in the pattern's case: lower, upper or capitalized."""
    return word.upper() if pattern.isupper() else word.capitalize() if pattern[0].isupper() else word


def shuffle_tags(tags: str, keep: int, rng: np.random.Generator) -> str:
    """Shuffle "a, b, c, d", all but its first `keep` parts."""
    parts = [p for p in (t.strip() for t in tags.replace("、", ",").split(",")) if p]
    return ", ".join(parts[:keep] + [parts[keep + i] for i in rng.permutation(max(0, len(parts) - keep))])


def choose_text(text: CaptionText, prefer_tags: bool) -> tuple[str, bool]:
    """Choose a row's sentence or tags, by preference where it has both. Returns (text, True for tags)."""
    tags = bool(text.tags) and (prefer_tags or not text.sentence)
    return (text.tags if tags else text.sentence), tags


def possible_texts(text: CaptionText, tag_share: float) -> tuple[str, ...]:
    """The texts that `choose_text` may return where tags are preferred with a probability of `tag_share`."""
    sentence = text.sentence if tag_share < 1 or not text.tags else ""
    tags = text.tags if tag_share > 0 or not text.sentence else ""
    return tuple(t for t in (sentence, tags) if t)
