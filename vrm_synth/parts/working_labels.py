"""Labels while they are being found: of each cell of the color regions, with what decided. The first word counts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(eq=False)
class WorkingLabels:
    """Labels of N cells.

    part: (N,) uint8, part id, 0 while nothing is known.
    why: (N,) index into reasons.
    subject: (N,) index into subjects, −1 for none.
    closed: (N,) True where nothing more may decide, though the label be "unknown" (an override can say so).
    """

    part: NDArray[np.uint8]
    why: NDArray[np.intp]
    subject: NDArray[np.intp]
    closed: NDArray[np.bool_]
    reasons: list[str] = field(default_factory=lambda: [""])
    subjects: list[str] = field(default_factory=list)

    @classmethod
    def empty(cls, count: int) -> WorkingLabels:
        """Labels of `count` cells of which nothing is known."""
        return cls(np.zeros(count, np.uint8), np.zeros(count, np.intp), np.full(count, -1), np.zeros(count, np.bool_))

    def set(
        self, cells: NDArray[np.bool_], part: ArrayLike, why: str, subject: str | None = None, final: bool = False
    ) -> None:
        """Label cells (N,) that have no label yet. part: an id, or (N,) ids; final: nothing decides after this."""
        chosen = cells & (self.part == 0) & ~self.closed
        self.part[chosen] = np.broadcast_to(np.asarray(part, np.uint8), self.part.shape)[chosen]
        self._explain(chosen, why, subject)
        if final:
            self.closed |= chosen

    def refine(self, cells: NDArray[np.bool_], part: int, why: str, subject: str | None = None) -> None:
        """Replace the label of cells (N,) by a narrower one, unless an override gave it."""
        chosen = cells & ~self.closed
        self.part[chosen] = part
        self._explain(chosen, why, subject)

    def _explain(self, chosen: NDArray[np.bool_], why: str, subject: str | None) -> None:
        self.why[chosen] = _index(self.reasons, why)
        self.subject[chosen] = -1 if subject is None else _index(self.subjects, subject)


def _index(known: list[str], text: str) -> int:
    if text not in known:
        known.append(text)
    return known.index(text)
