"""The robot that the gate guards: the registry's, tightened by the site."""

from collections.abc import Mapping

from mimic_control.params import GateParams
from mimic_core.errors import ConfigError
from mimic_description import RobotModel, with_site


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
