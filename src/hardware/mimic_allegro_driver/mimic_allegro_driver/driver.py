"""The Allegro Hand on CAN in SI units."""

import time
from collections.abc import Callable

import numpy as np

from mimic_allegro_driver.hand_state import HandState
from mimic_allegro_driver.params import AllegroParams
from mimic_allegro_driver.protocol import (
    FINGERS,
    JOINTS,
    SERIAL_PREFIX,
    V3,
    V4,
    Dialect,
    Frame,
)
from mimic_allegro_driver.topics import TopicHand, Wire
from mimic_allegro_driver.torque import TorqueLaw
from mimic_allegro_driver.transport import CanBus
from mimic_core.arrays import FloatArray
from mimic_core.driver.device import Device, Health, Reading
from mimic_core.errors import (
    ConfigError,
    DeviceFaultError,
    IdentityError,
    NoReplyError,
    PortError,
    ProtocolError,
)
from mimic_core.limits import JointLimits, SiteLimits
from mimic_description import load_device, load_robot, site_limits

_LISTEN = 0.02  # [s] for frames of somebody else who commands the hand
_OFF_TWICE = 2  # answers in a row that say the motors are off; one may be older than the command
_ZERO = np.zeros(JOINTS)


class AllegroHand:
    """One hand on a CAN bus. It sends positions by itself; torques are computed here.

    Without positions for `reply_timeout` the torque goes to zero until they are back.
    """

    def __init__(
        self, params: AllegroParams, joints: tuple[str, ...], law: TorqueLaw, dialect: Dialect
    ) -> None:
        """Make a hand that is not open.

        Args:
            params: Of the driver.
            joints: Names of the sixteen joints: index, middle, ring, thumb.
            law: Torques of a set-point.
            dialect: How the hand speaks.
        """
        self._params, self._joints, self._law, self._dialect = params, joints, law, dialect
        self._bus: CanBus | None = None
        self._state = self._new_state()
        self._returned = 0  # sets that were returned
        self._stiff = False  # whether the motors are on, as far as we know
        self._enabled_at = self._asked_at = 0.0  # [s] perf_counter
        self._off_seen = 0  # answers in a row that say the motors are off
        self._unanswered = 0  # requests for information in a row
        self._hold: FloatArray | None = None  # set-point that is kept without being written
        self._setpoint: FloatArray | None = None
        self._pwm = _ZERO
        self._fault = ''  # that must be cleared by reset

    @property
    def joints(self) -> tuple[str, ...]:
        """Names of the sixteen joints, without prefix."""
        return self._joints

    def set_gravity(self, gravity: FloatArray) -> None:
        """Take gravity (3,) in the hand's base_link [m/s^2]."""
        self._law.set_gravity(gravity)

    # Connection -----------------------------------------------------------------------------

    def open(self) -> str:
        """Connect: nobody else may command the hand, it says who it is, and sends positions."""
        self.close()
        self._bus = CanBus(self._params.interface, self._params.channel)
        self._state = self._new_state()
        self._returned, self._fault = 0, ''
        self._receive(_LISTEN)
        if self._state.torque_frames:
            raise PortError(f'{self._bus.where} is busy: another program commands this hand')
        return self._begin()

    def _begin(self) -> str:
        """Switch the motors off, identify, and start the positions; returns who it is."""
        self._off()
        identity = self._identify()
        self._send(
            [self._dialect.period(self._params.period_ms, self._params.temperature_period_ms)]
        )
        sets = self._state.sets
        self._state.forget()
        self._receive(self._params.answer_timeout, lambda: self._state.sets > sets)
        if self._state.sets == sets:
            raise IdentityError(
                f'{self._open_bus().where}: {identity} sends no positions of '
                f'{", ".join(self._state.missing())}'
            )
        return f'{identity} on {self._open_bus().where}'

    def _identify(self) -> str:
        state, where = self._state, self._open_bus().where
        if self._dialect.info_id is None or self._dialect.serial_id is None:
            return 'Allegro Hand, dialect v3'
        state.info, state.serial = None, ''
        self._send([Frame(self._dialect.info_id, remote=True)])
        self._send([Frame(self._dialect.serial_id, remote=True)])
        self._receive(
            self._params.answer_timeout, lambda: state.info is not None and bool(state.serial)
        )
        if state.info is None:
            errors = f' ({self._open_bus().errors} damaged frames)' * bool(self._open_bus().errors)
            raise NoReplyError(
                f'no Allegro Hand v4 with device id {self._params.device_id} answers on '
                f'{where}{errors}. Is it powered, is the bus at 1 Mbit/s and terminated, and is '
                'it no v3?'
            )
        if not state.serial:
            raise NoReplyError(f'{where}: the hand does not tell its serial number')
        if not state.serial.startswith(SERIAL_PREFIX):
            raise IdentityError(
                f'{where}: the serial number {state.serial!r} is of no Allegro Hand v4'
            )
        side = 'left' if state.info.left else 'right'
        if self._params.side not in ('any', side):
            raise IdentityError(f'{where}: this is a {side} hand, not a {self._params.side} one')
        info = state.info
        return (
            f'Allegro Hand v4 {state.serial}, {side}, hardware {info.hardware:#06x}, '
            f'firmware {info.firmware:#06x}'
        )

    def close(self) -> None:
        """Take the torque off and let go of the bus; never raises."""
        bus = self._bus
        if bus is None:
            return
        try:
            self._off()
            bus.send(self._dialect.period(0, 0))
        except PortError:
            return  # it is gone already
        finally:
            self._bus = None
            bus.close()

    # What the session calls -----------------------------------------------------------------

    def enable(self) -> None:
        """Switch the motors on without torque; does nothing if they take set-points already."""
        self._raise_fault()
        if self._stiff and self._hold is None:
            return
        self._hold = None
        if not self._stiff:
            self._send_pwm(_ZERO)
            self._send(self._dialect.servo(True))
            self._stiff, self._enabled_at = True, time.perf_counter()
            self._state.info_count = 0  # what it said before does not count
        self._setpoint = None

    def disable(self, *, hold: bool) -> None:
        """Keep the last set-point (and with it the grip), or switch the motors off."""
        if hold and self._stiff:
            self._hold = self._state.position if self._setpoint is None else self._setpoint
        else:
            self._off()

    def read(self) -> Reading:
        """Return the newest whole set of positions; waits for the next one where there is none."""
        state = self._state
        self._ask_info()
        while self._drain():
            pass
        if state.sets == self._returned:
            self._receive(self._params.reply_timeout, lambda: state.sets > self._returned)
        if state.sets == self._returned:
            self._complain()
        self._returned = state.sets
        self._check_info()
        self._raise_fault()
        if self._hold is not None:
            self._send_pwm(self._law.pwm(self._hold, state.position, state.velocity))
        return Reading(
            state.position,
            velocity=state.velocity,
            effort=self._law.effort(self._pwm),
            age=time.perf_counter() - state.arrived,
        )

    def write(self, position: FloatArray) -> None:
        """Send the torques that bring it to (16,) positions [rad]; none by old positions."""
        self._setpoint, state = position, self._state
        if time.perf_counter() - state.arrived > self._params.reply_timeout:
            self._send_pwm(_ZERO)
            return
        self._send_pwm(self._law.pwm(position, state.position, state.velocity))

    def health(self) -> Health:
        """Return what the last frames said; costs nothing on the bus."""
        state = self._state
        warnings = ('the hand does not tell its status',) if self._unanswered > 4 else ()
        return Health(
            temperature=dict(state.temperature),
            warnings=warnings,
            details={
                'incomplete sets': str(state.incomplete),
                'damaged frames': str(state.damaged),
                'error frames': str(self._open_bus().errors),
                'servo': 'unknown' if state.info is None else str(state.info.servo),
            },
        )

    def reset(self) -> None:
        """Begin anew with a hand that restarted or was too hot."""
        self._fault = ''
        self._begin()
        self._check_info()
        self._raise_fault()

    # Faults ---------------------------------------------------------------------------------

    def _ask_info(self) -> None:
        """Ask for the status of the hand when that is due; the answer comes with the positions."""
        if time.perf_counter() - self._asked_at >= self._params.info_period:
            self._ask()

    def _ask(self) -> None:
        if self._dialect.info_id is not None:
            self._asked_at = time.perf_counter()
            self._unanswered += 1
            self._send([Frame(self._dialect.info_id, remote=True)])

    def _check_info(self) -> None:
        """Judge what the hand said of itself since the last look."""
        info = self._state.info
        if info is None or not self._state.info_count:
            return
        self._state.info_count, self._unanswered = 0, 0
        hot = info.over_temperature or info.internal_fault
        if self._stiff and hot:
            self._off()
            return
        off = self._stiff and not info.servo and self._asked_at > self._enabled_at
        self._off_seen = self._off_seen + 1 if off else 0
        if self._off_seen >= _OFF_TWICE:
            self._stiff, self._off_seen = False, 0
            self._fault = 'the hand restarted, or its motors were switched off: reset it'

    def _raise_fault(self) -> None:
        info = self._state.info
        if self._fault:
            raise DeviceFaultError(self._fault)
        if info is not None and info.over_temperature:
            raise DeviceFaultError(f'over-temperature: {info.temperature} deg C')
        if info is not None and info.internal_fault:
            raise DeviceFaultError('internal communication fault')

    def _complain(self) -> None:
        """Raise what the absence of positions means, unless they come after all.

        The torque is zero from here on.
        """
        state, bus, timeout = self._state, self._open_bus(), self._params.reply_timeout
        missing = ', '.join(state.missing())
        if len(state.missing()) == len(FINGERS):
            missing = 'any finger'
        if self._stiff:
            self._send_pwm(_ZERO)
        damage, state.damage = state.damage, ''
        state.forget()
        if damage:
            raise ProtocolError(f'{bus.where}: {damage}')
        if self._dialect.info_id is not None:
            answered = self._probe(0.5 * timeout)
            while answered and self._off_seen:
                answered = self._probe(0.5 * timeout)
            self._raise_fault()
            if state.sets > self._returned:
                return
            if answered:
                raise NoReplyError(
                    f'{bus.where}: the hand answers, but sends no positions of {missing}'
                )
        raise NoReplyError(f'{bus.where}: no positions of {missing} in {timeout} s')

    def _probe(self, timeout: float) -> bool:
        """Ask the hand for its status now; returns whether it answered."""
        state = self._state
        state.info_count = 0
        self._ask()
        self._receive(timeout, lambda: bool(state.info_count or state.sets > self._returned))
        answered = bool(state.info_count)
        self._check_info()
        return answered

    # Bus ------------------------------------------------------------------------------------

    def _new_state(self) -> HandState:
        params = self._params
        words = params.temperature_format == 'word'
        return HandState(self._dialect, params.period_ms * 1e-3, params.velocity_cutoff, words)

    def _open_bus(self) -> CanBus:
        if self._bus is None:
            raise PortError(f'{self._params.channel} is not open')
        return self._bus

    def _drain(self) -> bool:
        """Take one frame that is there; returns whether there was one."""
        frame = self._open_bus().receive(0.0)
        if frame is not None:
            self._state.take(frame)
        return frame is not None

    def _receive(self, timeout: float, enough: Callable[[], bool] = lambda: False) -> None:
        bus, end = self._open_bus(), time.perf_counter() + timeout
        while not enough() and (left := end - time.perf_counter()) > 0.0:
            frame = bus.receive(left)
            if frame is not None:
                self._state.take(frame)

    def _send(self, frames: list[Frame]) -> None:
        bus = self._open_bus()
        for frame in frames:
            bus.send(frame)

    def _send_pwm(self, pwm: FloatArray) -> None:
        self._pwm = pwm
        self._send(self._dialect.torque(pwm))

    def _off(self) -> None:
        self._stiff, self._hold, self._setpoint = False, None, None
        self._send_pwm(_ZERO)
        self._send(self._dialect.servo(False))


def make_device(
    params: AllegroParams, site: SiteLimits | None = None, wire: Wire | None = None
) -> tuple[Device, JointLimits, float]:
    """Return the hand, not open, the limits of its joints in this site and its rate [Hz].

    Args:
        params: Of the driver.
        site: Tighter bounds of joints, with or without prefix, by joint and field.
        wire: Carries the topics of the other stack; the backend topics needs it.

    Raises:
        ConfigError: The parameters do not fit together.
    """
    robot = load_robot('none', params.hand)
    limits = site_limits(robot.limits, robot.joint_names, site, params.prefix)
    rate = load_device(params.hand).driver.rate
    if len(robot.joint_names) != JOINTS:
        raise ConfigError(f'an Allegro Hand has 16 joints, {params.hand} {len(robot.joint_names)}')
    if params.backend == 'topics':
        if wire is None:
            raise ConfigError('the topics of another stack need a node that carries them')
        topics = TopicHand(params, robot.joint_names, wire)
        return topics, limits, topics.rate
    law = TorqueLaw(params, robot)
    if params.dialect == 'v3':
        for name in ('offsets', 'directions', 'motor_directions'):
            if len(getattr(params, name)) != JOINTS:
                raise ConfigError(f"parameter '{name}' must be 16 numbers")
        for name in ('directions', 'motor_directions'):
            if set(getattr(params, name)) - {1, -1}:
                raise ConfigError(f"parameter '{name}' must be 1 or -1 for each joint")
        dialect: Dialect = V3(
            np.array(params.offsets),
            np.array(params.directions),
            np.array(params.motor_directions),
        )
    else:
        dialect = V4(params.device_id)
    rate = min(rate, 1000.0 / params.period_ms)
    return AllegroHand(params, robot.joint_names, law, dialect), limits, rate
