"""Places of one worker, shared fairly: a register that hangs may fill the common ones, never all.

Each lane that may be served has a few places of its own, a quarter of all together; the rest is for whoever comes
first. So a lane that has work always finds a place, however long the calls of the others last.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

LaneKey = tuple[int, int]


class Places:
    """What is left to each lane within one claim."""

    def __init__(self, total: int, lanes: Collection[LaneKey], held: Mapping[LaneKey, int]) -> None:
        everybody = {*lanes, *held}
        self._held = dict(held)
        self._own = own(total, len(everybody))
        self._common = (
            total
            - self._own * len(everybody)
            - sum(max(0, count - self._own) for lane, count in held.items() if lane in everybody)
        )

    def left(self, lane: LaneKey) -> int:
        """How many more calls the lane may start."""
        return max(0, self._own - self._held.get(lane, 0)) + max(0, self._common)

    def take(self, lane: LaneKey, count: int) -> None:
        """The lane starts so many calls."""
        before = max(0, self._held.get(lane, 0) - self._own)
        self._held[lane] = self._held.get(lane, 0) + count
        self._common -= max(0, self._held[lane] - self._own) - before


def own(total: int, lanes: int) -> int:
    """The places that each of so many lanes has for itself: none where it is alone, at least one where all fit."""
    if lanes < 2:
        return 0
    return max(total // (4 * lanes), 1 if lanes < total else 0)
