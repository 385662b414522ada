"""The SO-ARM101 in SI units: arm and gripper, which share one bus."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.driver import Device, Health, Reading, SerialPort
from mimic_core.errors import (
    ConfigError,
    DeviceError,
    DeviceFaultError,
    IdentityError,
    NoReplyError,
    ProtocolError,
)
from mimic_core.limits import JointLimits, SiteLimits
from mimic_description import load_device, load_robot, site_limits
from mimic_so101_driver import calibration as files
from mimic_so101_driver import protocol
from mimic_so101_driver.params import So101Params
from mimic_so101_driver.protocol import Bytes, Counts, Register
from mimic_so101_driver.transport import TRIES, Bus, calibration_registers, identify

_PACKAGE: Final = 'mimic_so101_driver'  # which drives the gripper, in the registry
_QUIET: Final = 0.02  # [s] without a byte before the first request
_SCAN_TIMEOUT: Final = 0.01  # [s] for a reply at another baud
# LeRobot's settings, for the same behaviour: register, value; EEPROM but for the last
_EVERY_MOTOR: Final = (
    (protocol.RETURN_DELAY, 0),
    (protocol.MODE, 0),  # position
    (protocol.ACCELERATION, 254),  # no ramp of its own
)
_GRIPPER_ONLY: Final = ((protocol.PROTECTION_CURRENT, 250), (protocol.OVERLOAD_TORQUE, 25))
_MAX_ACCELERATION: Final = 254


class So101:
    """Six motors, or five where the arm carries another hand."""

    def __init__(self, params: So101Params, calibration: files.Calibration) -> None:
        """Make an arm that is not open; `calibration` is that of this very arm."""
        names = list(files.MOTORS)
        if not has_gripper(params):
            names.remove(files.GRIPPER)
        self._params, self._calibration = params, calibration
        self._motors = tuple(names)
        self._ids = tuple(calibration[name].id for name in names)
        robot = load_robot(params.arm, params.hand if has_gripper(params) else 'none')
        self._joints = robot.joint_names
        if len(self._joints) != len(names):
            raise ConfigError(f'{params.arm} and {params.hand} have joints {self._joints}')
        self._scale = files.Scale(calibration, self._motors, robot.limits.lower)
        self.limits = self._scale.within(robot.limits)
        self._port: SerialPort | None = None
        self._bus: Bus | None = None
        self._found = False  # whether it has ever answered
        self._enabled = False  # whether torque is meant to be on
        self._restarted: list[int] = []  # motors that lost their torque, until a reset
        self._noise = 0

    @property
    def joints(self) -> tuple[str, ...]:
        """Names of the J joints."""
        return self._joints

    # Device ---------------------------------------------------------------------------------

    def open(self) -> str:
        """Open the port, look who is there, whose calibration it is, and whether it can be set."""
        self._port = SerialPort(self._params.port, self._params.baud, self._params.reply_timeout)
        self._port.drain(_QUIET)
        self._bus = Bus(self._port, self._ids)
        self._enabled, self._restarted, self._noise = False, [], 0
        try:
            who = identify(self._bus, dict(zip(self._ids, self._joints, strict=True)))
        except NoReplyError as error:
            if self._found:
                raise
            raise IdentityError(self._why_nobody()) from error
        self._compare_calibration(self._bus)
        # Here already: what fails to become active is left as after deactivate, which may be limp.
        torque = self._bus.sync_read(protocol.TORQUE_ENABLE, TRIES)[1][:, 0] == 1
        self._refuse_stiff(torque, self._differing(self._bus))
        self._found = True
        return f'SO-ARM101: {who}'

    def close(self) -> None:
        """Let go of the port; the motors stay as they are."""
        if self._port is not None:
            self._port.close()
        self._port = self._bus = None

    def enable(self) -> None:
        """Set what differs from the settings, without torque, and put torque on in place."""
        bus = self._the_bus()
        torque = self._all(bus.sync_read(protocol.TORQUE_ENABLE, TRIES))[:, 0] == 1
        changed = self._settle(bus, torque)
        if changed or not torque.all():
            self._stay(bus)
            self._switch_torque(bus, on=True)
            self._stay(bus)
        self._enabled, self._restarted = True, []

    def disable(self, *, hold: bool) -> None:
        """Go limp, or stay: a motor holds its last goal by itself."""
        self._enabled = False
        if not hold:
            self._switch_torque(self._the_bus(), on=False)

    def read(self) -> Reading:
        """Return positions, velocities and efforts."""
        data = self._all(self._the_bus().sync_read(protocol.PRESENT))
        counts, speed, load = protocol.present(data)
        return Reading(
            self._scale.to_radians(counts),
            self._scale.turned(speed),
            self._scale.turned(load * self._params.stall_torque),
        )

    def write(self, position: FloatArray) -> None:
        """Send goals."""
        goal = self._scale.to_counts(position)
        self._the_bus().sync_write(protocol.GOAL_POSITION, protocol.word_bytes(goal[:, None]))

    def health(self) -> Health:
        """Return temperatures, currents and voltage; notices motors that have restarted."""
        bus = self._the_bus()
        data = self._all(bus.sync_read(protocol.CONDITION))
        torque = data[:, 0] == 1
        if self._enabled and not torque.all():
            self._restarted = np.flatnonzero(~torque).tolist()
        if self._restarted:
            raise DeviceFaultError(
                f'{self._names(self._restarted)} restarted and lost torque: the supply failed for '
                'a moment; reset to go on'
            )
        begin = protocol.CONDITION.address
        current = protocol.decode_signed(
            protocol.words(data[:, 69 - begin : 71 - begin])[:, 0], 15
        )
        noise, self._noise = bus.noise - self._noise, bus.noise
        return Health(
            dict(zip(self._joints, data[:, 63 - begin].astype(float).tolist(), strict=True)),
            dict(zip(self._joints, (current * self._params.current_unit).tolist(), strict=True)),
            float(data[:, 62 - begin].min()) * 0.1,
            (f'noise on the bus: {noise} bytes that belong to no reply',) if noise else (),
        )

    def reset(self) -> None:
        """Take the torque off motors that protect themselves, which ends that; look again."""
        bus = self._the_bus()
        errors, _ = bus.sync_read(protocol.PRESENT, TRIES)
        for index in np.flatnonzero(errors):
            bus.write(self._ids[index], protocol.TORQUE_ENABLE, 0)
        self._enabled, self._restarted = False, []
        self._all(bus.sync_read(protocol.PRESENT, TRIES))

    # Parts ----------------------------------------------------------------------------------

    def _the_bus(self) -> Bus:
        if self._bus is None:
            raise DeviceError('the SO-ARM101 is not open')
        return self._bus

    def _names(self, indices: Iterable[int]) -> str:
        indices = list(indices)
        if len(indices) == len(self._joints):
            return 'all motors'
        return ', '.join(f'{self._joints[i]} (motor {self._ids[i]})' for i in indices)

    def _all(self, reply: tuple[Bytes, Bytes]) -> Bytes:
        """Return the data of a reply without errors; raises DeviceFaultError."""
        errors, data = reply
        if errors.any():
            told = ', '.join(
                f'{self._names([int(i)])}: {protocol.error_text(int(errors[i]))}'
                for i in np.flatnonzero(errors)
            )
            raise DeviceFaultError(f'{told}; reset when the cause is gone')
        return data

    def _why_nobody(self) -> str:
        """Look for the motors at other bauds; only when they have never been seen."""
        params = self._params
        answer = f'no motor answers on {params.port} at {params.baud} baud'
        assert self._port is not None
        for baud in protocol.BAUDS:
            if baud == params.baud:
                continue
            self._port.close()
            self._port = SerialPort(params.port, baud, _SCAN_TIMEOUT)
            bus = Bus(self._port, self._ids)
            for motor in self._ids:
                try:
                    bus.ping(motor)
                except (NoReplyError, ProtocolError):
                    continue
                return f'{answer}, but motor {motor} does at {baud}: set baud to that'
        return f'{answer}, nor at others: is its supply on, is it this port?'

    def _compare_calibration(self, bus: Bus) -> None:
        """Compare the file with what the motors hold; raises IdentityError."""
        differ = []
        for name, motor in zip(self._motors, self._ids, strict=True):
            wanted = self._calibration[name]
            offset, low, high = calibration_registers(bus, motor)
            for what, file, held in (
                ('homing_offset', wanted.homing_offset, offset),
                ('range_min', wanted.range_min, low),
                ('range_max', wanted.range_max, high),
            ):
                if file != held:
                    differ.append(f'{name}.{what} {file} in the file, {held} in the motor')
        if differ:
            raise IdentityError(
                f'the calibration file {self._params.calibration} is not that of this arm, or the '
                f'motors were calibrated since: {"; ".join(differ)}. Name the right file, '
                'calibrate again, or put the file into the motors with calibrate --apply'
            )

    def _settings(self, name: str) -> list[tuple[Register, int]]:
        params = self._params
        torque = 1000
        settings = [
            *_EVERY_MOTOR,
            (protocol.POSITION_P, params.position_p),
            (protocol.POSITION_I, params.position_i),
            (protocol.POSITION_D, params.position_d),
        ]
        if name == files.GRIPPER:
            torque = round(1000 * params.gripper_torque)
            settings += _GRIPPER_ONLY
        return [*settings, (protocol.MAX_TORQUE, torque), (protocol.TORQUE_LIMIT, torque)]

    def _differing(self, bus: Bus) -> list[list[tuple[Register, int]]]:
        """Return, for each motor, the settings that differ and their values."""
        held = bus.sync_read(protocol.SETTINGS, TRIES)[1]
        acceleration = bus.sync_read(protocol.MAX_ACCELERATION, TRIES)[1]
        differing = []
        for i, name in enumerate(self._motors):
            wrong = [
                (register, value)
                for register, value in self._settings(name)
                if _value(held[i], register) != value
            ]
            phase = _value(held[i], protocol.PHASE)
            if phase & protocol.ANGLE_FEEDBACK:
                wrong.append((protocol.PHASE, phase & ~protocol.ANGLE_FEEDBACK))
            if acceleration[i, 0] != _MAX_ACCELERATION:
                wrong.append((protocol.MAX_ACCELERATION, _MAX_ACCELERATION))
            differing.append(wrong)
        return differing

    def _refuse_stiff(
        self, torque: np.ndarray, differing: list[list[tuple[Register, int]]]
    ) -> None:
        """Raise DeviceError when a stiff motor has other settings: it would have to drop."""
        stiff = [i for i, wrong in enumerate(differing) if wrong and torque[i]]
        if stiff:
            raise DeviceError(
                f'settings of {self._names(stiff)} differ from the parameters, torque is on, and '
                'they are only made without it: hold the arm and switch its supply off and on'
            )

    def _settle(self, bus: Bus, torque: np.ndarray) -> bool:
        """Write the settings that differ, to motors without torque; returns whether some did."""
        differing = self._differing(bus)
        self._refuse_stiff(torque, differing)
        for motor, wrong in zip(self._ids, differing, strict=True):
            if not wrong:
                continue
            bus.write(motor, protocol.LOCK, 0)
            for register, value in wrong:
                bus.write(motor, register, value)
            bus.write(motor, protocol.LOCK, 1)
        return any(differing)

    def _stay(self, bus: Bus) -> None:
        """Make the goal of each motor the place where it is, at full speed."""
        counts, _, _ = protocol.present(self._all(bus.sync_read(protocol.PRESENT, TRIES)))
        goal: Counts = np.zeros((len(self._ids), 3), np.int32)
        goal[:, 0] = protocol.encode_signed(counts, 15)
        bus.sync_write(protocol.GOAL, protocol.word_bytes(goal))

    def _switch_torque(self, bus: Bus, *, on: bool) -> None:
        size = len(self._ids)
        bus.sync_write(protocol.TORQUE_ENABLE, np.full((size, 1), int(on), np.uint8))
        errors, data = bus.sync_read(protocol.TORQUE_ENABLE, TRIES)
        differ = np.flatnonzero(data[:, 0] != int(on))
        if on:
            self._all((errors, data))
        if len(differ):
            raise DeviceFaultError(
                f'torque of {self._names(differ)} does not go {"on" if on else "off"}'
            )


def _value(row: Bytes, register: Register) -> int:
    begin = register.address - protocol.SETTINGS.address
    return int.from_bytes(row[begin : begin + register.size].tobytes(), 'little')


def has_gripper(params: So101Params) -> bool:
    """Whether the hand is the gripper on this bus; else it has a driver of its own."""
    return params.hand != 'none' and load_device(params.hand, 'hand').driver.package == _PACKAGE


def make_device(
    params: So101Params, site: SiteLimits | None = None
) -> tuple[Device, JointLimits, float]:
    """Return the arm, not open, the limits of its joints in this site and its rate [Hz].

    Raises:
        ConfigError: There is no calibration file, or it is of another robot or damaged.
    """
    if not params.calibration:
        raise ConfigError(
            "parameter 'calibration' must name the calibration file of this arm; write one: "
            './mimic run mimic_so101_driver calibrate --file FILE'
        )
    arm = So101(params, files.load(Path(params.calibration).expanduser()))
    limits = site_limits(arm.limits, arm.joints, site, params.prefix)
    return arm, limits, load_device(params.arm).driver.rate
