"""A Dynamixel bus: the packets of the SDK over a port that waits instead of turning in circles.

The SDK's own port reads without blocking, in a loop that keeps a core busy for as long as a reply
takes, and never ends while bytes of noise keep coming. Its packet handler takes any port.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

import dynamixel_sdk
import numpy as np

from mimic_core.driver import SerialPort
from mimic_core.driver.sdk_port import SdkPort
from mimic_core.errors import NoReplyError, ProtocolError
from mimic_leap_driver.protocol import ALERT, REPLY_ERRORS, Bytes, Counts, Register

TRIES: Final = 3  # where no period is to be kept
_BROADCAST: Final = dynamixel_sdk.BROADCAST_ID
T = TypeVar('T')


def _tried(ask: Callable[[], T], tries: int) -> T:
    """Return what a request gives that may fail now and then, as on any bus."""
    for _ in range(tries - 1):
        try:
            return ask()
        except (NoReplyError, ProtocolError):
            continue
    return ask()


class Bus:
    """Requests to motors with known ids. Replies are in the order of `ids`."""

    def __init__(self, port: SerialPort, ids: tuple[int, ...], fast: bool = True) -> None:
        """Make a bus on an open port.

        Args:
            port: Closed by its owner.
            ids: Of the J motors.
            fast: Read with Fast Sync Read: one reply of all motors instead of one of each.
        """
        self.ids, self.fast = ids, fast
        self.noise = 0  # bytes that came before replies and belong to none
        self._handler = dynamixel_sdk.Protocol2PacketHandler()
        self._port = SdkPort(port)
        self._turn = 0  # see _order

    def ping(self, motor: int) -> int:
        """Return the model number of a motor; raises NoReplyError or ProtocolError."""
        self._port.is_using = False
        model, result, _ = self._handler.ping(self._port, motor)
        self._check(result, f'motor {motor}')
        return int(model)

    def read(self, motor: int, register: Register) -> int:
        """Return the unsigned value of a register of one motor."""

        # Not the SDK's readTxRx: it takes a reply of any length, and its CRC for data.
        def ask() -> bytes:
            self._port.is_using = False
            who = f'motor {motor}'
            self._check(self._handler.readTx(self._port, motor, *register), who)
            packet = self._receive(who)
            refused = packet[8] & ~ALERT
            if packet[4] != motor or (len(packet) != 11 + register.size and not refused):
                raise ProtocolError(f'{who} is answered with {len(packet)} bytes of another reply')
            return packet

        packet = _tried(ask, TRIES)
        self._refused(motor, packet[8])
        return int.from_bytes(packet[9:-2], 'little')

    def write(self, motor: int, register: Register, value: int) -> None:
        """Set a register of one motor, which confirms it; raises ProtocolError when refused."""
        data = list(value.to_bytes(register.size, 'little'))

        def ask() -> int:
            self._port.is_using = False
            result, error = self._handler.writeTxRx(self._port, motor, *register, data)
            self._check(result, f'motor {motor}')
            return int(error)

        self._refused(motor, _tried(ask, TRIES))

    def reboot(self, motor: int) -> None:
        """Restart one motor; its reply, which may get lost in the restart, is not needed."""
        self._port.is_using = False
        self._handler.reboot(self._port, motor)

    def sync_write(self, register: Register, values: Counts) -> None:
        """Set a register of all motors to (J,) values; nobody confirms it."""
        self._port.is_using = False
        rows = np.empty((len(self.ids), 1 + register.size), np.uint8)
        rows[:, 0] = self.ids
        little = np.asarray(values, '<i4').reshape(-1, 1).view(np.uint8)
        rows[:, 1:] = little[:, : register.size]
        data = rows.ravel().tolist()
        self._handler.syncWriteTxOnly(self._port, *register, data, len(data))

    def sync_read(self, block: Register, tries: int = 1) -> tuple[Bytes, Bytes]:
        """Return (J,) error bytes and (J, N) bytes of all motors, after so many tries at most.

        Raises:
            NoReplyError: A reply is missing; says how much came.
            ProtocolError: A reply is damaged, or not to this request.
        """
        return _tried(lambda: self._sync_read(block), tries)

    def _sync_read(self, block: Register) -> tuple[Bytes, Bytes]:
        order = self._order()
        try:
            rows = self._fast_reply(block, order) if self.fast else self._replies(block, order)
        except (NoReplyError, ProtocolError):
            self._turn += 1
            raise
        straight = np.empty_like(rows)
        straight[np.roll(np.arange(len(self.ids)), -self._turn)] = rows
        return straight[:, 0], straight[:, 2:]

    def _order(self) -> list[int]:
        """Return the ids as they are asked: turned on by one after each failure.

        Motors answer in the order in which they are asked, so the late reply to a request that
        was given up does not pass for the reply to the next one.
        """
        self._turn %= len(self.ids)
        return [*self.ids[self._turn :], *self.ids[: self._turn]]

    def _fast_reply(self, block: Register, order: list[int]) -> Bytes:
        """Return (J, 2 + N) rows: error, id, data."""
        self._request(block, order)
        end = time.perf_counter() + 2.0 * self._port.timeout
        while True:
            packet = self._receive('all motors', fast=True)
            wanted = len(order) * (block.size + 4)
            if packet[4] == _BROADCAST and len(packet) == 8 + wanted:
                rows = np.frombuffer(packet, np.uint8)[8:].reshape(len(order), -1)
                if rows[:, 1].tolist() == order:
                    return rows[:, :-2]
            if time.perf_counter() > end:
                raise ProtocolError('replies that were not asked for')

    def _replies(self, block: Register, order: list[int]) -> Bytes:
        self._request(block, order)
        rows = np.empty((len(order), 2 + block.size), np.uint8)
        for row, motor in zip(rows, order, strict=True):
            packet = self._receive(f'motor {motor}')
            if packet[4] != motor or len(packet) != 11 + block.size:
                raise ProtocolError(f'motor {packet[4]} answers instead of motor {motor}')
            row[0], row[1] = packet[8], motor
            row[2:] = np.frombuffer(packet, np.uint8)[9:-2]
        return rows

    def _request(self, block: Register, order: list[int]) -> None:
        self._port.is_using = False
        result = self._handler.syncReadTx(self._port, *block, order, len(order), self.fast)
        self._check(result, 'the bus')

    def _receive(self, who: str, fast: bool = False) -> bytes:
        before = self._port.received
        self._port.setPacketTimeout(0)
        packet, result = self._handler.rxPacket(self._port, fast)
        self._check(result, who)
        self.noise += max(self._port.received - before - len(packet), 0)
        # Where the SDK took stuffing out, it leaves that many bytes at the end.
        return bytes(packet[: 7 + packet[5] + 256 * packet[6]])

    def _check(self, result: int, who: str) -> None:
        if result == dynamixel_sdk.COMM_SUCCESS:
            return
        if self._port.timed_out:
            raise NoReplyError(f'no whole reply of {who}: {self._port.received} bytes came')
        raise ProtocolError(f'damaged reply of {who}')

    def _refused(self, motor: int, error: int) -> None:
        reason = error & ~ALERT
        if reason:
            raise ProtocolError(
                f'motor {motor} refuses: {REPLY_ERRORS.get(reason, f"error {reason}")}'
            )
