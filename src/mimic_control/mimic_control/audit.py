"""What the gate decided and why, as events at a bounded rate."""

import enum
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mimic_control.active import ActiveLimit
from mimic_control.output import GateOutput
from mimic_core.arrays import FloatArray

PERIOD: Final = 1.0  # [s] between two messages about one thing; what comes between is counted
RATE: Final = 20.0  # [1/s] messages at most
BURST: Final = 4  # messages of one tick at most, below the depth of the topic
MOST: Final = 100  # things that wait; what is beyond is counted as one of its kind
_NUMBER: Final = re.compile(r'[-+]?\d[\d.e+-]*')


class Kind(enum.IntEnum):
    """Numbers of mimic_interfaces/ControlAudit."""

    ACCEPTED = 0
    REFUSED = 1
    MODE = 2
    HOLD = 3
    ENABLE = 4
    LIMIT_ON = 5
    LIMIT_OFF = 6


@dataclass
class AuditEvent:
    """One decision, or several of one kind; the fields of mimic_interfaces/ControlAudit."""

    kind: Kind
    stamp: float  # [s] of the first
    last: float  # [s] of the last
    source: str = ''
    text: str = ''
    asked: float = math.nan  # [rad] or [m]
    asked_joint: str = ''
    sent: float = math.nan  # [rad] or [m]
    sent_joint: str = ''
    limit: str = ''
    value: float = math.nan
    bound: float = math.nan
    count: int = 1


class AuditLog:
    """Collects events; `take` gives those that are due."""

    def __init__(self, joints: Sequence[str]) -> None:
        """Args: joints: J names."""
        self._joints = tuple(joints)
        self._waiting: dict[tuple[object, ...], AuditEvent] = {}
        self._next: dict[tuple[object, ...], float] = {}  # [s] when a thing may be told again
        self._allowed = RATE
        self._taken = -np.inf
        self._mode = ''
        self._reason = ''
        self._held = False
        self._active: dict[str, ActiveLimit] = {}
        self._q: FloatArray | None = None
        self._step = np.zeros(len(self._joints))  # (J,) largest since the last ACCEPTED was taken

    def accepted(self, source: str, change: FloatArray, now: float) -> None:
        """Note a command that was taken; change: (J,) of its targets from what was sent."""
        i = int(np.argmax(np.abs(change)))
        asked, joint = abs(float(change[i])), self._joints[i]
        event = AuditEvent(Kind.ACCEPTED, now, now, source, asked=asked, asked_joint=joint)
        waiting = self._add((Kind.ACCEPTED, source), event)
        if asked > waiting.asked:
            waiting.asked, waiting.asked_joint = asked, joint

    def refused(self, source: str, why: str, now: float) -> None:
        """Note a refused command; refusals that differ in numbers only are of one kind."""
        event = AuditEvent(Kind.REFUSED, now, now, source, why)
        self._add((Kind.REFUSED, source, _NUMBER.sub('#', why)), event).text = why

    def ticked(self, output: GateOutput, mode: str, held: bool, now: float) -> None:
        """Note what changed with an output of the gate."""
        if mode != self._mode:
            self._mode = mode
            self._add((Kind.MODE, mode), AuditEvent(Kind.MODE, now, now, text=mode))
        if held != self._held:
            self._held = held
            event = AuditEvent(Kind.ENABLE, now, now)
            self._add((Kind.ENABLE,), event).text = 'held' if held else 'released'
        if output.reason != self._reason:
            before, self._reason = self._reason, output.reason
            if _NUMBER.sub('#', before) != _NUMBER.sub('#', output.reason):
                event = AuditEvent(Kind.HOLD, now, now)
                self._add((Kind.HOLD, _NUMBER.sub('#', output.reason)), event).text = output.reason
        if output.publish:
            if self._q is not None and not output.restart:
                self._step = np.maximum(self._step, np.abs(output.q - self._q))
            self._q = output.q
        if output.limits or self._active:
            self._limits({limit.name: limit for limit in output.limits}, now)

    def take(self, now: float) -> list[AuditEvent]:
        """Return the events that are due, oldest first."""
        if now < self._taken:  # the clock was set back
            self._next.clear()
            self._taken = now
        if not self._waiting:
            return []
        self._allowed = min(RATE, self._allowed + RATE * (now - self._taken))
        self._taken = now
        most = min(BURST, int(self._allowed))
        due = [key for key in self._waiting if self._next.get(key, -np.inf) <= now][:most]
        self._allowed -= len(due)
        events = [self._waiting.pop(key) for key in due]
        for key in due:
            self._next[key] = now + PERIOD
        if len(self._next) > 2 * MOST:
            self._next = {key: time for key, time in self._next.items() if time > now}
        for event in events:
            if event.kind == Kind.ACCEPTED:
                i = int(np.argmax(self._step))
                event.sent, event.sent_joint = float(self._step[i]), self._joints[i]
                self._step = np.zeros(len(self._joints))
        return events

    def _limits(self, active: dict[str, ActiveLimit], now: float) -> None:
        for kind, names, of in (
            (Kind.LIMIT_ON, active.keys() - self._active.keys(), active),
            (Kind.LIMIT_OFF, self._active.keys() - active.keys(), self._active),
        ):
            for name in sorted(names):
                limit = of[name]
                event = AuditEvent(
                    kind, now, now, limit=name, value=limit.value, bound=limit.bound
                )
                waiting = self._add(('limit', name), event)
                waiting.kind, waiting.value, waiting.bound = kind, limit.value, limit.bound
        self._active = active

    def _add(self, key: tuple[object, ...], event: AuditEvent) -> AuditEvent:
        """Return the event that waits for this key: this one, or one before that counts it too."""
        if key not in self._waiting and len(self._waiting) >= MOST:
            key = ('more', event.kind)
        waiting = self._waiting.get(key)
        if waiting is None:
            self._waiting[key] = event
            return event
        waiting.count += 1
        waiting.last = event.last
        return waiting
