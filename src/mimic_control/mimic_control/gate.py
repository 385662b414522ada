"""The one gate: every command passes it, one output leaves it for each control period."""

import contextlib
from collections.abc import Sequence
from typing import Final

import numpy as np

from mimic_control.active import ActiveLimit
from mimic_control.anchor import Anchor
from mimic_control.audit import AuditLog
from mimic_control.brake import State
from mimic_control.intake import SOURCES, Intake
from mimic_control.limiter import Reference, TimedMove
from mimic_control.neighbour import Neighbour
from mimic_control.output import GateOutput, GateStatus, Mode
from mimic_control.params import GateParams
from mimic_control.steering import Steering
from mimic_control.take_over import Clutch
from mimic_core.arrays import FloatArray, checked
from mimic_core.command import NamedPositions
from mimic_core.errors import LimitError, MimicError, UnknownNameError
from mimic_core.limits import JointLimits
from mimic_description import RobotModel
from mimic_planning import TimedPath

MOVE: Final = 'control/move_to'
PERSON: Final = 'shadow'  # the source of a person who takes over
MIN_GAP: Final = 0.5  # [1] of the period: outputs never come closer together than that
MOVE_GRACE: Final = 2.0  # [s] over its duration that a motion may take near obstacles
SAME_PLACE: Final = 0.002  # [rad] or [m] that the start of a planned motion may be off
REACHED: Final = 1e-4  # [rad] or [m] distance at which a motion has arrived


class Gate:
    """Chooses who commands and lets nothing through that breaks a limit.

    Times are in seconds of any one clock. Nothing here raises in `tick`: what is wrong holds the
    robot and is said in the reason.
    """

    def __init__(
        self,
        robot: RobotModel,
        params: GateParams | None = None,
        neighbour: Neighbour | None = None,
    ) -> None:
        """Args: robot: what it guards; neighbour: an arm beside it, with a gate like this one."""
        self.robot: Final = robot
        self.params: Final = params or GateParams()
        p = self.params
        self.limits: Final = robot.limits.scaled(p.speed_scale, p.acceleration_scale, p.jerk_scale)
        self.steering: Final = Steering(robot, self.limits, p, neighbour)
        self.neighbour: Final = neighbour
        self.period: Final = self.steering.period  # [s]
        self.intake: Final = Intake(robot, p)
        self.anchor: Final = Anchor(robot, p)
        self.audit: Final = AuditLog(robot.joint_names)
        self.mode = Mode.IDLE
        self.ticks = 0
        self.missed_ticks = 0
        self._started = False
        self._sends = False  # outputs follow each other, though one of them may wait for a tick
        self._stop_reason = ''
        self._enabled_at = -np.inf
        self._clutch: Final = Clutch(p.enable_timeout)
        self._move: TimedMove | TimedPath | None = None
        self._move_failed = ''
        self._last_tick: float | None = None
        self._last_output = -np.inf
        self._latency = np.nan
        self._output = self._result(Mode.HOLD, 'no joint state yet')

    # Inputs ---------------------------------------------------------------------------------

    def set_mode(self, mode: Mode | int | str) -> tuple[bool, str]:
        """Choose who commands: a mode or its name; returns whether it was taken, and why not."""
        try:
            wanted = Mode[mode.upper()] if isinstance(mode, str) else Mode(mode)
        except (KeyError, ValueError):
            wanted = Mode.HOLD
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
        present = self.steering.state.q if self._started else None
        refusal = self.intake.offer(source, command, now, present)
        if refusal is not None:
            self.audit.refused(source, refusal, now)
        elif present is not None:
            self.audit.accepted(source, self.intake.targets - present, now)
        return refusal

    def refuse(self, source: str, reason: str, now: float) -> str:
        """Count a message of a source that was no command; returns the whole sentence."""
        refusal = self.intake.refuse(source, reason)
        self.audit.refused(source, refusal, now)
        return refusal

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
        self.anchor.measured.add(names, positions, min(stamp, now) if stamp else now)

    def enable(self, held: bool, now: float) -> None:
        """Take the state of the deadman key, pedal or clutch."""
        self._enabled_at = now if held else -np.inf
        if not self.params.require_enable:
            self._clutch.press(held, now)

    def take_over(self, held: bool, now: float) -> None:
        """Take the state of the clutch with which a person drives in mode policy.

        Where `require_enable` is off, `enable` is this clutch too.
        """
        self._clutch.press(held, now)

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
            LimitError: Not idle, nothing sent, or the goal breaks a limit: which joint and bound.
            UnknownNameError: A joint is not of this robot.
            ShapeError, NotFiniteError: Not N numbers.
        """
        goal, limits = self.move_goal(names, positions, speed_scale)
        self._move, self._move_failed = TimedMove(self.steering.state, goal, limits, now), ''
        return self._move.duration

    def move_goal(
        self, names: Sequence[str], positions: FloatArray, speed_scale: float
    ) -> tuple[FloatArray, JointLimits]:
        """Return where `move_to` would go (J,) and within which limits; raises what it raises."""
        goal = self._goal(names, positions)
        scale = speed_scale or self.params.move_speed_scale
        if not 0.0 < scale <= 1.0:
            raise LimitError(f'speed_scale is {scale}, outside [0, 1]')
        if self.mode != Mode.IDLE:
            raise LimitError(f'mode is {self.mode.name.lower()}, not idle')
        if not self._sends:
            raise LimitError(self._output.reason or 'the gate sends nothing at present')
        return goal, self.limits.scaled(scale, scale, scale)

    def move_along(self, path: TimedPath) -> None:
        """Begin a motion that was planned, in mode IDLE.

        Raises:
            LimitError: Not idle, or the robot is not where the motion starts.
        """
        if self.mode != Mode.IDLE:
            raise LimitError(f'mode is {self.mode.name.lower()}, not idle')
        start = path.at(np.array([path.begin]))[0][0]
        i = int(np.argmax(np.abs(start - self.steering.rest)))
        away = abs(float((start - self.steering.rest)[i]))
        if away > SAME_PLACE:
            joint = self.robot.joint_names[i]
            raise LimitError(f'{joint} moved by {away:.4f} while the motion was planned')
        self._move, self._move_failed = path, ''

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

    # Outputs --------------------------------------------------------------------------------

    def tick(self, now: float, q_measured: FloatArray | None = None) -> GateOutput:
        """Return the output of this control period.

        Args:
            now: [s].
            q_measured: (J,) all joints measured now, where no `measure` brings them.
        """
        output = self._tick(now, q_measured)
        self.audit.ticked(output, self.mode.name.lower(), self._enabled(now), now)
        return output

    def _tick(self, now: float, q_measured: FloatArray | None) -> GateOutput:
        self._count(now)
        if q_measured is not None:
            with contextlib.suppress(MimicError):  # what is not taken gets old, and that holds
                self.anchor.measured.add(self.robot.joint_names, q_measured, now)
        self._change_hands()
        lost = self.anchor.missing(now)
        sent = self.steering.state.q if self._started else None
        begins, away = (False, '') if lost else self.anchor.begins(now, sent)
        if begins:
            self._begin()
        reason = lost or away or self._hold_reason(now)
        state = self._state_of(reason)
        quiet = (lost and self.steering.at_rest) or self.anchor.off_track(now)
        self._sends = self._started and not quiet
        if not self._sends:
            self._give_up_move(now, reason)
            self._output = self._result(state, reason)
            return self._output
        self.steering.look(now)
        step, limits = self._next(state, now)
        publish = begins or self._in_time(step, now)
        if publish:
            self.steering.accept(self.steering.state if begins else step)
            self._last_output = now
            self._finish_move(now, limits, reason)
            if self.intake.fresh and state == self._driven:
                self.intake.fresh = False
                self._latency = now - self.intake.command_stamp
        reason = reason or _because(limits)
        self._output = self._result(state, reason, limits, publish=publish, restart=begins)
        return self._output

    def status(self, now: float) -> GateStatus:
        """Return what the gate did and why, with the distance of the robot's parts now."""
        out, intake = self._output, self.intake
        distance = np.nan
        if self.steering.collision is not None and self._started:
            distance = self.steering.collision.closest(out.q)[0]
        source = MOVE if self._move is not None else ''
        if self._taken_over or (intake.selected and out.state == self._driven):
            source = f'{intake.selected}/command'
        followed = intake.reference is not None
        stamp = intake.command_stamp
        return GateStatus(
            mode=self.mode,
            state=out.state,
            source=source,
            reason=out.reason,
            enable_missing=self._enable_missing(now),
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

    # Parts ----------------------------------------------------------------------------------

    @property
    def _driven(self) -> Mode:
        """The mode, or SHADOW while a person has taken over."""
        return Mode.SHADOW if self._taken_over else self.mode

    @property
    def _taken_over(self) -> bool:
        return self.mode == Mode.POLICY and self.intake.selected == PERSON

    def _change_hands(self) -> None:
        """Let a person drive in mode policy while the clutch is held, and the policy after."""
        if self.mode != Mode.POLICY or not self.params.take_over:
            return
        if self._clutch.held != self._taken_over:
            source = PERSON if self._clutch.held else self.mode.name.lower()
            self.intake.select(source, self.steering.rest)
            self.steering.resume()

    def _select(self, mode: Mode) -> None:
        self._clutch.forget()
        self.cancel_move(f'mode {mode.name.lower()} was chosen')
        self.mode = mode
        source = mode.name.lower()
        self.intake.select(source if source in SOURCES else '', self.steering.rest)
        self.steering.resume()

    def _goal(self, names: Sequence[str], positions: FloatArray) -> FloatArray:
        joints = self.robot.joint_names
        values = checked(positions, (len(names),), 'positions')
        goal = self.steering.rest.copy()
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
            self.anchor.clock_was_set_back()
            if self.neighbour is not None:
                self.neighbour.clock_was_set_back()
            self.cancel_move('the clock was set back')
            self._last_output = now
            self._enabled_at = -np.inf
            self._clutch.forget()
        elif now - last > 1.5 * self.period:
            self.missed_ticks += round((now - last) / self.period) - 1

    def _begin(self) -> None:
        q = self.anchor.start()
        self.cancel_move('the gate began anew at the measured position')
        self.steering.reset(q)
        self.intake.select(self.intake.selected, q)
        self._started = True

    def _hold_reason(self, now: float) -> str:
        if self.mode == Mode.STOPPED:
            return self._stop_reason
        if self.mode == Mode.IDLE and self._move is None:
            return ''
        if self._enable_missing(now):
            return 'control/enable is not held'
        if self.neighbour is not None and (stale := self.neighbour.stale(now)):
            return stale
        if self.mode == Mode.IDLE:
            return ''
        if not self._taken_over:
            return self.intake.stale(now)
        stale = self.intake.stale(now)
        return self._clutch.lost(now) or (stale and f'a person took over: {stale}')

    def _enable_missing(self, now: float) -> bool:
        return self.params.require_enable and not self._enabled(now)

    def _enabled(self, now: float) -> bool:
        return 0.0 <= now - self._enabled_at <= self.params.enable_timeout

    def _state_of(self, reason: str) -> Mode:
        if self.mode == Mode.STOPPED:
            return Mode.STOPPED
        return Mode.HOLD if reason else self._driven

    def _next(self, state: Mode, now: float) -> tuple[State, tuple[ActiveLimit, ...]]:
        reference: Reference | None = self._move or self.intake.reference
        if state in (Mode.HOLD, Mode.STOPPED):
            reference = None
        if reference is None:
            self.steering.resume()
            return self.steering.stopping(), ()
        return self.steering.towards(reference, now)

    def _in_time(self, step: State, now: float) -> bool:
        """Tell whether so much time has passed since the last output that this one is not early.

        After a late tick the next one may come soon; sending then would move the robot faster than
        its limits, so the output waits for the next tick.
        """
        gap = (now - self._last_output) / self.period
        if gap >= 1.0:
            return True
        share = np.abs(step.q - self.steering.state.q) / (self.limits.max_speed * self.period)
        return bool(gap >= max(MIN_GAP, float(share.max())))

    def _finish_move(self, now: float, limits: tuple[ActiveLimit, ...], reason: str) -> None:
        if self._move is None:
            return
        near = np.abs(self._move.goal - self.steering.state.q).max() < REACHED
        if near and self.steering.at_rest:
            self._move = None
        else:
            self._give_up_move(
                now, ', '.join(limit.name for limit in limits) or reason or 'the limits'
            )

    def _give_up_move(self, now: float, why: str) -> None:
        if self._move is None:
            return
        if now - self._move.begin - self._move.duration > MOVE_GRACE:
            self.cancel_move(f'the goal was not reached because of: {why}')

    def _result(
        self,
        state: Mode,
        reason: str,
        limits: tuple[ActiveLimit, ...] = (),
        *,
        publish: bool = False,
        restart: bool = False,
    ) -> GateOutput:
        now = self.steering.state
        return GateOutput(now.q.copy(), now.v.copy(), publish, restart, state, reason, limits)


def _because(limits: tuple[ActiveLimit, ...]) -> str:
    stops = [limit.name for limit in limits if limit.in_the_way]
    return f'slowed or stopped by {stops[0]}' if stops else ''
