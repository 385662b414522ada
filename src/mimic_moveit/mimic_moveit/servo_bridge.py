"""Between retargeting, MoveIt Servo and the gate: poses to Servo, its joints back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.command import NamedPositions
from mimic_core.errors import ConfigError, NotFiniteError, ShapeError, UnknownNameError
from mimic_description import RobotModel

POSE_JOINTS: Final = 6  # that a pose needs


@dataclass(frozen=True)
class Look:
    """What retargeting made of one look at the hand."""

    stamp: float  # [s] capture time
    target: FloatArray  # (4, 4) wanted pose of the tip in base_link


class ServoBridge:
    """Joins the arm of Servo's output with the hand of retargeting: one command for each look.

    The command has the capture time of the look that it answers, so the gate knows its age; when
    looks stay away nothing is sent, however long Servo goes on.
    """

    def __init__(self, robot: RobotModel, max_look_age: float = 0.25) -> None:
        """Prepare.

        Args:
            robot: With an arm of six joints or more.
            max_look_age: Oldest look that is still answered [s].

        Raises:
            ConfigError: The arm has too few joints for poses.
        """
        if len(robot.arm_joints) < POSE_JOINTS:
            raise ConfigError(
                f'arm_backend servo needs an arm of {POSE_JOINTS} joints or more, not '
                f'{len(robot.arm_joints)}: Servo follows whole poses'
            )
        self.joints: Final = robot.joint_names
        self._arm: Final = robot.arm_joints
        self._hand: Final = robot.hand_joints
        self._max_look_age = max_look_age
        self._look: Look | None = None
        self._answered = True
        self._fingers: FloatArray | None = None
        self._waiting_since: float | None = None

    def look(self, look: Look, now: float) -> str:
        """Take a look; returns why its pose must not go to Servo, '' when it may.

        Args:
            look: The newest.
            now: [s].
        """
        age = now - look.stamp
        if age > self._max_look_age:
            return f'the look is {age:.3f} s old'
        if self._hand and self._fingers is None:
            return 'no joints of the hand yet'
        self._look, self._answered = look, False
        if self._waiting_since is None:
            self._waiting_since = now
        return ''

    def fingers(self, names: Sequence[str], positions: FloatArray) -> None:
        """Take the joints of the hand (N,) [rad] or [m].

        Raises:
            UnknownNameError: A joint of the hand is missing.
            NotFiniteError: NaN or infinity.
        """
        given = dict(zip(names, positions, strict=True))
        for joint in self._hand:
            if joint not in given:
                raise UnknownNameError('joint of the hand in the command', joint, given)
        values = np.array([given[joint] for joint in self._hand])
        if not np.isfinite(values).all():
            raise NotFiniteError(f'hand joints {values.tolist()} are not finite')
        self._fingers = values

    def answer(
        self, names: Sequence[str], positions: FloatArray, now: float
    ) -> NamedPositions | None:
        """Return the command for the gate from one output of Servo, None when none is due.

        Args:
            names: N joints that Servo names.
            positions: (N,) [rad].
            now: [s].

        Raises:
            UnknownNameError: A joint of the arm is missing.
            ShapeError: Not N positions.
            NotFiniteError: NaN or infinity.
        """
        self._waiting_since = None
        look = self._look
        if look is None or self._answered or now - look.stamp > self._max_look_age:
            return None
        if len(names) != len(positions):
            raise ShapeError(f'{len(positions)} positions for {len(names)} joints of Servo')
        given = dict(zip(names, positions, strict=True))
        for joint in self._arm:
            if joint not in given:
                raise UnknownNameError("joint of the arm in Servo's output", joint, given)
        arm = np.array([given[joint] for joint in self._arm])
        if not np.isfinite(arm).all():
            raise NotFiniteError(f"Servo's output {arm.tolist()} is not finite")
        self._answered = True
        q = arm if self._fingers is None else np.concatenate([arm, self._fingers])
        return NamedPositions.single(self.joints, q, look.stamp)

    def silent_for(self, now: float) -> float:
        """Return for how long Servo gives no output although it gets poses [s]."""
        return 0.0 if self._waiting_since is None else now - self._waiting_since
