"""Faults on demand: what goes wrong on buses and in devices."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

import numpy as np

from mimic_core.errors import ConfigError, UnknownNameError

Fault = Literal[
    'checksum',  # a reply has a wrong checksum
    'short',  # a reply ends early
    'silent',  # no reply
    'noise',  # random bytes before a reply
    'slow',  # a reply comes late
    'disconnect',  # the cable is pulled
    'brown_out',  # the supply fails: the device starts anew, without torque
    'over_temperature',  # of the part that is named, or all
    'stuck',  # a motor does not move
]
FAULTS: Final = get_args(Fault)
SLOW: Final = 0.3  # [s] of a slow reply
_NOISE_BYTES: Final = 7


@dataclass
class Faults:
    """Which faults are on, and for how many more replies.

    The faults of bytes (checksum, short, silent, noise, slow) are done to replies here; those of
    the device (brown_out, over_temperature, stuck) are looked up by its emulator with `on`.
    """

    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    _left: dict[str, float] = field(default_factory=dict)  # fault -> replies, inf: until cleared
    _joint: dict[str, int] = field(default_factory=dict)

    def set(self, fault: str, count: float = np.inf, joint: int = -1) -> None:
        """Switch a fault on.

        Args:
            fault: One of FAULTS.
            count: For so many replies; default: until `clear`.
            joint: Motor of over_temperature and stuck; -1: all.

        Raises:
            UnknownNameError: There is no such fault.
        """
        if fault not in FAULTS:
            raise UnknownNameError('fault', fault, FAULTS)
        self._left[fault], self._joint[fault] = count, joint

    def clear(self, fault: str | None = None) -> None:
        """Switch one fault off, or all."""
        for name in [fault] if fault else list(self._left):
            self._left.pop(name, None)

    def on(self, fault: Fault, joint: int = -1) -> bool:
        """Tell whether a fault is on; for a motor, whether it is on for that one."""
        if self._left.get(fault, 0) <= 0:
            return False
        return joint < 0 or self._joint[fault] in (-1, joint)

    def active(self) -> tuple[str, ...]:
        """Return the faults that are on."""
        return tuple(name for name, left in self._left.items() if left > 0)

    def spoil(
        self, reply: bytes, break_checksum: Callable[[bytes], bytes] | None = None
    ) -> tuple[bytes, float]:
        """Return a reply as it arrives, and how much later it does [s].

        Args:
            reply: Whole frame.
            break_checksum: Makes its checksum wrong; default: flips the last byte.
        """
        delay = 0.0
        if self._take('silent'):
            return b'', 0.0
        if self._take('checksum'):
            if break_checksum is not None:
                reply = break_checksum(reply)
            else:
                reply = reply[:-1] + bytes([reply[-1] ^ 0x55])
        if self._take('short'):
            reply = reply[: max(len(reply) // 2, 1)]
        if self._take('noise'):
            reply = self.rng.bytes(_NOISE_BYTES) + reply
        if self._take('slow'):
            delay = SLOW
        return reply, delay

    def _take(self, fault: Fault) -> bool:
        if not self.on(fault):
            return False
        self._left[fault] -= 1
        return True

    def command(self, line: str) -> str:
        """Do what a person typed: `checksum 3`, `stuck joint 2`, `clear`; return a reply.

        Raises:
            ConfigError: It is not understood.
        """
        words = line.split()
        if words and words[0] == 'clear':
            self.clear(words[1] if len(words) > 1 else None)
            return 'no fault' if not self.active() else ', '.join(self.active())
        match = re.fullmatch(r'(\w+)(?: (\d+))?(?: joint (\d+))?', line.strip())
        if match is None:
            raise ConfigError(f"'{line}': say FAULT [COUNT] [joint N] or clear [FAULT]")
        name, count, joint = match.groups()
        self.set(name, float(count) if count else np.inf, int(joint) if joint else -1)
        return ', '.join(self.active())
