"""The joint positions of a named posture."""

from collections.abc import Sequence

from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import ShapeError
from mimic_description import RobotModel


def goal_of(
    robot: RobotModel, posture: str, names: Sequence[str], positions: FloatArray
) -> tuple[tuple[str, ...], FloatArray]:
    """Return names and positions (N,) [rad] or [m] of a goal.

    Args:
        robot: Whose joints.
        posture: 'home' of arm and hand, or a posture of the hand alone; '' for the positions.
        names: N joints, without a posture.
        positions: (N,) [rad] or [m], without a posture.

    Raises:
        UnknownNameError: There is no such posture.
        ShapeError: Neither a posture nor positions.
    """
    if posture == 'home':
        return robot.joint_names, robot.home
    if posture:
        return robot.hand_joints, robot.hand_posture(posture)
    if not names:
        raise ShapeError('a goal needs a posture or joint positions')
    return tuple(names), checked(positions, (len(names),), 'position')
