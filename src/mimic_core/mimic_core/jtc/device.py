"""The device behind a vendor's stack: its joint states are read, its controller is written."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.driver.device import Health, Reading
from mimic_core.errors import (
    ConfigError,
    DeviceError,
    DeviceFaultError,
    IdentityError,
    NoReplyError,
    PortError,
    ProtocolError,
)
from mimic_core.jtc.params import JtcParams, Stack

_SWITCH_TIMEOUT = 1.0  # [s] for the controller manager to switch
_POLL = 0.01  # [s] between looks while waiting at the start
_REOPEN = 0.5  # [s] that one attempt to find a lost stack waits; nothing else happens meanwhile
_OLD_LIST = 1.0  # [s] a list of controllers counts so long


@dataclass(frozen=True)
class StateSample:
    """One message of joint states that names every joint, in the order of the stack's joints."""

    position: FloatArray  # (J,) [rad]
    velocity: FloatArray | None  # (J,) [rad/s]
    effort: FloatArray | None  # (J,) [N m]
    stamp: float  # [s] of the message, 0 without
    delay: float  # [s] from the stamp to the receipt, 0 without a stamp
    received: float  # [s] perf_counter


@dataclass(frozen=True)
class Session:
    """What the robot's own controller says beside the joints."""

    problem: str  # why it takes no commands, in words; '' when it does
    warnings: tuple[str, ...]
    details: Mapping[str, str]
    received: float  # [s] perf_counter


class Link(Protocol):
    """The topics and services of a stack. Nothing here blocks for longer than it says."""

    def open(self) -> None:
        """Begin to listen; does nothing if it does already."""

    def close(self) -> None:
        """Stop listening; never raises and may be called twice."""

    def latest(self) -> StateSample | None:
        """Return the newest joint states of all joints, or None."""

    def heard(self) -> frozenset[str]:
        """Return every joint name that was in any joint states."""

    def session(self) -> Session | None:
        """Return the newest state of the robot's own controller, None where there is none."""

    def controllers(self) -> tuple[Mapping[str, str], float]:
        """Return the controllers with their states, and when that was answered (perf_counter)."""

    def switch(self, controller: str, timeout: float) -> bool:
        """Ask the controller manager to activate a controller; returns whether it did."""

    def send(self, position: FloatArray, duration: float) -> None:
        """Publish (J,) positions, in the order of the stack's joints, to be reached in [s]."""


class JtcDevice:
    """An arm whose controller runs elsewhere; it stays stiff whatever happens here."""

    def __init__(
        self, joints: tuple[str, ...], stack: Stack, link: Link, params: JtcParams, period: float
    ) -> None:
        """Make a device that is not open.

        Args:
            joints: J names of the registry, without prefix.
            stack: What they and the topics are called there.
            link: To the stack.
            params: Of the driver.
            period: Of the driver [s].

        Raises:
            ConfigError: There are not J names.
        """
        if len(stack.joints) != len(joints):
            raise ConfigError(
                f"parameter 'joints' has {len(stack.joints)} names for {len(joints)} joints"
            )
        self._joints, self.stack, self.link, self._params = joints, stack, link, params
        self._duration = params.time_from_start or period
        self._known = False  # it has answered before
        self._enabled = False
        self._session_lost = False
        self._latched = ''  # a fault that only reset clears

    @property
    def joints(self) -> tuple[str, ...]:
        """Names of the J joints without prefix."""
        return self._joints

    # Start and end --------------------------------------------------------------------------

    def open(self) -> str:
        """Wait for joint states and the controller; returns who answered."""
        self.link.open()
        self._session_lost = False
        try:
            return self._identify()
        except DeviceError:
            self.link.close()
            raise

    def _identify(self) -> str:
        patience = (
            min(_REOPEN, self._params.open_timeout) if self._known else self._params.open_timeout
        )
        end = time.perf_counter() + patience
        while not self._ready() and time.perf_counter() < end:
            time.sleep(_POLL)
        if self.link.latest() is None:
            raise self._nothing_heard()
        states, answered = self.link.controllers()
        if self.stack.manager and not np.isfinite(answered):
            raise NoReplyError(
                f'{self.stack.topic(self.stack.manager)} does not answer; without a controller '
                "manager set the parameter controller_manager to ''"
            )
        if self.stack.manager and self.stack.controller not in states:
            raise IdentityError(
                f"there is no controller '{self.stack.controller}' in "
                f'{self.stack.topic(self.stack.manager)}, only {", ".join(states) or "none"}'
            )
        self._known = True
        state = states.get(self.stack.controller, 'not asked for')
        return f'{self.stack.name}, {self.stack.topic(self.stack.controller)} is {state}'

    def _ready(self) -> bool:
        listed = not self.stack.manager or np.isfinite(self.link.controllers()[1])
        return listed and self.link.latest() is not None

    def _nothing_heard(self) -> DeviceError:
        topic, heard = self.stack.topic(self.stack.state_topic), self.link.heard()
        missing = [name for name in self.stack.joints if name not in heard]
        if heard and missing:
            return IdentityError(
                f'{topic} has no {", ".join(missing)}; it has {", ".join(sorted(heard))}'
            )
        return PortError(
            f'nothing on {topic}: is {self.stack.name} running, with this namespace and '
            'ROS_DOMAIN_ID?'
        )

    def close(self) -> None:
        """Stop listening."""
        self._enabled = False
        self.link.close()

    # Motion ---------------------------------------------------------------------------------

    def enable(self) -> None:
        """See that the controller is active and the robot takes commands."""
        if self._latched:
            raise DeviceFaultError(self._latched)
        self._raise_session_problem()
        states, answered = self.link.controllers()
        if self.stack.manager and (
            states.get(self.stack.controller) != 'active'
            or time.perf_counter() - answered > _OLD_LIST
        ):
            self._switch_on()
        self._enabled, self._session_lost = True, False

    def _switch_on(self) -> None:
        if not self.link.switch(self.stack.controller, _SWITCH_TIMEOUT):
            raise DeviceFaultError(f"controller '{self.stack.controller}' cannot be switched on")

    def disable(self, *, hold: bool) -> None:
        """Send nothing more: the controller holds the last set-point."""
        if not hold:
            raise DeviceError(f'{self.stack.name} has no topic that takes the torque off')
        self._enabled = False

    def read(self) -> Reading:
        """Return the newest joint states."""
        now, sample = time.perf_counter(), self.link.latest()
        topic = self.stack.topic(self.stack.state_topic)
        limit = self._params.stale_after
        if sample is None or now - sample.received > limit:
            silence = np.inf if sample is None else now - sample.received
            raise NoReplyError(f'nothing on {topic} for {silence:.2f} s')
        stamped = self._params.check_stamps and sample.stamp > 0.0
        if stamped and not -limit <= sample.delay <= limit:
            raise NoReplyError(
                f'{topic} came {sample.delay:.2f} s after its stamp: slow, or the clocks of both '
                'machines differ'
            )
        for name, value in zip(self.stack.joints, sample.position, strict=True):
            if not np.isfinite(value):
                raise ProtocolError(f'{name} is {value} on {topic}')
        self._check()
        stamp = sample.stamp if stamped else None
        age = None if stamped else now - sample.received
        return Reading(sample.position, sample.velocity, sample.effort, stamp, age=age)

    def _check(self) -> None:
        """Raise what keeps the robot from following, once it should."""
        if self._enabled or self._session_lost:
            self._raise_session_problem()
            self._session_lost = False
        states, answered = self.link.controllers()
        state = states.get(self.stack.controller, 'gone')
        fresh = time.perf_counter() - answered < _OLD_LIST
        if self._enabled and self.stack.manager and fresh and state != 'active':
            self._enabled = False
            self._latched = (
                f"controller '{self.stack.controller}' is {state}: somebody switched it off; "
                'reset switches it on'
            )
        if self._latched:
            raise DeviceFaultError(self._latched)

    def _raise_session_problem(self) -> None:
        session = self.link.session()
        if session is None:
            return
        problem = session.problem
        silence = time.perf_counter() - session.received
        if silence > self._params.stale_after:
            problem = f'nothing from the robot controller for {silence:.2f} s'
        if problem:
            self._enabled, self._session_lost = False, True
            raise DeviceFaultError(problem)

    def write(self, position: FloatArray) -> None:
        """Publish a set-point."""
        self.link.send(position, self._duration)

    # State ----------------------------------------------------------------------------------

    def health(self) -> Health:
        """Return what the robot's own controller says."""
        if self._session_lost:
            self._raise_session_problem()
        if self._latched:
            raise DeviceFaultError(self._latched)
        states, _ = self.link.controllers()
        details = {f'controller: {name}': state for name, state in states.items()}
        session = self.link.session()
        if session is None:
            return Health(details=details)
        return Health(warnings=session.warnings, details=details | dict(session.details))

    def reset(self) -> None:
        """Forget that the controller was switched off; enabling switches it on again."""
        self._raise_session_problem()
        self._latched = ''
