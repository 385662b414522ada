"""The emulated stack: one arm, its controllers, the session of the robot's own controller."""

import enum
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.emulator import Faults, Plant
from mimic_core.jtc.emulated.controller import TrajectoryController
from mimic_core.limits import JointLimits

_SESSION_STEP = 0.1  # [s] of each state on the way back to commanding
_LONGEST_STEP = 0.1  # [s] a process that was not run for longer goes on from where it was


class FriSession(enum.IntEnum):
    """Session of KUKA's Fast Robot Interface; commands count in the last one only."""

    IDLE = 0
    MONITORING_WAIT = 1
    MONITORING_READY = 2
    COMMANDING_WAIT = 3
    COMMANDING_ACTIVE = 4


@dataclass(frozen=True)
class StackOptions:
    """What differs between stacks and their configurations."""

    update_rate: float = 100.0  # [Hz] of the controller manager
    has_session: bool = False  # there is a session that can fall back to monitoring
    filter_time: float = 0.0  # [s] of a low-pass between controller and robot, 0: none
    guard: float = 0.0  # [1] of the top speed at which the robot refuses a command, 0: never
    path_tolerance: float = 0.0  # [rad], 0: none
    interpolate_from_desired: bool = False


@dataclass
class EmulatedStack:
    """Controllers by name; one of them moves the arm."""

    joints: tuple[str, ...]  # as the stack calls them
    limits: JointLimits
    start: FloatArray  # (J,) [rad]
    controller: str
    options: StackOptions = field(default_factory=StackOptions)
    others: tuple[str, ...] = ('joint_state_broadcaster',)
    faults: Faults = field(default_factory=Faults)
    record: bool = True  # keep what arrived and how the motors moved, for tests

    def __post_init__(self) -> None:
        self.plant = Plant(self.limits, self.start, time_constant=0.02)
        self.plant.torque[:] = True
        self.jtc = TrajectoryController(
            self.joints, self.options.path_tolerance, self.options.interpolate_from_desired
        )
        self.states = dict.fromkeys(self.others, 'active') | {self.controller: 'active'}
        self.session = FriSession.COMMANDING_ACTIVE
        self.trips = 0  # how often the guard of the robot refused a set-point
        keep = None if self.record else 1
        self.refused: deque[str] = deque(maxlen=keep)
        self.trajectory: deque[tuple[float, FloatArray]] = deque(maxlen=keep)  # of the motors
        self._writes: deque[tuple[float, FloatArray]] = deque(maxlen=keep)
        self._robot = self.start.copy()  # set-point behind the filter
        self._lock = threading.RLock()
        self._session_at = -np.inf
        self._last = -np.inf

    def writes(self) -> list[tuple[float, FloatArray]]:
        """Return the set-points that arrived, with their times (perf_counter)."""
        with self._lock:
            return list(self._writes)

    def take(
        self,
        names: Sequence[str],
        points: FloatArray,
        times: FloatArray,
        velocities: FloatArray | None = None,
        late: float = 0.0,
    ) -> None:
        """Take a trajectory from the topic of the controller."""
        now = time.perf_counter()
        with self._lock:
            refusal = self.jtc.refusal(names, points, times, velocities, late)
            if self.states[self.controller] != 'active':
                refusal = 'controller is not active'
            if refusal:
                self.refused.append(refusal)
                return
            order = [list(names).index(joint) for joint in self.joints]
            self._writes.append((now, points[-1, order].copy()))
            self.jtc.take(names, points, times, velocities, now - late, self.plant.position)

    def switch(self, on: Sequence[str], off: Sequence[str]) -> bool:
        """Do what the controller manager is asked for, strictly."""
        with self._lock:
            if any(name not in self.states for name in (*on, *off)):
                return False
            blocked = self.session != FriSession.COMMANDING_ACTIVE or self.faults.on('brown_out')
            if self.controller in on and blocked:
                return False
            self.states |= dict.fromkeys(off, 'inactive') | dict.fromkeys(on, 'active')
            if self.controller in on:
                self.jtc.reset()
                self._robot = self.plant.position.copy()
            return True

    def step(self) -> None:
        """Let one period of the controller manager pass."""
        now, period = time.perf_counter(), 1.0 / self.options.update_rate
        with self._lock:
            elapsed = min(now - self._last, _LONGEST_STEP) if np.isfinite(self._last) else period
            self._last = now
            self._step_session(now)
            for joint in range(len(self.joints)):
                self.plant.stuck[joint] = self.faults.on('stuck', joint)
            if self.states[self.controller] == 'active':
                goal = self.jtc.update(now, period, self.plant.position)
                self._command(goal, period)
            self.plant.target = self._robot
            self.plant.step(elapsed)
            self.trajectory.append((now, self.plant.position.copy()))

    def _command(self, goal: FloatArray, period: float) -> None:
        """Pass a set-point on to the robot, which may refuse it."""
        share = 1.0
        if self.options.filter_time:
            share = 1.0 - float(np.exp(-period / self.options.filter_time))
        step = share * (goal - self._robot)
        too_fast = np.abs(step) > self.options.guard * self.limits.max_speed * period
        if self.options.guard and (too_fast.any() or not self.limits.contains(goal, 1e-6)):
            self.trips += 1
            self._fall_back()
            return
        self._robot = self._robot + step

    def _fall_back(self) -> None:
        """Hold by itself: to monitoring, and no controller may command."""
        self.states[self.controller] = 'inactive'
        self._robot = self.plant.position.copy()
        if self.options.has_session:
            self.session = FriSession.MONITORING_WAIT
            self._session_at = time.perf_counter()

    def _step_session(self, now: float) -> None:
        if self.faults.on('brown_out'):
            if self.states[self.controller] == 'active':
                self._fall_back()
            self._session_at = now
        elif self.session < FriSession.COMMANDING_ACTIVE and (
            now - self._session_at > _SESSION_STEP
        ):
            self.session = FriSession(self.session + 1)
            self._session_at = now
