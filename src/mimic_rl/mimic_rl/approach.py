"""The way to the start of a policy: free of the object and of all else, slowly."""

import itertools
from collections.abc import Iterator
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.errors import LimitError
from mimic_description import RobotModel
from mimic_retargeting import ArmIK
from mimic_rl.surroundings import Surroundings

THERE: Final = 0.02  # [rad] or [m] from the start at which no way is needed
NEARBY: Final = 0.25  # [m] from the object within which the palm rises first
MISS: Final = 0.02  # [m] by which a posture on the way may miss its place; else it is left out
SEARCHES: Final = 4  # for such a posture
FAR: Final = 1.0  # [rad] of a joint, by which such a posture is of another kind
PEAK: Final = 1.875  # [1] highest speed of an eased line over its mean speed
LEAST: Final = 0.2  # [s] for a line
RISES: Final = (0.1, 0.2, 0.3)  # [m] by which the way goes higher where a line is not free


class Way:
    """Lines between (K, J) postures, each from rest to rest."""

    def __init__(self, points: FloatArray, speed: FloatArray) -> None:
        """Args: points: (K, J) [rad] or [m]; speed: (J,) that no joint exceeds, > 0."""
        self.points: Final = points.copy()
        lines = np.abs(np.diff(points, axis=0)) / speed
        times = np.maximum(PEAK * lines.max(axis=1), LEAST)
        self._ends: Final = np.concatenate([[0.0], np.cumsum(times)])

    @property
    def duration(self) -> float:
        """Of the whole way [s]."""
        return float(self._ends[-1])

    def at(self, time: float) -> FloatArray:
        """Return (J,) where to be at a time [s] after the beginning; at the end from then on."""
        if time >= self.duration:
            return self.points[-1].copy()
        line = int(np.searchsorted(self._ends, max(time, 0.0), side='right')) - 1
        share = (max(time, 0.0) - self._ends[line]) / (self._ends[line + 1] - self._ends[line])
        eased = share**3 * (10.0 - 15.0 * share + 6.0 * share**2)
        q: FloatArray = (1.0 - eased) * self.points[line] + eased * self.points[line + 1]
        return q


def way_to_start(
    robot: RobotModel,
    ik: ArmIK,
    around: Surroundings,
    q: FloatArray,
    start: FloatArray,
    place: FloatArray,
    *,
    clearance: float,
    speed: float,
) -> Way:
    """Return the way from a posture to a start beside an object.

    A palm near the object rises first; the start is come to from the side on which it is. Where
    that is not free, higher ways are tried: up, across, down beside the start or down to it.

    Args:
        robot: With an arm.
        ik: Of its palm.
        around: Its surroundings, with the object where it is.
        q: (J,) where it is.
        start: (J,) where it goes.
        place: (3,) of the object in base_link [m].
        clearance: From the start to where it is come from [m].
        speed: Over the joints' limits [1].

    Raises:
        LimitError: The robot would touch something at the start, or on every way to it.
    """
    stops = [q, start]
    if np.abs(start - q).max() > THERE:
        if touched := around.touched(start):
            raise LimitError(f'the robot would touch {touched} at the start beside the object')
        stops = _free_way(ik, around, q, start, place, clearance)
    return Way(np.array(stops), speed * robot.limits.max_speed)


def _free_way(
    ik: ArmIK,
    around: Surroundings,
    q: FloatArray,
    start: FloatArray,
    place: FloatArray,
    clearance: float,
) -> list[FloatArray]:
    """Return the postures from q (J,) to the start (J,) between which lines are free.

    Raises:
        LimitError: No such way is found.
    """
    source = _arrivals(ik, around, start, place, clearance)
    known: list[list[FloatArray]] = []  # each is sought once
    for departure in _departures(ik, around, q, place, clearance):
        for arrival in itertools.chain(known[:], _kept(source, known)):
            if around.is_free([departure[-1], arrival[0]]):
                return [*departure, *arrival]
    raise LimitError(
        'no way to the start is free of the object, the table and what stands on it: bring the '
        'robot elsewhere first (control/move_to)'
    )


def _departures(
    ik: ArmIK, around: Surroundings, q: FloatArray, place: FloatArray, clearance: float
) -> Iterator[list[FloatArray]]:
    """Give free lines from q (J,): none where the palm is far from the object, else up."""
    palm = ik.pose(q[: len(ik.joints)])
    near = np.linalg.norm(palm[:3, 3] - place) < NEARBY
    if not near:
        yield [q]
    for rise in (clearance, *RISES) if near else RISES:
        stops = [q, *_moved(ik, q, palm, np.array([0.0, 0.0, rise]))]
        if len(stops) > 1 and around.is_free(stops):
            yield stops
    if near:
        yield [q]


def _arrivals(
    ik: ArmIK, around: Surroundings, start: FloatArray, place: FloatArray, clearance: float
) -> Iterator[list[FloatArray]]:
    """Give free lines to the start (J,): from beside it, from over that, from over the start."""
    palm = ik.pose(start[: len(ik.joints)])
    away = palm[:3, 3] - place
    away[2] = max(away[2], 0.0)
    length = float(np.linalg.norm(away))
    away = clearance * (away / length if length > MISS else np.array([0.0, 0.0, 1.0]))
    beside = _moved(ik, start, palm, away)
    ends = [([*beside, start], away)] if beside else []
    if beside and around.is_free(ends[0][0]):
        yield ends[0][0]
    for stops, offset in [*ends, ([start], np.zeros(3))]:
        for rise in RISES:
            over = _moved(ik, stops[0], palm, offset + np.array([0.0, 0.0, rise]))
            if over and around.is_free([*over, *stops]):
                yield [*over, *stops]


def _kept(
    source: Iterator[list[FloatArray]], known: list[list[FloatArray]]
) -> Iterator[list[FloatArray]]:
    for item in source:
        known.append(item)
        yield item


def _moved(ik: ArmIK, q: FloatArray, palm: FloatArray, by: FloatArray) -> list[FloatArray]:
    """Return the posture whose palm is moved by (3,) [m], or none where the arm is at its end."""
    target = palm.copy()
    target[:3, 3] += by
    arm = ik.solve(target, q[: len(ik.joints)], max_starts=SEARCHES)
    if arm.position_error > MISS or np.abs(arm.q - q[: len(ik.joints)]).max() > FAR:
        return []
    return [np.concatenate([arm.q, q[len(ik.joints) :]])]
