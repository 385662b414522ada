"""The LEAP Hand in SI units."""

import time
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
    ProtocolError,
)
from mimic_core.limits import JointLimits, SiteLimits
from mimic_description import load_device, load_robot, site_limits
from mimic_leap_driver import protocol
from mimic_leap_driver.params import LeapParams
from mimic_leap_driver.protocol import Counts
from mimic_leap_driver.transport import Bus

_SIDE_JOINTS: Final = (0, 4, 8)  # index, middle and ring finger sideways
_GIVE_UP: Final = 3  # silent motors in a row after which a hand that was there is gone


class LeapHand(MotorChain[Bus]):
    """Sixteen motors in current-based position mode: compliant, with a bounded force."""

    what = 'LEAP Hand'
    torque_enable = protocol.TORQUE_ENABLE

    def __init__(self, params: LeapParams, joints: tuple[str, ...]) -> None:
        """Make a hand that is not open.

        Args:
            params: Port, gains and limits of current.
            joints: J names, in the order of `params.ids`.

        Raises:
            ConfigError: There are not as many ids or zeros as joints, or an id comes twice.
        """
        if len(set(params.ids)) != len(joints) or len(params.ids) != len(joints):
            raise ConfigError(f'ids must be {len(joints)} different numbers, not {params.ids}')
        if len(params.zero_counts) != len(joints):
            raise ConfigError(f'zero_counts must be {len(joints)} numbers')
        super().__init__(params, joints, params.ids)
        self._params = params
        self._zero: Counts = np.array(params.zero_counts, np.int32)
        self._firmware = 0
        self._current = np.zeros(len(joints))

    # Device ---------------------------------------------------------------------------------

    def open(self) -> str:
        """Open the port and look who is there."""
        bus = self._open_bus()
        models = self._identify(bus)
        self._firmware = bus.read(self._ids[0], protocol.FIRMWARE)
        self._try_fast_read(bus)
        kinds = ', '.join(sorted({protocol.MODELS[model] for model in models.values()}))
        self._found = True
        return f'LEAP Hand: {len(models)} motors {kinds}, firmware {self._firmware}'

    def enable(self) -> None:
        """Set mode, gains and current limit where they differ, and put torque on in place."""
        bus = self._the_bus()
        commands = self._all(bus.sync_read(protocol.COMMANDS, TRIES))
        torque = protocol.value_of(commands, protocol.COMMANDS, protocol.TORQUE_ENABLE) == 1
        settled = self._fix(bus, torque)
        for register, wanted in self._wanted():
            if (protocol.value_of(commands, protocol.COMMANDS, register) != wanted).any():
                bus.sync_write(register, wanted)
        if not (torque.all() and settled):
            counts = protocol.present(self._all(bus.sync_read(protocol.PRESENT, TRIES)))[2]
            bus.sync_write(protocol.GOAL_POSITION, counts)
            self._switch_torque(bus, on=True)
            bus.sync_write(protocol.GOAL_POSITION, counts)
        self._enabled, self._restarted = True, []

    def read(self) -> Reading:
        """Return positions, velocities and efforts."""
        data = self._all(self._the_bus().sync_read(protocol.PRESENT))
        self._current, speed, counts = protocol.present(data)
        position = protocol.to_radians(counts, self._zero)
        return Reading(position, speed, self._current * self._params.torque_constant)

    def write(self, position: FloatArray) -> None:
        """Send goals."""
        goal = protocol.to_counts(position, self._zero)
        self._the_bus().sync_write(protocol.GOAL_POSITION, goal)

    def health(self) -> Health:
        """Return temperatures, currents and voltage; notices motors that have restarted."""
        bus = self._the_bus()
        status = self._all(bus.sync_read(protocol.STATUS))
        torque = protocol.value_of(status, protocol.STATUS, protocol.TORQUE_ENABLE) == 1
        self._refuse_restarted(torque)
        voltage, temperature = protocol.condition(self._all(bus.sync_read(protocol.CONDITION)))
        return Health(
            dict(zip(self._joints, temperature.tolist(), strict=True)),
            dict(zip(self._joints, self._current.tolist(), strict=True)),
            float(voltage.min()),
            self._noise_warnings(bus),
            {'firmware': str(self._firmware)},
        )

    def reset(self) -> None:
        """Restart motors that report a fault; they forget it when its cause is gone."""
        bus = self._the_bus()
        alarmed = self._alarmed(bus)
        for motor in alarmed:
            bus.reboot(motor)
        for motor in alarmed:
            self._await(bus, motor)
        self._enabled, self._restarted = False, []
        self._all(bus.sync_read(protocol.PRESENT, TRIES))

    # Parts ----------------------------------------------------------------------------------

    def _make_bus(self, port: SerialPort) -> Bus:
        return Bus(port, self._ids, self._params.fast_read)

    def _identify(self, bus: Bus) -> dict[int, int]:
        """Return the model of each motor; raises IdentityError or NoReplyError."""
        models: dict[int, int] = {}
        why = ''
        for _ in range(TRIES):
            for count, motor in enumerate(self._ids):
                if self._found and not models and count == _GIVE_UP:
                    raise NoReplyError(f'the LEAP Hand does not answer: {why}')
                if motor not in models:
                    try:
                        models[motor] = bus.ping(motor)
                    except (NoReplyError, ProtocolError) as error:
                        why = str(error)
            if not models:
                raise IdentityError(self._why_nobody(protocol.BAUDS, self._ids[:_GIVE_UP]))
        missing = [i for i, motor in enumerate(self._ids) if motor not in models]
        if missing:
            raise IdentityError(
                f'motors do not answer: {self._names(missing)}; {len(models)} others do'
            )
        foreign = {m: model for m, model in models.items() if model not in protocol.MODELS}
        if foreign:
            told = ', '.join(f'motor {m} says model {model}' for m, model in foreign.items())
            known = ', '.join(f'{k} {v}' for k, v in protocol.MODELS.items())
            raise IdentityError(f'no motors of a LEAP Hand: {told}; known: {known}')
        return models

    def _try_fast_read(self, bus: Bus) -> None:
        if not bus.fast:
            return
        try:
            bus.sync_read(protocol.TORQUE_ENABLE, TRIES)
        except NoReplyError as error:
            raise IdentityError(
                f'the motors answer, but not to Fast Sync Read (firmware {self._firmware}): '
                'set fast_read to false'
            ) from error

    def _wanted(self) -> list[tuple[Register, Counts]]:
        """Return what registers in RAM are to hold."""
        params, size = self._params, len(self._joints)
        scale = np.ones(size)
        scale[list(_SIDE_JOINTS)] = params.side_gain
        gains = (
            (protocol.POSITION_P, params.position_p * scale),
            (protocol.POSITION_I, params.position_i * np.ones(size)),
            (protocol.POSITION_D, params.position_d * scale),
            (protocol.GOAL_CURRENT, params.current_limit * 1e3 * np.ones(size)),
            (protocol.PROFILE_ACCELERATION, np.zeros(size)),
            (protocol.PROFILE_VELOCITY, np.zeros(size)),
        )
        return [(register, np.rint(values).astype(np.int32)) for register, values in gains]

    def _fix(self, bus: Bus, torque: np.ndarray) -> bool:
        """Set the registers in EEPROM where they differ; returns whether none did.

        Raises:
            DeviceError: A stiff motor would have to let go of what it holds; nothing was written.
        """
        fixed = self._all(bus.sync_read(protocol.FIXED, TRIES))
        wanted = {
            protocol.RETURN_DELAY: 0,
            protocol.OPERATING_MODE: protocol.CURRENT_BASED_POSITION,
        }
        wrong = {
            register: protocol.value_of(fixed, protocol.FIXED, register) != value
            for register, value in wanted.items()
        }
        stiff = np.flatnonzero(np.any(list(wrong.values()), axis=0) & torque)
        if len(stiff):
            raise DeviceError(
                f'mode or return delay of {self._names(stiff)} differ, torque is on, and they are '
                'only set without it: take what the hand holds, and switch its supply off and on'
            )
        for register, motors in wrong.items():
            for index in np.flatnonzero(motors):
                bus.write(self._ids[index], register, wanted[register])
        return not any(motors.any() for motors in wrong.values())

    def _all(self, reply: tuple[Bytes, Bytes]) -> Bytes:
        """Return the data of a reply without alerts; raises DeviceFaultError."""
        errors, data = reply
        if (errors & ~np.uint8(protocol.ALERT)).any():
            index = int(np.flatnonzero(errors & ~np.uint8(protocol.ALERT))[0])
            code = int(errors[index]) & ~protocol.ALERT
            reason = protocol.REPLY_ERRORS.get(code, f'error {code}')
            raise ProtocolError(f'{self._name(index)} refuses: {reason}')
        alerts = np.flatnonzero(errors & protocol.ALERT)
        if len(alerts):
            told = ', '.join(self._alert(int(index)) for index in alerts)
            raise DeviceFaultError(f'{told}; its torque is off; reset when the cause is gone')
        return data

    def _alert(self, index: int) -> str:
        bits = self._the_bus().read(self._ids[index], protocol.HARDWARE_ERROR)
        return f'{self._name(index)}: {protocol.hardware_error(bits) or "alert"}'

    def _alarmed(self, bus: Bus) -> list[int]:
        """Return the ids of motors with a hardware error."""
        errors, _ = bus.sync_read(protocol.HARDWARE_ERROR, TRIES)
        return [m for m, e in zip(self._ids, errors.tolist(), strict=True) if e & protocol.ALERT]

    def _await(self, bus: Bus, motor: int) -> None:
        """Wait until a motor that restarts answers again."""
        end = time.perf_counter() + self._params.reboot_time
        while True:
            try:
                bus.ping(motor)
                return
            except (NoReplyError, ProtocolError) as error:
                if time.perf_counter() > end:
                    raise NoReplyError(f'motor {motor} does not come back: {error}') from error


def make_device(
    params: LeapParams, site: SiteLimits | None = None
) -> tuple[Device, JointLimits, float]:
    """Return the hand, not open, the limits of its joints in this site and its rate [Hz]."""
    robot = load_robot('none', params.hand)
    rate = load_device(params.hand).driver.rate
    limits = site_limits(robot.limits, robot.joint_names, site, params.prefix)
    return LeapHand(params, robot.joint_names), limits, rate
