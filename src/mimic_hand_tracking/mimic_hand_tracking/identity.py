"""Which detection is which hand: in 3-D, with the side as a weak vote."""

from itertools import permutations
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_hand_tracking.detector import Detection

DUPLICATE: Final = 0.15  # [1] mean distance of the landmarks, in sizes of the hand
UNMATCHED: Final = 10.0  # [m] cost of a hand that is not seen, or seen for the first time
SIDE_COST: Final = 0.08  # [m] of a detection that says the other side


def without_duplicates(detections: list[Detection]) -> list[Detection]:
    """Return the detections without second views of the same hand, best score first."""
    kept: list[Detection] = []
    for detection in sorted(detections, key=lambda d: -d.score):
        size = float(np.ptp(detection.pixels, axis=0).max())
        apart = [
            float(np.linalg.norm(detection.pixels - other.pixels, axis=1).mean()) for other in kept
        ]
        if all(distance > DUPLICATE * size for distance in apart):
            kept.append(detection)
    return kept


def side_cost(log_odds: float, right_probability: float) -> float:
    """Return the cost [m] of taking a detection for a hand of that evidence [1]."""
    sure = float(np.tanh(log_odds))
    says = 2.0 * right_probability - 1.0
    return SIDE_COST * max(0.0, -sure * says)


def assign(cost: FloatArray) -> list[int | None]:
    """Return for each detection the index of its track, or None, with the least total cost.

    Args:
        cost: (D, N) [m] of detections against tracks, infinite where it cannot be.
    """
    num_detections, num_tracks = cost.shape
    choices: list[int | None] = [*range(num_tracks), *([None] * num_detections)]
    best: tuple[float, tuple[int | None, ...]] = (np.inf, ())
    for order in set(permutations(choices, num_detections)):
        total = sum(
            UNMATCHED if track is None else float(cost[i, track]) for i, track in enumerate(order)
        )
        if total < best[0]:
            best = (total, order)
    return list(best[1])
