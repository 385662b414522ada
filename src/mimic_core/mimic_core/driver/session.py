"""The state machine of every driver: from a device and a stream of commands to safe motion."""

import enum
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from mimic_core.arrays import FloatArray, checked
from mimic_core.command import NamedPositions
from mimic_core.driver.device import Device, Health, Reading
from mimic_core.driver.follower import Follower
from mimic_core.driver.params import SessionParams
from mimic_core.errors import (
    DeviceError,
    DeviceFaultError,
    MimicError,
    PortError,
    ProtocolError,
)
from mimic_core.limits import JointLimits

_MIN_GAP = 0.5  # [1] of the period, between two writes
_TICK_GAP = 0.9  # [1] the same for those of the loop: with a stream, its commands set the time
_FAULT_PERIOD = 0.2  # [s] between looks whether a fault is over
_ABSURD = 1e6  # [rad], [m], [rad/s], [m/s]; interpolation of more than that may overflow
_TORQUE_OFF = 'torque is off, as asked'
_NO_CLIENT = 'no commands: the client is lost'


class DriverState(enum.Enum):
    """Where a session is; lost and fault are left without a restart when the device allows it."""

    UNCONFIGURED = 'unconfigured'
    INACTIVE = 'inactive'  # read, no torque from us
    ACTIVE = 'active'  # read and written
    LOST = 'lost'  # does not answer; attempts to reach it go on
    FAULT = 'fault'  # answers with a fault; nothing is written


@dataclass
class DriverStatus:
    """What diagnostics show."""

    state: DriverState = DriverState.UNCONFIGURED
    message: str = ''  # what happened last, in words; '' when nothing is wrong
    identity: str = ''  # what answered
    errors: Counter[str] = field(default_factory=Counter)  # class of error -> how often
    reads: int = 0
    writes: int = 0
    accepted: int = 0
    refused: int = 0
    reconnects: int = 0
    client: str = 'none'  # none, live or lost
    torque: bool = False
    warnings: tuple[str, ...] = ()
    health: Health = field(default_factory=Health)


class DriverSession:
    """Owns one device: opens, enables, reads and writes it, and finds its way back to it.

    The first command after every start is the measured position; from there the set-point moves
    no faster than the limits, slower still until it has caught up with the command. `cycle` is
    called once a period by one thread, the rest by any.
    """

    def __init__(
        self,
        device: Device,
        limits: JointLimits,
        params: SessionParams,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """Make a session in state UNCONFIGURED.

        Args:
            device: What is driven.
            limits: Bounds of its J joints.
            params: `rate` must be > 0.
            on_change: Called, by whichever thread, after the state or its message changed.
        """
        self.device, self.limits, self.params = device, limits, params
        self.status = DriverStatus()
        self.period = 1.0 / params.rate  # [s]
        self._on_change = on_change
        self._lock = threading.RLock()  # the device has one user at a time
        self._inbox: dict[tuple[str, ...], tuple[NamedPositions, float]] = {}
        self._follower = Follower(device.joints)
        self._wanted = DriverState.UNCONFIGURED  # where the owner wants it
        self._sent = np.zeros(len(device.joints))  # last written set-point
        self._measured = np.full(len(device.joints), np.nan)
        self._fresh_start = True  # next write is the measured position
        self._commanded = np.zeros(len(device.joints), bool)  # since that start
        self._catching_up = False
        self._limp_by_hand = False
        self._owes_disable = False
        self._wrote_at = self._good_at = self._stamp = -np.inf
        self._command_at = -np.inf
        self._health_at = self._tried_at = -np.inf
        self._astray_since: float | None = None
        self._warned: tuple[str, ...] = ()

    # Asked by the owner ---------------------------------------------------------------------

    def configure(self, now: float) -> None:
        """Open the device; raises DeviceError."""
        with self._lock:
            self._open()
            self._good_at = now
            self._wanted = DriverState.INACTIVE
            self._say(DriverState.INACTIVE)

    def activate(self, now: float) -> None:
        """Let it move; raises DeviceError. Commands that came before do not count."""
        with self._lock:
            if self.status.state == DriverState.LOST:
                raise DeviceError(f'it does not answer: {self.status.message}')
            self._inbox.clear()
            self._owes_disable = True  # whatever ends this early, some motors may be stiff
            self.device.enable()
            self._wanted, self._owes_disable = DriverState.ACTIVE, False
            self._begin(now)

    def deactivate(self) -> None:
        """Take no more commands; hold or go limp, as configured.

        Nothing is written from here on. What the device refuses or misses is tried again.

        Raises:
            DeviceError: It does not answer, or refuses.
        """
        with self._lock:
            self._wanted = DriverState.INACTIVE
            state = self.status.state
            self._owes_disable |= state in (
                DriverState.ACTIVE, DriverState.FAULT, DriverState.LOST
            )  # fmt: skip
            if not self._owes_disable or state in (DriverState.LOST, DriverState.UNCONFIGURED):
                return
            try:
                self._disable()
            except DeviceError as error:
                self._say(DriverState.INACTIVE, f'not deactivated yet: {error}')
                raise

    def cleanup(self) -> None:
        """Let go of the device; never raises."""
        with self._lock:
            self.device.close()
            self._wanted, self._owes_disable = DriverState.UNCONFIGURED, False
            self.status.torque = False
            self._say(DriverState.UNCONFIGURED)

    def set_torque(self, on: bool, now: float) -> None:
        """Take the torque off, or put it on again at the measured position.

        Off stays off, whatever is lost and found again meanwhile, until it is asked for.

        Raises:
            DeviceError: It is not activated, not reachable, or refuses.
        """
        with self._lock:
            state = self.status.state
            if state == DriverState.INACTIVE and not on:  # it may hold since it was deactivated
                self.device.disable(hold=False)
                self.status.torque = False
                return
            if self._wanted != DriverState.ACTIVE:
                raise DeviceError(f'the driver is {state.value}, not active')
            self._limp_by_hand = not on
            if state == DriverState.LOST:
                raise DeviceError(
                    f'it does not answer; once it does, its torque is {"on" if on else "off"}'
                )
            if not on:
                self.device.disable(hold=False)
                self.status.torque = False
                self._say(
                    state, _TORQUE_OFF if state == DriverState.ACTIVE else self.status.message
                )
            elif state == DriverState.ACTIVE:
                self.device.enable()
                self._begin(now)

    def reset(self, now: float) -> None:
        """Clear a fault that the device keeps; raises DeviceError."""
        with self._lock:
            state = self.status.state
            if state in (DriverState.UNCONFIGURED, DriverState.LOST):
                raise DeviceError(f'the driver is {state.value}: nothing can be reset')
            self.device.reset()
            if state in (DriverState.FAULT, DriverState.ACTIVE):  # a reset may end enabling
                self._recover(now)

    def take(self, command: NamedPositions, now: float) -> str | None:
        """Take a command, names without prefix; returns None, or why it was refused."""
        known = self.device.joints
        foreign = next((name for name in command.names if name not in known), None)
        if foreign is not None:
            return self.refuse(f'unknown joint {foreign}; known: {", ".join(known)}')
        if self._wanted != DriverState.ACTIVE:
            return self.refuse(f'a command: the driver is {self.status.state.value}')
        if command.stamp and command.stamp + command.times[-1] < now:
            return self.refuse('a trajectory that ended in the past')
        for values in (command.points, command.velocities):
            if values is not None and (np.abs(values) > _ABSURD).any():
                return self.refuse(f'a position or velocity beyond {_ABSURD:g}')
        self._inbox.pop(command.names, None)  # so that the latest is followed last
        self._inbox[command.names] = (command, now)
        self._command_at = now
        self.status.accepted += 1
        return None

    def refuse(self, reason: str) -> str:
        """Count a command that was not taken; returns the reason."""
        self.status.refused += 1
        return reason

    # Called by the loop ---------------------------------------------------------------------

    def cycle(self, now: float, clock: Callable[[], float]) -> Reading | None:
        """Do one period: read, judge, write.

        Args:
            now: [s].
            clock: Of the same time, for the stamp of the read.

        Returns:
            What was read, with its stamp; None when there is nothing to publish.
        """
        with self._lock:
            if self.status.state == DriverState.UNCONFIGURED:
                return None
            if self.status.state == DriverState.LOST:
                self._reconnect(now)
                return None
            reading = None
            try:
                if self._owes_disable and self._wanted == DriverState.INACTIVE:
                    self._disable()
                reading = self._read(clock)
                healthy = self._check_health(now)
                if self.status.state == DriverState.FAULT and healthy:
                    self._recover(now)
                if self.status.state == DriverState.ACTIVE:
                    self._write(clock(), _TICK_GAP)
                self._announce_warnings()
                self._good_at = clock()
            except DeviceError as error:
                self._judge(error, now)
            return reading

    def write_now(self, now: float) -> float:
        """Send a command that has just come, before the period is over.

        Returns:
            How much too early it is after the last write [s]; 0: it was sent, or there is no need.
        """
        with self._lock:
            if self.status.state != DriverState.ACTIVE or self._fresh_start:
                return 0.0
            early = self._wrote_at + _MIN_GAP * self.period - now
            if early <= 0.0:
                try:
                    self._write(now, _MIN_GAP)
                except DeviceError as error:
                    self._judge(error, now)
            return max(early, 0.0)

    # Parts ----------------------------------------------------------------------------------

    def _open(self) -> None:
        self.device.close()
        self.status.identity = self.device.open()

    def _begin(self, now: float) -> None:
        """Be active from the measured position on."""
        self._inbox.clear()
        self._fresh_start, self._catching_up = True, True
        self._limp_by_hand = False
        self._good_at = now
        self._astray_since = None
        self._command_at = -np.inf
        self.status.torque, self.status.client = True, 'none'
        self._say(DriverState.ACTIVE)

    def _read(self, clock: Callable[[], float]) -> Reading:
        asked = clock()
        reading = self.device.read()
        answered = clock()
        stamp = reading.stamp
        if stamp is None:
            middle = 0.5 * (asked + answered)
            stamp = answered - reading.age if reading.age is not None else middle
            # The same reply, read twice, is no older the second time.
            stamp = max(stamp, self._stamp) if answered >= self._good_at else stamp
        self._stamp = stamp
        try:
            position = checked(reading.position, (len(self.device.joints),), 'measured position')
        except MimicError as error:
            raise ProtocolError(str(error)) from error
        self._measured = position
        self.status.reads += 1
        return Reading(position, reading.velocity, reading.effort, stamp, reading.tactile)

    def _check_health(self, now: float) -> bool:
        """Ask for the health when it is due; returns whether it was asked and is good."""
        faulty = self.status.state == DriverState.FAULT
        due = (
            min(self.params.health_period, _FAULT_PERIOD) if faulty else self.params.health_period
        )
        if 0.0 <= now - self._health_at < due:
            return False
        self._health_at = now
        self.status.health = self.device.health()
        return True

    def _judge(self, error: DeviceError, now: float) -> None:
        """Decide what an error of the bus or the device means."""
        self.status.errors[type(error).__name__] += 1
        if isinstance(error, DeviceFaultError):
            self._good_at = now  # it answers
            self._say(DriverState.FAULT, str(error))
            if self.params.auto_reset and now - self._tried_at >= self.params.reconnect_period:
                self._tried_at = now
                try:
                    self.device.reset()
                except DeviceError as refusal:
                    self._say(DriverState.FAULT, str(refusal))
        elif isinstance(error, PortError) or now - self._good_at > self.params.lost_after:
            self.status.torque = False
            self._tried_at = now
            self._say(DriverState.LOST, str(error))

    def _reconnect(self, now: float) -> None:
        if 0.0 <= now - self._tried_at < self.params.reconnect_period:
            return
        self._tried_at = now
        try:
            self._open()
            self._recover(now)
        except DeviceFaultError as error:
            self._judge(error, now)
        except DeviceError as error:
            self.status.errors[type(error).__name__] += 1
            self._say(DriverState.LOST, str(error))
        else:
            self.status.reconnects += 1

    def _recover(self, now: float) -> None:
        """Go back to where the owner wants it, from the measured position."""
        if self._wanted == DriverState.ACTIVE:
            age = now - max(self._command_at, self._follower.ends())
            gone = self.status.client != 'none' and age > self.params.command_timeout
            limp = gone and self.params.on_lost_client == 'limp'
            if limp or self._limp_by_hand:  # as it was before, or as it would be by now
                self.device.disable(hold=False)
                self.status.torque = False
                self.status.client = 'lost' if gone else self.status.client
                self._fresh_start, self._good_at = True, now
                self._say(DriverState.ACTIVE, _TORQUE_OFF if self._limp_by_hand else _NO_CLIENT)
                return
            self.device.enable()
            self._begin(now)
            return
        self._good_at = now
        if self._owes_disable:
            self._disable()
        self._say(DriverState.INACTIVE)

    def _disable(self) -> None:
        hold = self.params.on_deactivate == 'hold' and not self._limp_by_hand
        self.device.disable(hold=hold)
        self._owes_disable = False
        self.status.torque = self.status.torque and hold
        self._say(DriverState.INACTIVE)

    def _write(self, now: float, gap: float) -> None:
        elapsed = now - self._wrote_at
        if elapsed < -self.period:  # the clock was set back: what was asked for was for then
            self._follower.reset(self._sent)
            self._command_at = min(self._command_at, now)
        elif elapsed < gap * self.period:
            return
        if not self._torque_for_client(now):
            return
        if self._fresh_start:
            self._follower.reset(self._measured)
            self._commanded[:] = False
            setpoint = self._measured.copy()
        else:
            self._follow_inbox()
            setpoint = self._limited(self._follower.sample(now + self.period)[0], now)
        self.device.write(setpoint)
        self._fresh_start = False
        self._sent, self._wrote_at = setpoint, now
        self.status.writes += 1
        self._watch_following(now)

    def _torque_for_client(self, now: float) -> bool:
        """Keep track of the client; returns whether the device takes set-points now."""
        if self._limp_by_hand:
            return False
        age = now - max(self._command_at, self._follower.ends())
        live = age <= self.params.command_timeout
        if live:
            if self.status.client == 'lost' and not self.status.torque:
                self.device.enable()
                self._fresh_start, self._catching_up, self.status.torque = True, True, True
            if self.status.client == 'lost':
                self._say(DriverState.ACTIVE)
            self.status.client = 'live'
        elif self.status.client == 'live':
            self.status.client = 'lost'
            self._follower.reset(self._sent)  # stop here, not at what it last asked for
            self._say(DriverState.ACTIVE, _NO_CLIENT)
            if self.params.on_lost_client == 'limp':
                self.device.disable(hold=False)
                self.status.torque = False
        return self.status.torque

    def _follow_inbox(self) -> None:
        for names in list(self._inbox):
            command, received = self._inbox.pop(names)
            try:
                self._follower.follow(command, received)
            except MimicError as error:
                self.status.message = self.refuse(str(error))
            else:
                self._commanded |= [joint in names for joint in self.device.joints]

    def _limited(self, target: FloatArray, now: float) -> FloatArray:
        """Return the set-point: inside the bounds, a step of bounded speed from the last one.

        A joint that is outside its bounds stays there until it is commanded, and then comes back.
        """
        scale = self.params.resume_speed_scale if self._catching_up else 1.0
        elapsed = min(max(now - self._wrote_at, 0.0), 2.0 * self.period)
        reach = self.limits.max_speed * scale * elapsed
        bounded = np.where(self._commanded, self.limits.clip(target), self._sent)
        setpoint = np.clip(bounded, self._sent - reach, self._sent + reach)
        if self._catching_up and self.status.client == 'live':
            self._catching_up = bool((np.abs(setpoint - bounded) > 1e-9).any())
        return setpoint

    def _watch_following(self, now: float) -> None:
        limit = (self.params.following_error or np.inf) * (self.limits.upper - self.limits.lower)
        astray = np.abs(self._sent - self._measured) > limit
        if not astray.any():
            self._astray_since = None
            self.status.warnings = ()
            return
        if self._astray_since is None:
            self._astray_since = now
        if now - self._astray_since >= self.params.following_time:
            names = [n for n, far in zip(self.device.joints, astray, strict=True) if far]
            self.status.warnings = (f'{", ".join(names)} does not follow its command',)

    def _announce_warnings(self) -> None:
        warnings = (*self.status.warnings, *self.status.health.warnings)
        if warnings != self._warned:
            self._warned = warnings
            self._on_change()

    def _say(self, state: DriverState, message: str = '') -> None:
        changed = (state, message) != (self.status.state, self.status.message)
        self.status.state, self.status.message = state, message
        if state in (DriverState.LOST, DriverState.FAULT):
            self._fresh_start = True
        if changed:
            self._on_change()
