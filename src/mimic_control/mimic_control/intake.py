"""Who commands: takes the commands of the selected source and refuses all others, with reasons."""

from typing import Final

import numpy as np

from mimic_control.params import GateParams
from mimic_control.reference import MAX_INTERVAL, Path, Stream
from mimic_core.arrays import FloatArray
from mimic_core.command import NamedPositions
from mimic_core.errors import MimicError
from mimic_description import RobotModel

SOURCES: Final = ('shadow', 'policy', 'replay')

FAR: Final = 10.0  # [rad] or [m] beyond a bound, where a target is cut


class Intake:
    """Checks commands, counts them, and turns those of one source into a reference."""

    def __init__(self, robot: RobotModel, params: GateParams) -> None:
        self._joints = robot.joint_names
        self._max_speed = robot.limits.max_speed
        # Farther wishes are the same wish; so no sum or product of them overflows.
        self._lowest, self._highest = robot.limits.lower - FAR, robot.limits.upper + FAR
        self._params = params
        self.selected = ''
        self.accepted = 0
        self.refused = 0
        self.last_refusal = ''
        self.reference: Stream | Path | None = None
        self.command_stamp = 0.0  # [s] of the followed command, 0: unknown
        self.received = 0.0  # [s]
        self.fresh = False  # no output has followed the command yet
        self._fresh_until = -np.inf
        self._cut_off = False  # a path that ends later than it may be followed
        self._last_stamp = dict.fromkeys(SOURCES, 0.0)
        self._targets = np.zeros(len(self._joints))

    @property
    def targets(self) -> FloatArray:
        """(J,) where the followed command ends; wishes far beyond a bound are cut."""
        return self._targets

    def select(self, source: str, q: FloatArray) -> None:
        """Follow one source from now on, '' for none; joints it does not name stay at q (J,)."""
        self.selected = source
        self._targets = q.copy()
        self.drop()

    def drop(self) -> None:
        """Forget the followed command."""
        self.reference = None
        self.command_stamp = 0.0
        self.fresh = False
        self._fresh_until = -np.inf

    def clock_was_set_back(self) -> None:
        """Forget every time."""
        self.drop()
        self._last_stamp = dict.fromkeys(SOURCES, 0.0)

    def refuse(self, source: str, reason: str) -> str:
        """Count a refusal and return its text."""
        self.refused += 1
        self.last_refusal = f'{source}/command: {reason}'
        return self.last_refusal

    def offer(
        self, source: str, command: NamedPositions, now: float, q: FloatArray | None
    ) -> str | None:
        """Take a command or return why not.

        Args:
            source: Who sends it.
            command: Some or all joints; the others keep their last target.
            now: [s].
            q: (J,) what was sent last, None before the first output.
        """
        if source not in SOURCES:
            return self.refuse(source, f'unknown source; known: {", ".join(SOURCES)}')
        if source != self.selected:
            other = f'{self.selected} is' if self.selected else 'no source is'
            return self.refuse(source, f'{other} selected')
        if q is None:
            return self.refuse(source, 'the robot has not been measured yet')
        try:
            points = command.ordered(self._joints)
        except MimicError as error:
            return self.refuse(source, str(error))
        reason = self._bad_time(source, command, now) or self._jump(points[0])
        if reason:
            return self.refuse(source, reason)
        self._take(command, points, now, q)
        self._last_stamp[source] = command.stamp or self._last_stamp[source]
        self.accepted += 1
        return None

    def stale(self, now: float) -> str:
        """Return why nothing may be followed, '' while the command is fresh."""
        if self.reference is None:
            return f'waiting for the first command on {self.selected}/command'
        if now > self._fresh_until:
            bound = self._params.timeout_of(self.selected)
            if self._cut_off:
                return (
                    f'no newer command on {self.selected}/command than one of a path that is '
                    f'followed for {self._params.max_path:g} s'
                )
            age = now - self._fresh_until + bound
            return (
                f'last command on {self.selected}/command is {age:.2f} s old (bound {bound:g} s)'
            )
        return ''

    def _bad_time(self, source: str, command: NamedPositions, now: float) -> str:
        stamp, params = command.stamp, self._params
        if not np.isfinite(stamp):
            return f'stamp is {stamp}'
        if not stamp:
            return ''
        if stamp < self._last_stamp[source]:
            back = self._last_stamp[source] - stamp
            return f'time goes backwards: stamp is {back:.3f} s before that of the last command'
        bound = params.timeout_of(source)
        if now - stamp > bound:
            return f'is {now - stamp:.3f} s old (bound {bound:g} s)'
        if stamp - now > params.max_lead:
            return f'starts in {stamp - now:.3f} s (bound {params.max_lead:g} s)'
        return ''

    def _jump(self, point: FloatArray) -> str:
        bound = self._params.max_command_jump
        if not bound or self.reference is None:
            return ''
        change = np.nan_to_num(np.abs(point - self._targets))
        i = int(np.argmax(change))
        if change[i] <= bound:
            return ''
        return f'{self._joints[i]} jumps by {change[i]:.3f} (bound {bound:g})'

    def _take(
        self, command: NamedPositions, points: FloatArray, now: float, q: FloatArray
    ) -> None:
        full = np.where(np.isnan(points), self._targets, points)
        full = np.clip(full, self._lowest, self._highest)
        begin = max(now, command.stamp)
        times = begin + command.times
        data_time = command.stamp if 0.0 < command.stamp <= now else now
        if len(full) == 1 and times[0] - now <= MAX_INTERVAL:
            if not isinstance(self.reference, Stream):
                self.reference = Stream(q, self._max_speed, self._params.max_extrapolation)
            self.reference.add(full[0], float(times[0]), data_time)
        else:
            self.reference = Path(q, now, full, times)
        self._targets = full[-1].copy()
        self.command_stamp, self.received, self.fresh = command.stamp, now, True
        end = float(times[-1]) if times[-1] > begin else data_time
        last = begin + self._params.max_path
        self._cut_off = end > last
        bound = self._params.timeout_of(self.selected)
        self._fresh_until = last if self._cut_off else end + bound
