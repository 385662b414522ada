"""The demonstrator's node over real topics."""

import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest

pytestmark = pytest.mark.ros
COMMAND = [sys.executable, '-c', 'from mimic_sim.demonstrator_node import main; main()']
WAIT = 40.0  # [s] for discovery and the first picture on a busy machine


def test_topics_stamps_and_truth(ros_domain: int) -> None:
    import rclpy
    from rclpy.context import Context
    from rclpy.executors import SingleThreadedExecutor
    from sensor_msgs.msg import CameraInfo, Image
    from tf2_msgs.msg import TFMessage

    from mimic_core.ros import image_from_msg, intrinsics_from_msg, subscription_qos
    from mimic_interfaces.msg import DemonstratorStatus

    kinds = {
        'camera/color/image_raw': Image,
        'camera/aligned_depth_to_color/image_raw': Image,
        'camera/color/camera_info': CameraInfo,
        'demonstrator/status': DemonstratorStatus,
        '/tf_static': TFMessage,
    }
    arguments = ['--ros-args', '-p', 'width:=320', '-p', 'height:=240', '-p', 'rate:=15.0']
    process = subprocess.Popen([*COMMAND, *arguments])
    context = Context()
    rclpy.init(context=context, domain_id=ros_domain)
    node = rclpy.create_node('listener', context=context)
    got: dict[str, list[object]] = {topic: [] for topic in kinds}
    for topic, kind in kinds.items():
        node.create_subscription(kind, topic, got[topic].append, subscription_qos(topic))
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    try:
        end = time.monotonic() + WAIT
        while time.monotonic() < end and len(got['demonstrator/status']) < 20:
            executor.spin_once(timeout_sec=0.1)
        stamps = {
            topic: {(m.header.stamp.sec, m.header.stamp.nanosec) for m in msgs}  # type: ignore[attr-defined]
            for topic, msgs in got.items()
            if topic != '/tf_static'
        }
        common = set.intersection(*stamps.values())
        assert len(common) >= 10  # the same stamps everywhere
        gaps = np.diff(sorted(s + 1e-9 * n for s, n in common))
        steps = gaps * 15.0
        np.testing.assert_allclose(steps, np.rint(steps), atol=0.01)
        image = got['camera/color/image_raw'][-1]
        assert image_from_msg(image).shape == (240, 320, 3)  # type: ignore[arg-type]
        depth = image_from_msg(got['camera/aligned_depth_to_color/image_raw'][-1])  # type: ignore[arg-type]
        assert depth.dtype == np.uint16 and np.median(depth[depth > 0]) > 300
        intrinsics = intrinsics_from_msg(got['camera/color/camera_info'][-1])  # type: ignore[arg-type]
        status = got['demonstrator/status'][-1]
        points = np.array([(p.x, p.y, p.z) for p in status.keypoints])  # type: ignore[attr-defined]
        pixels = intrinsics.project(points)
        assert ((pixels > 0) & (pixels < (320, 240))).all()
        assert status.header.frame_id == 'camera_color_optical_frame'  # type: ignore[attr-defined]
        transform = got['/tf_static'][0].transforms[0]  # type: ignore[attr-defined]
        assert transform.header.frame_id == 'world'
        assert transform.child_frame_id == 'camera_color_optical_frame'
    finally:
        process.terminate()
        code = process.wait(timeout=15)
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown(context=context)
    assert code == 0


def test_who_waits_shows_the_task_when_asked(ros_domain: int) -> None:
    import rclpy
    from rclpy.context import Context
    from rclpy.executors import SingleThreadedExecutor
    from rosgraph_msgs.msg import Clock
    from std_srvs.srv import Trigger

    from mimic_core.ros import publisher_qos, subscription_qos, to_stamp
    from mimic_interfaces.msg import DemonstratorStatus

    arguments = ['--ros-args', '-p', 'width:=160', '-p', 'height:=120', '-p', 'rate:=10.0']
    more = ['-p', 'wait:=true', '-p', 'seed:=3', '-p', 'use_sim_time:=true']
    process = subprocess.Popen([*COMMAND, *arguments, *more])
    context = Context()
    rclpy.init(context=context, domain_id=ros_domain)
    node = rclpy.create_node('listener', context=context)
    phases: list[str] = []
    topic = 'demonstrator/status'
    node.create_subscription(
        DemonstratorStatus, topic, lambda msg: phases.append(msg.phase), subscription_qos(topic)
    )
    clock = node.create_publisher(Clock, '/clock', publisher_qos('/clock'))
    client = node.create_client(Trigger, 'demonstrator/show')
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    started = time.monotonic()

    def spin(until: Callable[[], bool]) -> None:
        end = time.monotonic() + WAIT
        while not until() and time.monotonic() < end:
            clock.publish(Clock(clock=to_stamp(100.0 + time.monotonic() - started)))
            executor.spin_once(timeout_sec=0.02)
        assert until()

    def show() -> str:
        answer = client.call_async(Trigger.Request())
        spin(answer.done)
        return answer.result().message

    try:
        spin(lambda: len(phases) > 30)  # 3 s, of which the first would be the delay
        assert set(phases) == {'rest'}
        assert show() == 'seed 3'
        spin(lambda: 'reach' in phases)
        assert show() == 'seed 4'
        begun = len(phases)
        spin(lambda: 'rest' in phases[begun:])
        begun = len(phases)
        spin(lambda: 'reach' in phases[begun:])
    finally:
        process.terminate()  # and the clock stands still
        code = process.wait(timeout=15)
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown(context=context)
    assert code == 0


@pytest.mark.parametrize('wrong', ['arm:=iiwa15', 'task:=juggle', 'look:=baroque', 'rate:=0.0'])
def test_wrong_parameters_end_the_node(ros_domain: int, wrong: str) -> None:
    done = subprocess.run(
        [*COMMAND, '--ros-args', '-p', wrong], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert wrong.partition(':=')[0] in done.stdout + done.stderr
