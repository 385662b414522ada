"""Showing an episode, and playing one from the command line."""

import subprocess
import sys
import time
from itertools import pairwise

import pytest

from mimic_core.topics import TOPICS

from .conftest import SECOND, T0
from .test_replay_ros import node, recorded  # noqa: F401

pytestmark = pytest.mark.ros
ARM = 'arm_controller/joint_trajectory'


class Listener:
    def __init__(self):
        import rclpy

        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node('listener', context=self.context)
        self.executor = rclpy.executors.SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.heard = []

    def hear(self, kind, topic):
        from mimic_core.ros import subscription_qos

        def keep(msg):
            self.heard.append((topic, msg))

        self.node.create_subscription(kind, topic, keep, subscription_qos(topic))

    def until(self, condition, timeout=25.0):
        end = time.monotonic() + timeout
        while not condition() and time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.05)
        return condition()

    def close(self):
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def listener(ros_domain):
    listener = Listener()
    yield listener
    listener.close()


def test_states_are_shown_again_and_again_but_no_command(listener, bench, rows, make):
    from sensor_msgs.msg import Image, JointState

    command = make(TOPICS[ARM].type, joint_names=['a'])
    folder = bench.episode([*rows, (f'/{ARM}', TOPICS[ARM].type, T0 + SECOND, command, 1)])
    listener.hear(JointState, 'joint_states')
    listener.hear(Image, 'camera/color/image_raw')
    with node('mimic_recording', 'show_node', episode=str(folder), speed=5.0):
        assert listener.until(lambda: len(listener.heard) > 500)
        kinds = {topic for topic, _ in listener.heard}
        assert kinds == {'joint_states', 'camera/color/image_raw'}
        assert listener.node.count_publishers(ARM) == 0
    states = [msg for topic, msg in listener.heard if topic == 'joint_states']
    stamps = [msg.header.stamp.sec + msg.header.stamp.nanosec * 1e-9 for msg in states]
    assert min(stamps) >= T0 / SECOND  # the old stamps
    assert any(b < a for a, b in pairwise(stamps)), 'it began again'
    assert list(states[0].name) == ['a', 'b']


def test_nothing_is_shown_beside_a_robot_that_runs(listener, bench, rows):
    from sensor_msgs.msg import JointState

    listener.node.create_publisher(JointState, 'joint_states', 10)
    with node('mimic_recording', 'show_node', episode=str(bench.episode(rows))) as process:
        assert listener.until(lambda: process.poll() is not None, 40.0)
        assert listener.node.count_publishers('camera/color/image_raw') == 0


def test_an_episode_that_is_not_there(ros_domain, tmp_path, capfd):
    with node('mimic_recording', 'show_node', episode=str(tmp_path / 'none')) as process:
        assert process.wait(25) == 1
    assert 'none' in capfd.readouterr().err


def play(folder, *more):
    code = 'from mimic_recording.play_node import main; main()'
    command = [sys.executable, '-c', code, str(folder), *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_playing_from_the_command_line(recorded, ros_domain):  # noqa: F811
    model, build = recorded
    arguments = {'arm': model.arm.name, 'hand': model.hand.name}
    with node('mimic_recording', 'replay_node', **arguments):
        good = play(build('good'), '--preview')
        assert good.returncode == 0, good.stderr
        assert 'within the limits' in good.stdout + good.stderr
        bad = play(build('far', scale=9.0), '--preview')
        assert bad.returncode == 1
        assert 'beyond the limits' in bad.stderr
        refused = play(build('good2'), '--wait', '8')
        assert refused.returncode == 1
        assert 'there is no gate' in refused.stderr
