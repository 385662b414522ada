"""Names for ros2_control and MoveIt 2, which cannot run here: each against URDF, registry and the
lists of what those programs of ROS 2 Jazzy know.

The lists are facts read from the sources named beside them (branch jazzy).
"""

import itertools
import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml
from workspace import ROOT

from mimic_composition.launcher.reader import Reader
from mimic_core.topics import SERVICES, TOPICS
from mimic_description import known_devices, load_robot
from mimic_moveit import configuration
from mimic_moveit.controller_config import controller_parameters, controllers, spawned

PAIRS = list(itertools.product(known_devices('arm'), known_devices('hand')))
each = pytest.mark.parametrize('pair', PAIRS, ids='+'.join)

# ros2_control: hardware_interface/doc; topic_based_ros2_control: its README; vendors' packages.
HARDWARE = {
    'mock_components/GenericSystem': {
        'calculate_dynamics', 'custom_interface_with_following_offset', 'disable_commands',
        'mock_gpio_commands', 'mock_sensor_commands', 'position_state_following_offset',
    },
    'topic_based_ros2_control/TopicBasedSystem': {
        'joint_commands_topic', 'joint_states_topic', 'sum_wrapped_joint_states',
        'trigger_joint_command_threshold',
    },
    'lbr_ros2_control::SystemInterface': None,  # lbr_fri_ros2_stack
    'franka_hardware/FrankaHardwareInterface': {'robot_ip', 'arm_id', 'prefix'},  # franka_ros2
    'robotiq_driver/RobotiqGripperHardwareInterface': {  # ros2_robotiq_gripper
        'COM_port', 'gripper_closed_position', 'gripper_speed_multiplier',
        'gripper_force_multiplier', 'use_fake_hardware',
    },
}  # fmt: skip
INTERFACES = {'position', 'velocity', 'effort', 'acceleration'}
# ros2_controllers: src/*_parameters.yaml and plugin descriptions; joints and gains are nested.
CONTROLLERS = {
    'joint_trajectory_controller/JointTrajectoryController': {
        'joints', 'command_joints', 'command_interfaces', 'state_interfaces', 'speed_scaling',
        'allow_partial_joints_goal', 'open_loop_control', 'interpolate_from_desired_state',
        'allow_integration_in_goal_trajectories', 'action_monitor_rate', 'interpolation_method',
        'set_last_command_interface_value_as_state_on_activation', 'cmd_timeout', 'gains',
        'allow_nonzero_velocity_at_trajectory_end', 'constraints',
    },
    'parallel_gripper_action_controller/GripperActionController': {
        'action_monitor_rate', 'joint', 'state_interfaces', 'goal_tolerance', 'allow_stalling',
        'stall_velocity_threshold', 'stall_timeout', 'max_effort_interface', 'max_effort',
        'max_velocity_interface', 'max_velocity',
    },
    'joint_state_broadcaster/JointStateBroadcaster': {
        'use_local_topics', 'joints', 'extra_joints', 'interfaces', 'map_interface_to_joint_state',
        'use_urdf_to_filter', 'frame_id', 'publish_dynamic_joint_states',
    },
}  # fmt: skip
# ros2_control: controller_manager/src/controller_manager_parameters.yaml, spawner.py
MANAGER = {'update_rate', 'enforce_command_limits', 'handle_exceptions', 'thread_priority',
           'lock_memory', 'cpu_affinity', 'hardware_components_initial_state', 'defaults',
           'overruns'}  # fmt: skip
SPAWNER = {'--param-file', '-p', '--controller-manager', '-c', '--inactive', '--load-only',
           '--unload-on-kill', '-u', '--controller-manager-timeout', '--switch-timeout',
           '--service-call-timeout', '--activate-as-group', '--switch-asap',
           '--controller-ros-args'}  # fmt: skip
# moveit2: moveit_servo/config/servo_parameters.yaml
SERVO = {
    'thread_priority', 'publish_period', 'max_expected_latency', 'move_group_name',
    'active_subgroup', 'pose_command_in_topic', 'cartesian_command_in_topic',
    'joint_command_in_topic', 'command_in_type', 'scale', 'incoming_command_timeout',
    'apply_twist_commands_about_ee_frame', 'pose_tracking', 'status_topic', 'command_out_topic',
    'command_out_type', 'publish_joint_positions', 'publish_joint_velocities',
    'publish_joint_accelerations', 'monitored_planning_scene_topic', 'joint_topic',
    'check_octomap_collisions', 'is_primary_planning_scene_monitor', 'use_smoothing',
    'smoothing_filter_plugin_name', 'check_collisions', 'self_collision_proximity_threshold',
    'scene_collision_proximity_threshold', 'collision_check_rate', 'lower_singularity_threshold',
    'hard_stop_singularity_threshold', 'leaving_singularity_threshold_multiplier',
    'singularity_step_scale', 'halt_all_joints_in_joint_mode',
    'halt_all_joints_in_cartesian_mode', 'joint_limit_margins',
    'override_velocity_scaling_factor',
}  # fmt: skip
# moveit2: moveit_configs_utils/default_configs, moveit_kinematics, moveit_plugins
PIPELINE_KEYS = {'planning_plugins', 'request_adapters', 'response_adapters',
                 'default_planner_config', 'capabilities', 'planner_configs'}  # fmt: skip
PLUGINS = {'ompl_interface/OMPLPlanner', 'pilz_industrial_motion_planner/CommandPlanner'}
ADAPTERS = {
    *(f'default_planning_request_adapters/{name}' for name in (
        'ResolveConstraintFrames', 'ValidateWorkspaceBounds', 'CheckStartStateBounds',
        'CheckStartStateCollision', 'CheckForStackedConstraints')),
    *(f'default_planning_response_adapters/{name}' for name in (
        'AddTimeOptimalParameterization', 'ValidateSolution', 'DisplayMotionPath',
        'AddRuckigTrajectorySmoothing')),
}  # fmt: skip
OMPL_TYPES = {
    'geometric::RRTConnect',
    'geometric::RRTstar',
    'geometric::PRM',
    'geometric::BITstar',
}
KINEMATICS = {'kinematics_solver', 'kinematics_solver_search_resolution',
              'kinematics_solver_timeout', 'position_only_ik', 'max_solver_iterations', 'epsilon',
              'orientation_vs_position', 'joints'}  # fmt: skip
HANDLERS = {'FollowJointTrajectory': 'follow_joint_trajectory',
            'ParallelGripperCommand': 'gripper_cmd', 'GripperCommand': 'gripper_cmd'}  # fmt: skip
LIMIT_KEYS = {f'{a}_{b}' for a in ('min', 'max') for b in ('position', 'velocity')} | {
    'max_acceleration', 'max_jerk', 'has_position_limits', 'has_velocity_limits',
    'has_acceleration_limits', 'has_jerk_limits'}  # fmt: skip
CARTESIAN = {'max_trans_vel', 'max_trans_acc', 'max_trans_dec', 'max_rot_vel'}
REASONS = {'Adjacent', 'Default', 'Always', 'Never', 'User'}
MOVE_GROUP = {
    'robot_description', 'robot_description_semantic', 'robot_description_kinematics',
    'robot_description_planning', 'allow_trajectory_execution',
    'publish_robot_description_semantic', 'publish_planning_scene', 'publish_geometry_updates',
    'publish_state_updates', 'publish_transforms_updates', 'planning_scene_monitor_options',
    'planning_pipelines', 'default_planning_pipeline', 'moveit_controller_manager',
    'moveit_simple_controller_manager', 'trajectory_execution', 'moveit_manage_controllers',
}  # fmt: skip
MONITOR = {'name', 'robot_description', 'joint_state_topic', 'attached_collision_object_topic',
           'publish_planning_scene_topic', 'monitored_planning_scene_topic',
           'wait_for_initial_state_timeout'}  # fmt: skip


@pytest.fixture(scope='module')
def made(tmp_path_factory: pytest.TempPathFactory):
    """Makes the files of a robot with few samples, once."""
    root = tmp_path_factory.mktemp('moveit')

    def make(arm: str, hand: str, prefix: str = 'left_', **options: object) -> Path:
        return configuration(arm, hand, prefix, samples=20, root=root, **options)

    return make


def _parameters(path: Path) -> dict[str, dict]:
    content = yaml.safe_load(path.read_text())
    assert all(list(block) == ['ros__parameters'] for block in content.values())
    return {name: block['ros__parameters'] for name, block in content.items()}


def _movable(urdf: str) -> tuple[set[str], set[str]]:
    """Joints that move by themselves, and those that follow others."""
    root = ET.fromstring(urdf)
    joints = [j for j in root.findall('joint') if j.get('type') != 'fixed']
    coupled = {j.get('name') for j in joints if j.find('mimic') is not None}
    return {j.get('name') for j in joints} - coupled, coupled


@each
def test_controllers_name_joints_that_the_urdf_offers(pair, made):
    for control in ('mock', 'topic'):
        folder = made(*pair, control=control)
        root = ET.fromstring((folder / 'config/mimic.ros2_control.urdf').read_text())
        free, coupled = _movable((folder / 'config/mimic.urdf').read_text())
        offered: dict[str, tuple[set, set]] = {}
        for system in root.findall('ros2_control'):
            plugin = system.findtext('hardware/plugin')
            given = {p.get('name') for p in system.findall('hardware/param')}
            assert HARDWARE[plugin] is None or given <= HARDWARE[plugin]
            for joint in system.findall('joint'):
                kinds = [
                    {i.get('name') for i in joint.findall(f'{kind}_interface')}
                    for kind in ('command', 'state')
                ]
                assert kinds[0] | kinds[1] <= INTERFACES
                offered[joint.get('name')] = tuple(kinds)
        assert set(offered) - coupled == free, 'every joint is in one ros2_control tag'
        claimed: dict[str, str] = {}
        files = _parameters(folder / 'controllers.params.yaml')
        active = spawned(load_robot(*pair, 'left_'))[0]
        assert (folder / 'hand.txt').read_text() in active
        manager = files.pop('/**/controller_manager')
        types = {k: v['type'] for k, v in manager.items() if isinstance(v, dict)}
        assert set(manager) - set(types) <= MANAGER
        assert {f'/**/{name}' for name in types} == set(files)
        for key, parameters in files.items():
            name = key.removeprefix('/**/')
            assert set(parameters) <= CONTROLLERS[types[name]], name
            joints = parameters.get('joints') or [parameters.get('joint')]
            if name == 'joint_state_broadcaster':
                continue
            for joint in joints:
                assert joint in free, joint
                assert 'position' in offered[joint][0]
                assert set(parameters['state_interfaces']) <= offered[joint][1]
                if name in active:
                    assert claimed.setdefault(joint, name) == name, 'two claim one joint'
            nested = set(parameters.get('constraints', {}))
            assert nested - {'stopped_velocity_tolerance', 'goal_time'} <= set(joints)
        assert set(claimed) == free


@each
def test_moveit_names(pair, made):
    folder = made(*pair)
    robot = load_robot(*pair, 'left_')
    free, coupled = _movable((folder / 'config/mimic.urdf').read_text())
    links = {x.get('name') for x in ET.fromstring(robot.urdf).findall('link')}
    srdf = ET.fromstring((folder / 'config/mimic.srdf').read_text())
    groups = {g.get('name') for g in srdf.findall('group')}
    for tag, attribute, known in (
        ('group/joint', 'name', free | coupled),
        ('group/group', 'name', groups),
        ('group/chain', 'base_link', links),
        ('group/chain', 'tip_link', links),
        ('group_state', 'group', groups),
        ('group_state/joint', 'name', free),
        ('end_effector', 'parent_link', links),
        ('end_effector', 'group', groups),
        ('virtual_joint', 'child_link', links),
        ('passive_joint', 'name', coupled),
        ('disable_collisions', 'link1', links),
        ('disable_collisions', 'link2', links),
        ('disable_collisions', 'reason', REASONS),
    ):
        assert {e.get(attribute) for e in srdf.findall(tag)} <= known, (tag, attribute)
    for state in srdf.findall('group_state'):
        for joint in state.findall('joint'):
            i = robot.joint_names.index(joint.get('name'))
            low, high = robot.limits.lower[i], robot.limits.upper[i]
            assert low - 1e-4 <= float(joint.get('value')) <= high + 1e-4

    (group,) = _parameters(folder / 'move_group.params.yaml').values()
    pipelines = set(group['planning_pipelines'])
    assert set(group) == MOVE_GROUP | pipelines
    assert set(group['planning_scene_monitor_options']) <= MONITOR
    assert group['default_planning_pipeline'] in pipelines
    assert group['allow_trajectory_execution'] is False, 'the gate executes'
    for name in pipelines:
        content = group[name]
        assert set(content) <= PIPELINE_KEYS | groups
        assert set(content['planning_plugins']) <= PLUGINS
        assert set(content['request_adapters'] + content['response_adapters']) <= ADAPTERS
    ompl = group['ompl']
    assert {p['type'] for p in ompl['planner_configs'].values()} <= OMPL_TYPES
    for name in groups:
        assert set(ompl[name]['planner_configs']) <= set(ompl['planner_configs'])
        assert ompl[name]['default_planner_config'] in ompl['planner_configs']
    for name, solver in group['robot_description_kinematics'].items():
        assert name in groups
        assert set(solver) <= KINEMATICS
        assert solver.get('position_only_ik', False) == (len(robot.arm_joints) < 6)
    planning = group['robot_description_planning']
    assert set(planning['joint_limits']) == free
    for i, name in enumerate(robot.joint_names):
        limits = planning['joint_limits'][name]
        assert set(limits) <= LIMIT_KEYS
        assert limits['max_acceleration'] == pytest.approx(robot.limits.max_acceleration[i])
        assert limits['max_velocity'] == pytest.approx(robot.limits.max_speed[i])
    assert set(planning['cartesian_limits']) == CARTESIAN
    simple = dict(group['moveit_simple_controller_manager'])
    names = simple.pop('controller_names')
    assert set(names) == set(simple) <= set(controllers(robot))
    for handler in simple.values():
        assert handler['action_ns'] == HANDLERS[handler['type']]
        assert set(handler['joints']) <= free

    (servo,) = _parameters(folder / 'servo.params.yaml').values()
    parameters = servo['moveit_servo']
    assert set(parameters) <= SERVO
    assert parameters['move_group_name'] in groups
    assert parameters['command_out_topic'] in TOPICS
    assert parameters['joint_topic'] in TOPICS
    assert set(parameters['scale']) == {'linear', 'rotational', 'joint'}


def test_broadcaster_never_echoes_what_a_driver_publishes():
    robot = load_robot('iiwa14', 'allegro')
    for control, hand, wanted in (
        ('mock', 'mock', {'use_local_topics': False}),
        ('topic', 'topic', {'use_local_topics': True}),
    ):
        block = controller_parameters(robot, control, hand)['/**/joint_state_broadcaster']
        assert block['ros__parameters'] == wanted
    mixed = controller_parameters(robot, 'vendor', 'topic')['/**/joint_state_broadcaster']
    assert mixed['ros__parameters']['joints'] == list(robot.arm_joints)


def test_the_gate_may_stream_to_the_trajectory_controllers():
    """It sends single points with a velocity, which the controller refuses by default."""
    files = controller_parameters(load_robot('panda', 'panda_hand'), 'mock')
    for name in ('arm_controller', 'hand_controller'):
        parameters = files[f'/**/{name}']['ros__parameters']
        assert parameters['allow_nonzero_velocity_at_trajectory_end'] is True
        assert parameters['interpolate_from_desired_state'] is True
        key = 'set_last_command_interface_value_as_state_on_activation'
        assert parameters[key] is False, 'it would hold the initial value of the URDF'
        assert parameters['cmd_timeout'] > parameters['constraints']['goal_time']


def test_grippers_have_two_controllers_and_one_is_active():
    gripper, fingers = load_robot('panda', 'robotiq_2f85'), load_robot('panda', 'leap')
    assert spawned(gripper) == (
        ['joint_state_broadcaster', 'arm_controller', 'hand_controller'],
        ['gripper_controller'],
    )
    assert spawned(gripper, 'action')[1] == ['hand_controller']
    assert spawned(fingers)[1] == []


def test_vendors_plugins_are_known(made):
    for arm in ('iiwa7', 'iiwa14', 'panda'):
        folder = made(arm, 'allegro', control='vendor', hand_control='topic')
        text = (folder / 'config/mimic.ros2_control.urdf').read_text()
        plugins = [e.text for e in ET.fromstring(text).iter('plugin')]
        assert set(plugins) <= set(HARDWARE)
        assert plugins[0] not in ('mock_components/GenericSystem',)


def test_files_are_made_anew_when_something_changes(made, monkeypatch: pytest.MonkeyPatch):
    import mimic_moveit.folder as folder

    first = made('panda', 'panda_hand')
    assert made('panda', 'panda_hand') == first
    assert made('panda', 'panda_hand', execute=True) != first
    assert made('panda', 'panda_hand', 'right_') != first
    monkeypatch.setattr(folder, 'model_key', lambda robot: 'another URDF')
    assert made('panda', 'panda_hand') != first


def test_a_folder_that_cannot_be_written(tmp_path: Path):
    from mimic_core.errors import ConfigError

    (tmp_path / 'file').touch()
    with pytest.raises(ConfigError, match=r'cannot write .*: '):
        configuration('panda', 'panda_hand', samples=5, root=tmp_path / 'file')


@pytest.mark.ros
def test_rcl_reads_the_parameter_files(made, ros_domain: int):
    """The parser of ROS itself: every file, for a node in a namespace."""
    import rclpy

    folder = made('iiwa14', 'robotiq_2f85')
    for file, node_name, key, wanted in (
        ('controllers', 'arm_controller', 'constraints.left_iiwa_joint_1.goal', 0.02),
        ('controllers', 'controller_manager', 'update_rate', 100),
        ('move_group', 'move_group', 'ompl.planning_plugins', ['ompl_interface/OMPLPlanner']),
        ('servo', 'servo_node', 'moveit_servo.scale.linear', 0.8),
        (
            'rviz',
            'moveit_rviz',
            'robot_description_kinematics.arm.kinematics_solver_timeout',
            0.05,
        ),
    ):
        context = rclpy.Context()
        path = str(folder / f'{file}.params.yaml')
        rclpy.init(context=context, args=['--ros-args', '--params-file', path])
        node = rclpy.create_node(
            node_name, namespace='left', context=context,
            automatically_declare_parameters_from_overrides=True,
        )  # fmt: skip
        value = node.get_parameter(key).value
        assert (value if isinstance(value, int | float) else list(value)) == wanted
        if file == 'move_group':
            text = node.get_parameter('robot_description_semantic').value
            assert ET.fromstring(text).get('name') == 'mimic'
        node.destroy_node()
        context.try_shutdown()


# Launch parts ------------------------------------------------------------------------------------


@pytest.fixture
def read(tmp_path: Path, made):
    """Reads a part with an installation in which `moveit_config` is real and the rest is empty."""
    prefix = tmp_path / 'prefix'
    index = prefix / 'share/ament_index/resource_index/packages'
    index.mkdir(parents=True)
    for package, executable in (
        ('controller_manager', 'ros2_control_node'), ('controller_manager', 'spawner'),
        ('moveit_ros_move_group', 'move_group'), ('moveit_servo', 'servo_node'),
        ('mimic_moveit', 'joint_command_relay'), ('mimic_moveit', 'servo_bridge'),
        ('mimic_moveit', 'moveit_config'), ('rviz2', 'rviz2'),
    ):  # fmt: skip
        (index / package).touch()
        file = prefix / 'lib' / package / executable
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o755)
    import sys

    script = prefix / 'lib/mimic_moveit/moveit_config'
    path = os.pathsep.join(p for p in sys.path if p)
    script.write_text(
        f'#!/bin/sh\nPYTHONPATH={path} ROS_HOME={tmp_path} exec {sys.executable} '
        '-m mimic_moveit.generate --samples 5 "$@"\n'
    )
    environment = {'AMENT_PREFIX_PATH': str(prefix), 'PATH': os.environ['PATH']}

    def read(part: str, **arguments: str):
        folder = tmp_path / f'params_{len(list(tmp_path.iterdir()))}'
        folder.mkdir()
        file = ROOT / f'launch/parts/{part}.launch.xml'
        return Reader(environment, folder).read(file, arguments)

    return read


def _name(process) -> str:
    return Path(process.argv[0]).name


def test_ros2_control_starts_what_the_robot_needs(read):
    plan = read('ros2_control', arm='panda', hand='robotiq_2f85', ros2_control='topic')
    processes = plan.processes()
    assert [_name(p) for p in processes] == [
        'ros2_control_node', *['spawner'] * 4, 'joint_command_relay',
    ]  # fmt: skip
    spawners = [p.argv[1 : p.argv.index('--ros-args')] for p in processes if _name(p) == 'spawner']
    assert [a[0] for a in spawners] == [
        'joint_state_broadcaster', 'arm_controller', 'hand_controller', 'gripper_controller',
    ]  # fmt: skip
    assert ['--inactive' in a for a in spawners] == [False, False, False, True]
    for arguments in spawners:
        assert {a for a in arguments if a.startswith('-')} <= SPAWNER
        assert Path(arguments[-1]).is_file()
    manager = processes[0].argv
    assert not any('__node:=' in a for a in manager), 'it would rename every controller'

    plan = read('ros2_control', arm='iiwa14', hand='allegro')
    assert [_name(p) for p in plan.processes()] == ['ros2_control_node', *['spawner'] * 3]
    plan = read('ros2_control', arm='panda', hand='robotiq_2f85', gripper='action')
    (arguments,) = [p.argv for p in plan.processes() if '--inactive' in p.argv]
    assert arguments[1] == 'hand_controller'


def test_a_wrong_robot_is_said_before_anything_starts(read):
    from mimic_composition.launcher.errors import LaunchFileError

    with pytest.raises(LaunchFileError, match="unknown arm 'pand'"):
        read('ros2_control', arm='pand')
    with pytest.raises(LaunchFileError, match='no ros2_control plugin of the vendor for allegro'):
        read('ros2_control', arm='iiwa14', hand='allegro', ros2_control='vendor')


def test_moveit_and_servo_parts(read):
    (process,) = read('moveit', arm='panda', hand='leap').processes()
    assert _name(process) == 'move_group'
    plan = read('servo', arm='panda', hand='leap', moveit='true')
    assert [_name(p) for p in plan.processes()] == ['servo_node', 'servo_bridge']
    argv = plan.processes()[0].argv
    file = next(a for a in argv if a.endswith('servo.params.yaml'))
    (parameters,) = _parameters(Path(file)).values()
    assert parameters['moveit_servo']['is_primary_planning_scene_monitor'] is False


def test_topics_and_services_of_the_bridge_are_those_of_servo():
    text = (ROOT / 'src/mimic_moveit/mimic_moveit/servo_bridge_node.py').read_text()
    # moveit_servo README: ~/pose_target_cmds, ~/status, ~/switch_command_type of servo_node
    for name in ('pose_target_cmds', 'status', 'switch_command_type'):
        assert f"'servo_node/{name}'" in text
        assert f'servo_node/{name}' in {**TOPICS, **SERVICES}
    assert re.search(r'command_type=ServoCommandType\.Request\.POSE', text)
