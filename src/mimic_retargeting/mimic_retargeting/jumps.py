"""Refuses a hand that is suddenly elsewhere, until it stays there."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray


@dataclass(frozen=True)
class Verdict:
    """What to do with a look."""

    reason: str = ''  # why to refuse it; empty: take it
    moved: bool = False  # taken, but at another place than before


class JumpGuard:
    """A wrist that moves faster than a hand can has jumped; it is believed once it stays there."""

    MARGIN: Final = 0.03  # [m] of noise that is no speed
    CONFIRM: Final = 0.25  # [s] that a new place must last
    GAP: Final = 0.1  # [s] a longer gap does not make a longer way credible
    FORGET: Final = 1.0  # [s] after which any place is as good as another

    def __init__(self, max_speed: float) -> None:
        """Args: max_speed: of a wrist [m/s]."""
        self._max_speed = max_speed
        self._place: FloatArray | None = None
        self._stamp = 0.0
        self._candidate: FloatArray | None = None
        self._candidate_stamp = 0.0
        self._since = 0.0

    def reset(self) -> None:
        """Forget all places."""
        self._place = self._candidate = None

    def check(self, wrist: FloatArray, stamp: float) -> Verdict:
        """Judge a wrist (3,) [m] at a growing stamp [s]."""
        if self._place is None or stamp - self._stamp > self.FORGET:
            return self._take(wrist, stamp, moved=self._place is not None)
        jump = float(np.linalg.norm(wrist - self._place))
        if jump <= self._max_speed * min(stamp - self._stamp, self.GAP) + self.MARGIN:
            return self._take(wrist, stamp, moved=False)
        if (
            self._candidate is None
            or float(np.linalg.norm(wrist - self._candidate))
            > self._max_speed * (stamp - self._candidate_stamp) + self.MARGIN
        ):
            self._since = stamp
        self._candidate, self._candidate_stamp = wrist.copy(), stamp
        if stamp - self._since >= self.CONFIRM:
            return self._take(wrist, stamp, moved=True)
        return Verdict(f'the hand jumped by {jump:.2f} m in {stamp - self._stamp:.3f} s')

    def _take(self, wrist: FloatArray, stamp: float, *, moved: bool) -> Verdict:
        self._place, self._stamp, self._candidate = wrist.copy(), stamp, None
        return Verdict(moved=moved)
