import subprocess
import time

import numpy as np
import pytest
from node_process import start_node, stop_node

from mimic_description import load_robot, render_urdf

pytestmark = pytest.mark.ros


@pytest.fixture
def listener(ros_domain):
    import rclpy
    from rclpy.node import Node

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros_domain)
    node = Node('listener', context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)
    yield node, executor
    executor.shutdown()
    node.destroy_node()
    context.try_shutdown()


@pytest.fixture
def started():
    processes = []

    def start(*arguments: str) -> subprocess.Popen:
        processes.append(start_node('mimic_description.node', *arguments))
        return processes[-1]

    yield start
    for process in processes:
        stop_node(process)


def wait(executor, done, timeout=20.0, act=lambda: None):
    end = time.monotonic() + timeout
    while not done():
        assert time.monotonic() < end, 'nothing came'
        act()
        executor.spin_once(timeout_sec=0.02)


def test_description_and_transforms(listener, started):
    from sensor_msgs.msg import JointState
    from std_msgs.msg import String
    from tf2_msgs.msg import TFMessage

    from mimic_core.ros import publisher_qos, subscription_qos, to_stamp

    node, executor = listener
    process = started(
        '-p', 'arm:=panda', '-p', 'hand:=robotiq_2f85', '-p', 'prefix:=r_',
        '-p', 'base_xyz:=[0.5, 0.0, 0.1]', '-p', 'publish_frequency:=100.0',
    )  # fmt: skip
    texts, fixed, moved = [], [], []
    for kind, topic, store in (
        (String, 'robot_description', texts),
        (TFMessage, '/tf_static', fixed),
        (TFMessage, '/tf', moved),
    ):
        node.create_subscription(kind, topic, store.append, subscription_qos(topic))
    states = node.create_publisher(JointState, 'joint_states', publisher_qos('joint_states'))
    wait(executor, lambda: texts and fixed)  # latched: we may be late
    robot = load_robot('panda', 'robotiq_2f85', 'r_', base_xyz=(0.5, 0.0, 0.1))
    assert texts[0].data == robot.urdf

    q = robot.home + 0.1
    message = JointState(name=list(robot.joint_names), position=q.tolist())

    def send() -> None:
        message.header.stamp = to_stamp(100.0 + 0.02 * len(sent))
        sent.append(message.header.stamp)
        states.publish(message)

    sent = []
    wait(executor, lambda: moved, act=send)
    transforms = {t.child_frame_id: t for m in (fixed[0], moved[0]) for t in m.transforms}
    assert set(transforms) == set(robot.tree.links) - {'world'}

    def world(link: str) -> np.ndarray:
        from mimic_core.frames import from_xyz_quat

        if link == 'world':
            return np.eye(4)
        t = transforms[link]
        p, r = t.transform.translation, t.transform.rotation
        local = from_xyz_quat(np.array([p.x, p.y, p.z]), np.array([r.x, r.y, r.z, r.w]))
        return world(t.header.frame_id) @ local

    for link in ('r_palm', 'r_robotiq_right_tip', 'r_grasp_center'):  # coupled joints included
        np.testing.assert_allclose(world(link), robot.fk(q, link), atol=1e-9)
    assert moved[0].transforms[0].header.stamp in sent  # the stamp is that of the measurement

    # A message with NaN sends nothing, and the node lives on.
    good = message.position[0]
    executor_idle(executor)
    moved.clear()
    message.position[0] = float('nan')
    for _ in range(10):
        send()
        executor.spin_once(timeout_sec=0.02)
    executor_idle(executor)
    assert not moved
    message.position[0] = good
    wait(executor, lambda: moved, act=send)
    process.terminate()
    assert process.wait(timeout=10) == 0


def executor_idle(executor, quiet=0.3):
    end = time.monotonic() + quiet
    while time.monotonic() < end:
        executor.spin_once(timeout_sec=0.05)


def test_given_urdf_is_published_as_it_is(listener, started, tmp_path):
    from std_msgs.msg import String

    from mimic_core.ros import subscription_qos

    node, executor = listener
    urdf = render_urdf('none', 'leap')
    file = tmp_path / 'params.yaml'
    quoted = urdf.replace('\n', ' ').replace("'", "''")
    file.write_text(f"/**:\n  ros__parameters:\n    robot_description: '{quoted}'\n")
    started('--params-file', str(file))
    texts = []
    node.create_subscription(
        String, 'robot_description', texts.append, subscription_qos('robot_description')
    )
    wait(executor, lambda: texts)
    assert texts[0].data.split() == urdf.split()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['-p', 'hand:=alegro'], "Did you mean 'allegro'?"),
        (['-p', 'arm:=none', '-p', 'hand:=none'], 'no robot'),
        (['-p', 'base_xyz:=[0.0, 1.0]'], 'base_xyz has shape (2,)'),
        (['-p', 'robot_description:="<robot"'], 'not XML'),
    ],
)
def test_a_bad_parameter_stops_the_node(ros_domain, started, arguments, message):
    process = started(*arguments)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert message in errors
