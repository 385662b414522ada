"""The SO-ARM101 in SI units: arm and gripper, which share one bus."""

from pathlib import Path
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.driver import Device, Health, Reading, SerialPort
from mimic_core.driver.motor_bus import Bytes, Register
from mimic_core.driver.motor_chain import MotorChain
from mimic_core.driver.tries import TRIES
from mimic_core.errors import (
    ConfigError,
    DeviceError,
    DeviceFaultError,
    IdentityError,
    NoReplyError,
)
from mimic_core.limits import JointLimits, SiteLimits
from mimic_description import load_device, load_robot, site_limits
from mimic_so101_driver import calibration as files
from mimic_so101_driver import protocol
from mimic_so101_driver.params import So101Params
from mimic_so101_driver.protocol import Counts
from mimic_so101_driver.transport import Bus, calibration_registers, identify

_PACKAGE: Final = 'mimic_so101_driver'  # which drives the gripper, in the registry
# LeRobot's settings, for the same behaviour: register, value; EEPROM but for the last
_EVERY_MOTOR: Final = (
    (protocol.RETURN_DELAY, 0),
    (protocol.MODE, 0),  # position
    (protocol.ACCELERATION, 254),  # no ramp of its own
)
_GRIPPER_ONLY: Final = ((protocol.PROTECTION_CURRENT, 250), (protocol.OVERLOAD_TORQUE, 25))
_MAX_ACCELERATION: Final = 254


class So101(MotorChain[Bus]):
    """Six motors, or five where the arm carries another hand."""

    what = 'SO-ARM101'
    torque_enable = protocol.TORQUE_ENABLE

    def __init__(self, params: So101Params, calibration: files.Calibration) -> None:
        """Make an arm that is not open; `calibration` is that of this very arm."""
        names = list(files.MOTORS)
        if not has_gripper(params):
            names.remove(files.GRIPPER)
        self._params, self._calibration = params, calibration
        self._motors = tuple(names)
        robot = load_robot(params.arm, params.hand if has_gripper(params) else 'none')
        if len(robot.joint_names) != len(names):
            raise ConfigError(f'{params.arm} and {params.hand} have joints {robot.joint_names}')
        super().__init__(params, robot.joint_names, tuple(calibration[name].id for name in names))
        self._scale = files.Scale(calibration, self._motors, robot.limits.lower)
        self.limits = self._scale.within(robot.limits)

    # Device ---------------------------------------------------------------------------------

    def open(self) -> str:
        """Open the port, look who is there, whose calibration it is, and whether it can be set."""
        bus = self._open_bus()
        try:
            who = identify(bus, dict(zip(self._ids, self._joints, strict=True)))
        except NoReplyError as error:
            if self._found:
                raise
            raise IdentityError(self._why_nobody(protocol.BAUDS, self._ids)) from error
        self._compare_calibration(bus)
        # Here already: what fails to become active is left as after deactivate, which may be limp.
        torque = bus.sync_read(protocol.TORQUE_ENABLE, TRIES)[1][:, 0] == 1
        self._refuse_stiff(torque, self._differing(bus))
        self._found = True
        return f'SO-ARM101: {who}'

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
        self._refuse_restarted(data[:, 0] == 1)
        begin = protocol.CONDITION.address
        current = protocol.decode_signed(
            protocol.words(data[:, 69 - begin : 71 - begin])[:, 0], 15
        )
        return Health(
            dict(zip(self._joints, data[:, 63 - begin].astype(float).tolist(), strict=True)),
            dict(zip(self._joints, (current * self._params.current_unit).tolist(), strict=True)),
            float(data[:, 62 - begin].min()) * 0.1,
            self._noise_warnings(bus),
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

    def _make_bus(self, port: SerialPort) -> Bus:
        return Bus(port, self._ids)

    def _all(self, reply: tuple[Bytes, Bytes]) -> Bytes:
        """Return the data of a reply without errors; raises DeviceFaultError."""
        errors, data = reply
        if errors.any():
            told = ', '.join(
                f'{self._name(int(i))}: {protocol.error_text(int(errors[i]))}'
                for i in np.flatnonzero(errors)
            )
            raise DeviceFaultError(f'{told}; reset when the cause is gone')
        return data

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
