"""One test on a robot, without ROS: what to send when, what was seen, and when to give up."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from mimic_identification.excitation import Excitation
from mimic_identification.record import JointRecord, make_record

STATUS_TIMEOUT: Final = 1.0  # [s], the gate speaks ten times a second
STATE_TIMEOUT: Final = 0.5  # [s]
PATIENCE: Final = 1.0  # [s] for the gate to follow, at the beginning of a motion
HOLD_TIME: Final = 0.3  # [s] for which a gate that holds may go on


class Watch:
    """What the gate and the drivers say, and whether that ends the test."""

    def __init__(self, mode: str) -> None:
        """Args: mode: Of the gate in which the test runs."""
        self._wanted = mode
        self._mode = self._state = self._why = ''
        self._status_at = self._state_at = -np.inf
        self._held_since = np.inf
        self._began = -np.inf

    def begin(self, now: float) -> None:
        """Begin a motion at a time [s]."""
        self._began, self._held_since = now, np.inf

    def on_status(self, mode: str, state: str, why: str, now: float) -> None:
        """Take the gate's status: names of mode and state, the reason, and when it came [s]."""
        self._mode, self._state, self._why, self._status_at = mode, state, why, now
        if state != 'HOLD':
            self._held_since = np.inf
        elif self._held_since == np.inf:
            self._held_since = now

    def on_joint_state(self, now: float) -> None:
        """Take note that joint states came at a time [s]."""
        self._state_at = now

    @property
    def mode(self) -> str:
        """The gate's mode by name; '' before its first status."""
        return self._mode

    def problem(self, now: float) -> str:
        """Return why the test must end at a time [s], '' when it may go on."""
        if now - self._status_at > STATUS_TIMEOUT:
            return 'the gate is silent: no control/status'
        if now - self._state_at > STATE_TIMEOUT:
            return f'joint states are {now - self._state_at:.2f} s old'
        if 'STOPPED' in (self._mode, self._state):
            return f'the gate was stopped: {self._why}'
        if now - self._began < PATIENCE:
            return ''
        if self._mode != self._wanted:
            return f'the mode of the gate was changed to {self._mode}'
        if now - self._held_since > HOLD_TIME:
            return f'the gate holds the robot: {self._why}'
        return ''


class MotionTest:
    """The motion of one joint: the points to send, and the record of what came of them."""

    def __init__(self, name: str, motion: Excitation, begin: float) -> None:
        """Args: begin: Time of its start [s]."""
        self.name, self.motion = name, motion
        self._begin = begin
        self._commands: list[tuple[float, float]] = []
        self._states: list[tuple[float, float]] = []

    def point(self, now: float) -> float | None:
        """Return the position to send at a time [s], None when the motion is over."""
        elapsed = now - self._begin
        return None if elapsed > self.motion.duration else self.motion.at(elapsed)

    def progress(self, now: float) -> float:
        """Return which part of the motion is done [1]."""
        return float(np.clip((now - self._begin) / self.motion.duration, 0.0, 1.0))

    def on_command(
        self, names: Sequence[str], q: Sequence[float], ahead: float, received: float
    ) -> None:
        """Take what the gate sent.

        Args:
            names: N joints.
            q: N positions [rad] or [m].
            ahead: When they are to be reached, after the receipt [s].
            received: [s].
        """
        if self.name in names:
            self._commands.append((received + ahead, q[list(names).index(self.name)]))

    def on_joint_state(self, names: Sequence[str], q: Sequence[float], stamp: float) -> None:
        """Take positions (N of names) [rad] or [m] that were measured at a stamp [s]."""
        if self.name in names and len(q) == len(names):
            self._states.append((stamp, q[list(names).index(self.name)]))

    def record(self) -> JointRecord:
        """Return what was seen.

        Raises:
            MimicError: It makes no sense: see `make_record`.
        """
        commands = np.array(self._commands, dtype=float).reshape(-1, 2)
        states = np.array(self._states, dtype=float).reshape(-1, 2)
        return make_record(self.name, commands[:, 0], commands[:, 1], states[:, 0], states[:, 1])
