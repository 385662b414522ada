"""The robot that the gate guards: the registry's, tightened by the site; and the arm beside it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pinocchio as pin

from mimic_control.neighbour import Neighbour
from mimic_control.params import ControlParams, GateParams
from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import ConfigError
from mimic_core.frames import inverse, transform
from mimic_description import RobotModel, load_robot, with_site
from mimic_description.registry import NONE


def guarded_robot(
    robot: RobotModel,
    params: GateParams,
    limits: Mapping[str, Mapping[str, float]],
    workspace: Mapping[str, object],
) -> RobotModel:
    """Return the robot with the bounds of a site.

    Args:
        robot: As the registry has it.
        params: Of the gate.
        limits: Parameters `limits.<joint>.<field>`.
        workspace: Parameters `workspace.<field>`.

    Raises:
        MimicError: A bound is unknown or loosened, or another parameter loosens it again.
    """
    for name, loosens in (
        ('workspace_padding', params.workspace_padding > 0.0),
        ('min_height_offset', params.min_height_offset < 0.0),
    ):
        if workspace and loosens:
            value = getattr(params, name)
            raise ConfigError(f'{name} = {value:g} loosens the workspace that the site file sets')
    return with_site(robot, limits, workspace)


def neighbour_of(params: ControlParams) -> Neighbour | None:
    """Return the arm beside the guarded one, None where there is none.

    Raises:
        MimicError: It has the same joints or topics, or a place is not three numbers.
    """
    if params.neighbour_arm == NONE and params.neighbour_hand == NONE:
        return None
    for name in ('prefix', 'namespace'):
        value = getattr(params, f'neighbour_{name}')
        if not value and not (name == 'prefix' and params.prefix):
            raise ConfigError(f"parameter 'neighbour_{name}' is needed beside a neighbour")
    if params.prefix == params.neighbour_prefix:
        raise ConfigError(f"both arms have the prefix '{params.prefix}'")
    world_T_base = _pose(params.base_xyz, params.base_rpy)
    world_T_neighbour = _pose(params.neighbour_xyz, params.neighbour_rpy)
    if np.allclose(world_T_base[:3, 3], world_T_neighbour[:3, 3]):
        raise ConfigError('base_xyz and neighbour_xyz are one place')
    robot = load_robot(params.neighbour_arm, params.neighbour_hand, params.neighbour_prefix)
    return Neighbour(robot, inverse(world_T_base) @ world_T_neighbour, params)


def _pose(xyz: Sequence[float], rpy: Sequence[float]) -> FloatArray:
    turned = pin.rpy.rpyToMatrix(checked(rpy, (3,), 'roll, pitch, yaw of a base'))
    return transform(turned, checked(xyz, (3,), 'position of a base'))
