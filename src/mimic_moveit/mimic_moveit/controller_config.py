"""Controllers of ros2_control for a robot: which, of which type, with which parameters."""

from typing import Any, Final, Literal, cast

from mimic_description import RobotModel

Control = Literal['mock', 'topic', 'vendor']
Gripper = Literal['trajectory', 'action']

ARM: Final = 'arm_controller'
HAND: Final = 'hand_controller'
GRIPPER: Final = 'gripper_controller'
BROADCASTER: Final = 'joint_state_broadcaster'
TRAJECTORY_TYPE: Final = 'joint_trajectory_controller/JointTrajectoryController'
GRIPPER_TYPE: Final = 'parallel_gripper_action_controller/GripperActionController'
BROADCASTER_TYPE: Final = 'joint_state_broadcaster/JointStateBroadcaster'
MIN_RATE: Final = 100  # [Hz]
COMMAND_TIMEOUT: Final = 0.25  # [s] without a command, that of the gate
_ARM_TOLERANCE: Final = {'trajectory': 0.2, 'goal': 0.02}  # [rad]
_HAND_TOLERANCE: Final = {'trajectory': 0.0, 'goal': 0.0}  # [1] none: an object may hold a finger
_GRIPPER_GOAL: Final = 0.01  # [1] of the stroke
_STALLED: Final = 0.005  # [1] of the speed limit


def is_gripper(robot: RobotModel) -> bool:
    """Tell whether the hand is a gripper with one motor."""
    hand = robot.hand
    return hand is not None and hand.grasp is not None and hand.grasp.kind == 'parallel'


def controllers(robot: RobotModel) -> dict[str, str]:
    """Return the type of each controller by its name."""
    found = {BROADCASTER: BROADCASTER_TYPE}
    if robot.arm is not None:
        found[ARM] = TRAJECTORY_TYPE
    if robot.hand is not None:
        found[HAND] = TRAJECTORY_TYPE
        if is_gripper(robot):
            found[GRIPPER] = GRIPPER_TYPE
    return found


def spawned(robot: RobotModel, gripper: Gripper = 'trajectory') -> tuple[list[str], list[str]]:
    """Return which controllers start active and which inactive.

    Two controllers cannot have one joint: of a gripper either the one that follows the gate is
    active or the one that takes goals.
    """
    idle = GRIPPER if gripper == 'trajectory' else HAND
    names = list(controllers(robot))
    if GRIPPER not in names:
        return names, []
    return [name for name in names if name != idle], [idle]


def controller_parameters(
    robot: RobotModel, control: Control, hand_control: Control | None = None
) -> dict[str, Any]:
    """Return the parameter file of controller_manager and its controllers; good in any namespace.

    The gate streams single points with a velocity: trajectory controllers accept an end that
    moves, go on from what they wanted last, and hold when the stream ends. They start from the
    measured position, never from what the hardware plugin was told last.

    Args:
        robot: Of the registry.
        control: Hardware plugin of the arm.
        hand_control: That of the hand; the same where None.
    """
    hand_hardware = hand_control or control
    manager: dict[str, Any] = {'update_rate': update_rate(robot)}
    manager |= {name: {'type': kind} for name, kind in controllers(robot).items()}
    files: dict[str, Any] = {'controller_manager': manager}
    parts: list[tuple[Control, tuple[str, ...]]] = []
    if robot.arm is not None:
        files[ARM] = _trajectory(robot.arm_joints, _ARM_TOLERANCE)
        parts.append((control, robot.arm_joints))
    if robot.hand is not None:
        files[HAND] = _trajectory(robot.hand_joints, _HAND_TOLERANCE)
        parts.append((hand_hardware, robot.hand_joints))
        if is_gripper(robot):
            files[GRIPPER] = _gripper(robot)
    files[BROADCASTER] = _broadcaster(parts)
    return {f'/**/{name}': {'ros__parameters': content} for name, content in files.items()}


def update_rate(robot: RobotModel) -> int:
    """Return the rate of controller_manager [Hz]: that of the quicker device."""
    rates = [device.driver.rate for device in (robot.arm, robot.hand) if device is not None]
    return max(MIN_RATE, *(round(rate) for rate in rates))


def _trajectory(joints: tuple[str, ...], tolerance: dict[str, float]) -> dict[str, Any]:
    constraints: dict[str, Any] = {'stopped_velocity_tolerance': 0.05, 'goal_time': 0.0}
    constraints |= {joint: dict(tolerance) for joint in joints}
    return {
        'joints': list(joints),
        'command_interfaces': ['position'],
        'state_interfaces': ['position', 'velocity'],
        'allow_partial_joints_goal': False,
        'allow_nonzero_velocity_at_trajectory_end': True,
        'interpolate_from_desired_state': True,
        'set_last_command_interface_value_as_state_on_activation': False,
        'interpolation_method': 'splines',
        'cmd_timeout': COMMAND_TIMEOUT,
        'constraints': constraints,
    }


def _gripper(robot: RobotModel) -> dict[str, Any]:
    i = len(robot.arm_joints)
    stroke = float(robot.limits.upper[i] - robot.limits.lower[i])
    return {
        'joint': robot.hand_joints[0],
        'state_interfaces': ['position', 'velocity'],
        'goal_tolerance': round(_GRIPPER_GOAL * stroke, 6),
        'allow_stalling': True,
        'stall_timeout': 0.5,
        'stall_velocity_threshold': round(_STALLED * float(robot.limits.max_speed[i]), 6),
        'max_effort_interface': '',
        'max_effort': float(robot.max_effort[i]),
        'max_velocity_interface': '',
        'max_velocity': float(robot.limits.max_speed[i]),
    }


def _broadcaster(parts: list[tuple[Control, tuple[str, ...]]]) -> dict[str, Any]:
    """Return its parameters: never what comes from joint_states goes back to joint_states.

    The topic-based plugin reads `joint_states`, which our drivers and the twin publish with the
    stamps of their readings.
    """
    echo = [joint for control, joints in parts if control == 'topic' for joint in joints]
    own = [joint for control, joints in parts if control != 'topic' for joint in joints]
    if not echo:
        return {'use_local_topics': False}
    if not own:
        return {'use_local_topics': True}
    return cast(
        dict[str, Any],
        {'use_local_topics': False, 'joints': own, 'interfaces': ['position', 'velocity']},
    )
