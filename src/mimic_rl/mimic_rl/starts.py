"""Where an episode begins: the object anywhere near, the hand beside it as it was shown."""

import dataclasses
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from mimic_core.arrays import BoolArray, FloatArray, IntArray
from mimic_rl.motion import Motion
from mimic_rl.params import PracticeParams, RandomisationParams
from mimic_rl.randomisation import multiply_quat, rotvec_quat
from mimic_rl.rewards import rotation_matrices
from mimic_rl.run_folder import PracticeRun
from mimic_rl.synergies import Synergies, robot_synergies

_OVERHEAD: Final = 0.22  # [m], palm over the object's origin
_DOWN: Final = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])  # palm faces down
# What the search for a posture may miss.  Source: Human2Sim2Robot, 5 cm and 3 degrees.
MISS_DISTANCE, MISS_ANGLE = 0.05, 0.052  # [m], [rad]
_TRIES: Final = 8
_ASKED: Final = 400  # places
_WIDEST: Final = 3.0  # [1], of the synergies' own amplitude
_MORE_TURN, _MOST_TURN = 0.2, 1.4  # [rad] of the palm: beyond what was shown, to correct; at most


class Starts:
    """Draws starts. The pose of the palm in the object's frame is that of the demonstration."""

    def __init__(
        self,
        run: PracticeRun,
        motion: Motion,
        params: PracticeParams,
        shown: FloatArray | None,
    ) -> None:
        """Args: run: the demonstration; motion: of its robot; params: which start;
        shown: (T, J) the motion of the hand at the rate of control, if there is one.
        """  # noqa: D205
        self._run, self._motion, self._params = run, motion, params
        self._arm = len(motion.robot.arm_joints)
        self._shown = np.zeros((0, 0)) if shown is None else shown
        places = motion.places(run.start[None])
        self._palm, self._palm_R = places.palm[0], places.palm_R[0]

    def draw(
        self,
        rows: IntArray,
        randomisation: RandomisationParams,
        level: float,
        rng: np.random.Generator,
    ) -> tuple[FloatArray, FloatArray]:
        """Return (R, 7) poses of the object and (R, J) joints of starts.

        A start whose palm the arm does not reach is drawn again, at last nearer to that of the
        demonstration.

        Args:
            rows: (R,) the environments that begin.
            randomisation: How far starts vary.
            level: Of the curriculum, 0 to 1.
            rng: Source of chance.
        """
        count = len(rows)
        pose, q, reached = self.anywhere(count, randomisation, level, rng)
        for again in range(1, _TRIES):
            missed = np.flatnonzero(~reached)
            if len(missed) == 0:
                break
            nearer = level * (1.0 - again / (_TRIES - 1))
            pose[missed], q[missed], reached[missed] = self.anywhere(
                len(missed), randomisation, nearer, rng
            )
        limits = self._motion.robot.limits
        reach = level * randomisation.joints * self._motion.unit
        q += rng.uniform(-1.0, 1.0, size=q.shape) * reach
        return pose, np.clip(q, limits.lower, limits.upper)

    def anywhere(
        self,
        count: int,
        randomisation: RandomisationParams,
        level: float,
        rng: np.random.Generator,
    ) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Return (R, 7) poses of the object, (R, J) joints, and which (R,) of them are reached."""
        run = self._run
        low, high = start_span(run, level * randomisation.xy)
        shift = rng.uniform(low, high, size=(count, 2))
        turn = np.zeros((count, 3))
        turn[:, 2] = rng.uniform(-1.0, 1.0, size=count) * level * randomisation.yaw
        first = run.trajectory[0]
        pose = np.tile(first, (count, 1))
        pose[:, :2] += shift
        spin = rotvec_quat(turn)
        pose[:, 3:] = multiply_quat(spin, pose[:, 3:])
        return pose, *self.beside(pose, self.spin(pose))

    def along(self, pose: FloatArray) -> FloatArray:
        """Return (R, T, J) the shown motion, moved as the objects (R, 7) are from the shown place.

        Objects are moved on the table and turned about the vertical; what else a pose says is
        noise.
        """
        shown, run, arm = self._shown, self._run, self._arm
        turn = rotation_matrices(self.spin(pose))
        first = run.trajectory[0, :3]
        place = np.concatenate([pose[:, :2], np.full((len(pose), 1), first[2])], axis=1)
        places = self._motion.places(shown)
        path = np.tile(shown, (len(pose), 1, 1))
        q = path[:, 0, :arm].copy()
        for t in range(len(shown)):
            palm = place + turn @ (places.palm[t] - first)
            q, _ = self._motion.solve(q, palm, turn @ places.palm_R[t])
            path[:, t, :arm] = q
        return path

    def spin(self, pose: FloatArray) -> FloatArray:
        """Return (R, 4) by what objects (R, 7) are turned about the vertical from the shown pose.

        An object that is symmetric about the vertical is not turned.
        """
        anchors = self._run.anchors
        now = rotation_matrices(pose[:, 3:])
        shown = rotation_matrices(self._run.trajectory[0, 3:])
        if len(anchors) < 3:  # of a round thing only the heading of its axis tells
            axis = anchors[np.argmax(np.linalg.norm(anchors, axis=1))]
            (x, y, _), there = shown @ axis, now @ axis
            if np.hypot(x, y) <= 0.5 * np.linalg.norm(axis):
                return np.tile([0.0, 0.0, 0.0, 1.0], (len(pose), 1))
            sine, cosine = x * there[:, 1] - y * there[:, 0], x * there[:, 0] + y * there[:, 1]
        else:
            relative = now @ shown.T
            sine = relative[:, 1, 0] - relative[:, 0, 1]
            cosine = relative[:, 0, 0] + relative[:, 1, 1]
        yaw = np.arctan2(sine, cosine)
        return rotvec_quat(yaw[:, None] * np.array([0.0, 0.0, 1.0]))

    def beside(self, pose: FloatArray, spin: FloatArray) -> tuple[FloatArray, BoolArray]:
        """Return (R, J) joints whose palm is beside objects as it was shown, and if it got there.

        Args:
            pose: (R, 7) of the objects.
            spin: (R, 4) by what they are turned from the first pose of the demonstration.
        """
        run, arm, count = self._run, self._arm, len(pose)
        q = np.tile(run.start, (count, 1))
        if self._params.start == 'default':
            return np.tile(self._motion.robot.home, (count, 1)), np.ones(count, dtype=bool)
        turn = rotation_matrices(spin)
        palm = pose[:, :3] + turn @ (self._palm - run.trajectory[0, :3])
        palm_R = turn @ self._palm_R
        if self._params.start == 'overhead':
            palm = pose[:, :3] + [0.0, 0.0, _OVERHEAD]
            palm_R = turn @ _DOWN
            q[:, arm:] = self._motion.robot.home[arm:]
        q[:, :arm], errors = self._motion.solve(q[:, :arm], palm, palm_R)
        reached: BoolArray = (errors[:, 0] <= MISS_DISTANCE) & (errors[:, 1] <= MISS_ANGLE)
        return q, reached


def params_for(run: PracticeRun) -> PracticeParams:
    """Return the parameters of a run: a palm may turn as it was shown to turn, and farther."""
    params = PracticeParams()
    if run.demonstration is None:
        return params
    robot = run.robot()
    motion = Motion(robot, params, robot_synergies(robot), 1)
    palm_R = motion.places(np.concatenate([run.start[None], run.demonstration])).palm_R
    shown = Rotation.from_matrix(palm_R @ palm_R[0].T).as_euler('xyz')
    most = min(float(np.abs(shown).max()) + _MORE_TURN, _MOST_TURN)
    return dataclasses.replace(params, max_turn=max(round(most, 2), params.max_turn))


def synergies_for(run: PracticeRun) -> Synergies:
    """Return the synergies of a run's hand, wide enough for the postures that were shown."""
    robot = run.robot()
    found = robot_synergies(robot)
    if run.demonstration is None:
        return found
    moved = (run.demonstration - run.start)[:, len(robot.arm_joints) :]
    wanted = np.abs(moved @ np.linalg.pinv(found.directions)).max(axis=0)
    return dataclasses.replace(found, amplitude=found.amplitude * np.clip(wanted, 1.0, _WIDEST))


def places_around(run: PracticeRun) -> tuple[FloatArray, BoolArray]:
    """Return (P, 7) places of the object, and at which (P,) the arm gets the hand beside it.

    The places are drawn as those at which episodes begin, all over their range. Practice and
    evaluation draw those that are not reached again, nearer; a robot that meets one holds.
    """
    params = PracticeParams()
    motion = Motion(run.robot(), params, robot_synergies(run.robot()), 1)
    starts = Starts(run, motion, params, None)
    rng = np.random.default_rng(0)
    places, _, reached = starts.anywhere(_ASKED, RandomisationParams(), 1.0, rng)
    return places, reached


def start_span(run: PracticeRun, reach: float) -> FloatArray:
    """Return (2, 2) the least and the greatest x and y [m] of starts from the shown one.

    Args:
        run: Its `start_box` bounds them.
        reach: To each side [m].
    """
    span = np.array([[-reach, -reach], [reach, reach]])
    if run.start_box is not None:
        low_x, high_x, low_y, high_y = run.start_box
        span = np.clip(span, [low_x, low_y], [high_x, high_y])
    return span
