"""The twin as a process: real topics, real time."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pytest

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip('rclpy')
pytest.importorskip('mimic_interfaces.msg')

from rclpy.context import Context  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image, JointState  # noqa: E402
from tf2_msgs.msg import TFMessage  # noqa: E402
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint  # noqa: E402

from mimic_core.ros import publisher_qos, seconds, subscription_qos  # noqa: E402
from mimic_description import load_robot  # noqa: E402
from mimic_interfaces.msg import ObjectPoseArray, TactileArray, TwinStatus  # noqa: E402
from mimic_interfaces.srv import ResetTwin  # noqa: E402
from mimic_sim.tasks import known_tasks  # noqa: E402

NODE = 'from mimic_sim.twin_node import main; main()'
WAIT = 20.0  # [s], discovery on a busy machine


def _start(*params: str) -> 'subprocess.Popen[str]':
    arguments = [sys.executable, '-c', NODE, '--ros-args']
    for item in params:
        arguments += ['-p', item]
    path = os.pathsep.join(p for p in sys.path if p)
    return subprocess.Popen(
        arguments,
        env={**os.environ, 'PYTHONPATH': path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


class Probe:
    """A node in this process that keeps what it hears."""

    def __init__(self) -> None:
        self.context = Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node('probe', context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.heard: dict[str, list] = {}

    def listen(self, topic: str, kind: type) -> None:
        self.heard[topic] = []
        self.node.create_subscription(
            kind, topic, self.heard[topic].append, subscription_qos(topic)
        )

    def spin_until(self, condition, limit: float = WAIT) -> bool:
        end = time.monotonic() + limit
        while not condition():
            if time.monotonic() > end:
                return False
            self.executor.spin_once(timeout_sec=0.02)
        return True

    def spin(self, duration: float) -> None:
        self.spin_until(lambda: False, duration)

    def reset(self, task: str, seed: int) -> ResetTwin.Response:
        client = self.node.create_client(ResetTwin, 'twin/reset')
        assert self.spin_until(client.service_is_ready)
        future = client.call_async(ResetTwin.Request(task=task, seed=seed))
        assert self.spin_until(future.done)
        return future.result()

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self.context)


@pytest.fixture
def probe(ros_domain: int) -> Iterator[Probe]:
    probe = Probe()
    yield probe
    probe.close()


def _stop(process: 'subprocess.Popen[str]') -> str:
    process.send_signal(signal.SIGTERM)
    text, _ = process.communicate(timeout=20)
    assert process.returncode == 0, text
    assert 'Traceback' not in text and 'FATAL' not in text
    return text


def test_stands_in_for_drivers_and_cameras(probe: Probe) -> None:
    robot = load_robot('iiwa14', 'robotiq_2f85')
    process = _start(
        'hand:=robotiq_2f85', 'publish_objects:=true', 'agent_camera_rate:=5.0',
        'wrist_camera_rate:=5.0', 'width:=160', 'height:=120',
    )  # fmt: skip
    try:
        topics = {
            'joint_states': JointState,
            'tactile': TactileArray,
            'twin/status': TwinStatus,
            'object_tracking/objects': ObjectPoseArray,
            '/clock': Clock,
            '/tf_static': TFMessage,
            'agent_camera/color/image_raw': Image,
            'agent_camera/aligned_depth_to_color/image_raw': Image,
            'agent_camera/color/camera_info': CameraInfo,
            'wrist_camera/color/image_raw': Image,
        }
        for topic, kind in topics.items():
            probe.listen(topic, kind)
        assert probe.spin_until(lambda: all(probe.heard.values())), {
            topic: len(msgs) for topic, msgs in probe.heard.items()
        }

        # Rate and freshness. The stamps are regular whatever the machine does.
        probe.heard['joint_states'].clear()
        probe.spin(3.0)
        stamps = np.array([seconds(m.header.stamp) for m in probe.heard['joint_states']])
        assert (stamps[-1] - stamps[0]) / 3.0 > 0.9  # real time
        assert np.median(np.diff(stamps)) == pytest.approx(0.01, abs=1e-6)
        assert len(stamps) > 0.8 * (stamps[-1] - stamps[0]) * 100  # best effort may lose a few
        assert abs(seconds(probe.heard['/clock'][-1].clock) - time.time()) < 1.0
        assert tuple(probe.heard['joint_states'][-1].name) == robot.joint_names

        # One stamp for what one picture is made of.
        triple = [
            {seconds(m.header.stamp) for m in probe.heard[t]}
            for t in topics if t.startswith('agent_camera')
        ]  # fmt: skip
        assert len(set.intersection(*triple)) >= 3

        # It moves where it is told, and refuses what is wrong.
        arm = probe.node.create_publisher(
            JointTrajectory,
            'arm_controller/joint_trajectory',
            publisher_qos('arm_controller/joint_trajectory'),
        )
        assert probe.spin_until(lambda: arm.get_subscription_count() > 0)
        goal = robot.home[:7] + 0.1
        point = JointTrajectoryPoint(positions=goal.tolist())
        point.time_from_start.nanosec = 300_000_000
        good = JointTrajectory(joint_names=list(robot.arm_joints), points=[point])

        def arm_error() -> float:
            return float(
                np.abs(np.array(probe.heard['joint_states'][-1].position[:7]) - goal).max()
            )

        arm.publish(good)
        assert probe.spin_until(lambda: arm_error() < 0.01)
        wrong = JointTrajectory(
            joint_names=['elbow'], points=[JointTrajectoryPoint(positions=[0.0])]
        )
        nan = JointTrajectory(
            joint_names=list(robot.arm_joints),
            points=[JointTrajectoryPoint(positions=[float('nan')] * 7)],
        )
        arm.publish(wrong)
        probe.spin(1.2)
        arm.publish(nan)
        probe.spin(1.0)
        assert arm_error() < 0.01  # commands stopped: it holds

        # Reset.
        before = seconds(probe.heard['joint_states'][-1].header.stamp)
        response = probe.reset('', 5)
        assert response.success, response.message
        probe.heard['joint_states'].clear()
        assert probe.spin_until(lambda: bool(probe.heard['joint_states']))
        probe.spin(0.2)
        assert arm_error() == pytest.approx(0.1, abs=0.01)
        assert seconds(probe.heard['joint_states'][0].header.stamp) > before
        response = probe.reset('juggle', 0)
        assert not response.success and ', '.join(known_tasks()) in response.message
        assert probe.reset('tiles', 2).success
        probe.heard['twin/status'].clear()
        assert probe.spin_until(lambda: bool(probe.heard['twin/status']))
        assert probe.heard['twin/status'][-1].task == 'tiles'
        probe.heard['wrist_camera/color/image_raw'].clear()
        assert probe.spin_until(lambda: bool(probe.heard['wrist_camera/color/image_raw']))
    finally:
        text = _stop(process)
    assert "unknown joint 'elbow'" in text
    assert 'is nan' in text


def test_as_fast_as_possible(probe: Probe) -> None:
    process = _start('hand:=robotiq_2f85', 'real_time_factor:=0.0')
    try:
        probe.listen('/clock', Clock)
        assert probe.spin_until(lambda: bool(probe.heard['/clock']))
        first, wall = seconds(probe.heard['/clock'][-1].clock), time.monotonic()
        assert first < 60.0  # starts at zero
        probe.spin(3.0)
        simulated = seconds(probe.heard['/clock'][-1].clock) - first
        assert simulated / (time.monotonic() - wall) > 1.2  # faster than real time
    finally:
        _stop(process)


@pytest.mark.parametrize(
    ('param', 'message'),
    [
        ('hand:=robotiq', "unknown hand 'robotiq'"),
        ('task:=juggle', ', '.join(known_tasks())),
        ('rate:=0.0', 'rate'),
    ],
)
def test_a_wrong_parameter_ends_the_node_with_one_sentence(
    ros_domain: int, param: str, message: str
) -> None:
    process = _start(param)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert message in text
