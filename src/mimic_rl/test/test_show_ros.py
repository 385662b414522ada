"""The demonstrator's node with a task that this package shows, over real topics."""

import subprocess
import sys
import time

import numpy as np
import pytest

pytestmark = pytest.mark.ros
COMMAND = [sys.executable, '-c', 'from mimic_sim.demonstrator_node import main; main()']
WAIT = 60.0  # [s] for discovery and the first picture on a busy machine


def test_the_thing_and_the_hand_are_in_the_truth(ros_domain: int) -> None:
    import rclpy
    from rclpy.context import Context
    from rclpy.executors import SingleThreadedExecutor

    from mimic_core.ros import subscription_qos
    from mimic_interfaces.msg import DemonstratorStatus
    from mimic_rl.shown import shown_task

    values = {
        'provider': 'mimic_rl.demonstration:make_stream', 'task': 'box_push', 'width': 320,
        'height': 240, 'rate': 15.0, 'eyes': 'false', 'camera_azimuth': 0.4,
        'camera_elevation': 0.9,
    }  # fmt: skip
    arguments = [word for name, value in values.items() for word in ('-p', f'{name}:={value}')]
    process = subprocess.Popen([*COMMAND, '--ros-args', *arguments])
    context = Context()
    rclpy.init(context=context, domain_id=ros_domain)
    node = rclpy.create_node('listener', context=context)
    got: list[DemonstratorStatus] = []
    topic = 'demonstrator/status'
    node.create_subscription(DemonstratorStatus, topic, got.append, subscription_qos(topic))
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    try:
        end = time.monotonic() + WAIT
        while time.monotonic() < end and len(got) < 10:
            executor.spin_once(timeout_sec=0.1)
        assert len(got) >= 10
        (thing,) = got[-1].objects
        assert thing.name == shown_task('box_push').object.name
        assert 0.3 < thing.pose.position.z < 1.2  # before the camera
        points = np.array([(p.x, p.y, p.z) for p in got[-1].keypoints])
        assert np.isfinite(points).all()
    finally:
        process.terminate()
        code = process.wait(timeout=20)
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown(context=context)
    assert code == 0
