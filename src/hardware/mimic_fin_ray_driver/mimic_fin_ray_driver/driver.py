"""The device behind the parameters: a WSG-50 or a servo."""

from collections.abc import Mapping

from mimic_core.driver import Device
from mimic_core.errors import ConfigError
from mimic_core.limits import JointLimits
from mimic_description import load_robot, with_site
from mimic_fin_ray_driver.params import FinRayParams
from mimic_fin_ray_driver.servo import ServoGripper
from mimic_fin_ray_driver.wsg import WsgGripper


def make_device(
    params: FinRayParams, site: Mapping[str, Mapping[str, float]] | None = None
) -> tuple[Device, JointLimits, float]:
    """Return the gripper (not connected), the bounds of its joint and its rate [Hz].

    Args:
        params: Of the driver.
        site: Tighter bounds of joints, with or without prefix, by joint and field.

    Raises:
        UnknownNameError: There is no such hand, or `site` names a joint of no device.
        ConfigError: The hand has more than one joint, or `site` loosens a bound.
    """
    own = {joint.removeprefix(params.prefix): bounds for joint, bounds in (site or {}).items()}
    whole = load_robot('none', params.hand)
    robot = with_site(whole, own)
    if robot.hand is None or len(robot.joint_names) != 1:
        raise ConfigError(f'{params.hand} is no gripper of one joint')
    (joint,) = robot.joint_names
    device: Device
    if params.backend == 'wsg':
        device = WsgGripper(params, joint)
    else:
        if params.open_ticks == params.closed_ticks:
            raise ConfigError(f'open_ticks and closed_ticks are both {params.open_ticks}')
        device = ServoGripper(params, joint, whole.limits)
    return device, robot.limits, robot.hand.driver.rate
