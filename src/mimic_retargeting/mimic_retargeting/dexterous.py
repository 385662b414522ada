"""Dexterous hands: human keypoints to finger joints, by the objective of the registry entry."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError
from mimic_core.frames import PALM
from mimic_core.keypoints import INDEX, WRIST
from mimic_description import RobotModel
from mimic_retargeting.hand_solver import HandSolution, HandSolver
from mimic_retargeting.human import HumanHand

Method = Literal['pinch', 'position', 'vector']


@dataclass(frozen=True)
class _Term:
    """One vector of the objective: from one keypoint to another, from one link to another."""

    from_keypoint: int
    to_keypoint: int
    from_link: str | None  # None: the origin of palm
    to_link: str
    weight: float
    pinch: bool = False


class DexterousRetargeter:
    """Finger joints whose links are where the scaled human keypoints are, in the axes of the palm.

    position: min Σ w_i c_i |s x_i − FK_i(q)|² + β|q − q_last|² over the keypoints of the registry
    entry, c their confidence. vector: the same over its vectors. pinch: position plus one vector
    between thumb and each finger that it pinches with; as the person's distance falls from
    `pinch_open` to `pinch_closed`, its weight rises from 0 and its length falls to 0, so that the
    robot's tips press on what the person's tips only touch.
    Source of the idea: Handa et al. 2020, DexPilot, section V, here without its jump at a
    threshold.
    """

    def __init__(
        self,
        robot: RobotModel,
        method: Method = 'pinch',
        *,
        smoothing: float = 1.0,
        pinch_closed: float = 0.05,
        pinch_open: float = 0.095,
        pinch_weight: float = 10.0,
    ) -> None:
        """Read the registry entry and compile.

        Args:
            robot: Robot with a dexterous hand.
            method: Which objective.
            smoothing: Factor on the entry's regularisation [1].
            pinch_closed: Human thumb-finger distance at which a pinch is closed [m].
            pinch_open: From where it is none [m].
            pinch_weight: Weight of a closed pinch [1].

        Raises:
            ConfigError: The hand has no keypoints or vectors for this method.
        """
        hand = robot.hand
        if hand is None or hand.retargeting is None:
            raise ConfigError('the robot has no hand with a retargeting entry')
        if not 0 <= pinch_closed < pinch_open:
            raise ConfigError(
                f'needs 0 <= pinch_closed < pinch_open: {pinch_closed}, {pinch_open}'
            )
        entry = hand.retargeting
        self._terms: Final = _terms(robot, method)
        if not self._terms:
            raise ConfigError(f'{hand.name} has no retargeting entries for method {method}')
        self._scale = entry.scale
        self._closed, self._open, self._pinch_weight = pinch_closed, pinch_open, pinch_weight
        self.solver: Final = HandSolver(
            robot,
            [(t.from_link, t.to_link) for t in self._terms],
            beta=entry.regularisation * smoothing,
        )
        tips = {f: link for f, link in hand.tip_frames.items()}
        self._tip_terms: Final = [
            i
            for i, t in enumerate(self._terms)
            if t.from_link is None and not t.pinch and t.to_link in tips.values()
        ]
        self._tips: Final = HandSolver(
            robot, [(None, tips['thumb']), (None, tips['index'])], beta=0.0, max_iterations=1
        )

    def targets(self, human: HumanHand) -> tuple[FloatArray, FloatArray]:
        """Return (T, 3) wanted vectors [m] and (T,) weights for a hand."""
        target = np.zeros((len(self._terms), 3))
        weight = np.zeros(len(self._terms))
        for i, term in enumerate(self._terms):
            a, b = term.from_keypoint, term.to_keypoint
            trust = min(human.confidence[a], human.confidence[b])
            if trust <= 0.0:
                continue
            vector = human.points[b] - human.points[a]
            if not term.pinch:
                target[i] = self._scale * vector
                weight[i] = term.weight * trust
                continue
            distance = float(np.linalg.norm(vector))
            share = (distance - self._closed) / (self._open - self._closed)
            share = min(max(share, 0.0), 1.0)
            if share >= 1.0:
                continue
            target[i] = share * vector
            closing = 1.0 - share
            weight[i] = self._pinch_weight * trust * closing * closing * (3.0 - 2.0 * closing)
        return target, weight

    def solve(
        self, human: HumanHand, q_last: FloatArray, start: FloatArray | None = None
    ) -> HandSolution:
        """Return the finger joints for a hand.

        Args:
            human: The hand; keypoints that are not seen do not count.
            q_last: (J of the hand,) joints of the last solution.
            start: (J of the hand,) where the search starts; q_last if None.
        """
        target, weight = self.targets(human)
        return self.solver.solve(target, weight, q_last, start=start)

    def tip_error(self, solution: HandSolution, human: HumanHand) -> float:
        """Return the mean distance of finger tips to their targets [m], NaN if none is seen."""
        _, weight = self.targets(human)
        errors = [solution.errors[i] for i in self._tip_terms if weight[i] > 0.0]
        return float(np.mean(errors)) if errors else float('nan')

    def pinch_point(self, q: FloatArray) -> FloatArray:
        """Return (3,) the middle of thumb and index tip in `palm` [m] at (J,) finger joints."""
        thumb, index = self._tips.vectors(q)
        middle: FloatArray = 0.5 * (thumb + index)
        return middle


def _terms(robot: RobotModel, method: Method) -> list[_Term]:
    """Return the terms of a method from the registry entry."""
    assert robot.hand is not None and robot.hand.retargeting is not None
    entry, tips = robot.hand.retargeting, robot.hand.tip_frames
    if method == 'vector':
        return [
            _Term(
                INDEX[v.from_keypoint],
                INDEX[v.to_keypoint],
                None if v.from_link == PALM else v.from_link,
                v.to_link,
                v.weight,
            )
            for v in entry.vectors
        ]
    terms = [_Term(WRIST, INDEX[k], None, link, 1.0) for k, link in entry.keypoints.items()]
    if method == 'pinch':
        terms += [
            _Term(INDEX[f'{a}_tip'], INDEX[f'{b}_tip'], tips[a], tips[b], 1.0, pinch=True)
            for a, b in entry.pinch
            if a in tips and b in tips
        ]
    return terms
