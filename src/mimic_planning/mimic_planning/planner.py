"""From a posture to another without touching anything: straight where that is free."""

import itertools
import time
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from mimic_core.arrays import FloatArray, checked
from mimic_description import RobotModel
from mimic_planning import sampling
from mimic_planning.errors import PlanningError
from mimic_planning.scene import Scene, SceneParams

SHORTCUTS: Final = 300  # tries
SHORTCUT_SHARE: Final = 0.3  # [1] of the time that is left


@dataclass(frozen=True)
class Plan:
    """A way through joint space."""

    points: FloatArray  # (K, J) [rad] or [m], joined by straight lines; the first is the start
    kind: Literal['direct', 'sampled']
    duration: float  # [s] that planning took


class Planner:
    """Finds ways for one robot; keep it, since making it takes longer than a plan."""

    def __init__(self, robot: RobotModel, params: SceneParams | None = None) -> None:
        """Args: params: margins, table, workspace."""
        self.robot: Final = robot
        self.scene: Final = Scene(robot, params)

    def plan(
        self,
        start: FloatArray,
        goal: FloatArray,
        *,
        timeout: float = 5.0,
        seed: int = 1,
    ) -> Plan:
        """Return a way on which nothing comes too near.

        Args:
            start: (J,) where the robot is.
            goal: (J,) where it should go.
            timeout: For the whole search [s].
            seed: Of the search, > 0.

        Raises:
            PlanningError: Start or goal may not be, or there is no way in time: what is in it.
            ShapeError, NotFiniteError: Not (J,) numbers.
        """
        began = time.perf_counter()
        size = (len(self.robot.joint_names),)
        a, b = checked(start, size, 'start'), checked(goal, size, 'goal')
        if why := self.scene.admit(a, b):
            raise PlanningError(why)
        block = self.scene.first_block(a, b)
        if block is None:
            return Plan(np.stack([a, b]), 'direct', time.perf_counter() - began)
        because = f'the direct way is blocked by {self.scene.blocked_by(block)}'
        try:
            sampling.modules()
        except PlanningError as error:
            raise PlanningError(f'{because}; {error}') from error
        search = _Search(self.scene, seed, began + timeout)
        points = search.way(a, b)
        if points is None:
            raise PlanningError(f'no path found in {timeout:g} s: {because}')
        return Plan(points, 'sampled', time.perf_counter() - began)

    def check(self, points: FloatArray) -> str:
        """Return what is in the way along (K, J) postures joined by straight lines, '' if free."""
        way = checked(points, (None, len(self.robot.joint_names)), 'points')
        if why := self.scene.admit(way[0], way[-1]):
            return why
        for a, b in itertools.pairwise(way):
            block = self.scene.first_block(a, b)
            if block is not None:
                return self.scene.blocked_by(block)
        return ''


class _Search:
    """One search with its clock."""

    def __init__(self, scene: Scene, seed: int, end: float) -> None:
        self._scene, self._seed, self._end = scene, seed, end
        self._limits = scene.robot.limits
        self._rng = np.random.default_rng(seed)
        self._arms = len(scene.robot.arm_joints)

    def way(self, a: FloatArray, b: FloatArray) -> FloatArray | None:
        """Return (K, J) checked points from a (J,) to b (J,), None when time is up."""
        while (left := self._end - time.perf_counter()) > 0.0:
            points = self._raw(a, b, left)
            if points is None:
                return None
            if not self._checked(points):
                continue  # between two looks of the search: another tree
            return self._shortened(points)
        return None

    def _raw(self, a: FloatArray, b: FloatArray, left: float) -> FloatArray | None:
        """Return points that the coarse search found: arm and hand apart first, then at once."""
        arms = self._arms
        tries: list[tuple[list[FloatArray], FloatArray, FloatArray, list[FloatArray]]] = []
        if 0 < arms < len(a) and np.abs(a[arms:] - b[arms:]).max() > 1e-9:
            late, early = a.copy(), b.copy()
            late[:arms], early[:arms] = b[:arms], a[:arms]
            if self._scene.way_is_free(late, b):
                tries.append(([], a, late, [b]))
            if self._scene.way_is_free(a, early):
                tries.append(([a], early, b, []))
        tries.append(([], a, b, []))
        for number, (before, begin, end, after) in enumerate(tries):
            if self._scene.way_is_free(begin, end):
                return np.array([*before, begin, end, *after])
            share = left / (len(tries) - number + 1) if number + 1 < len(tries) else None
            points = self._connected(begin, end, share)
            if points is not None:
                return np.array([*before, *points, *after])
        return None

    def _connected(
        self, a: FloatArray, b: FloatArray, share: float | None
    ) -> list[FloatArray] | None:
        moving = np.flatnonzero(np.abs(a - b) > 1e-9)
        if self._arms:  # a joint of the arm that stands may have to give way
            moving = np.union1d(np.arange(self._arms), moving)
        left = self._end - time.perf_counter()
        timeout = min(share or left, left)
        if timeout <= 0.0:
            return None
        posture = a.copy()

        def free(values: FloatArray) -> bool:
            posture[moving] = values
            return self._scene.free(posture)

        found = sampling.connect(
            free, a[moving], b[moving], self._limits.lower[moving], self._limits.upper[moving],
            self._scene.reach[moving], timeout, self._seed,
        )  # fmt: skip
        if found is None:
            return None
        points = np.tile(a, (len(found), 1))
        points[:, moving] = found
        return list(points)

    def _checked(self, points: FloatArray) -> bool:
        pairs = itertools.pairwise(points)
        return all(self._scene.way_is_free(a, b) for a, b in pairs)

    def _shortened(self, points: FloatArray) -> FloatArray:
        """Return a shorter way: corners that nothing needs are cut."""
        way = list(points)
        now = time.perf_counter()
        end = now + SHORTCUT_SHARE * max(self._end - now, 0.0)
        for _ in range(SHORTCUTS):
            if len(way) <= 2 or time.perf_counter() > end:
                break
            lengths = [self._length(a, b) for a, b in itertools.pairwise(way)]
            total = np.concatenate([[0.0], np.cumsum(lengths)])
            s, t = np.sort(self._rng.uniform(0.0, total[-1], 2))
            if self._rng.random() < 0.5:  # corner to corner, which removes what is between
                s, t = (float(total[int(np.argmin(np.abs(total - x)))]) for x in (s, t))
            i = int(np.clip(np.searchsorted(total, s, side='right') - 1, 0, len(way) - 2))
            k = int(np.clip(np.searchsorted(total, t, side='left') - 1, 0, len(way) - 2))
            if i == k:
                continue
            a = self._between(way, total, i, float(s))
            b = self._between(way, total, k, float(t))
            saved = float(t - s) - self._length(a, b)
            if saved <= 1e-6 or not self._scene.way_is_free(a, b):
                continue
            ends = (a, b)
            way = _joined([*way[: i + 1], *ends, *way[k + 1 :]])
        return np.array(way)

    def _between(self, way: list[FloatArray], total: FloatArray, i: int, s: float) -> FloatArray:
        length = total[i + 1] - total[i]
        share = (s - total[i]) / length if length > 0.0 else 0.0
        point: FloatArray = way[i] + (way[i + 1] - way[i]) * share
        return point

    def _length(self, a: FloatArray, b: FloatArray) -> float:
        return float(np.linalg.norm(self._scene.reach * (b - a)))


def _joined(way: list[FloatArray]) -> list[FloatArray]:
    """Return a way without points that repeat, its ends kept."""
    kept = [way[0]]
    kept += [q for before, q in itertools.pairwise(way)
             if np.abs(q - before).max() > 1e-9]  # fmt: skip
    kept[-1] = way[-1]
    return kept
