"""Where an episode begins: the object anywhere near, the hand beside it as it was shown."""

from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray, IntArray
from mimic_rl.motion import Motion
from mimic_rl.params import PracticeParams, RandomisationParams
from mimic_rl.randomisation import multiply_quat, rotvec_quat
from mimic_rl.rewards import rotation_matrices
from mimic_rl.run_folder import PracticeRun

_OVERHEAD: Final = 0.22  # [m], palm over the object's origin
_DOWN: Final = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])  # palm faces down
# What the search for a posture may miss.  Source: Human2Sim2Robot, 5 cm and 3 degrees.
MISS_DISTANCE, MISS_ANGLE = 0.05, 0.052  # [m], [rad]
_TRIES: Final = 8


class Starts:
    """Draws starts. The pose of the palm in the object's frame is that of the demonstration."""

    def __init__(self, run: PracticeRun, motion: Motion, params: PracticeParams) -> None:
        """Args: run: the demonstration; motion: of its robot; params: which start."""
        self._run, self._motion, self._params = run, motion, params
        self._arm = len(motion.robot.arm_joints)
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
        pose, q = self._draw(count, randomisation, level, rng)
        for again in range(1, _TRIES):
            missed = np.flatnonzero(~self._reached)
            if len(missed) == 0:
                break
            reached = self._reached
            nearer = level * (1.0 - again / (_TRIES - 1))
            pose[missed], q[missed] = self._draw(len(missed), randomisation, nearer, rng)
            reached[missed] = self._reached
            self._reached = reached
        limits = self._motion.robot.limits
        q += rng.uniform(-1.0, 1.0, size=q.shape) * level * randomisation.joints
        return pose, np.clip(q, limits.lower, limits.upper)

    def _draw(
        self,
        count: int,
        randomisation: RandomisationParams,
        level: float,
        rng: np.random.Generator,
    ) -> tuple[FloatArray, FloatArray]:
        run = self._run
        shift = rng.uniform(-1.0, 1.0, size=(count, 2)) * level * randomisation.xy
        if run.start_box is not None:
            low_x, high_x, low_y, high_y = run.start_box
            shift = np.clip(shift, [low_x, low_y], [high_x, high_y])
        turn = np.zeros((count, 3))
        turn[:, 2] = rng.uniform(-1.0, 1.0, size=count) * level * randomisation.yaw
        first = run.trajectory[0]
        pose = np.tile(first, (count, 1))
        pose[:, :2] += shift
        spin = rotvec_quat(turn)
        pose[:, 3:] = multiply_quat(spin, pose[:, 3:])
        return pose, self.beside(pose, spin)

    def beside(self, pose: FloatArray, spin: FloatArray) -> FloatArray:
        """Return (R, J) joints whose palm is beside objects as it was shown.

        Args:
            pose: (R, 7) of the objects.
            spin: (R, 4) by what they are turned from the first pose of the demonstration.
        """
        run, arm, count = self._run, self._arm, len(pose)
        q = np.tile(run.start, (count, 1))
        self._reached = np.ones(count, dtype=bool)
        if self._params.start == 'default':
            return np.tile(self._motion.robot.home, (count, 1))
        turn = rotation_matrices(spin)
        palm = pose[:, :3] + turn @ (self._palm - run.trajectory[0, :3])
        palm_R = turn @ self._palm_R
        if self._params.start == 'overhead':
            palm = pose[:, :3] + [0.0, 0.0, _OVERHEAD]
            palm_R = turn @ _DOWN
            q[:, arm:] = self._motion.robot.home[arm:]
        q[:, :arm], errors = self._motion.solve(q[:, :arm], palm, palm_R)
        self._reached = (errors[:, 0] <= MISS_DISTANCE) & (errors[:, 1] <= MISS_ANGLE)
        return q
