from dataclasses import dataclass

import numpy as np
import pytest

from mimic_core import frames
from mimic_core.errors import (
    ConfigError,
    NotFiniteError,
    ShapeError,
    StaleInputError,
    UnknownNameError,
)
from mimic_core.params import param

pytestmark = pytest.mark.ros


@dataclass(frozen=True, kw_only=True)
class Params:
    gain: float = param('Gain [1].', 1.0, low=0.0, high=2.0, live=True)
    name: str = param('Name.', 'a', choices=('a', 'b'))
    weights: tuple[float, ...] = param('Weights.', (1.0, 2.0))


@pytest.fixture
def make_node(ros_domain):
    import rclpy
    from rclpy.node import Node
    from rclpy.parameter import Parameter

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros_domain)
    nodes = []

    def make(**overrides):
        given = [Parameter(key, value=value) for key, value in overrides.items()]
        node = Node('probe', context=context, parameter_overrides=given)
        nodes.append(node)
        return node

    yield make
    for node in nodes:
        node.destroy_node()
    rclpy.try_shutdown(context=context)


def test_declared_parameters_have_description_range_and_checks(make_node):
    from rclpy.parameter import Parameter

    from mimic_core.ros import declare_params

    node, seen = make_node(gain=1), []
    params = declare_params(node, Params, seen.append)
    assert params == Params(gain=1.0)
    descriptor = node.describe_parameter('gain')
    assert descriptor.description.startswith('Gain')
    assert descriptor.floating_point_range[0].to_value == 2.0
    assert node.describe_parameter('name').read_only
    assert node.set_parameters([Parameter('gain', value=0.5)])[0].successful
    assert seen[-1].gain == 0.5
    assert not node.set_parameters([Parameter('gain', value=5.0)])[0].successful
    assert not node.set_parameters([Parameter('name', value='b')])[0].successful
    assert seen[-1] == Params(gain=0.5)


def test_a_bad_override_stops_the_node(make_node):
    from mimic_core.ros import declare_params

    with pytest.raises(ConfigError, match='one of a, b'):
        declare_params(make_node(name='z'), Params)


def test_nested_parameters_are_read_without_declaration(make_node):
    from mimic_core.ros import nested_params, param_group

    node = make_node(**{'limits.a.lower': -1, 'limits.a.upper': 0.5, 'limits.b.max_speed': 2.0})
    assert nested_params(node, 'limits') == {
        'a': {'lower': -1.0, 'upper': 0.5},
        'b': {'max_speed': 2.0},
    }
    assert nested_params(node, 'nothing') == {}
    node = make_node(**{'workspace.box_min': [0.0, 1.0, 2.0], 'workspace.min_height': 0.1})
    assert param_group(node, 'workspace') == {'box_min': [0.0, 1.0, 2.0], 'min_height': 0.1}


@pytest.mark.parametrize('given', [{'limits.a': 1.0}, {'limits.a.b.c': 1.0}, {'limits.a.b': 'x'}])
def test_nested_parameters_of_another_form_are_refused(make_node, given):
    from mimic_core.ros import nested_params

    with pytest.raises(ConfigError, match=next(iter(given))):
        nested_params(make_node(**given), 'limits')


def test_every_topic_has_a_qos(make_node):
    from mimic_core.ros import publisher_qos, subscription_qos
    from mimic_core.topics import TOPICS

    for topic in TOPICS:
        assert publisher_qos(topic).depth > 0 and subscription_qos(topic).depth > 0
    with pytest.raises(UnknownNameError):
        publisher_qos('no/such/topic')


def test_types_of_the_tables_exist():
    import importlib

    from mimic_core.topics import ACTIONS, SERVICES, TOPICS

    types = [row.type for row in TOPICS.values()] + [*SERVICES.values(), *ACTIONS.values()]
    for name in types:
        package, kind, cls = name.split('/')
        assert hasattr(importlib.import_module(f'{package}.{kind}'), cls), name


def test_stamps_and_poses_round_trip():
    from mimic_core.ros import pose_from_msg, pose_to_msg, seconds, to_stamp

    assert seconds(to_stamp(1234.567891)) == pytest.approx(1234.567891, abs=1e-6)
    pose = frames.from_xyz_rpy(np.array([1.0, 2.0, 3.0]), np.array([0.1, -0.2, 2.0]))
    np.testing.assert_allclose(pose_from_msg(pose_to_msg(pose)), pose, atol=1e-12)


def test_static_frames_chain_through_the_tree(make_node):
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from tf2_msgs.msg import TFMessage

    from mimic_core.ros import LATCHED_QOS, StaticFrames, to_stamp, transform_to_msg

    node = make_node()
    tree = StaticFrames(node)
    base = frames.from_xyz_rpy(np.array([0.0, 0.1, 0.0]), np.array([0.0, 0.0, 1.0]))
    camera = frames.from_xyz_rpy(np.array([1.0, 0.0, 0.5]), np.array([0.3, 0.0, 0.0]))
    publisher = node.create_publisher(TFMessage, '/tf_static', LATCHED_QOS)
    stamp = to_stamp(0.0)
    publisher.publish(
        TFMessage(
            transforms=[
                transform_to_msg(base, 'world', 'base_link', stamp),
                transform_to_msg(camera, 'world', 'camera', stamp),
            ]
        )
    )
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    assert tree.lookup('base_link', 'nowhere') is None
    for _ in range(100):
        executor.spin_once(timeout_sec=0.1)
        if tree.lookup('base_link', 'camera') is not None:
            break
    expected = frames.inverse(base) @ camera
    np.testing.assert_allclose(tree.lookup('base_link', 'camera'), expected, atol=1e-9)
    assert rclpy.ok(context=node.context)


@pytest.mark.parametrize('value', [0.0, float('nan')])
def test_a_bad_static_transform_is_left_out_and_the_node_goes_on(make_node, value):
    from tf2_msgs.msg import TFMessage

    from mimic_core.ros import StaticFrames, to_stamp, transform_to_msg

    tree = StaticFrames(make_node())
    names = ('base_link', 'camera', 'tool')
    good, bad, last = (transform_to_msg(np.eye(4), 'world', n, to_stamp(0.0)) for n in names)
    bad.transform.rotation.w = value
    tree._add(TFMessage(transforms=[good, bad, last]))
    np.testing.assert_array_equal(tree.lookup('base_link', 'tool'), np.eye(4))
    assert tree.lookup('base_link', 'camera') is None


def test_images_round_trip_in_every_encoding():
    from array import array

    from mimic_core.errors import ShapeError
    from mimic_core.ros import image_from_msg, image_to_msg, to_stamp

    rng = np.random.default_rng(0)
    color = rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)
    depth = rng.integers(0, 5000, (48, 64), dtype=np.uint16)
    msg = image_to_msg(color, to_stamp(1.0), 'c')
    np.testing.assert_array_equal(image_from_msg(msg), color)
    msg.encoding = 'bgr8'
    np.testing.assert_array_equal(image_from_msg(msg), color[..., ::-1])
    msg = image_to_msg(depth[:, ::-1], to_stamp(1.0), 'c')
    np.testing.assert_array_equal(image_from_msg(msg), depth[:, ::-1])
    metres = depth.astype(np.float32) / 1e3
    metres[0, :3] = [np.nan, np.inf, -1.0]
    msg = image_to_msg(depth, to_stamp(1.0), 'c')
    msg.encoding, msg.step = '32FC1', 64 * 4
    msg.data = array('B', metres.tobytes())
    again = image_from_msg(msg)
    assert (again[0, :3] == 0).all() and np.abs(again[1:].astype(int) - depth[1:]).max() <= 1
    msg.height = 47
    with pytest.raises(ShapeError, match='bytes'):
        image_from_msg(msg)
    msg.encoding = 'yuv'
    with pytest.raises(ShapeError, match='yuv'):
        image_from_msg(msg)


def test_intrinsics_round_trip():
    from mimic_core.camera import Intrinsics
    from mimic_core.ros import intrinsics_from_msg, intrinsics_to_msg, to_stamp

    camera = Intrinsics(640, 480, 600.0, 601.0, 320.5, 239.5, (0.1, -0.2, 0.0, 0.0, 0.01))
    assert intrinsics_from_msg(intrinsics_to_msg(camera, to_stamp(0.0), 'c')) == camera


def _trajectory(points, times=None):
    from builtin_interfaces.msg import Duration
    from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

    msg = JointTrajectory(joint_names=['a', 'b'])
    for i, positions in enumerate(points):
        seconds = i + 1 if times is None else times[i]
        start = Duration(sec=int(seconds), nanosec=int(1e9 * (seconds % 1)))
        msg.points.append(JointTrajectoryPoint(positions=positions, time_from_start=start))
    return msg


def test_a_trajectory():
    msg = _trajectory([[1.0, 2.0], [3.0, 4.0]], [0.5, 2.0])
    msg.header.stamp.sec, msg.header.stamp.nanosec = 7, 500_000_000
    from mimic_core import ros

    command = ros.command_from_msg(msg)
    assert command.names == ('a', 'b')
    np.testing.assert_array_equal(command.points, [[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_allclose(command.times, [0.5, 2.0])
    assert command.stamp == 7.5


@pytest.mark.parametrize(
    ('points', 'times', 'error'),
    [
        ([], None, ShapeError),
        ([[1.0]], None, ShapeError),
        ([[1.0, 2.0], [1.0]], None, ShapeError),
        ([[1.0, np.nan]], None, NotFiniteError),
        ([[np.inf, 1.0]], None, NotFiniteError),
        ([[1.0, 2.0], [1.0, 2.0]], [1.0, 0.5], StaleInputError),
    ],
)
def test_a_bad_trajectory_is_refused(points, times, error):
    from mimic_core import ros

    with pytest.raises(error):
        ros.command_from_msg(_trajectory(points, times))
