"""Motors with registers that share a serial bus: what is asked of all of them at once."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mimic_core.driver.tries import tried
from mimic_core.errors import NoReplyError, ProtocolError

Bytes = npt.NDArray[np.uint8]


class Register(NamedTuple):
    """Where a value stands in a motor's memory."""

    address: int
    size: int  # [bytes]


class MotorBus(ABC):
    """Requests to motors with known ids. Replies are in the order of `ids`."""

    def __init__(self, ids: tuple[int, ...]) -> None:
        """Make the bus of J motors."""
        self.ids = ids
        self.noise = 0  # bytes that came and belong to no reply
        self._turn = 0  # see sync_read

    @abstractmethod
    def ping(self, motor: int) -> object:
        """Return when a motor answers; raises NoReplyError or ProtocolError."""

    @abstractmethod
    def sync_write(self, register: Register, values: Bytes) -> None:
        """Set a register of one byte in all motors to (J, 1) values; nobody confirms it."""

    def sync_read(self, register: Register, tries: int = 1) -> tuple[Bytes, Bytes]:
        """Return (J,) error bytes and (J, N) bytes of all motors, after so many tries at most.

        The ids are asked in an order that turns on by one after each failure. Motors answer in the
        order in which they are asked, so the late reply to a request that was given up does not
        pass for the reply to the next one.

        Raises:
            NoReplyError: A reply is missing; says which, or how much came.
            ProtocolError: A reply is damaged, or not to this request.
        """
        return tried(lambda: self._sync_read(register), tries)

    def _sync_read(self, register: Register) -> tuple[Bytes, Bytes]:
        self._turn %= len(self.ids)
        order = [*self.ids[self._turn :], *self.ids[: self._turn]]
        try:
            rows = self._rows(register, order)
        except (NoReplyError, ProtocolError):
            self._turn += 1
            raise
        straight = np.roll(rows, self._turn, axis=0)
        return straight[:, 0], straight[:, 1:]

    @abstractmethod
    def _rows(self, register: Register, order: list[int]) -> Bytes:
        """Return (J, 1 + N) rows of error and data, of the motors in this order."""
