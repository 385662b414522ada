"""The iiwa as a device: the common arm behind a controller, with the names of its stack."""

from mimic_core.driver.device import Device
from mimic_core.jtc import JtcDevice, Stack
from mimic_core.limits import JointLimits, SiteLimits
from mimic_description import load_device, load_robot, site_limits
from mimic_iiwa_driver.params import IiwaParams
from mimic_iiwa_driver.protocol import STACKS


def stack_of(params: IiwaParams) -> Stack:
    """Return the names of the stack that the parameters choose."""
    names = STACKS[params.stack]
    return Stack.chosen(names.title, params, names.namespace, names.controller, names.joints)


def make_device(
    params: IiwaParams, site: SiteLimits | None = None
) -> tuple[Device, JointLimits, float]:
    """Return the device (not open), the limits of its joints in this site and its rate [Hz].

    Raises:
        MimicError: The arm is unknown, or the parameters do not fit it.
    """
    from mimic_iiwa_driver.ros import make_link

    robot = load_robot(params.arm, 'none')
    rate = params.rate or load_device(params.arm, 'arm').driver.rate
    stack = stack_of(params)
    device = JtcDevice(robot.joint_names, stack, make_link(stack, params), params, 1.0 / rate)
    return device, site_limits(robot.limits, robot.joint_names, site, params.prefix), rate
