"""The device behind the parameters: a WSG-50 or a servo."""

from mimic_core.driver import Device
from mimic_core.errors import ConfigError
from mimic_core.limits import JointLimits, SiteLimits
from mimic_description import load_robot, site_limits
from mimic_fin_ray_driver.params import FinRayParams
from mimic_fin_ray_driver.servo import ServoGripper
from mimic_fin_ray_driver.servo_protocol import BITS_PER_BYTE, CYCLE_BYTES
from mimic_fin_ray_driver.wsg import WsgGripper

_SERVO_RATE = 200.0  # [Hz]
_LINE_SHARE = 0.6  # [1] of the time of a serial line; the rest is for replies and health


def make_device(
    params: FinRayParams, site: SiteLimits | None = None
) -> tuple[Device, JointLimits, float]:
    """Return the gripper (not connected), the bounds of its joint and its rate [Hz].

    The registry's rate is that of the WSG-50; a servo's is what its line allows.

    Args:
        params: Of the driver.
        site: Tighter bounds of joints, with or without prefix, by joint and field.

    Raises:
        UnknownNameError: There is no such hand, or `site` names a joint of no device.
        ConfigError: The hand has more than one joint, `site` loosens a bound, or a client that is
            back could begin the homing of a WSG-50.
    """
    robot = load_robot('none', params.hand)
    limits = site_limits(robot.limits, robot.joint_names, site, params.prefix)
    if robot.hand is None or len(robot.joint_names) != 1:
        raise ConfigError(f'{params.hand} is no gripper of one joint')
    (joint,) = robot.joint_names
    if params.backend == 'wsg':
        if params.on_lost_client == 'limp':
            raise ConfigError(
                "parameter 'on_lost_client' must be hold for a WSG-50: its spindle holds anyway, "
                'and one that restarted meanwhile would open to its stop, unasked, as soon as the '
                'client is back'
            )
        return WsgGripper(params, joint), limits, robot.hand.driver.rate
    if params.open_ticks == params.closed_ticks:
        raise ConfigError(f'open_ticks and closed_ticks are both {params.open_ticks}')
    rate = min(_SERVO_RATE, _LINE_SHARE * params.baud / (BITS_PER_BYTE * CYCLE_BYTES))
    return ServoGripper(params, joint, robot.limits), limits, rate
