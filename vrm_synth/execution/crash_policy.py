"""What processes die of: a shot that two have died of is quarantined; after three of those in a row so is the rest.

An avatar that kills whoever draws it would cost two processes a shot. So it is given up in a block, from the first
`IN_A_ROW` of its shots on that processes died of, in the order of their numbers: those after them are quarantined,
drawn or not. Who drew what first leaves no trace in that: whatever lies before the first such row is tried in any
order of events, and whatever lies after it is dropped. Blocks do not know of each other, as they may be made on
different machines, so that an avatar like this costs each block a few processes.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from vrm_synth.dataset.plan import Plan
from vrm_synth.shot import source_at

DEATHS = 2  # processes that may die of one shot
IN_A_ROW = 3  # shots of an avatar
OF_SHOT = f"{DEATHS} processes that drew it died"
OF_AVATAR = f"its avatar is given up: processes died of {IN_A_ROW} of its shots in a row"


class CrashPolicy:
    """The deaths so far, by shot."""

    def __init__(self, plan: Plan):
        self._plan = plan
        self._groups: dict[tuple[int, str], _Group] = {}  # by block and avatar, where a process died

    def add(self, i: int) -> bool:
        """A process has died of shot i. Whether the shot is to be quarantined."""
        block, source = name = self._name(i)
        if name not in self._groups:
            shots = self._plan.shots(block)
            self._groups[name] = _Group([k for k in shots if source_at(self._plan.recipe, k) == source])
        deaths = self._groups[name].deaths
        deaths[i] += 1
        return deaths[i] == DEATHS

    def survived(self, i: int) -> None:
        """Shot i has been drawn, whatever happened before."""
        if self._groups and (group := self._groups.get(self._name(i))):
            group.deaths.pop(i, None)

    def doubtful(self, i: int) -> bool:
        """Whether shot i may come to be given up, and had better wait until it is known."""
        return self._is_after_a_row(i, 1)

    def given_up(self, i: int) -> bool:
        """Whether shot i is given up with its avatar."""
        return self._is_after_a_row(i, DEATHS)

    def _name(self, i: int) -> tuple[int, str]:
        return i // self._plan.shard_size, source_at(self._plan.recipe, i)

    def _is_after_a_row(self, i: int, least: int) -> bool:
        group = self._groups.get(self._name(i)) if self._groups else None
        return group is not None and i > group.end_of_row(least)


@dataclass(frozen=True)
class _Group:
    """The shots of an avatar in a block, rising, and how many processes have died of some of them."""

    shots: list[int]
    deaths: Counter[int] = field(default_factory=Counter)

    def end_of_row(self, least: int) -> float:
        """The last shot of the first row that is long enough, of shots with so many deaths; infinity without one."""
        at = sorted(bisect_left(self.shots, i) for i, deaths in self.deaths.items() if deaths >= least)
        ends = (last for first, last in zip(at, at[IN_A_ROW - 1 :], strict=False) if last - first == IN_A_ROW - 1)
        return next((self.shots[last] for last in ends), math.inf)
