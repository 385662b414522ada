"""The Panda as a device: the common arm behind a controller, and its gripper where it wears it."""

import dataclasses
import time
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.driver.device import Device, Health, Reading
from mimic_core.errors import PortError
from mimic_core.jtc import JtcDevice, Stack
from mimic_core.limits import JointLimits, SiteLimits
from mimic_description import load_device, load_robot, site_limits
from mimic_panda_driver.gripper import Gripper
from mimic_panda_driver.params import PandaParams

# Sources: frankaemika/franka_ros2 (franka_moveit_config, franka_gripper).
TITLE: Final = 'franka_ros2'
CONTROLLER: Final = 'panda_arm_controller'
JOINTS: Final = tuple(f'panda_joint{i}' for i in range(1, 8))
_POLL = 0.01  # [s] between looks while waiting for the gripper


class Panda:
    """An arm and, behind the same stack, a gripper."""

    def __init__(self, arm: JtcDevice, gripper: Gripper, finger: str, params: PandaParams) -> None:
        """Make a device that is not open.

        Args:
            arm: The arm alone.
            gripper: Its gripper.
            finger: Name of the gripper's joint in the registry.
            params: Of the driver.
        """
        self._arm, self._gripper, self._params = arm, gripper, params
        self._joints = (*arm.joints, finger)

    @property
    def joints(self) -> tuple[str, ...]:
        """Names of the joints without prefix, the finger last."""
        return self._joints

    def open(self) -> str:
        """Wait for arm and gripper; returns who answered."""
        answer = self._arm.open()
        end = time.perf_counter() + self._params.open_timeout
        while not self._gripper.ready() and time.perf_counter() < end:
            time.sleep(_POLL)
        if not self._gripper.ready():
            raise PortError(
                f'nothing on {self._params.gripper_state_topic}: is the gripper of {TITLE} '
                'running? hand:=none drives the arm alone'
            )
        return f'{answer}, {self._params.gripper_action}'

    def close(self) -> None:
        """Stop listening."""
        self._arm.close()

    def enable(self) -> None:
        """Enable the arm; the gripper always is."""
        self._arm.enable()
        self._gripper.reset()

    def disable(self, *, hold: bool) -> None:
        """Send nothing more."""
        self._arm.disable(hold=hold)

    def read(self) -> Reading:
        """Return the arm's joint states and the newest of the finger.

        Velocity and effort of the finger are not known: NaN.

        Raises:
            NoReplyError: One of both is too old.
            ProtocolError: One of both is no number.
        """
        finger = self._gripper.read()
        arm = self._arm.read()

        def joined(values: FloatArray | None) -> FloatArray | None:
            return None if values is None else np.append(values, np.nan)

        return dataclasses.replace(
            arm,
            position=np.append(arm.position, finger),
            velocity=joined(arm.velocity),
            effort=joined(arm.effort),
        )

    def write(self, position: FloatArray) -> None:
        """Send (8,) set-points, the finger's as a goal when it is due."""
        self._arm.write(position[:-1])
        self._gripper.write(float(position[-1]))

    def health(self) -> Health:
        """Return the health of the arm, and how many states of the fingers were damaged."""
        health = self._arm.health()
        bad = {'damaged states of the fingers': str(self._gripper.bad())}
        return dataclasses.replace(health, details={**health.details, **bad})

    def reset(self) -> None:
        """Reset the arm."""
        self._arm.reset()


def make_device(
    params: PandaParams, site: SiteLimits | None = None
) -> tuple[Device, JointLimits, float]:
    """Return the device (not open), the limits of its joints in this site and its rate [Hz].

    Raises:
        MimicError: The arm is unknown, or the parameters do not fit it.
    """
    from mimic_panda_driver.ros import PandaLink

    robot = load_robot(params.arm, params.hand)
    limits = site_limits(robot.limits, robot.joint_names, site, params.prefix)
    rate = params.rate or load_device(params.arm, 'arm').driver.rate
    stack = Stack.chosen(TITLE, params, '', CONTROLLER, JOINTS)
    link = PandaLink(stack, params)
    arm = JtcDevice(robot.arm_joints, stack, link, params, 1.0 / rate)
    if params.hand == 'none':
        return arm, limits, rate
    gripper = Gripper(link, params)
    return Panda(arm, gripper, robot.hand_joints[0], params), limits, rate
