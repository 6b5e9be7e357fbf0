"""The judgement of one claim of facts, and the numbers of pixels from which a thing is plainly in sight."""

from __future__ import annotations

from dataclasses import dataclass

PLAIN = 400  # pixels of 512² from which an item counts as plainly in sight
SMALL = 150  # the same of glasses, ribbons, hairclips and irises


@dataclass(frozen=True)
class Verdict:
    """One claim, or one thing in sight. claim: the value of the fact, "" for none; right: of a claim; in_sight: the
    picture shows it plainly, so that silence is a miss."""

    kind: str
    claim: str
    right: bool
    in_sight: bool
