"""A WSG-50 with its measuring script, in SI units: homing, steps of its controller, faults."""

import time

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.driver import Health, Reading
from mimic_core.errors import DeviceError, DeviceFaultError, NoReplyError
from mimic_fin_ray_driver.params import FinRayParams
from mimic_fin_ray_driver.stall import StallWatch
from mimic_fin_ray_driver.wsg_protocol import (
    ACKNOWLEDGE,
    ACKNOWLEDGE_WORD,
    BLOCKED_CLOSING,
    BLOCKED_OPENING,
    FAST_STOP,
    FAST_STOPPED,
    FAULTS,
    HOME_OPEN,
    HOMING,
    OK,
    PENDING,
    REFERENCED,
    SCRIPT_QUERY,
    SCRIPT_STEP,
    STOP,
    SYSTEM_STATE,
    WARNINGS,
    ScriptState,
    frame,
    query,
    script_state,
    status_name,
    step,
    system_state,
    system_state_query,
)
from mimic_fin_ray_driver.wsg_transport import WsgLink

_MM = 2000.0  # [mm] of width per metre of one finger
_STEPS = 2  # that the script has at most: the one it does, and the next
_SETUP_TIMEOUT = 0.5  # [s] for a reply while no motion waits for it


class WsgGripper:
    """One gripper: a `Device` with one joint, the way of one finger; the other mirrors it.

    The script answers a step with what it measured, so one exchange is both write and read.
    """

    def __init__(self, params: FinRayParams, joint: str) -> None:
        """Make a gripper that is not connected."""
        self._params, self._joint = params, joint
        self._link: WsgLink | None = None
        self._enabled = self._halted = False
        self._state: ScriptState | None = None
        self._setpoint: tuple[float, float] | None = None  # [m], [s]
        self._stall = StallWatch(params.stall_distance, params.stall_time)

    @property
    def joints(self) -> tuple[str, ...]:
        """Return the joint of the finger that counts."""
        return (self._joint,)

    def open(self) -> str:
        """Connect and look whether the script runs, without moving."""
        self.close()
        p = self._params
        link = self._link = WsgLink(p.host, p.tcp_port, p.connect_timeout, p.reply_timeout)
        try:
            state = self._query()
        except NoReplyError as error:
            self.close()
            raise NoReplyError(
                f'{error}; its text based interface must be off, and its checksums (CRC) on'
            ) from error
        except DeviceError:
            self.close()
            raise
        self._refuse_restart(state)
        referenced = 'referenced' if state.state & REFERENCED else 'not referenced'
        return f'WSG-50 at {link.where}, its script runs, {referenced}'

    def close(self) -> None:
        """Take leave and close the connection."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def enable(self) -> None:
        """Let it take steps; a gripper that is not referenced opens to its stop first."""
        state = self._query()
        self._refuse_restart(state)
        bits = self._system_state(_SETUP_TIMEOUT)
        self._refuse_faults(bits)
        if bits & FAST_STOPPED or not self._params.system_state:
            self._command(ACKNOWLEDGE, ACKNOWLEDGE_WORD)
        if not state.state & REFERENCED:
            self._command(HOMING, HOME_OPEN, self._params.homing_timeout)
        self._enabled, self._halted, self._setpoint = True, False, None

    def disable(self, *, hold: bool) -> None:
        """Stop and stay; not to hold is a fast stop, after which it takes no motion."""
        self._enabled, self._setpoint = False, None
        self._bus().forget(SCRIPT_STEP)
        self._command(STOP if hold else FAST_STOP)

    def read(self) -> Reading:
        """Return way, speed and force of the finger."""
        link = self._bus()
        try:
            pending = link.outstanding(SCRIPT_STEP)
            reply = link.newest(SCRIPT_STEP)
            if reply is None and not pending:
                link.send(query())
            reply = reply or link.reply(SCRIPT_STEP if pending else SCRIPT_QUERY)
        except NoReplyError:
            self._halt()
            raise
        state = self._state = script_state(reply[0])
        self._refuse_restart(state)
        self._halted = False
        self._stall.see(
            state.width / _MM,
            self._setpoint[0] if self._setpoint is not None else None,
            bool(state.state & (BLOCKED_CLOSING | BLOCKED_OPENING)),
        )
        return Reading(
            np.array([state.width / _MM]),
            np.array([state.speed / _MM]),
            np.array([state.force]),
            age=time.perf_counter() - reply[1],
        )

    def write(self, position: FloatArray) -> None:
        """Send the way of the finger (1,) [m].

        The script takes one step after the other, more would queue up: while it does one and has
        the next, this one is left out, and that of the next period counts.
        """
        if not self._enabled:
            raise DeviceError('the gripper is not enabled')
        link, p = self._bus(), self._params
        if link.outstanding(SCRIPT_STEP) >= _STEPS:
            return
        goal, now = float(position[0]), time.perf_counter()
        speed = 0.0
        if self._setpoint is not None and now > self._setpoint[1]:
            speed = (goal - self._setpoint[0]) / (now - self._setpoint[1])
        self._setpoint = goal, now
        link.send(step(_MM * goal, _MM * speed, p.kp, p.kd, p.travel_force, p.blocked_force))

    def health(self) -> Health:
        """Return force, contact and warnings."""
        bits = self._system_state()
        self._refuse_faults(bits)
        if self._enabled and bits & FAST_STOPPED:
            raise DeviceFaultError('the gripper made a fast stop')
        warnings = [f'the gripper {text}' for bit, text in WARNINGS.items() if bits & bit]
        if self._enabled and self._stall.stalled:
            warnings.append(f'{self._joint} does not move, and reports no contact')
        state = self._state
        if state is None:
            return Health(warnings=tuple(warnings))
        side = {BLOCKED_CLOSING: 'while closing', BLOCKED_OPENING: 'while opening'}
        contact = [text for bit, text in side.items() if state.state & bit]
        return Health(
            warnings=tuple(warnings),
            details={
                'contact': contact[0] if contact else 'none',
                'force': f'{state.force:.1f} N',
                'referenced': str(bool(state.state & REFERENCED)),
            },
        )

    def reset(self) -> None:
        """Acknowledge a fault; does nothing to a gripper without one."""
        bits = self._system_state(_SETUP_TIMEOUT)
        restarted = self._enabled and not self._query().state & REFERENCED
        if not (restarted or bits & FAST_STOPPED or _faults(bits)):
            return
        self._command(ACKNOWLEDGE, ACKNOWLEDGE_WORD)
        self._enabled = False
        self._refuse_faults(self._system_state(_SETUP_TIMEOUT))

    # Parts ----------------------------------------------------------------------------------

    def _bus(self) -> WsgLink:
        if self._link is None:
            raise DeviceError('the gripper is not connected')
        return self._link

    def _query(self) -> ScriptState:
        link = self._bus()
        link.send(query())
        return script_state(link.reply(SCRIPT_QUERY, _SETUP_TIMEOUT)[0])

    def _system_state(self, timeout: float | None = None) -> int:
        if not self._params.system_state:
            return 0
        link = self._bus()
        link.send(system_state_query())
        return system_state(link.reply(SYSTEM_STATE, timeout)[0])

    def _command(self, command: int, payload: bytes = b'', timeout: float = 0.0) -> None:
        """Give a command; with a timeout [s], wait for the end of its motion."""
        link = self._bus()
        link.forget(command)
        link.send(frame(command, payload), 2 if timeout else 1)
        reply, _ = link.reply(command, _SETUP_TIMEOUT)
        if timeout and reply.status == PENDING:
            reply, _ = link.reply(command, timeout)
        link.forget(command)
        if reply.status not in (OK, PENDING):
            raise DeviceFaultError(f'command {command:#04x}: {status_name(reply.status)}')

    def _halt(self) -> None:
        """Stop it once: without steps it goes on at the speed of the last one."""
        if self._enabled and not self._halted:
            self._halted = True
            self._bus().tell(frame(STOP))

    def _refuse_restart(self, state: ScriptState) -> None:
        if self._enabled and not state.state & REFERENCED:
            raise DeviceFaultError(
                'the gripper restarted (brown-out?) and is not referenced; after a reset it opens '
                'to its stop'
            )

    def _refuse_faults(self, bits: int) -> None:
        faults = _faults(bits)
        if faults:
            raise DeviceFaultError(f'gripper: {", ".join(faults)}')


def _faults(bits: int) -> list[str]:
    return [text for bit, text in FAULTS.items() if bits & bit]
