"""Dexterous hands: human keypoints to finger joints, by the objective of the registry entry."""

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError
from mimic_core.frames import PALM
from mimic_core.keypoints import INDEX, KEYPOINTS, WRIST
from mimic_description import Device, RobotModel
from mimic_retargeting.grip import Grip, PinchWay, dexterous_grip
from mimic_retargeting.hand_solver import HandSolution, HandSolver
from mimic_retargeting.human import HumanHand

Method = Literal['pinch', 'position', 'vector']

NO_PINCH: Final = ''
_PAIR: Final = 'pair'
_PINCHERS: Final = ('thumb', 'index')
_PINCH_TIPS: Final = (INDEX['thumb_tip'], INDEX['index_tip'])
_SIDES: Final = {'thumb': -0.5, 'index': 0.5}  # [1] of the opening, along the closing line
_FADE: Final = 1.5  # [1] of pinch_open, where nothing is left of a pinch
_YIELD: Final = 0.95  # [1] how much the other terms of the two fingers give way to it


@dataclass(frozen=True)
class _Term:
    """One vector of the objective: from one keypoint to another, from one link to another."""

    from_keypoint: int
    to_keypoint: int
    from_link: str | None  # None: the origin of palm
    to_link: str
    weight: float
    pinch: str = NO_PINCH  # a finger: its tip in a pinch; pair: distance to the thumb


class DexterousRetargeter:
    """Finger joints whose links are where the scaled human keypoints are, in the axes of the palm.

    position: min Σ w_i c_i |s x_i − FK_i(q)|² + β|q − q_last|² over the keypoints of the registry
    entry, c their confidence. vector: the same over its vectors. pinch: position, and as the
    person's thumb and a finger come near, weights rise that make the robot pinch as well: with the
    index on a line through `grasp_center`, where the arm expects things to be, with the other
    fingers towards the thumb. The distance of the robot's tips falls from
    `aperture_max` of the registry entry to 0 between `pinch_open` and `pinch_closed` of the
    person, so that they press on what the person's tips only touch; by how much is bounded by
    `max_squeeze`. A hand with the posture wide pinches on the way from it to its posture pinch
    with all its fingers, whatever the person's other fingers do: fingers with one motor cannot be
    anywhere on that line, nor curl out of it, and a thing between two tips tips over and turns.
    Source of the idea: Handa et al. 2020, DexPilot, section V, here without its jump at a
    threshold.
    """

    def __init__(
        self,
        robot: RobotModel,
        method: Method = 'pinch',
        *,
        smoothing: float = 1.0,
        pinch_closed: float = 0.04,
        pinch_open: float = 0.085,
        pinch_weight: float = 10.0,
        max_squeeze: float = math.inf,
    ) -> None:
        """Read the registry entry and compile.

        Args:
            robot: Robot with a dexterous hand.
            method: Which objective.
            smoothing: Factor on the entry's regularisation [1].
            pinch_closed: Human thumb-finger distance at which a pinch is closed [m].
            pinch_open: From where it is none [m].
            pinch_weight: Weight of a closed pinch [1].
            max_squeeze: How much nearer the tips of a pinch are sent to each other than they are,
                where that is known [m].

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
        self._max_squeeze = max_squeeze
        self.solver: Final = HandSolver(
            robot,
            [(t.from_link, t.to_link) for t in self._terms],
            beta=entry.regularisation * smoothing,
        )
        tips = hand.tip_frames
        self._tip_terms: Final = np.array(
            [t.from_link is None and t.to_link in tips.values() for t in self._terms]
        )
        # Terms of the fingers of a pinch give way to it.
        self._way: Final = PinchWay(robot)
        self._goes_way: Final = _has_way(hand)
        pinchers = {term.pinch for term in self._terms}
        self._gives_way: Final = np.array(
            [
                t.pinch == NO_PINCH and KEYPOINTS[t.to_keypoint].split('_')[0] in pinchers
                for t in self._terms
            ]
        )
        self._pinches: Final = bool(pinchers & set(_PINCHERS))
        self._widest = 0.0 if hand.grasp is None else hand.grasp.aperture_max
        self.grip: Final[Grip] = dexterous_grip(robot, self._way)

    def targets(
        self,
        human: HumanHand,
        aperture: float | None = None,
        measured: FloatArray | None = None,
    ) -> tuple[FloatArray, FloatArray]:
        """Return (T, 3) wanted vectors [m] and (T,) weights for a hand; arguments as `solve`."""
        target = np.zeros((len(self._terms), 3))
        weight = np.zeros(len(self._terms))
        distance = human.distance(*_PINCH_TIPS) if aperture is None else aperture
        regime, opening = self._pinch(distance)
        if measured is not None and regime > 0.0:
            nearest = self._way.opening(measured) - self._max_squeeze
            opening = max(opening, min(nearest, self._widest))
        for i, term in enumerate(self._terms):
            a, b = term.from_keypoint, term.to_keypoint
            trust = min(human.confidence[a], human.confidence[b])
            if term.pinch not in (NO_PINCH, _PAIR):
                target[i] = self._pinched(term.pinch, opening)
                weight[i] = self._pinch_weight * regime
            elif trust > 0.0:
                vector = human.points[b] - human.points[a]
                if term.pinch == NO_PINCH:
                    target[i] = self._scale * vector
                    weight[i] = term.weight * trust
                    continue
                closing = 1.0 - self._share(float(np.linalg.norm(vector)))
                target[i] = (1.0 - closing) * vector
                weight[i] = self._pinch_weight * trust * (1.0 - regime) * _smooth(closing)
        weight[self._gives_way] *= 1.0 - _YIELD * regime
        return target, weight

    def _pinched(self, finger: str, opening: float) -> FloatArray:
        """Return (3,) [m] of a finger's tip in a pinch that is so wide [m]."""
        if self._goes_way:
            return self._way.tip(finger, opening)
        return self.grip.centre + _SIDES[finger] * opening * self.grip.closing

    def _share(self, distance: float) -> float:
        """Return how open a pinch of tips so far apart [m] is: 0 to 1."""
        share = (distance - self._closed) / (self._open - self._closed)
        return min(max(share, 0.0), 1.0)

    def _pinch(self, distance: float) -> tuple[float, float]:
        """Return how much thumb and index pinch, 0 to 1, and the robot's opening [m]."""
        if not np.isfinite(distance) or not self._pinches:
            return 0.0, 0.0
        far = (_FADE * self._open - distance) / ((_FADE - 1.0) * self._open)
        regime = _smooth(min(max(far, 0.0), 1.0))
        return regime, self._share(distance) * self._widest

    def solve(
        self,
        human: HumanHand,
        q_last: FloatArray,
        aperture: float | None = None,
        measured: FloatArray | None = None,
    ) -> HandSolution:
        """Return the finger joints for a hand.

        Args:
            human: The hand; keypoints that are not seen do not count.
            q_last: (J of the hand,) joints of the last solution.
            aperture: Thumb tip to index tip [m], from `Aperture`, which also knows it for a while
                after the tips are hidden, so that a pinch does not open; NaN: not known; None: as
                seen now.
            measured: (J of the hand,) where the joints are. A thing between the fingers keeps them
                from where they are sent; all of them are then sent equally far into it, so that
                it stays in the middle.
        """
        target, weight = self.targets(human, aperture, measured)
        return self.solver.solve(target, weight, q_last)

    def tip_error(
        self, solution: HandSolution, human: HumanHand, aperture: float | None = None
    ) -> float:
        """Return the mean distance of finger tips to their targets [m], NaN if none is seen.

        Weighted as in the objective, so a pinch counts by where it should be.
        """
        weight = np.where(self._tip_terms, self.targets(human, aperture)[1], 0.0)
        used = weight > 0.0
        if not used.any():
            return float('nan')
        return float(weight[used] @ solution.errors[used] / weight[used].sum())


def _smooth(share: float) -> float:
    """Return 0 to 1 for 0 to 1, with level ends."""
    return share * share * (3.0 - 2.0 * share)


def _has_way(hand: Device) -> bool:
    """Tell whether a hand names the posture from which all its fingers pinch."""
    return 'wide' in hand.postures


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
            _Term(INDEX[f'{a}_tip'], INDEX[f'{b}_tip'], tips[a], tips[b], 1.0, pinch=_PAIR)
            for a, b in entry.pinch
            if a in tips and b in tips and (a, b) != _PINCHERS
        ]
        terms += [
            _Term(WRIST, INDEX[f'{finger}_tip'], None, tips[finger], 1.0, pinch=finger)
            for finger in (tips if _has_way(robot.hand) else _PINCHERS)
            if _PINCHERS in entry.pinch
        ]
    return terms
