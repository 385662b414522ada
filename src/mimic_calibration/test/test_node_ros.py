"""The nodes over real topics: a live robot, the watch, and what the camera node publishes."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image as Pictures
from projected_cell import OPTICS, Cell

from mimic_calibration.board import Board
from mimic_calibration.calibrate import calibrate_hand_eye
from mimic_calibration.cells import TwinSession
from mimic_calibration.files import Robot, with_hand_eye, write_calibration
from mimic_calibration.proposal import propose
from mimic_calibration.samples import hand_eye_sample
from mimic_calibration.twin import TwinCell
from mimic_calibration.verdict import judge_hand_eye
from mimic_core.errors import DeviceError, SourceError
from mimic_core.frames import rotation_angle
from mimic_description import load_robot

pytestmark = pytest.mark.ros
TIMEOUT = 60.0  # [s]


def start(module: str, *arguments: str) -> subprocess.Popen:
    code = f'from {module} import main; main()'
    return subprocess.Popen([sys.executable, '-c', code, '--ros-args', *arguments])


def stop(*processes: subprocess.Popen) -> None:
    for process in processes:
        process.send_signal(signal.SIGINT)
    for process in processes:
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def listener(ros_domain):
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros_domain)
    node = Node('listener', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)

    def spin_until(done, timeout=TIMEOUT):
        end = time.monotonic() + timeout
        while not done() and time.monotonic() < end:
            executor.spin_once(timeout_sec=0.05)
        return done()

    yield node, spin_until
    node.destroy_node()
    rclpy.try_shutdown(context=context)


def write(path: Path, cell: TwinCell, samples: list) -> None:
    rng = np.random.default_rng(0)
    result = calibrate_hand_eye(cell.mount, samples, cell.arm, cell.intrinsics, rng)
    data = with_hand_eye(
        {}, result, judge_hand_eye(result), cell.board, Robot('iiwa14', 'robotiq_2f85'),
        cell.intrinsics, 'today',
    )  # fmt: skip
    write_calibration(path, data)


def test_the_watch_says_when_the_camera_has_moved(listener, tmp_path):
    from diagnostic_msgs.msg import DiagnosticArray
    from sensor_msgs.msg import Image, JointState

    from mimic_calibration.detection import Detector
    from mimic_core import ros

    node, spin_until = listener
    cell = TwinCell('iiwa14', 'robotiq_2f85', Board(), 'eye_to_hand', 2)
    session = TwinSession(cell, cell.arm.robot.home)
    detector, rng = Detector(cell.board), np.random.default_rng(0)
    poses = propose(cell.arm, 'robotiq_2f85', cell.board, cell.truth, cell.intrinsics, 12, rng)
    samples, raw = [], []
    for q in poses:
        session.move_to(q)
        raw.append(session.grab())
        samples.append(hand_eye_sample(raw[-1], detector, cell.arm))
    session.close()
    write(tmp_path / 'good.yaml', cell, samples)
    data = yaml.safe_load((tmp_path / 'good.yaml').read_text())
    data['xyz'][1] += 0.03
    (tmp_path / 'moved.yaml').write_text(yaml.safe_dump(data))

    heard: dict[str, list] = {'good': [], 'moved': []}

    def on_diagnostics(msg: DiagnosticArray) -> None:
        for status in msg.status:
            if status.name.lstrip('/') in heard:
                heard[status.name.lstrip('/')].append((status.level, status.message))

    images = node.create_publisher(Image, 'camera/color/image_raw', ros.SENSOR_PUBLISHER_QOS)
    states = node.create_publisher(JointState, 'joint_states', ros.SENSOR_PUBLISHER_QOS)
    node.create_subscription(DiagnosticArray, '/diagnostics', on_diagnostics, 10)
    joints = raw[0].joints

    def publish_state() -> None:
        msg = JointState(name=list(joints), position=list(joints.values()))
        msg.header.stamp = node.get_clock().now().to_msg()
        states.publish(msg)

    def publish_image() -> None:
        stamp = node.get_clock().now().to_msg()
        images.publish(ros.image_to_msg(raw[0].image, stamp, 'camera_color_optical_frame'))

    node.create_timer(0.02, publish_state)
    node.create_timer(0.2, publish_image)
    watches = [
        start('mimic_calibration.node', '-r', f'__node:={name}', '-p', 'period:=0.5',
              '-p', f'calibration:={tmp_path / name}.yaml')
        for name in heard
    ]  # fmt: skip
    try:
        assert spin_until(lambda: any('still fits' in text for _, text in heard['good']))
        assert spin_until(lambda: any('has moved' in text for _, text in heard['moved']))
    finally:
        stop(*watches)
    assert heard['good'][-1][0] == ros.OK
    assert heard['moved'][-1][0] == ros.ERROR


def test_the_watch_stops_at_a_file_without_a_record(ros_domain, tmp_path):
    (tmp_path / 'plain.yaml').write_text('parent: world\n')
    watch = start('mimic_calibration.node', '-p', f'calibration:={tmp_path}/plain.yaml')
    assert watch.wait(TIMEOUT) == 1


def test_the_camera_node_fixes_the_camera_to_the_robot(listener, tmp_path):
    """What the absolute clutch asks for: the camera's optical frame in base_link."""
    from mimic_core.ros import StaticFrames

    node, spin_until = listener
    cell, rng = Cell('eye_to_hand'), np.random.default_rng(0)
    result = calibrate_hand_eye('eye_to_hand', cell.samples(12, rng), cell.arm, OPTICS, rng)
    data = with_hand_eye(
        {}, result, judge_hand_eye(result), cell.board, Robot('iiwa14', 'allegro'), OPTICS, 'now'
    )
    write_calibration(tmp_path / 'lab.yaml', data)
    Pictures.new('RGB', (640, 480)).save(tmp_path / 'picture.png')
    frames = StaticFrames(node)
    camera = start(
        'mimic_camera.node', '-r', '__ns:=/camera', '-p', 'source:=video', '-p',
        f'path:={tmp_path}/picture.png', '-p', f'calibration:={tmp_path}/lab.yaml',
    )  # fmt: skip

    def pose():
        return frames.lookup('base_link', 'camera_color_optical_frame')

    try:
        assert spin_until(lambda: pose() is not None)
    finally:
        stop(camera)
    found = result.refined.solution.reference_T_camera
    assert np.linalg.norm(pose()[:3, 3] - found[:3, 3]) < 1e-5
    assert rotation_angle(pose()[:3, :3], found[:3, :3]) < 1e-5


def test_a_live_robot_is_moved_and_read(ros_domain):
    from mimic_calibration.live_node import open_live

    robot = load_robot('iiwa14', 'none')
    options = ('-p', 'arm:=iiwa14', '-p', 'hand:=robotiq_2f85')
    nodes = [
        start('mimic_sim.twin_node', *options, '-p', 'agent_camera_rate:=10.0'),
        start('mimic_control.node', *options),
    ]
    cell = open_live('agent_camera', robot.arm_joints)
    try:
        end = time.monotonic() + TIMEOUT
        while True:
            try:
                before = cell.grab()
                break
            except SourceError:
                assert time.monotonic() < end
        assert before.image.shape == (480, 640, 3)
        assert abs(before.stamp - before.joint_stamp) < 0.05
        assert cell.intrinsics().width == 640
        assert before.joints.keys() >= set(robot.arm_joints)
        goal = cell.positions() + np.array([0.15, 0.0, 0.0, 0.1, 0.0, 0.0, -0.2])
        cell.move_to(goal)
        assert np.abs(cell.positions() - goal).max() < 0.02
        with pytest.raises(DeviceError, match='iiwa_joint_4'):
            cell.move_to(goal + np.array([0, 0, 0, 9.0, 0, 0, 0]))
    finally:
        cell.close()
        stop(*nodes)


def test_without_topics_the_live_cell_says_what_is_missing(ros_domain, monkeypatch):
    from mimic_calibration import live_node

    monkeypatch.setattr(live_node, 'PICTURE_TIMEOUT', 0.3)
    cell = live_node.open_live('camera', ('a',))
    try:
        with pytest.raises(SourceError, match='no picture on camera/color/image_raw'):
            cell.grab()
        assert cell.intrinsics() is None
    finally:
        cell.close()
