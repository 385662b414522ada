"""Left or right, decided over time: log-odds that add up, and never two of the same side."""

import math
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.hand import Side

PER_IMAGE: Final = 0.3  # [1] weight of one image: neighbours are not independent
CLIP: Final = 0.95  # [1] no single image is surer than this
MOST: Final = 12.0  # [1] log-odds; about 13 images against it bring it back to none


class SideEvidence:
    """The log-odds that a hand is the right one."""

    def __init__(self) -> None:
        self.log_odds = 0.0

    def add(self, right_probability: float) -> None:
        """Add what one image says [1]."""
        p = min(max(right_probability, 1.0 - CLIP), CLIP)
        odds = self.log_odds + PER_IMAGE * math.log(p / (1.0 - p))
        self.log_odds = min(max(odds, -MOST), MOST)


def sides(log_odds: FloatArray, before: list[Side | None]) -> list[Side]:
    """Return the sides of one or two hands.

    Args:
        log_odds: (N,) [1] of being the right hand.
        before: The sides so far, kept while the evidence is even.
    """
    if len(log_odds) == 1:
        if log_odds[0] == 0.0 and before[0] is not None:
            return [before[0]]
        return ['right' if log_odds[0] > 0.0 else 'left']
    difference = log_odds[0] - log_odds[1]
    if difference == 0.0 and before[0] is not None:
        first = before[0] == 'right'
    else:
        first = bool(np.signbit(-difference))
    return ['right', 'left'] if first else ['left', 'right']
