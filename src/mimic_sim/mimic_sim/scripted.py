"""An operator that knows the twin's true state: proves that a robot can do a task, and how.

It is what the twin is tested with, and a source of perfect demonstrations. It sees poses that no
camera gives, so it is no part of the shadowing chain.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pinocchio as pin
from scipy.spatial.transform import Rotation, Slerp

from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError
from mimic_core.frames import GRASP_CENTER, PALM, inverse, transform
from mimic_description import RobotModel
from mimic_sim.twin import Twin

_DOWN: Final = np.array([0.0, 0.0, -1.0])
_SQUEEZE: Final = 0.012  # [m], how far a pinch closes beyond the faces of the object
_STEP: Final = 0.01  # [s], between commands
_TURN_SPEED: Final = 1.0  # [rad/s]
_IK_STEPS: Final = 4
_IK_STEPS_FAR: Final = 60
_MISS_MAX: Final = 0.01  # [m], a grip that misses by more is out of reach
_DAMPING: Final = 1e-5  # [m^2/rad^2]


@dataclass(frozen=True)
class Grasp:
    """How a hand holds a thing of a given width."""

    preshape: FloatArray  # (H,) posture of the hand before, wider than the thing
    squeeze: FloatArray  # (H,) posture that presses on it
    palm_T_grip: FloatArray  # (4, 4): origin between the contacts, x to the thumb, z approach


def find_grasp(robot: RobotModel, width: float, clearance: float = 0.035) -> Grasp:
    """Return how the robot's hand holds a thing between the thumb and what it meets.

    Args:
        robot: With a hand.
        width: Of the thing between the contacts [m].
        clearance: By how much the hand opens wider first [m], as far as it can.

    Raises:
        ConfigError: The robot has no hand, or the hand cannot open so far.
    """
    if robot.hand is None or robot.hand.grasp is None:
        raise ConfigError('a robot without a hand holds nothing')
    parallel = robot.hand.grasp.kind == 'parallel'
    opened, shut = robot.pinch_way
    shares = np.linspace(0.0, 1.0, 101)
    tips = np.array([_tips(robot, opened + s * (shut - opened)) for s in shares])
    pads = _tip_gap_at_contact(robot, shut)  # the tips' frames stay apart when the pads touch
    gaps = np.linalg.norm(tips[:, 0] - tips[:, 1], axis=1) - pads

    def share_of(gap: float) -> float:
        below = np.flatnonzero(gaps <= gap)
        return float(shares[below[0]]) if len(below) else 1.0

    if gaps[0] < width:
        raise ConfigError(f'{robot.hand.name} opens to {gaps[0]:.3f} m, not to {width:.3f} m')
    hold = share_of(width)
    thumb, met = tips[round(hold * 100)]
    across = (thumb - met) / np.linalg.norm(thumb - met)
    approach = np.array([0.0, 0.0, 1.0]) if parallel else np.array([1.0, 0.0, 0.0])
    approach = approach - across * (approach @ across)
    approach /= np.linalg.norm(approach)
    middle = 0.5 * (thumb + met)
    if parallel:  # the pads' depth from the registry; between the jaws as they come down
        centre = robot.fk(robot.home, GRASP_CENTER, PALM)[:3, 3]
        jaws = tips[round(share_of(width + clearance) * 100)].mean(axis=0)
        middle = centre + across * float(across @ (jaws - centre))
    axes = np.stack([across, np.cross(approach, across), approach], axis=1)
    shut_share = 1.0 if parallel else share_of(width - _SQUEEZE)
    return Grasp(
        preshape=opened + share_of(width + clearance) * (shut - opened),
        squeeze=opened + shut_share * (shut - opened),
        palm_T_grip=transform(axes, middle),
    )


class ScriptedOperator:
    """Moves the grip along straight lines, one command each 10 ms."""

    def __init__(self, twin: Twin, speed: float = 0.25) -> None:
        """Take over a twin that was just reset.

        Args:
            twin: With an arm, a hand, and a task about its first object.
            speed: Mean speed of the grip [m/s].

        Raises:
            ConfigError: The hand cannot hold the object, or there is no arm.
        """
        if twin.robot.arm is None or twin.robot.hand is None:
            raise ConfigError('the scripted operator needs an arm and a hand')
        self._twin, self._robot, self._speed = twin, twin.robot, speed
        self._object = twin.task.objects[0]
        box = self._object.form == 'box'
        width = self._object.size[0] if box else 2 * self._object.size[0]
        self._grasp = find_grasp(self._robot, width)
        self._data = self._robot.pin_model.createData()
        self._arm = len(self._robot.arm_joints)
        # [m/rad]: an arm with fewer than six joints cannot have every orientation: position first
        self._weight = 0.3 if self._arm >= 6 else 0.03
        self._q = twin.commanded
        self._world_T_grip = self._fk(self._q) @ self._grasp.palm_T_grip

    def pick_and_place(self, lift: float = 0.12) -> bool:
        """Pick the object up, put it on the target, and tell whether the task is done.

        Args:
            lift: Height above table poses that the grip moves at [m].
        """
        self.pick(lift)
        shift = self._twin.target()[:3, 3] - self.object_pose()[:3, 3]
        goal = moved(self._world_T_grip, shift)
        self.move(moved(goal, np.array([0.0, 0.0, lift])))
        self.move(moved(goal, np.array([0.0, 0.0, 0.001])), 0.5)
        self.shape(self._grasp.preshape, 0.4)
        self.move(moved(goal, np.array([0.0, 0.0, lift])), 0.5)
        self.wait(0.5)
        return self._twin.success()

    def pick(self, lift: float = 0.12) -> None:
        """Reach for the object from above, close the hand, lift [m]."""
        up = np.array([0.0, 0.0, lift])
        self.shape(self._grasp.preshape, 0.4)
        grip = self.grip_for(self.object_pose())
        self.move(moved(grip, up))
        self.move(grip, 0.5)
        self.shape(self._grasp.squeeze, 0.6)
        self.wait(0.2)
        self.move(moved(grip, up), 0.5)

    def object_pose(self) -> FloatArray:
        """Return world_T_object (4, 4) of the task's object, as it is."""
        return self._twin.objects()[self._object.name]

    def grip_for(self, world_T_object: FloatArray) -> FloatArray:
        """Return world_T_grip (4, 4): from above, on the two faces that the arm reaches best."""
        candidates = []
        for axis, sign in ((0, 1.0), (0, -1.0), (1, 1.0), (1, -1.0)):
            across = world_T_object[:3, axis] * (sign, sign, 0.0)
            across /= np.linalg.norm(across)
            rotation = np.stack([across, np.cross(_DOWN, across), _DOWN], axis=1)
            grip = transform(rotation, world_T_object[:3, 3])
            q, miss = self._solve(self._q, grip, _IK_STEPS_FAR)
            effort = float(np.abs(q - self._q).max())
            candidates.append((miss > _MISS_MAX, effort, -float(across[0]), grip))
        return min(candidates, key=lambda candidate: candidate[:3])[3]

    def move(self, world_T_grip: FloatArray, slower: float = 1.0) -> None:
        """Move the grip in a straight line, starting and ending at rest."""
        start = self._world_T_grip
        turn = Slerp([0.0, 1.0], Rotation.from_matrix([start[:3, :3], world_T_grip[:3, :3]]))
        distance = float(np.linalg.norm(world_T_grip[:3, 3] - start[:3, 3]))
        angle = float((Rotation.from_matrix(start[:3, :3].T @ world_T_grip[:3, :3])).magnitude())
        seconds = max(0.4, distance / self._speed, angle / _TURN_SPEED) / slower
        for share in _smooth(seconds):
            where = start[:3, 3] + share * (world_T_grip[:3, 3] - start[:3, 3])
            self._reach(transform(turn(share).as_matrix(), where))
            self._send()

    def shape(self, posture: FloatArray, seconds: float) -> None:
        """Bring the hand to a posture (H,)."""
        start = self._q[self._arm :].copy()
        for share in _smooth(seconds):
            self._q[self._arm :] = start + share * (posture - start)
            self._send()

    def wait(self, seconds: float) -> None:
        """Hold the last command."""
        for _ in range(round(seconds / _STEP)):
            self._send()

    def _send(self) -> None:
        self._twin.command(self._q)
        self._twin.step(_STEP)

    def _fk(self, q: FloatArray) -> FloatArray:
        return self._robot.fk(q, PALM)

    def _reach(self, world_T_grip: FloatArray) -> None:
        """Move the arm's command to a grip pose."""
        self._q, _ = self._solve(self._q, world_T_grip, _IK_STEPS)
        self._world_T_grip = self._fk(self._q) @ self._grasp.palm_T_grip

    def _solve(
        self, start: FloatArray, world_T_grip: FloatArray, steps: int
    ) -> tuple[FloatArray, float]:
        """Return (J,) commands near a grip pose, inside bounds, and how far they miss it [m]."""
        robot, model, n = self._robot, self._robot.pin_model, self._arm
        frame = robot.frame(PALM)
        goal = pin.SE3(world_T_grip @ inverse(self._grasp.palm_T_grip))
        lower, upper = robot.limits.lower[:n], robot.limits.upper[:n]
        q, error = start.copy(), np.zeros(6)
        for _ in range(steps):
            full = robot.full(q)
            pin.framesForwardKinematics(model, self._data, full)
            palm_T_goal = self._data.oMf[frame].actInv(goal)
            turn = pin.log3(palm_T_goal.rotation)
            error = np.concatenate([palm_T_goal.translation, self._weight * turn])
            jacobian = pin.computeFrameJacobian(model, self._data, full, frame)
            jacobian = (jacobian @ robot.coupling)[:, :n]
            jacobian[3:] *= self._weight
            q[:n] = _bounded_step(q[:n], jacobian, error, lower, upper)
        return q, float(np.linalg.norm(error))


def moved(pose: FloatArray, shift: FloatArray) -> FloatArray:
    """Return a pose (4, 4) shifted by (3,) [m] in world."""
    return transform(pose[:3, :3], pose[:3, 3] + shift)


def _bounded_step(
    q: FloatArray, jacobian: FloatArray, error: FloatArray, lower: FloatArray, upper: FloatArray
) -> FloatArray:
    """Return q after a damped step; joints at their bounds stay, the others make up."""
    free = np.ones(len(q), dtype=bool)
    while free.any():
        columns = jacobian[:, free]
        gram = columns @ columns.T + _DAMPING * np.eye(len(error))
        step = np.zeros(len(q))
        step[free] = columns.T @ np.linalg.solve(gram, error)
        outside = ((q + step < lower) | (q + step > upper)) & free
        if not outside.any():
            return q + step
        free &= ~outside
    return q


def _smooth(seconds: float) -> FloatArray:
    """Return the shares of a minimum-jerk motion at each command."""
    t = np.arange(1, round(seconds / _STEP) + 1) / round(seconds / _STEP)
    shares: FloatArray = t**3 * (10 - 15 * t + 6 * t**2)
    return shares


def _tips(robot: RobotModel, hand: FloatArray) -> FloatArray:
    """Return (2, 3) the thumb's tip and the middle of those that it meets, in palm [m].

    Args:
        robot: With a hand.
        hand: (H,) posture of it.
    """
    q = np.concatenate([robot.home[: len(robot.arm_joints)], hand])
    links = robot.tip_frames()
    met = [robot.fk(q, links[finger], PALM)[:3, 3] for finger in robot.pinch_fingers]
    return np.array([robot.fk(q, links['thumb'], PALM)[:3, 3], np.mean(met, axis=0)])


def _tip_gap_at_contact(robot: RobotModel, shut: FloatArray) -> float:
    """Return the distance of the tip frames where the pads touch [m]."""
    thumb, met = _tips(robot, shut)
    return float(np.linalg.norm(thumb - met))
