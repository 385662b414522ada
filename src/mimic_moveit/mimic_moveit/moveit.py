"""MoveIt 2's configuration of a robot, in the keys of Jazzy."""

from typing import Any, Final

from mimic_core.frames import BASE
from mimic_description import RobotModel
from mimic_moveit import controller_config
from mimic_moveit.controller_config import is_gripper
from mimic_moveit.srdf import ARM, ARM_AND_HAND, HAND

SCALING: Final = 0.3  # [1] default of velocity and acceleration, that of control/move_to
SERVO: Final = 'servo_node'
SERVO_OUTPUT: Final = 'servo/joint_trajectory'
FULL_POSE: Final = 6  # joints that a pose needs
_REQUEST_ADAPTERS: Final = [
    'default_planning_request_adapters/ResolveConstraintFrames',
    'default_planning_request_adapters/ValidateWorkspaceBounds',
    'default_planning_request_adapters/CheckStartStateBounds',
    'default_planning_request_adapters/CheckStartStateCollision',
]
_VALIDATE: Final = 'default_planning_response_adapters/ValidateSolution'
_DISPLAY: Final = 'default_planning_response_adapters/DisplayMotionPath'
_TIMING: Final = 'default_planning_response_adapters/AddTimeOptimalParameterization'


def kinematics(robot: RobotModel) -> dict[str, Any]:
    """Return kinematics.yaml; an arm of fewer than six joints solves for the position alone."""
    if robot.arm is None:
        return {}
    solver: dict[str, Any] = {
        'kinematics_solver': 'kdl_kinematics_plugin/KDLKinematicsPlugin',
        'kinematics_solver_search_resolution': 0.005,
        'kinematics_solver_timeout': 0.05,
    }
    if len(robot.arm_joints) < FULL_POSE:
        solver['position_only_ik'] = True
    return {ARM: solver}


def joint_limits(robot: RobotModel) -> dict[str, Any]:
    """Return joint_limits.yaml: speeds of the URDF, accelerations and jerks of the registry."""
    limits = robot.limits
    joints = {
        name: {
            'has_position_limits': True,
            'min_position': float(limits.lower[i]),
            'max_position': float(limits.upper[i]),
            'has_velocity_limits': True,
            'max_velocity': float(limits.max_speed[i]),
            'has_acceleration_limits': True,
            'max_acceleration': float(limits.max_acceleration[i]),
            'has_jerk_limits': True,
            'max_jerk': float(limits.max_jerk[i]),
        }
        for i, name in enumerate(robot.joint_names)
    }
    return {
        'default_velocity_scaling_factor': SCALING,
        'default_acceleration_scaling_factor': SCALING,
        'joint_limits': joints,
    }


def cartesian_limits(robot: RobotModel) -> dict[str, Any]:
    """Return pilz_cartesian_limits.yaml: 1 m/s and 90 °/s, half of it for small arms."""
    small = robot.arm is not None and len(robot.arm_joints) < FULL_POSE
    factor = 0.5 if small else 1.0
    return {
        'cartesian_limits': {
            'max_trans_vel': 1.0 * factor,
            'max_trans_acc': 2.25 * factor,
            'max_trans_dec': -5.0 * factor,
            'max_rot_vel': 1.57 * factor,
        }
    }


def ompl_planning(robot: RobotModel) -> dict[str, Any]:
    """Return ompl_planning.yaml."""
    planners = {
        'RRTConnect': {'type': 'geometric::RRTConnect', 'range': 0.0},
        'RRTstar': {'type': 'geometric::RRTstar', 'range': 0.0, 'goal_bias': 0.05},
        'PRM': {'type': 'geometric::PRM', 'max_nearest_neighbors': 10},
        'BITstar': {'type': 'geometric::BITstar'},
    }
    group = {
        'default_planner_config': 'RRTConnect',
        'planner_configs': list(planners),
        'longest_valid_segment_fraction': 0.005,
    }
    return {
        'planning_plugins': ['ompl_interface/OMPLPlanner'],
        'request_adapters': _REQUEST_ADAPTERS,
        'response_adapters': [_TIMING, _VALIDATE, _DISPLAY],
        'planner_configs': planners,
        **{name: dict(group) for name in planning_groups(robot)},
    }


def pilz_planning() -> dict[str, Any]:
    """Return pilz_industrial_motion_planner_planning.yaml."""
    return {
        'planning_plugins': ['pilz_industrial_motion_planner/CommandPlanner'],
        'default_planner_config': 'PTP',
        'request_adapters': _REQUEST_ADAPTERS,
        'response_adapters': [_VALIDATE, _DISPLAY],
    }


def planning_groups(robot: RobotModel) -> list[str]:
    """Return the groups of the SRDF."""
    groups = [name for name, device in ((ARM, robot.arm), (HAND, robot.hand)) if device]
    return [*groups, ARM_AND_HAND] if len(groups) == 2 else groups


def moveit_controllers(robot: RobotModel) -> dict[str, Any]:
    """Return moveit_controllers.yaml: who would execute, past the gate."""
    found: dict[str, Any] = {}
    if robot.arm is not None:
        found[controller_config.ARM] = _follow(robot.arm_joints)
    if robot.hand is not None and is_gripper(robot):
        found[controller_config.GRIPPER] = {
            'type': 'ParallelGripperCommand',
            'action_ns': 'gripper_cmd',
            'default': True,
            'joints': [robot.hand_joints[0]],
            'max_effort': 0.0,
        }
    elif robot.hand is not None:
        found[controller_config.HAND] = _follow(robot.hand_joints)
    plugin = 'moveit_simple_controller_manager/MoveItSimpleControllerManager'
    return {
        'moveit_controller_manager': plugin,
        'moveit_simple_controller_manager': {'controller_names': list(found), **found},
        'trajectory_execution': {
            'allowed_execution_duration_scaling': 1.2,
            'allowed_goal_duration_margin': 0.5,
            'allowed_start_tolerance': 0.01,
        },
        'moveit_manage_controllers': False,
    }


def servo(robot: RobotModel, *, with_move_group: bool = True) -> dict[str, Any]:
    """Return the parameters of Servo's node, the prefix `moveit_servo` included.

    Its output comes back to the gate, whose limits it does not replace: smoothing is off, since
    the gate bounds the jerk, and every filter costs time.
    """
    return {
        'moveit_servo': {
            'move_group_name': ARM,
            'publish_period': 0.01,
            'max_expected_latency': 0.1,
            'incoming_command_timeout': 0.2,
            'command_in_type': 'speed_units',
            'scale': {'linear': 0.8, 'rotational': 2.0, 'joint': 1.0},
            'pose_tracking': {'linear_tolerance': 0.001, 'angular_tolerance': 0.01},
            'command_out_type': 'trajectory_msgs/JointTrajectory',
            'command_out_topic': SERVO_OUTPUT,
            'publish_joint_positions': True,
            'publish_joint_velocities': True,
            'publish_joint_accelerations': False,
            'joint_topic': 'joint_states',
            'status_topic': '~/status',
            'monitored_planning_scene_topic': 'planning_scene',
            'is_primary_planning_scene_monitor': not with_move_group,
            'check_octomap_collisions': False,
            'check_collisions': True,
            'collision_check_rate': 20.0,
            'self_collision_proximity_threshold': 0.01,
            'scene_collision_proximity_threshold': 0.02,
            'use_smoothing': False,
            'joint_limit_margins': [0.05],
        }
    }


def move_group(robot: RobotModel, *, execute: bool = False) -> dict[str, Any]:
    """Return the parameters of move_group besides descriptions and pipelines.

    Args:
        robot: Of the registry.
        execute: It may send its plans to the controllers by itself; only without the gate.
    """
    monitor = {
        'name': 'planning_scene_monitor',
        'robot_description': 'robot_description',
        'joint_state_topic': 'joint_states',
        'attached_collision_object_topic': 'attached_collision_object',
        'publish_planning_scene_topic': 'planning_scene',
        'monitored_planning_scene_topic': 'monitored_planning_scene',
        'wait_for_initial_state_timeout': 10.0,
    }
    return {
        'allow_trajectory_execution': execute,
        'publish_robot_description_semantic': True,
        'publish_planning_scene': True,
        'publish_geometry_updates': True,
        'publish_state_updates': True,
        'publish_transforms_updates': True,
        'planning_scene_monitor_options': monitor,
        'planning_pipelines': ['ompl', 'pilz_industrial_motion_planner'],
        'default_planning_pipeline': 'ompl',
        'ompl': ompl_planning(robot),
        'pilz_industrial_motion_planner': pilz_planning(),
        **moveit_controllers(robot),
    }


def planning_frame(robot: RobotModel) -> str:
    """Return the frame in which targets for Servo are given."""
    return robot.prefix + BASE


def _follow(joints: tuple[str, ...]) -> dict[str, Any]:
    return {
        'type': 'FollowJointTrajectory',
        'action_ns': 'follow_joint_trajectory',
        'default': True,
        'joints': list(joints),
    }
