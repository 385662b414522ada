"""A Robotiq gripper in SI units: activation, positions, faults."""

import time
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.driver import Device, Health, Reading
from mimic_core.driver.gripper_line import GripperLine
from mimic_core.driver.tries import tried
from mimic_core.errors import ConfigError, DeviceError, DeviceFaultError
from mimic_core.limits import JointLimits, SiteLimits
from mimic_description import load_robot, site_limits
from mimic_robotiq_driver.params import RobotiqParams
from mimic_robotiq_driver.protocol import (
    FAULT_NAMES,
    FAULT_SILENCE,
    FAULT_WAITS,
    MODELS,
    OBJECT,
    Command,
    Scale,
    Status,
    share_byte,
)
from mimic_robotiq_driver.transport import ModbusLine

_BAUDS: Final = (115200, 9600, 19200, 38400, 57600)  # [1/s] of the vendor's tool
_POLL: Final = 0.02  # [s] between looks whether activation is over
_STILL: Final = 2  # [counts] of position that are no motion


class RobotiqGripper:
    """One gripper: a `Device` with one joint, the knuckle that its motor turns."""

    def __init__(self, params: RobotiqParams, joint: str, limits: JointLimits) -> None:
        """Make a gripper that is not connected.

        Args:
            params: Of the driver.
            joint: Name of the knuckle.
            limits: Bounds of the knuckle; its speed bounds the motion between two counts too.
        """
        self._params, self._joint = params, joint
        self._model = model = MODELS[params.model]
        self._scale = Scale(model.closed_position, params.open_count, params.closed_count)
        speed = float(limits.max_speed[0]) * model.metres_per_radian
        self._speed = share_byte(speed, model.speed_min, model.speed_max)
        force_min = params.force_at_zero or model.force_min
        self._force = share_byte(params.force, force_min, model.force_max)
        self._line = GripperLine(self._line_at, ModbusLine.status, params.baud, _BAUDS, 'slave_id')
        self._enabled = False
        self._status: Status | None = None
        self._still_since, self._still_at = 0.0, -1  # [s], [counts]

    @property
    def joints(self) -> tuple[str, ...]:
        """Return the name of the knuckle."""
        return (self._joint,)

    def open(self) -> str:
        """Connect and look who answers, without moving."""
        status = self._line.open(self._ask)
        if self._enabled:
            self._refuse_faults(status)  # it may have restarted meanwhile
        state = 'activated' if status.active else 'not activated'
        return f'Robotiq {self._model.name}, slave {self._params.slave_id}, {state}'

    def close(self) -> None:
        """Let go of the port."""
        self._line.close()

    def enable(self) -> None:
        """Let it take positions; a gripper that is not activated sweeps its whole stroke first."""
        status = tried(self._ask)
        self._refuse_faults(status)
        if not status.active:
            self._activate()
        self._enabled = True

    def disable(self, *, hold: bool) -> None:
        """Stop where it is and stay activated, or take the torque off, which ends activation."""
        status = tried(self._ask)
        self._enabled = False
        stay = hold and status.active  # rACT would begin the sweep of one that is not
        self._order(
            Command(activate=stay, position=status.position * stay, force=self._force * stay)
        )

    def read(self) -> Reading:
        """Return the knuckle's angle."""
        status = self._ask()
        self._refuse_faults(status)
        return Reading(np.array([self._scale.to_angle(status.position)]))

    def write(self, position: FloatArray) -> None:
        """Send the knuckle's angle (1,) [rad]."""
        if not self._enabled:
            raise DeviceError('the gripper is not enabled')
        count = self._scale.to_count(float(position[0]))
        self._line.opened.command(
            Command(activate=True, go=True, position=count, speed=self._speed, force=self._force)
        )

    def health(self) -> Health:
        """Return current, object and warnings, as the last status had them."""
        status = self._status
        if status is None:
            return Health()
        warnings = []
        if status.fault == FAULT_SILENCE:
            warnings.append(f'gripper: {FAULT_NAMES[FAULT_SILENCE]}')
        if self._stalled(status):
            warnings.append(f'{self._joint} does not move, and reports no contact')
        return Health(
            current={'motor': self._params.current_unit * status.current},
            warnings=tuple(warnings),
            details={
                'object': OBJECT[status.object] if status.going else 'unknown',
                'gripper fault': FAULT_NAMES.get(status.fault, 'none'),
                'activated': str(status.active),
            },
        )

    def reset(self) -> None:
        """Clear a fault, which ends activation; does nothing to a gripper without one."""
        status = tried(self._ask)
        lost_activation = self._enabled and not status.active
        if not (lost_activation or status.controller_fault or _fault(status)):
            return
        self._order(Command())
        self._enabled = False
        self._refuse_faults(tried(self._ask))

    # Parts ----------------------------------------------------------------------------------

    def _line_at(self, baud: int) -> ModbusLine:
        p = self._params
        return ModbusLine(p.port, baud, p.reply_timeout, p.slave_id, p.command_gap)

    def _ask(self) -> Status:
        status = self._line.opened.status()
        moved = abs(status.position - self._still_at) >= _STILL
        if moved or not self._goes(status):
            self._still_since, self._still_at = time.perf_counter(), status.position
        self._status = status
        return status

    def _order(self, command: Command) -> None:
        tried(lambda: self._line.opened.command(command))

    def _activate(self) -> None:
        self._order(Command())
        self._order(Command(activate=True))
        end = time.perf_counter() + self._params.activation_timeout
        while time.perf_counter() < end:
            time.sleep(_POLL)
            status = tried(self._ask)
            if fault := _fault(status):
                raise DeviceFaultError(f'activation failed: {fault}')
            if status.active:
                return
        raise DeviceFaultError(
            f'activation was not over after {self._params.activation_timeout} s'
        )

    def _refuse_faults(self, status: Status) -> None:
        """Raise DeviceFaultError when a status tells of a fault or of a restart."""
        if fault := _fault(status):
            raise DeviceFaultError(f'gripper: {fault}')
        if self._enabled and not status.active:
            if status.activated:  # a set-point that was sent before we knew began a sweep
                self._order(Command())
            raise DeviceFaultError(
                'the gripper restarted (brown-out?) and is not activated; after a reset it '
                'sweeps its whole stroke'
            )

    def _goes(self, status: Status) -> bool:
        """Tell whether it should be moving now, with nothing in its way."""
        free = status.going and OBJECT[status.object] == 'moving'
        return self._enabled and free and abs(status.requested - status.position) > _STILL

    def _stalled(self, status: Status) -> bool:
        still = time.perf_counter() - self._still_since
        return self._goes(status) and still > self._params.stall_time


def _fault(status: Status) -> str:
    """Return the fault of a status in words, '' when it has none that stops it."""
    if status.controller_fault:
        return f'fault {status.controller_fault} of the controller'
    if status.fault in (0, FAULT_SILENCE, *FAULT_WAITS):
        return ''
    return FAULT_NAMES.get(status.fault, f'unknown fault {status.fault}')


def make_device(
    params: RobotiqParams, site: SiteLimits | None = None
) -> tuple[Device, JointLimits, float]:
    """Return the gripper (not connected), the bounds of its joint and its rate [Hz].

    Args:
        params: Of the driver.
        site: Tighter bounds of joints, with or without prefix, by joint and field.

    Raises:
        UnknownNameError: There is no such hand, or `site` names a joint of no device.
        ConfigError: The hand has more than one joint, `site` loosens a bound, or a client that is
            back would begin a sweep.
    """
    if params.on_lost_client == 'limp':
        raise ConfigError(
            "parameter 'on_lost_client' must be hold: a gripper that went limp is not activated, "
            'and would sweep its whole stroke, unasked, as soon as the client is back'
        )
    robot = load_robot('none', params.hand)
    limits = site_limits(robot.limits, robot.joint_names, site, params.prefix)
    if robot.hand is None or len(robot.joint_names) != 1:
        raise ConfigError(f'{params.hand} is no gripper of one joint')
    device = RobotiqGripper(params, robot.joint_names[0], limits)
    return device, limits, robot.hand.driver.rate
