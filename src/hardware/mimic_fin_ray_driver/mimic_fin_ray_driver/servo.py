"""A gripper moved by one Dynamixel servo, in SI units: torque, positions, faults."""

import time
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.driver import Health, Reading
from mimic_core.driver.gripper_line import GripperLine
from mimic_core.driver.motor_bus import Register
from mimic_core.driver.tries import tried
from mimic_core.errors import DeviceError, DeviceFaultError, IdentityError
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
    Scale,
    hardware_errors,
    parse_present,
)
from mimic_fin_ray_driver.servo_transport import ServoLine
from mimic_fin_ray_driver.stall import StallWatch

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
        self._line = GripperLine(self._line_at, ServoLine.ping, params.baud, BAUDS, 'motor_id')
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
        model = self._line.open(self._identify)
        return f'{MODELS.get(model, f"model {model}")}, id {self._params.motor_id}'

    def close(self) -> None:
        """Let go of the port."""
        self._line.close()

    def enable(self) -> None:
        """Put the torque on where it is."""
        torque = tried(self._condition)
        if self._enabled and torque:
            return
        if not torque or tried(self._operating_mode) != CURRENT_BASED_POSITION:
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
        line = self._line.opened
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
        self._line.opened.write(GOAL_POSITION, self._scale.to_ticks(self._setpoint - self._lower))

    def health(self) -> Health:
        """Return temperature, current, voltage and warnings; looks whether torque is still on."""
        torque = self._condition()
        if self._enabled and not torque:
            raise DeviceFaultError(
                f'motor {self._params.motor_id} restarted (brown-out?): its torque is off; reset '
                'puts it on again where it is'
            )
        supply = self._line.opened.read(SUPPLY)
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
        line = self._line.opened
        condition = line.read(CONDITION)
        if condition[-1]:
            line.reboot()
            self._await_reboot(line)
            self._enabled = False
            self._condition()
        elif not condition[0]:
            self._enabled = False

    # Parts ----------------------------------------------------------------------------------

    def _line_at(self, baud: int) -> ServoLine:
        return ServoLine(
            self._params.port, baud, self._params.reply_timeout, self._params.motor_id
        )

    def _identify(self) -> int:
        """Return the servo's model; raises IdentityError when it is another than was meant."""
        model = self._line.opened.ping()
        wanted = self._params.motor_model
        if model != wanted and (wanted or model not in MODELS):
            expected = str(wanted) if wanted else ', '.join(map(str, MODELS))
            raise IdentityError(
                f'motor {self._params.motor_id} is of model {model}, not {expected}'
            )
        return model

    def _set(self, register: Register, value: int) -> None:
        tried(lambda: self._line.opened.write(register, value))

    def _operating_mode(self) -> int:
        return self._line.opened.read(OPERATING_MODE)[0]

    def _stay(self) -> None:
        """Make the goal where it is."""
        self._set(GOAL_POSITION, parse_present(tried(self._line.opened.present)).position)

    def _condition(self) -> bool:
        """Return whether torque is on; raises DeviceFaultError on a hardware error."""
        condition = self._line.opened.read(CONDITION)
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
