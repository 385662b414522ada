"""Whether a person holds on: from buttons that go down and up, or from a key that repeats."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

UP: Final = 0
DOWN: Final = 1
REPEAT: Final = 2  # of a keyboard; says nothing that DOWN did not say


@dataclass(frozen=True)
class Press:
    """One change of one button, as the kernel tells it."""

    code: int
    value: int  # UP, DOWN or REPEAT


class Buttons:
    """Buttons of a keyboard, pedal or gamepad.

    It is held while every hold button is down, each of which was seen going down. So a button that
    is already down when the device comes (a jammed pedal, a key held over an unplug), or whose
    press was lost, must be let go first. After a stop they all must be let go before they count
    again.
    """

    def __init__(self, hold: Iterable[int], stop: Iterable[int], max_hold: float = 0.0) -> None:
        """Args: hold, stop: codes; max_hold: longest hold [s], 0: any."""
        self._hold, self._stop = frozenset(hold), frozenset(stop)
        self._max_hold = max_hold or math.inf
        self._down: set[int] = set()
        self._since = math.nan  # [s] when the present hold began
        self._spent = False  # held too long, or stopped: let go first
        self._down_before: set[int] = set()

    def press(self, event: Press, now: float) -> bool:
        """Take one change at a time [s]; returns whether it stops the robot."""
        if event.code in self._stop and event.value == DOWN:
            self._spent = bool(self._down | self._down_before)
            return True
        if event.code not in self._hold:
            return False
        if event.value == UP:
            self._down.discard(event.code)
            self._down_before.discard(event.code)
            self._spent = self._spent and bool(self._down | self._down_before)
        elif event.value == DOWN and event.code not in self._down_before:
            self._down.add(event.code)
            if self._down == self._hold:
                self._since = now
        return False

    def forget(self, down: Iterable[int] = ()) -> None:
        """Let go of everything: the device went, came, or lost events; `down` must be let go."""
        self._down.clear()
        self._down_before = set(down) & self._hold
        self._spent = False

    def held(self, now: float) -> bool:
        """Return whether it is held at a time [s]."""
        if self._down != self._hold or self._spent:
            return False
        if now - self._since > self._max_hold:
            self._spent = True
        return not self._spent


class RepeatedKey:
    """A key of a terminal, which tells no release: it is held while it repeats.

    The first character alone may be a tap, so holding begins with the second.
    """

    def __init__(self, first: float, next_: float) -> None:
        """Args: first: longest time to the first repeat [s]; next_: between later ones [s]."""
        self._first, self._next = first, next_
        self._last = -math.inf
        self._count = 0

    def press(self, now: float) -> None:
        """Take one character at a time [s]."""
        limit = self._first if self._count == 1 else self._next
        in_time = 0.0 <= now - self._last <= limit
        self._count = self._count + 1 if in_time else 1
        self._last = now

    def forget(self) -> None:
        """Let go."""
        self._count = 0
        self._last = -math.inf

    def held(self, now: float) -> bool:
        """Return whether it repeats at a time [s]."""
        return self._count >= 2 and 0.0 <= now - self._last <= self._next
