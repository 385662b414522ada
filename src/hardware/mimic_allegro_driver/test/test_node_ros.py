"""The real node of the Allegro Hand: on an emulated bus, and behind an emulated stack."""

import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest

from mimic_allegro_driver.emulator import start

pytestmark = pytest.mark.ros
NAMES = [f'allegro_joint_{i}' for i in range(16)]


def _wait(condition, seconds: float = 15.0):
    begin = time.perf_counter()
    while not (found := condition()):
        assert time.perf_counter() - begin < seconds
        time.sleep(0.01)
    return found


@contextmanager
def _spun(make, *arguments: str):
    """A node and a client that hears it, spun by a thread."""
    import rclpy
    from diagnostic_msgs.msg import DiagnosticArray
    from rclpy.executors import SingleThreadedExecutor
    from sensor_msgs.msg import JointState
    from trajectory_msgs.msg import JointTrajectory

    from mimic_core import ros

    node = make(*arguments)
    client = rclpy.create_node('client')
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    executor.add_node(client)
    client.states, client.diagnostics = [], []
    client.create_subscription(JointState, 'joint_states', client.states.append, ros.SENSOR_QOS)
    client.create_subscription(DiagnosticArray, '/diagnostics', client.diagnostics.append, 10)
    topic = 'hand_controller/joint_trajectory'
    client.commands = client.create_publisher(JointTrajectory, topic, ros.COMMAND_QOS)
    spinning = threading.Thread(target=executor.spin, daemon=True)
    spinning.start()
    try:
        yield node, client, executor
    finally:
        executor.shutdown()
        spinning.join()
        client.destroy_node()
        node.destroy_node()
        rclpy.shutdown()


def _node(*arguments: str):
    import rclpy

    from mimic_allegro_driver.node import AllegroNode

    given = [text for argument in arguments for text in ('-p', argument)]
    rclpy.init(args=['--ros-args', *given])
    return AllegroNode()


def _send(client, goal: float, joint: int = 1):
    from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

    point = JointTrajectoryPoint(positions=[goal])
    client.commands.publish(JointTrajectory(joint_names=[NAMES[joint]], points=[point]))


def test_on_the_bus(ros_domain):
    from mimic_core import ros

    with start(interface='virtual', channel='node') as emulator:
        arguments = ['interface:=virtual', 'channel:=node', 'arm:=iiwa14']
        arguments += ['gravity_compensation:=true', f'limits.{NAMES[1]}.upper:=0.7']
        # The loop shares the interpreter with the emulator here.
        arguments += ['reply_timeout:=0.3', 'lost_after:=1.0']
        with _spun(_node, *arguments) as (node, client, executor):
            _wait(lambda: len(client.states) > 50)
            stamps = np.array([ros.seconds(s.header.stamp) for s in client.states])
            assert (np.diff(stamps) > 0).all()
            assert client.states[0].name == NAMES
            assert len(client.states[0].effort) == 16

            def there():
                _send(client, 1.2)
                time.sleep(0.02)
                return emulator.plant.position[1] > 0.6

            _wait(there)
            time.sleep(0.3)
            assert emulator.plant.position[1] < 0.75  # the site's bound
            own = _wait(
                lambda: [s for d in client.diagnostics for s in d.status if 'hand_dr' in s.name]
            )
            values = {v.key: v.value for v in own[-1].values}
            assert 'SAH040BR' in values['device']
            for step in (node.trigger_deactivate, node.trigger_cleanup):
                done = []
                executor.create_task(lambda step=step, done=done: done.append(step()))
                _wait(lambda done=done: done)
            assert node.session.status.state.value == 'unconfigured'
            _wait(lambda: not emulator.plant.torque.any())


def test_the_topics_have_a_node_with_a_name_of_its_own(ros_domain):
    import rclpy
    from rclpy.node import Node

    from mimic_allegro_driver.topics import STACKS
    from mimic_allegro_driver.topics_node import RosWire

    remaps = ('__node:=left_hand', '__ns:=/left', 'allegroHand_0/joint_states:=bridge/states')
    rclpy.init(args=['--ros-args', *(text for remap in remaps for text in ('-r', remap))])
    owner = Node('hand_driver')
    wire = RosWire(owner)
    try:
        wire.open(STACKS['allegro_hand_ros'], lambda state: None)
        names = _wait(lambda: len(owner.get_node_names()) > 1 and owner.get_node_names())
        assert sorted(names) == ['left_hand', 'left_hand_stack']
        assert owner.count_subscribers('/left/bridge/states') == 1
        assert owner.count_publishers('/left/allegroHand_0/joint_cmd') == 1
    finally:
        wire.close()
        owner.destroy_node()
        rclpy.shutdown()


def test_behind_allegro_hand_ros(ros_domain):
    import rclpy
    from rclpy.executors import SingleThreadedExecutor

    from mimic_allegro_driver.topics_emulator_node import StackNode

    context = rclpy.Context()
    rclpy.init(context=context)
    stack = StackNode(context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(stack)
    spinning = threading.Thread(target=executor.spin, daemon=True)
    spinning.start()
    arguments = ['backend:=topics', 'rate:=100', 'lost_after:=1.0', 'reply_timeout:=0.3']
    arguments += ['discovery_timeout:=15.0']
    try:
        with _spun(_node, *arguments) as (_, client, _):
            _wait(lambda: len(client.states) > 20)
            assert client.states[0].name == NAMES

            def there():
                _send(client, 0.9, joint=14)
                time.sleep(0.02)
                return abs(stack.plant.position[14] - 0.9) < 0.01

            _wait(there)
            assert stack.words[0] == 'pdControl'
        _wait(lambda: stack.words[-1] == 'off')
    finally:
        executor.shutdown()
        spinning.join()
        stack.destroy_node()
        rclpy.shutdown(context=context)
