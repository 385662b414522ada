"""A Dynamixel bus: the packets of the SDK over a port that waits."""

import time
from typing import Final

import dynamixel_sdk
import numpy as np

from mimic_core.driver import SerialPort
from mimic_core.driver.motor_bus import Bytes, MotorBus, Register
from mimic_core.driver.sdk_port import SdkPort
from mimic_core.driver.tries import tried
from mimic_core.errors import NoReplyError, ProtocolError
from mimic_leap_driver.protocol import ALERT, REPLY_ERRORS, Counts

_BROADCAST: Final = dynamixel_sdk.BROADCAST_ID


class Bus(MotorBus):
    """Requests to the motors of a hand."""

    def __init__(self, port: SerialPort, ids: tuple[int, ...], fast: bool = True) -> None:
        """Make a bus on an open port.

        Args:
            port: Closed by its owner.
            ids: Of the J motors.
            fast: Read with Fast Sync Read: one reply of all motors instead of one of each.
        """
        super().__init__(ids)
        self.fast = fast
        self._handler = dynamixel_sdk.Protocol2PacketHandler()
        self._port = SdkPort(port)

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

        packet = tried(ask)
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

        self._refused(motor, tried(ask))

    def reboot(self, motor: int) -> None:
        """Restart one motor; its reply, which may get lost in the restart, is not needed."""
        self._port.is_using = False
        self._handler.reboot(self._port, motor)

    def sync_write(self, register: Register, values: Counts | Bytes) -> None:
        """Set a register of all motors to (J,) or (J, 1) values; nobody confirms it."""
        self._port.is_using = False
        rows = np.empty((len(self.ids), 1 + register.size), np.uint8)
        rows[:, 0] = self.ids
        little = np.asarray(values, '<i4').reshape(-1, 1).view(np.uint8)
        rows[:, 1:] = little[:, : register.size]
        data = rows.ravel().tolist()
        self._handler.syncWriteTxOnly(self._port, *register, data, len(data))

    def _rows(self, register: Register, order: list[int]) -> Bytes:
        return (self._fast_reply if self.fast else self._replies)(register, order)

    def _fast_reply(self, block: Register, order: list[int]) -> Bytes:
        """Return what `_rows` does, from one reply."""
        self._request(block, order)
        end = time.perf_counter() + 2.0 * self._port.timeout
        while True:
            packet = self._receive('all motors', fast=True)
            wanted = len(order) * (block.size + 4)
            if packet[4] == _BROADCAST and len(packet) == 8 + wanted:
                rows = np.frombuffer(packet, np.uint8)[8:].reshape(len(order), -1)
                if rows[:, 1].tolist() == order:
                    return np.delete(rows[:, :-2], 1, axis=1)
            if time.perf_counter() > end:
                raise ProtocolError('replies that were not asked for')

    def _replies(self, block: Register, order: list[int]) -> Bytes:
        self._request(block, order)
        rows = np.empty((len(order), 1 + block.size), np.uint8)
        for row, motor in zip(rows, order, strict=True):
            packet = self._receive(f'motor {motor}')
            if packet[4] != motor or len(packet) != 11 + block.size:
                raise ProtocolError(f'motor {packet[4]} answers instead of motor {motor}')
            row[0] = packet[8]
            row[1:] = np.frombuffer(packet, np.uint8)[9:-2]
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
