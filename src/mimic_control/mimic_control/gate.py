"""The one gate: every command passes it, one output leaves it for each control period."""

import contextlib
import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mimic_control.brake import State, Way
from mimic_control.collision import CollisionGuard
from mimic_control.intake import SOURCES, Intake
from mimic_control.limiter import JointLimiter, Reference, TimedMove
from mimic_control.measured import Measured
from mimic_control.params import GateParams
from mimic_control.reference import Fixed
from mimic_control.workspace import WorkspaceBox
from mimic_core.arrays import FloatArray, checked
from mimic_core.command import NamedPositions
from mimic_core.errors import LimitError, MimicError, UnknownNameError
from mimic_description import RobotModel

MOVE: Final = 'control/move_to'
MIN_GAP: Final = 0.5  # [1] of the period: outputs never come closer together than that
SLOWER: Final = 0.6  # [1] change of the speed at a way that may not be gone
FASTER: Final = 1.15  # [1] its change at one that may
SLOWEST: Final = 0.02  # [1] of the speed limits, its floor
CAUGHT_UP: Final = 0.05  # [rad] or [m] distance at which a source that took over is caught up with
STEADY: Final = 0.02  # [rad] or [m] motion of a robot that counts as standing
SETTLE: Final = 0.2  # [s] that a robot which went its own way must stand before a new beginning
LOST_BRAKE: Final = 0.05  # [s] of a tracking error before the gate falls silent
MOVE_GRACE: Final = 2.0  # [s] over its duration that a motion may take near obstacles


class Mode(enum.IntEnum):
    """What is asked for, and what is happening; numbers of mimic_interfaces/ControlStatus."""

    IDLE = 0
    SHADOW = 1
    POLICY = 2
    REPLAY = 3
    HOLD = 4
    STOPPED = 5


@dataclass(frozen=True)
class GateOutput:
    """One control period."""

    q: FloatArray  # (J,) [rad] or [m] to be reached one period from now
    v: FloatArray  # (J,) [rad/s] or [m/s] there
    publish: bool  # send it; else the robot must get nothing now
    restart: bool  # the first output of a new sequence, at the measured position
    state: Mode
    reason: str  # why it holds, stopped or limits; '' when nothing is wrong
    limited: tuple[str, ...]  # limits that are active


@dataclass(frozen=True)
class GateStatus:
    """What the gate did and why; the fields of mimic_interfaces/ControlStatus."""

    mode: Mode
    state: Mode
    source: str  # topic whose commands are followed
    reason: str
    limited: tuple[str, ...]
    position: FloatArray  # (J,)
    velocity: FloatArray  # (J,)
    collision_distance: float  # [m] NaN when not checked
    command_stamp: float  # [s] 0 when none
    latency: float  # [s] NaN when none
    command_age: float  # [s] NaN when none
    accepted: int
    refused: int
    last_refusal: str
    ticks: int
    missed_ticks: int


class Gate:
    """Chooses who commands and lets nothing through that breaks a limit.

    Every output is the first point of a way that ends at rest and was checked up to its end:
    joint limits up to jerk in closed form, workspace box and collisions point by point. When the
    next wish cannot be checked well, the way that was checked before goes on.
    """

    def __init__(self, robot: RobotModel, params: GateParams | None = None) -> None:
        self.robot: Final = robot
        self.params: Final = params or GateParams()
        p = self.params
        self.period: Final = 1.0 / p.rate  # [s]
        self.limits: Final = robot.limits.scaled(p.speed_scale, p.acceleration_scale, p.jerk_scale)
        self.mode = Mode.IDLE
        self.intake: Final = Intake(robot, p)
        self._limiter = JointLimiter(self.limits, self.period)
        with_arm = robot.arm is not None
        self._box = WorkspaceBox(robot, p) if p.check_workspace and with_arm else None
        self._collision = CollisionGuard(robot, p) if p.check_collision else None
        self._measured = Measured(robot.joint_names)
        self._started = False
        self._scale = 1.0
        self._catching_up = True
        self._stop_reason = ''
        self._enabled_at = -np.inf
        self._move: TimedMove | None = None
        self._move_failed = ''
        self._last_tick: float | None = None
        self._last_output = -np.inf
        self._lost_since: float | None = None
        self._standing: tuple[float, FloatArray] | None = None
        self._output = self._make(Mode.HOLD, False, False, 'no joint state yet', ())
        self._latency = np.nan
        self.ticks = 0
        self.missed_ticks = 0

    # Inputs ---------------------------------------------------------------------------------

    def set_mode(self, mode: Mode | str) -> tuple[bool, str]:
        """Choose who commands: a mode or its name; returns whether it was taken, and why not."""
        try:
            wanted = Mode[mode.upper()] if isinstance(mode, str) else Mode(mode)
        except (KeyError, ValueError):
            wanted = Mode.STOPPED
        if wanted in (Mode.HOLD, Mode.STOPPED):
            return False, f'mode {mode!r} cannot be set; known: idle, {", ".join(SOURCES)}'
        if self.mode == Mode.STOPPED:
            return False, f'stopped: {self._stop_reason}; control/clear comes first'
        self._select(wanted)
        return True, ''

    def offer(self, source: str, command: NamedPositions, now: float) -> str | None:
        """Take a command of a source; returns None, or why it was refused.

        Args:
            source: 'shadow', 'policy' or 'replay'.
            command: Joints by name; those that are not named keep their last target.
            now: [s].
        """
        present = self._limiter.state.q if self._started else None
        return self.intake.offer(source, command, now, present)

    def measure(
        self, names: Sequence[str], positions: FloatArray, stamp: float, now: float
    ) -> None:
        """Take measured joint positions.

        Args:
            names: N joints, of any driver.
            positions: (N,) [rad] or [m].
            stamp: When they were measured [s]; 0 counts as now.
            now: [s].

        Raises:
            MimicError: They are not usable; the gate holds once no usable ones come.
        """
        self._measured.add(names, positions, min(stamp, now) if stamp else now)

    def enable(self, held: bool, now: float) -> None:
        """Take the state of the deadman key, pedal or clutch."""
        self._enabled_at = now if held else -np.inf

    def stop(self, reason: str) -> None:
        """Brake and stay, until `clear`."""
        self._select(Mode.IDLE)
        self.mode, self._stop_reason = Mode.STOPPED, reason or 'no reason given'

    def clear(self) -> None:
        """Leave STOPPED for IDLE."""
        if self.mode == Mode.STOPPED:
            self.mode, self._stop_reason = Mode.IDLE, ''

    def move_to(
        self, names: Sequence[str], positions: FloatArray, speed_scale: float, now: float
    ) -> float:
        """Begin a motion of some joints in mode IDLE; returns how long it takes [s].

        Args:
            names: N joints; the others stay.
            positions: (N,) [rad] or [m].
            speed_scale: Of the joint speed limits [1], 0..1; 0: the default.
            now: [s].

        Raises:
            LimitError: Not idle, not measured, or the goal breaks a limit: which joint and bound.
            UnknownNameError: A joint is not of this robot.
            ShapeError, NotFiniteError: Not N numbers.
        """
        goal = self._goal(names, positions)
        scale = speed_scale or self.params.move_speed_scale
        if not 0.0 < scale <= 1.0:
            raise LimitError(f'speed_scale is {scale}, outside [0, 1]')
        if self.mode != Mode.IDLE:
            raise LimitError(f'mode is {self.mode.name.lower()}, not idle')
        if not self._output.publish:
            raise LimitError(self._output.reason or 'the gate sends nothing at present')
        move = TimedMove(self._limiter.state, goal, self.limits.scaled(scale, scale, scale), now)
        self._move, self._move_failed = move, ''
        return move.duration

    def cancel_move(self, reason: str = 'cancelled') -> None:
        """Brake a motion of `move_to`."""
        if self._move is not None:
            self._move, self._move_failed = None, reason

    def move_state(self, now: float) -> tuple[float, float, str]:
        """Return progress [1], remaining time [s] and why the last motion failed."""
        if self._move is None:
            return (0.0 if self._move_failed else 1.0), 0.0, self._move_failed
        total = max(self._move.duration, self.period)
        elapsed = now - self._move.begin
        return float(np.clip(elapsed / total, 0.0, 0.999)), max(total - elapsed, 0.0), ''

    # The tick -------------------------------------------------------------------------------

    def tick(self, now: float, q_measured: FloatArray | None = None) -> GateOutput:
        """Return the output of this control period.

        Args:
            now: [s].
            q_measured: (J,) all joints measured now, where no `measure` brings them.
        """
        self._count(now)
        if q_measured is not None:
            with contextlib.suppress(MimicError):  # what is not taken gets old, and that holds
                self._measured.add(self.robot.joint_names, q_measured, now)
        lost = self._measured.missing(now, self.params.state_timeout)
        begins, away = (False, lost) if lost else self._start(now)
        reason = away or self._hold_reason(now)
        state = self._state_of(reason)
        limited: tuple[str, ...] = ()
        if not self._started or (lost and self._at_rest()) or self._off_track(now):
            return self._emit(now, state, False, False, reason, ())
        if begins:
            self._advance(now, self._limiter.state)
            return self._emit(now, state, True, True, reason, ())
        reference = None if state in (Mode.HOLD, Mode.STOPPED) else self._reference(now)
        if reference is None:
            step = self._limiter.stopping()
        else:
            step, limited = self._step(reference, now)
        if not self._in_time(step, now):
            return self._emit(now, state, False, False, reason, limited)
        self._advance(now, step)
        self._finish_move(now)
        return self._emit(now, state, True, False, reason or _because(limited), limited)

    def status(self, now: float) -> GateStatus:
        """Return what the gate did and why, with the distance of the robot's parts now."""
        out, intake = self._output, self.intake
        distance = np.nan
        if self._collision is not None and self._started:
            distance = self._collision.closest(out.q)[0]
        source = MOVE if self._move is not None else ''
        if intake.selected and out.state == self.mode:
            source = f'{intake.selected}/command'
        followed = intake.reference is not None
        stamp = intake.command_stamp
        return GateStatus(
            mode=self.mode,
            state=out.state,
            source=source,
            reason=out.reason,
            limited=out.limited,
            position=out.q,
            velocity=out.v,
            collision_distance=distance,
            command_stamp=stamp,
            latency=self._latency if followed and stamp else np.nan,
            command_age=now - (stamp or intake.received) if followed else np.nan,
            accepted=intake.accepted,
            refused=intake.refused,
            last_refusal=intake.last_refusal,
            ticks=self.ticks,
            missed_ticks=self.missed_ticks,
        )

    # Parts of the tick ----------------------------------------------------------------------

    def _select(self, mode: Mode) -> None:
        self.cancel_move(f'mode {mode.name.lower()} was chosen')
        self.mode = mode
        source = mode.name.lower()
        self.intake.select(source if source in SOURCES else '', self._limiter.brake().end)
        self._catching_up = True

    def _goal(self, names: Sequence[str], positions: FloatArray) -> FloatArray:
        joints = self.robot.joint_names
        values = checked(positions, (len(names),), 'positions')
        goal = self._limiter.brake().end.copy()
        for name, value in zip(names, values, strict=True):
            if name not in joints:
                raise UnknownNameError('joint', name, joints)
            i = joints.index(name)
            low, high = self.limits.lower[i], self.limits.upper[i]
            if not low - 1e-6 <= value <= high + 1e-6:
                raise LimitError(f'{name} = {value:.4f} is outside [{low:.4f}, {high:.4f}]')
            goal[i] = np.clip(value, low, high)
        return goal

    def _count(self, now: float) -> None:
        last, self._last_tick = self._last_tick, now
        self.ticks += 1
        if last is None:
            return
        if now < last:  # the clock was set back
            self.intake.clock_was_set_back()
            self._measured.forget_times()
            self.cancel_move('the clock was set back')
            self._last_output = -np.inf
            self._enabled_at = -np.inf
            self._lost_since = self._standing = None
        elif now - last > 1.5 * self.period:
            self.missed_ticks += round((now - last) / self.period) - 1

    def _at_rest(self) -> bool:
        state = self._limiter.state
        return not (state.v.any() or state.a.any())

    def _start(self, now: float) -> tuple[bool, str]:
        """Begin at the measured position, at first and where the robot went its own way.

        Returns whether it begins now, and why it may not move.
        """
        q = self._measured.q
        outside = self._outside(q)
        if self._started:
            away = self._away(q)
            if not away:
                self._lost_since = self._standing = None
                return False, ''
            if self._lost_since is None:
                self._lost_since = now
            if outside or not self._off_track(now) or not self._has_settled(now, q):
                return False, away
        elif outside:
            return False, outside
        else:
            away = ''
        self._limiter.reset(q)
        self._started, self._lost_since, self._standing = True, None, None
        self._catching_up = True
        self.intake.select(self.intake.selected, q)
        self.cancel_move('the gate began anew at the measured position')
        return True, away

    def _outside(self, q: FloatArray) -> str:
        """Return which measured joint (J,) is too far outside to start, '' when none."""
        beyond = np.maximum(self.limits.lower - q, q - self.limits.upper)
        i = int(np.argmax(beyond))
        if beyond[i] <= self.params.max_tracking_error:
            return ''
        low, high = self.limits.lower[i], self.limits.upper[i]
        return (
            f'{self.robot.joint_names[i]} is measured at {q[i]:.3f}, '
            f'outside [{low:.3f}, {high:.3f}]'
        )

    def _away(self, q: FloatArray) -> str:
        """Return which arm joint (J,) is not where it was sent, '' when all are."""
        arms = len(self.robot.arm_joints)
        if not arms:
            return ''
        error = np.abs(q - self._limiter.state.q)[:arms]
        i = int(np.argmax(error))
        bound = self.params.max_tracking_error
        if error[i] <= bound:
            return ''
        name = self.robot.joint_names[i]
        return f'{name} is {error[i]:.2f} away from its command (bound {bound:g})'

    def _off_track(self, now: float) -> bool:
        return self._lost_since is not None and now - self._lost_since > LOST_BRAKE

    def _has_settled(self, now: float, q: FloatArray) -> bool:
        if self._standing is None or np.abs(q - self._standing[1]).max() > STEADY:
            self._standing = (now, q.copy())
        return now - self._standing[0] >= SETTLE

    def _hold_reason(self, now: float) -> str:
        if self.mode == Mode.STOPPED:
            return self._stop_reason
        if self.mode == Mode.IDLE and self._move is None:
            return ''
        if self.params.require_enable and not 0.0 <= now - self._enabled_at <= (
            self.params.enable_timeout
        ):
            return 'control/enable is not held'
        return '' if self.mode == Mode.IDLE else self.intake.stale(now)

    def _state_of(self, reason: str) -> Mode:
        if self.mode == Mode.STOPPED:
            return Mode.STOPPED
        return Mode.HOLD if reason else self.mode

    def _reference(self, now: float) -> Reference | None:
        if self._move is not None:
            return self._move
        return self.intake.reference if self.mode != Mode.IDLE else None

    def _step(self, reference: Reference, now: float) -> tuple[State, tuple[str, ...]]:
        """Return the next state towards a reference and the limits that shaped it."""
        target = reference.at(np.array([now]))[0][0]
        limited = self._beyond_position(target)
        if self._box is not None:
            inside, why = self._box.project(self.limits.clip(target))
            if why:
                limited.append(why)
                reference, target = Fixed(inside), inside
        scale = self._scale
        if self._catching_up:
            far = np.abs(self.limits.clip(target) - self._limiter.state.q).max()
            self._catching_up = bool(far > CAUGHT_UP)
            scale = min(scale, self.params.resume_speed_scale)
        step = self._limiter.propose(reference, now, scale)
        why = self._forbidden(step)
        if why:
            self._scale = max(SLOWER * self._scale, SLOWEST)
            step = self._limiter.stopping()
            limited.append(why)
        else:
            self._scale = min(FASTER * self._scale, 1.0)
        return step, tuple([*limited, *self._at_rate_limits(step)])

    def _forbidden(self, step: State) -> str:
        """Return why a state, or the stop from it, may not be, '' when it may."""
        way = Way(self._limiter.brake(step), self.period)
        present = self._limiter.state.q
        if self._box is not None and (why := self._box.violation(way, present)):
            return why
        return '' if self._collision is None else self._collision.violation(way, present)

    def _beyond_position(self, target: FloatArray) -> list[str]:
        out = (target < self.limits.lower - 1e-9) | (target > self.limits.upper + 1e-9)
        return [f'{self.robot.joint_names[i]} position' for i in np.flatnonzero(out)]

    def _at_rate_limits(self, step: State) -> list[str]:
        names, found = self.robot.joint_names, []
        for what, value, bound in (
            ('speed', step.v, self.limits.max_speed),
            ('acceleration', step.a, self.limits.max_acceleration),
        ):
            found += [f'{names[i]} {what}' for i in np.flatnonzero(np.abs(value) >= 0.99 * bound)]
        return found

    def _in_time(self, step: State, now: float) -> bool:
        """Tell whether so much time has passed since the last output that this one is not early.

        After a late tick the next one may come soon; sending then would move the robot faster than
        its limits, so the output waits for the next tick.
        """
        gap = (now - self._last_output) / self.period
        if gap >= 1.0:
            return True
        share = np.abs(step.q - self._limiter.state.q) / (self.limits.max_speed * self.period)
        return bool(gap >= max(MIN_GAP, float(share.max())))

    def _advance(self, now: float, step: State) -> None:
        self._limiter.accept(step)
        self._last_output = now

    def _finish_move(self, now: float) -> None:
        if self._move is None:
            return
        late = now - self._move.begin - self._move.duration
        if self._at_rest() and np.abs(self._move.goal - self._limiter.state.q).max() < 1e-4:
            self._move = None
        elif late > MOVE_GRACE:
            why = ', '.join(self._output.limited) or 'the limits'
            self.cancel_move(f'the goal was not reached because of {why}')

    def _make(
        self, state: Mode, publish: bool, restart: bool, reason: str, limited: tuple[str, ...]
    ) -> GateOutput:
        now = self._limiter.state
        return GateOutput(now.q.copy(), now.v.copy(), publish, restart, state, reason, limited)

    def _emit(
        self,
        now: float,
        state: Mode,
        publish: bool,
        restart: bool,
        reason: str,
        limited: tuple[str, ...],
    ) -> GateOutput:
        if publish and self.intake.fresh and state == self.mode:
            self.intake.fresh = False
            self._latency = now - self.intake.command_stamp
        self._output = self._make(state, publish, restart, reason, limited)
        return self._output


def _because(limited: tuple[str, ...]) -> str:
    stops = [what for what in limited if what.startswith(('workspace', 'collision'))]
    return f'slowed or stopped by {stops[0]}' if stops else ''
