"""A robot as a lab allows it: the bounds of a site file laid over those of the registry."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from mimic_core.errors import ConfigError
from mimic_core.limits import JointLimits, SiteLimits, tighten
from mimic_description.model import RobotModel
from mimic_description.registry import Workspace, known_devices, load_device

_FIELDS = ('box_min', 'box_max', 'min_height')


def known_joints() -> frozenset[str]:
    """Return the actuated joints of all devices of the registry, without prefix."""
    return frozenset(joint for name in known_devices() for joint in load_device(name).joints)


def site_limits(
    limits: JointLimits, joints: Sequence[str], site: SiteLimits | None, prefix: str = ''
) -> JointLimits:
    """Return the bounds of a driver's joints with those of a site laid over them.

    Args:
        limits: J bounds, as the registry has them.
        joints: J names without prefix.
        site: For each joint, with or without prefix, some of lower, upper, max_speed,
            max_acceleration, max_jerk; joints of other devices of the registry do not count.
        prefix: Of this robot's joints.

    Raises:
        UnknownNameError: No device has a joint of that name.
        ConfigError: Something is loosened, unknown or no number; says what.
    """
    names = [prefix + joint for joint in joints]
    return tighten(limits, names, site or {}, known=known_joints(), prefix=prefix)


def with_site(
    robot: RobotModel,
    limits: SiteLimits,
    workspace: Mapping[str, object] | None = None,
) -> RobotModel:
    """Return a robot with tighter bounds; what is not named stays as the registry has it.

    Args:
        robot: As the registry has it.
        limits: For each joint some of lower, upper, max_speed, max_acceleration, max_jerk; joints
            of other devices of the registry do not count.
        workspace: Some of box_min, box_max (x, y, z) [m, base_link] and min_height [m].

    Raises:
        UnknownNameError: No device has a joint of that name.
        ConfigError: Something is loosened, empty, unknown or no number; says what.
    """
    own = {name.removeprefix(robot.prefix) for name in robot.joint_names}
    known = known_joints() if set(limits) - own else own
    tight = tighten(robot.limits, robot.joint_names, limits, known=known, prefix=robot.prefix)
    arm = robot.arm
    if arm is not None and arm.workspace is not None and workspace:
        box = tighten_workspace(arm.workspace, workspace)
        arm = dataclasses.replace(arm, workspace=box)
    return dataclasses.replace(robot, limits=tight, arm=arm)


def tighten_workspace(box: Workspace, site: Mapping[str, object]) -> Workspace:
    """Return a workspace with the bounds of a site laid over it.

    Raises:
        ConfigError: A field is unknown, no number, loosens the box, or leaves nothing of it.
    """
    for field in site:
        if field not in _FIELDS:
            raise ConfigError(f'workspace.{field} is unknown; known fields: {", ".join(_FIELDS)}')
    low = _triple('box_min', site.get('box_min', box.box_min))
    high = _triple('box_max', site.get('box_max', box.box_max))
    height = _number('min_height', site.get('min_height', box.min_height))
    checks = [
        *(
            ('box_min', axis, v, b, v < b)
            for axis, v, b in zip('xyz', low, box.box_min, strict=True)
        ),
        *(
            ('box_max', axis, v, b, v > b)
            for axis, v, b in zip('xyz', high, box.box_max, strict=True)
        ),
        ('min_height', 'z', height, box.min_height, height < box.min_height),
    ]
    for field, axis, value, bound, looser in checks:
        if looser and abs(value - bound) > 1e-9:
            side = 'above' if field == 'box_max' else 'below'
            raise ConfigError(
                f'workspace.{field}: {axis} = {value:g} m is {side} {bound:g} m of the robot '
                'itself; a site file can only tighten'
            )
    floor = (low[0], low[1], max(low[2], height))
    for axis, a, b in zip('xyz', floor, high, strict=True):
        if a >= b:
            raise ConfigError(f'workspace: nothing is left between {axis} = {a:g} and {b:g} m')
    return dataclasses.replace(box, box_min=low, box_max=high, min_height=height)


def _triple(field: str, value: object) -> tuple[float, float, float]:
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != 3:
        raise ConfigError(f'workspace.{field} must be three numbers, not {value!r}')
    x, y, z = (_number(field, v) for v in value)
    return x, y, z


def _number(field: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise ConfigError(f'workspace.{field} must be a number, not {value!r}')
    return float(value)
