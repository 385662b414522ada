"""From actions to joint targets: the palm moves and turns, the hand follows its synergies."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from mimic_core.arrays import FloatArray, IntArray
from mimic_core.errors import ConfigError
from mimic_core.frames import BASE, PALM
from mimic_description import RobotModel
from mimic_retargeting.compiled import plain
from mimic_retargeting.tables import build_chain
from mimic_rl.bounds import GateBounds
from mimic_rl.kernels import place, reach
from mimic_rl.params import PracticeParams
from mimic_rl.synergies import Synergies

PLACE_ACTIONS: Final = 3  # of the palm's place, the first ones
PALM_ACTIONS: Final = 6  # with three of its Euler angles
_LEVER: Final = 0.3  # [m/rad]
_DAMPING: Final = 1e-3  # [m^2]
_SEARCH_DAMPING: Final = 1e-5  # [m^2]
_PULL: Final = 0.01  # [1]
_ITERATIONS, _SEARCH_ITERATIONS = 2, 60
_ARM_SPEED: Final = 0.8  # [1], of the joints' own bounds that practice uses
_ARM_ACCELERATION: Final = 0.6  # [1]; near 0.8 the gate is at its own bounds, and overshoots
_BRAKING: Final = (1.0, 1.5, 2.5, 4.0, np.inf)  # [1], times that, to stay in the gate's bounds
_LIFTS: Final = 2  # times that a hand is brought back into the gate's bounds
_INSIDE: Final = 1e-4  # [m] at which it is
_GIVEN_UP: Final = 0.5  # [1], of the margin to these bounds, rather than brake harder


@dataclass(frozen=True)
class Places:
    """Where palm and finger tips of B robots are, in base_link."""

    palm: FloatArray  # (B, 3) [m]
    palm_R: FloatArray  # (B, 3, 3)
    tips: FloatArray  # (B, F, 3) [m]

    @property
    def points(self) -> FloatArray:
        """(B, 1 + F, 3) palm and finger tips [m]."""
        return np.concatenate([self.palm[:, None], self.tips], axis=1)


class Motion:
    """Commands of B robots: J joints, arm first. Poses are in base_link.

    An action (B, 6 + C) in [-1, 1]: speed of the palm's target [palm_speed], rates of its Euler
    angles (x, y, z about the fixed axes, after the orientation at the start) [palm_turn], and the
    posture of the hand as the posture at the start plus synergies. What is commanded stays where
    the gate lets it through (`GateBounds`), at speeds and accelerations of the arm that it does.
    """

    def __init__(
        self, robot: RobotModel, params: PracticeParams, synergies: Synergies, count: int
    ) -> None:
        """Args: robot: with arm and hand; params, synergies: of the run; count: B."""
        if not robot.arm_joints or robot.hand is None or robot.arm is None:
            raise ConfigError('practice needs an arm with a hand')
        size, arm = len(robot.joint_names), len(robot.arm_joints)
        tips = list(robot.tip_frames().values())
        self.robot: Final = robot
        self.actions: Final = PALM_ACTIONS + len(synergies.components)
        self.q: Final = np.tile(robot.home, (count, 1))  # (B, J) targets of the joints
        self.change: Final = np.zeros((count, arm))  # of the arm's in the last step [rad]
        self.palm: Final = np.zeros((count, 3))  # targets of the palm [m]
        self.angles: Final = np.zeros((count, 3))  # [rad], of the palm from its start
        self.start_R: Final = np.tile(np.eye(3), (count, 1, 1))
        self.hand_start: Final = np.tile(robot.home[arm:], (count, 1))
        self._params, self._synergies, self._arm = params, synergies, arm
        self._dt = 1.0 / params.control_rate
        self._chain = build_chain(robot, robot.arm_joints, BASE, [PALM])
        self._points = build_chain(robot, robot.joint_names, BASE, [PALM, *tips])
        limits = robot.limits
        slides = {joint.name for joint in robot.tree.joints if joint.kind == 'prismatic'}
        # (J,) what counts as 1 rad where joints err: of one that slides its range [m].
        self.unit: Final = np.where(
            [name in slides for name in robot.joint_names], limits.upper - limits.lower, 1.0
        )
        self._lower, self._upper = plain(limits.lower), plain(limits.upper)
        share = np.where(np.arange(size) < arm, _ARM_SPEED, params.hand_speed)
        self._step = plain(share * limits.max_speed * self._dt)
        change = _ARM_ACCELERATION * limits.max_acceleration[:arm] * self._dt**2
        self._more = plain(change)  # (A,) by which the change of a step may differ from the last
        self._bounds = GateBounds(robot, params.bounds_margin)
        self._beyond_most = _GIVEN_UP * params.bounds_margin + _INSIDE  # [m]

    def places(self, q: FloatArray) -> Places:
        """Return where palms and tips are at (B, J) joints."""
        count = len(q)
        points = np.empty((count, len(self._points.point_joint), 3))
        palm_R = np.empty((count, 3, 3))
        place(self._points, np.ascontiguousarray(q), points, palm_R)
        return Places(points[:, 0], palm_R, points[:, 1:])

    def solve(
        self, q_arm: FloatArray, palm: FloatArray, palm_R: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return (R, A) postures of the arm that reach poses of the palm, and (R, 2) errors.

        Args:
            q_arm: (R, A) from where to search.
            palm: (R, 3) [m].
            palm_R: (R, 3, 3).
        """
        arm = self._arm
        q, errors = q_arm.copy(), np.empty((len(q_arm), 2))
        far = np.full(arm, 100.0)
        reach(
            self._chain, q, np.ascontiguousarray(palm), np.ascontiguousarray(palm_R),
            plain(self._lower[:arm]), plain(self._upper[:arm]), far, plain(q_arm[0]), 0.0, _LEVER,
            _SEARCH_DAMPING, _SEARCH_ITERATIONS, errors,
        )  # fmt: skip
        errors[:, 1] /= _LEVER
        return q, errors

    def begin(self, rows: IntArray, q: FloatArray) -> None:
        """Begin an episode of some robots (R,) at postures (R, J)."""
        places = self.places(q)
        self.q[rows], self.change[rows] = q, 0.0
        self.palm[rows], self.start_R[rows] = places.palm, places.palm_R
        self.angles[rows] = 0.0
        self.hand_start[rows] = q[:, self._arm :]

    def act(self, action: FloatArray, palm_now: FloatArray) -> FloatArray:
        """Return (B, J) the joint targets at the end of this step.

        Args:
            action: (B, 6 + C) in [-1, 1].
            palm_now: (B, 3) where the palms are [m].
        """
        params, before = self._params, self.q.copy()
        offset = self.palm + params.palm_speed * self._dt * action[:, :3] - palm_now
        length = np.linalg.norm(offset, axis=1, keepdims=True)
        offset *= np.minimum(1.0, params.leash / np.maximum(length, 1e-9))
        self.palm[:] = palm_now + offset
        earlier = self.angles.copy()
        angles = earlier + params.palm_turn * self._dt * action[:, PLACE_ACTIONS:PALM_ACTIONS]
        self.angles[:] = np.clip(angles, -params.max_turn, params.max_turn)
        turn = euler_matrices(self.angles) @ self.start_R
        self._move_hand(self.hand_start + action[:, PALM_ACTIONS:] @ self._synergies.directions)
        self._move_arm(np.arange(len(before)), before, turn)
        self._stay_inside(before, earlier, turn)
        return self.q

    def follow(self, wanted: FloatArray) -> FloatArray:
        """Return (B, J) targets on the way to wanted joints (B, J), as actions may go."""
        arm = self._arm
        before = self.q.copy()
        change = np.clip(wanted - before, -self._step, self._step)[:, :arm]
        self.q[:, :arm] = np.clip(before[:, :arm] + change, self._lower[:arm], self._upper[:arm])
        self._move_hand(wanted[:, arm:])
        places = self.places(self.q)
        self.palm[:] = places.palm
        self._stay_inside(before, self.angles.copy(), places.palm_R)
        places = self.places(self.q)
        self.palm[:] = places.palm
        turn = places.palm_R @ np.swapaxes(self.start_R, 1, 2)
        self.angles[:] = Rotation.from_matrix(turn).as_euler('xyz')
        return self.q

    def targets(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return copies of the targets: palm (B, 3) [m], angles (B, 3) [rad], hand (B, H)."""
        return self.palm.copy(), self.angles.copy(), self.q[:, self._arm :].copy()

    def action_since(self, before: tuple[FloatArray, FloatArray, FloatArray]) -> FloatArray:
        """Return (B, C) the action that leads from earlier targets to the present ones.

        What is faster than actions are is cut off.
        """
        palm, angles, _ = before
        params = self._params
        move = (self.palm - palm) / (params.palm_speed * self._dt)
        turn = (self.angles - angles) / (params.palm_turn * self._dt)
        offset = self.q[:, self._arm :] - self.hand_start
        shape = offset @ np.linalg.pinv(self._synergies.directions)
        action: FloatArray = np.clip(np.concatenate([move, turn, shape], axis=1), -1.0, 1.0)
        return action

    def _move_arm(self, rows: IntArray, before: FloatArray, palm_R: FloatArray) -> None:
        """Bring some arms from where they were as near to the targets of palms as a step may.

        Args:
            rows: (R,) which.
            before: (B, J) [rad] or [m].
            palm_R: (B, 3, 3).
        """
        arm = self._arm
        q = before[rows, :arm]
        reach(
            self._chain, q, self.palm[rows], np.ascontiguousarray(palm_R[rows]),
            plain(self._lower[:arm]), plain(self._upper[:arm]), plain(self._step[:arm]),
            plain(self.robot.home[:arm]), _PULL, _LEVER, _DAMPING, _ITERATIONS, np.empty((0, 2)),
        )  # fmt: skip
        self.q[rows, :arm] = q

    def _stay_inside(self, before: FloatArray, angles: FloatArray, palm_R: FloatArray) -> None:
        """Keep the targets within the gate's bounds and the arms within their accelerations.

        As at the gate, what counts is where an arm would come to rest, too. The bounds come first,
        but for a part of the margin: the gate follows no arm that brakes harder than it may.
        A robot that would go beyond them, or further beyond, only moves its palm, along the
        bounds; where that is no help either, it stays where it was.

        Args:
            before: (B, J) targets of the joints before this step [rad] or [m].
            angles: (B, 3) of the palms before this step [rad].
            palm_R: (B, 3, 3) wanted of the palms.
        """
        arm = self._arm
        self._lift(np.arange(len(before)), before, palm_R)
        inside, old = self.q[:, :arm].copy(), before[:, :arm]
        rows = np.arange(len(before))
        for times in _BRAKING:
            last, more = self.change[rows], times * self._more
            change = np.clip(inside[rows] - old[rows], last - more, last + more)
            self.q[rows, :arm] = np.clip(old[rows] + change, self._lower[:arm], self._upper[:arm])
            rows = rows[self._beyond(self.q[rows], before[rows]) > self._beyond_most]
            if len(rows) == 0:
                break
        rows = self._worse(rows, before)
        if len(rows):
            places, still_R = self.places(before[rows]), palm_R.copy()
            still_R[rows], self.angles[rows] = places.palm_R, angles[rows]
            self.q[rows] = before[rows]
            self._move_arm(rows, before, still_R)
            self._lift(rows, before, still_R)
            stays = np.isin(rows, self._worse(rows, before))
            self.q[rows[stays]] = before[rows[stays]]
            self.palm[rows[stays]] = places.palm[stays]
        self.change[:] = self.q[:, :arm] - old

    def _lift(self, rows: IntArray, before: FloatArray, palm_R: FloatArray) -> None:
        """Move the targets of palms (R,) that are beyond the bounds, and their arms."""
        for _ in range(_LIFTS):
            move = self._missing(self.q[rows], before[rows])
            beyond = np.abs(move).max(axis=1) > _INSIDE
            rows = rows[beyond]
            if len(rows) == 0:
                return
            self.palm[rows] += move[beyond]
            self._move_arm(rows, before, palm_R)

    def _worse(self, rows: IntArray, before: FloatArray) -> IntArray:
        """Return those of robots (R,) that are beyond the bounds, and further than before."""
        if len(rows) == 0:
            return rows
        there = before[rows]
        bound = np.maximum(self._beyond(there, there), self._beyond_most)
        worse: IntArray = rows[self._beyond(self.q[rows], there) > bound]
        return worse

    def _missing(self, q: FloatArray, before: FloatArray) -> FloatArray:
        """Return (R, 3) by what hands must move to be inside, there and where they come to rest.

        Args:
            q: (R, J) [rad] or [m].
            before: (R, J) a step earlier.
        """
        arm, limits = self._arm, self.robot.limits
        a, jerk = limits.max_acceleration[:arm], limits.max_jerk[:arm]
        speed = (q[:, :arm] - before[:, :arm]) / self._dt
        rest = q.copy()
        rest[:, :arm] += speed * (0.5 * np.abs(speed) / a + 0.5 * a / jerk)
        here, there = np.split(self._bounds.missing(np.concatenate([q, rest])), 2)
        more: FloatArray = np.where(np.abs(here) > np.abs(there), here, there)
        return more

    def _beyond(self, q: FloatArray, before: FloatArray) -> FloatArray:
        """Return (R,) how far beyond the bounds that is [m]."""
        beyond: FloatArray = np.abs(self._missing(q, before)).max(axis=1)
        return beyond

    def _move_hand(self, wanted: FloatArray) -> None:
        arm = self._arm
        now = self.q[:, arm:]
        inside = np.clip(wanted, self._lower[arm:], self._upper[arm:])
        now += np.clip(inside - now, -self._step[arm:], self._step[arm:])


def curve(
    earlier: FloatArray, before: FloatArray, after: FloatArray, share: FloatArray | float
) -> FloatArray:
    """Return where joints should be within a step, between the targets of three steps.

    It has no corners, so that a gate with bounds of acceleration can follow, and passes half way
    between two targets (a quadratic B-spline): half a step late, in practice as on a robot.

    Args:
        earlier: Targets of the step before the last [rad] or [m].
        before: Of the last step.
        after: Of this step.
        share: Of this step that has passed, 0 to 1; all four broadcast.
    """
    old, new = (1.0 - share) ** 2, share * share
    path: FloatArray = 0.5 * (old * earlier + (2.0 - old - new) * before + new * after)
    return path


def euler_matrices(angles: FloatArray) -> FloatArray:
    """Return (B, 3, 3) rotations by (B, 3) angles [rad] about the fixed axes x, then y, then z."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles).T, np.sin(angles).T
    rows = [
        cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx,
        sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx,
        -sy, cy * sx, cy * cx,
    ]  # fmt: skip
    return np.stack(rows, axis=-1).reshape(-1, 3, 3)
