"""A gripper moved by one Dynamixel servo, in SI units: torque, positions, faults."""

import contextlib
import time
from collections.abc import Callable
from typing import Final, TypeVar

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.driver import Health, Reading
from mimic_core.errors import (
    DeviceError,
    DeviceFaultError,
    IdentityError,
    NoReplyError,
    ProtocolError,
)
from mimic_core.limits import JointLimits
from mimic_fin_ray_driver.params import FinRayParams
from mimic_fin_ray_driver.servo_protocol import (
    AMPERE_PER_COUNT,
    BAUDS,
    CONDITION,
    CURRENT_BASED_POSITION,
    GOAL_CURRENT,
    GOAL_POSITION,
    MODELS,
    OPERATING_MODE,
    SUPPLY,
    TORQUE_ENABLE,
    VOLT_PER_COUNT,
    Present,
    Register,
    Scale,
    hardware_errors,
    parse_present,
)
from mimic_fin_ray_driver.servo_transport import ServoLine
from mimic_fin_ray_driver.stall import StallWatch

T = TypeVar('T')

_TRIES: Final = 3
_REBOOT: Final = 1.0  # [s] in which a servo is back
_CONTACT: Final = 0.8  # [1] of the current limit: the fingers press


class ServoGripper:
    """One gripper: a `Device` with one joint, the way of one finger; the other mirrors it."""

    def __init__(self, params: FinRayParams, joint: str, limits: JointLimits) -> None:
        """Make a gripper that is not connected.

        Args:
            params: Of the driver.
            joint: Name of the finger's joint.
            limits: Of the hand as it is built: `open_ticks` is its upper bound, `closed_ticks` its
                lower one.
        """
        self._params, self._joint = params, joint
        self._lower = float(limits.lower[0])
        travel = float(limits.upper[0]) - self._lower
        self._scale = Scale(params.closed_ticks, params.open_ticks, travel)
        self._line: ServoLine | None = None
        self._known = False  # it has answered at these settings
        self._enabled = False
        self._present: Present | None = None
        self._setpoint: float | None = None  # [m]
        self._press = params.current_limit * _CONTACT  # [A]
        self._stall = StallWatch(params.stall_distance, params.stall_time)

    @property
    def joints(self) -> tuple[str, ...]:
        """Return the joint of the finger that counts."""
        return (self._joint,)

    def open(self) -> str:
        """Connect and look who answers, without moving."""
        self.close()
        try:
            self._line = self._open_line(self._params.baud)
            model = self._patiently(self._line.ping)
        except NoReplyError as error:
            self.close()
            if self._known:
                raise
            raise NoReplyError(f'{error}; {self._advice()}') from error
        except DeviceError:
            self.close()
            raise
        wanted = self._params.motor_model
        if model != wanted and (wanted or model not in MODELS):
            self.close()
            expected = str(wanted) if wanted else ', '.join(map(str, MODELS))
            raise IdentityError(
                f'motor {self._params.motor_id} is of model {model}, not {expected}'
            )
        self._known = True
        return f'{MODELS.get(model, f"model {model}")}, id {self._params.motor_id}'

    def close(self) -> None:
        """Let go of the port."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def enable(self) -> None:
        """Put the torque on where it is."""
        torque = self._patiently(self._condition)
        if self._enabled and torque:
            return
        if not torque or self._patiently(self._operating_mode) != CURRENT_BASED_POSITION:
            self._set(TORQUE_ENABLE, 0)
            self._set(OPERATING_MODE, CURRENT_BASED_POSITION)
        self._set(GOAL_CURRENT, round(self._params.current_limit / AMPERE_PER_COUNT))
        self._stay()
        self._set(TORQUE_ENABLE, 1)
        self._enabled, self._setpoint = True, None

    def disable(self, *, hold: bool) -> None:
        """Stay stiff where it is, or take the torque off."""
        self._enabled, self._setpoint = False, None
        if hold:
            self._stay()
        else:
            self._set(TORQUE_ENABLE, 0)

    def read(self) -> Reading:
        """Return way and speed of the finger."""
        line = self._bus()
        present = self._present = parse_present(line.present())
        if line.alert:
            self._condition()
        way = self._lower + self._scale.to_way(present.position)
        self._stall.see(way, self._setpoint, abs(present.current) > self._press)
        return Reading(np.array([way]), np.array([present.velocity * self._scale.metres_per_tick]))

    def write(self, position: FloatArray) -> None:
        """Send the way of the finger (1,) [m]."""
        if not self._enabled:
            raise DeviceError('the gripper is not enabled')
        self._setpoint = float(position[0])
        self._bus().write(GOAL_POSITION, self._scale.to_ticks(self._setpoint - self._lower))

    def health(self) -> Health:
        """Return temperature, current, voltage and warnings; looks whether torque is still on."""
        torque = self._condition()
        if self._enabled and not torque:
            raise DeviceFaultError(
                f'motor {self._params.motor_id} restarted (brown-out?): its torque is off; reset '
                'puts it on again where it is'
            )
        supply = self._bus().read(SUPPLY)
        current = self._present.current if self._present is not None else 0.0
        warnings: tuple[str, ...] = ()
        if self._enabled and self._stall.stalled:
            warnings = (f'{self._joint} does not move, and its motor does not press',)
        return Health(
            temperature={'motor': float(supply[2])},
            current={'motor': current},
            voltage=VOLT_PER_COUNT * int.from_bytes(supply[:2], 'little'),
            warnings=warnings,
            details={'contact': str(abs(current) > self._press)},
        )

    def reset(self) -> None:
        """Restart a servo with a hardware error; one that lost its torque needs only enable."""
        line = self._bus()
        condition = line.read(CONDITION)
        if condition[-1]:
            line.reboot()
            self._await_reboot(line)
            self._enabled = False
            self._condition()
        elif not condition[0]:
            self._enabled = False

    # Parts ----------------------------------------------------------------------------------

    def _open_line(self, baud: int) -> ServoLine:
        return ServoLine(
            self._params.port, baud, self._params.reply_timeout, self._params.motor_id
        )

    def _bus(self) -> ServoLine:
        if self._line is None:
            raise DeviceError('the gripper is not connected')
        return self._line

    def _patiently(self, act: Callable[[], T]) -> T:
        """Do something up to three times: a damaged reply is no reason to give up a start."""
        for _ in range(_TRIES - 1):
            with contextlib.suppress(NoReplyError, ProtocolError):
                return act()
        return act()

    def _set(self, register: Register, value: int) -> None:
        self._patiently(lambda: self._bus().write(register, value))

    def _operating_mode(self) -> int:
        return self._bus().read(OPERATING_MODE)[0]

    def _stay(self) -> None:
        """Make the goal where it is."""
        self._set(GOAL_POSITION, parse_present(self._patiently(self._bus().present)).position)

    def _condition(self) -> bool:
        """Return whether torque is on; raises DeviceFaultError on a hardware error."""
        condition = self._bus().read(CONDITION)
        if condition[-1]:
            motor = self._params.motor_id
            raise DeviceFaultError(f'motor {motor}: {hardware_errors(condition[-1])}')
        return bool(condition[0])

    def _await_reboot(self, line: ServoLine) -> None:
        end = time.perf_counter() + _REBOOT
        while True:
            try:
                line.ping()
            except DeviceError:
                if time.perf_counter() > end:
                    raise
            else:
                return

    def _advice(self) -> str:
        """Return what may be wrong when nobody answers: it looks at the other speeds."""
        for baud in BAUDS:
            if baud == self._params.baud:
                continue
            try:
                line = self._open_line(baud)
            except DeviceError:
                break
            try:
                line.ping()
            except DeviceError:
                continue
            finally:
                line.close()
            return f'but it answers at {baud} bit/s: set the parameter baud'
        return 'is it powered, and are motor_id and the wires right?'
