"""The way to the start of a policy: not over the object, slowly."""

import itertools
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.errors import LimitError
from mimic_description import RobotModel
from mimic_retargeting import ArmIK

THERE: Final = 0.02  # [rad] or [m] from the start at which no way is needed
NEARBY: Final = 0.25  # [m] from the object within which the palm rises first
MISS: Final = 0.02  # [m] by which a posture on the way may miss its place; else it is left out
SEARCHES: Final = 4  # for such a posture
FAR: Final = 1.0  # [rad] of a joint, by which such a posture is of another kind
PEAK: Final = 1.875  # [1] highest speed of an eased line over its mean speed
LEAST: Final = 0.2  # [s] for a line
LOW: Final = 0.03  # [m] over the table, lowest finger tip on a line
RISES: Final = (0.1, 0.2, 0.3)  # [m] by which the way goes higher where a line is not free
SAMPLES: Final = 12  # of a line


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
    q: FloatArray,
    start: FloatArray,
    place: FloatArray,
    *,
    clearance: float,
    speed: float,
) -> Way:
    """Return the way from a posture to a start beside an object.

    A palm near the object rises first; the start is come to from the side on which it is.

    Args:
        robot: With an arm.
        ik: Of its palm.
        q: (J,) where it is.
        start: (J,) where it goes.
        place: (3,) of the object in base_link [m].
        clearance: From the start to where it is come from [m].
        speed: Over the joints' limits [1].

    Raises:
        LimitError: The way would touch the table or the object.
    """
    arm = len(robot.arm_joints)
    points = [q]
    if np.abs(start - q).max() > THERE:
        palm = ik.pose(q[:arm])
        if np.linalg.norm(palm[:3, 3] - place) < NEARBY:
            points += _moved(ik, q, palm, np.array([0.0, 0.0, clearance]))
        palm = ik.pose(start[:arm])
        away = palm[:3, 3] - place
        away[2] = max(away[2], 0.0)
        length = float(np.linalg.norm(away))
        away = away / length if length > MISS else np.array([0.0, 0.0, 1.0])
        points += _between(robot, ik, points[-1], start, place, clearance * away)
    points.append(start)
    return Way(np.array(points), speed * robot.limits.max_speed)


def _between(
    robot: RobotModel,
    ik: ArmIK,
    q: FloatArray,
    start: FloatArray,
    place: FloatArray,
    away: FloatArray,
) -> list[FloatArray]:
    """Return the postures between q (J,) and the start (J,): beside it, if need be from above.

    Raises:
        LimitError: No such way is free.
    """
    palm, keep = ik.pose(start[: len(ik.joints)]), float(np.linalg.norm(away))
    beside = _moved(ik, start, palm, away)
    ways = [beside]
    for rise in RISES if beside else ():
        above = _moved(ik, beside[0], palm, away + np.array([0.0, 0.0, rise]))
        ways += [above + beside] if above else []
    for way in ways:
        stops = [q, *way, start]
        if all(_is_free(robot, *line, place, keep) for line in itertools.pairwise(stops)):
            return way
    raise LimitError(
        'no way to the start is free of the table and the object: bring the robot elsewhere first '
        '(control/move_to)'
    )


def _is_free(
    robot: RobotModel, q: FloatArray, goal: FloatArray, place: FloatArray, keep: float
) -> bool:
    """Whether no finger tip gets lower, or nearer to the object, than the ends of a line are.

    Args:
        robot: With a hand.
        q: (J,) where the line begins.
        goal: (J,) where it ends.
        place: (3,) of the object [m].
        keep: From the object, at which it counts no more [m].
    """
    links = tuple(robot.tip_frames().values())
    shares = np.linspace(0.0, 1.0, SAMPLES)[:, None]
    line = (1.0 - shares) * q + shares * goal
    tips = np.array([[robot.fk(row, link)[:3, 3] for link in links] for row in line])
    lowest = tips[..., 2].min(axis=1)
    nearest = np.linalg.norm(tips - place, axis=-1).min(axis=1)
    low = min(LOW, lowest[0], lowest[-1])
    near = min(keep, nearest[0], nearest[-1])
    return bool(lowest.min() >= low - 1e-6 and nearest.min() >= near - 1e-6)


def _moved(ik: ArmIK, q: FloatArray, palm: FloatArray, by: FloatArray) -> list[FloatArray]:
    """Return the posture whose palm is moved by (3,) [m], or none where the arm is at its end."""
    target = palm.copy()
    target[:3, 3] += by
    arm = ik.solve(target, q[: len(ik.joints)], max_starts=SEARCHES)
    if arm.position_error > MISS or np.abs(arm.q - q[: len(ik.joints)]).max() > FAR:
        return []
    return [np.concatenate([arm.q, q[len(ik.joints) :]])]
