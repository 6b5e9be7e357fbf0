"""What training does to captions: mirror, shuffle, drop. Pure functions of the text and of chance handed in."""

from __future__ import annotations

import re

import numpy as np

from vrm_synth.train.data.source import CaptionText

_SIDE = re.compile(r"(?<![A-Za-z])(left|right)(?=(?:wards?|most|hand(?:ed)?)?(?![A-Za-z]))", re.IGNORECASE)
_SIDE_JA = re.compile("左右|右左|左|右")
_OTHER = {"left": "right", "right": "left", "左": "右", "右": "左"}

# Left and right in another sense, or a turning sense that has no other word here.
_UNCLEAR = re.compile(
    r"\bright[ _](?:now|away|there|here|after|before|through|up|next|beside|behind|in front|angles?)\b|\ball[ _]right\b"
    r"|\b(?:left|right)[- ]wing|\bleft[ _](?:behind|over|alone|open|unfinished|empty|the|a|an|his|her|their|its|with)\b"
    r"|\b(?:has|have|had|was|were|is|are|be|been|being|just|one|nothing|none)[ _]left\b|clockwise|時計回り",
    re.IGNORECASE,
)
# What a mirror image shows the wrong way round, as captions and tags name it.
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
    """The caption of the mirror image: left and right, the character's and the viewer's, change places.

    None where it cannot be told: writing in the picture, or a left or right that is no side ("right now").
    """
    if _UNCLEAR.search(text) or _WRITING.search(text):
        return None
    swapped = _SIDE.sub(lambda m: _as(m[1], _OTHER[m[1].lower()]), text)
    return _SIDE_JA.sub(lambda m: _OTHER.get(m[0], m[0]), swapped)


def _as(pattern: str, word: str) -> str:
    """The word in the pattern's case."""
    return word.upper() if pattern.isupper() else word.capitalize() if pattern[0].isupper() else word


def shuffle(tags: str, keep: int, chance: np.random.Generator) -> str:
    """ "a, b, c, d" with all but its first `keep` parts in another order."""
    parts = [p for p in (t.strip() for t in tags.replace("、", ",").split(",")) if p]
    return ", ".join(parts[:keep] + [parts[keep + i] for i in chance.permutation(max(0, len(parts) - keep))])


def pick(words: CaptionText, tags: bool) -> tuple[str, bool]:
    """(text, whether it is tags): of a row that has both what is asked for, else what it has."""
    tags = bool(words.tags) and (tags or not words.sentence)
    return (words.tags if tags else words.sentence), tags


def usable(words: CaptionText, tag_share: float) -> tuple[str, ...]:
    """The texts that `pick` may give."""
    sentence = words.sentence if tag_share < 1 or not words.tags else ""
    tags = words.tags if tag_share > 0 or not words.sentence else ""
    return tuple(t for t in (sentence, tags) if t)
