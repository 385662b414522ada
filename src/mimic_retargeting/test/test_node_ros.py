"""The node over real topics: a hand goes in, commands come out; faults give reasons."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest

from mimic_core.keypoints import INDEX
from mimic_description import load_robot

pytestmark = pytest.mark.ros
NODE = [sys.executable, '-c', 'from mimic_retargeting.node import main; main()']
OPTICAL = 'camera_color_optical_frame'


class Bench:
    """A node in a process of its own, and a node that plays all others."""

    def __init__(self, make_points: Callable, make_reach: Callable) -> None:
        import rclpy
        from sensor_msgs.msg import JointState
        from std_msgs.msg import Bool
        from tf2_msgs.msg import TFMessage
        from trajectory_msgs.msg import JointTrajectory

        from mimic_core import ros
        from mimic_interfaces.msg import HandArray, ShadowStatus

        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node('bench', context=self.context)
        self.executor = rclpy.executors.SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self._points, self._reach, self._ros = make_points, make_reach, ros

        def publisher(kind: type, topic: str):
            return self.node.create_publisher(kind, topic, ros.publisher_qos(topic))

        self.hands = publisher(HandArray, 'hand_tracking/hands')
        self.states = publisher(JointState, 'joint_states')
        self.enable = publisher(Bool, 'control/enable')
        self.gate = publisher(JointTrajectory, 'hand_controller/joint_trajectory')
        self.frames = publisher(TFMessage, '/tf_static')
        self.commands, self.status = [], []
        for kind, topic, into in (
            (JointTrajectory, 'shadow/command', self.commands),
            (ShadowStatus, 'shadow/status', self.status),
        ):
            self.node.create_subscription(kind, topic, into.append, ros.subscription_qos(topic))
        self.robot = load_robot('iiwa14', 'allegro')
        self.process: subprocess.Popen | None = None

    def start(self, *arguments: str) -> None:
        self.process = subprocess.Popen([*NODE, '--ros-args', *arguments])
        self.until(lambda: self.hands.get_subscription_count() > 0, 60)
        self.until(lambda: self.states.get_subscription_count() > 0, 20)

    def camera(self, world_T_camera: np.ndarray) -> None:
        from tf2_msgs.msg import TFMessage

        stamp = self.node.get_clock().now().to_msg()
        camera = self._ros.transform_to_msg(world_T_camera, 'world', OPTICAL, stamp)
        base = self._ros.transform_to_msg(np.eye(4), 'world', 'base_link', stamp)
        self.frames.publish(TFMessage(transforms=[camera, base]))

    def joints(self, names: tuple[str, ...] | None = None) -> None:
        from sensor_msgs.msg import JointState

        msg = JointState(name=list(self.robot.joint_names), position=self.robot.home.tolist())
        if names is not None:
            msg.position = [p for n, p in zip(msg.name, msg.position, strict=True) if n in names]
            msg.name = list(names)
        msg.header.stamp = self.node.get_clock().now().to_msg()
        self.states.publish(msg)

    def show(self, hand, age: float = 0.0, count: int = 1) -> float:
        from geometry_msgs.msg import Point

        from mimic_interfaces.msg import Hand, HandArray

        stamp = self._ros.now(self.node) - age
        msg = HandArray()
        msg.header.stamp, msg.header.frame_id = self._ros.to_stamp(stamp), OPTICAL
        for _ in range(count):
            one = Hand(side=Hand.RIGHT, score=1.0, confidence=[1.0] * 21)
            one.keypoints = [Point(x=x, y=y, z=z) for x, y, z in hand.keypoints]
            msg.hands.append(one)
        self.hands.publish(msg)
        return self._ros.seconds(msg.header.stamp)

    def until(self, ready: Callable[[], object], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not ready():
            assert time.monotonic() < end, f'timed out; {[s.reason for s in self.status[-3:]]}'
            assert self.process is None or self.process.poll() is None, 'the node has died'
            self.executor.spin_once(timeout_sec=0.02)

    def reason(self, wanted: str, act: Callable[[], object], seconds: float = 20.0) -> None:
        """Act at 20 Hz until a status gives a reason."""
        self.status.clear()

        def ready() -> bool:
            act()
            time.sleep(0.03)
            return any(wanted in status.reason for status in self.status)

        self.until(ready, seconds)

    def close(self) -> None:
        import rclpy

        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(10)
        self.node.destroy_node()
        rclpy.try_shutdown(context=self.context)


@pytest.fixture
def bench(ros_domain: int, make_points: Callable, make_reach: Callable):
    bench = Bench(make_points, make_reach)
    yield bench
    bench.close()


@pytest.fixture
def hand(make_points: Callable, make_hand: Callable, make_reach: Callable):
    return make_hand(make_points(), make_reach((0.45, 0.0, 0.3)))


def test_a_hand_becomes_commands(bench: Bench, hand, world_T_camera: np.ndarray) -> None:
    bench.start('-p', 'max_input_age:=2.0')
    bench.reason('no joint state of iiwa_joint_1 yet', lambda: bench.show(hand))
    arm, fingers = bench.robot.arm_joints, bench.robot.hand_joints

    def without_frames() -> None:
        bench.joints(arm)  # drivers of arm and hand publish apart
        bench.joints(fingers)
        bench.show(hand)

    bench.reason(f"no transform from '{OPTICAL}' to 'base_link'", without_frames)
    bench.camera(world_T_camera)
    stamps = []

    def ready() -> bool:
        bench.joints()
        stamps.append(bench.show(hand))
        time.sleep(0.03)
        return len(bench.commands) >= 5

    bench.until(ready, 20)
    first, names = bench.commands[0], bench.robot.joint_names
    assert tuple(first.joint_names) == names
    np.testing.assert_allclose(first.points[0].positions, bench.robot.home)  # nothing moves
    sent = {bench._ros.seconds(c.header.stamp) for c in bench.commands}
    assert sent <= set(stamps)  # the capture time goes through
    moving = np.array([c.points[0].positions for c in bench.commands])
    assert np.isfinite(moving).all()
    followed = [s for s in bench.status if s.reason == '']
    assert followed[-1].engaged
    assert followed[-1].header.frame_id == 'base_link'
    assert followed[-1].solve_time < 0.05
    assert followed[-1].position_error < 0.02

    bench.reason('no hand is seen', lambda: (bench.joints(), bench.show(hand, count=0)))
    bench.reason(' s old', lambda: (bench.joints(), bench.show(hand, age=3.0)))
    broken = hand.keypoints.copy()
    broken[INDEX['wrist']] = np.nan
    blind = type(hand)(1, 'right', 'depth', broken, hand.confidence, hand.pixels, 1.0)
    bench.reason('palm keypoints', lambda: (bench.joints(), bench.show(blind)))
    lost = 'no joint state of allegro_joint_0 for'
    bench.reason(lost, lambda: (bench.joints(arm), bench.show(hand)))
    sent_before = len(bench.commands)
    bench.reason(lost, lambda: (bench.joints(arm), bench.show(hand)))
    assert len(bench.commands) == sent_before


def test_nothing_without_the_held_key(bench: Bench, hand, world_T_camera: np.ndarray) -> None:
    from std_msgs.msg import Bool
    from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

    bench.start('-p', 'require_enable:=true', '-p', 'max_input_age:=2.0')
    bench.camera(world_T_camera)
    bench.reason('the clutch is open', lambda: (bench.joints(), bench.show(hand)))
    assert not bench.commands

    def held() -> bool:
        bench.enable.publish(Bool(data=True))
        bench.joints()
        bench.show(hand)
        time.sleep(0.03)
        return len(bench.commands) > 2

    bench.until(held, 20)
    bench.enable.publish(Bool(data=False))
    bench.reason('the clutch is open', lambda: (bench.joints(), bench.show(hand)))
    fingers = bench.robot.hand_joints
    pressing = bench.robot.home[-len(fingers) :] + 0.1  # as the gate sent it, on a thing
    msg = JointTrajectory(joint_names=fingers, points=[JointTrajectoryPoint(positions=pressing)])
    bench.until(lambda: bench.gate.get_subscription_count() > 0, 20)
    bench.gate.publish(msg)
    bench.reason('the clutch is open', lambda: (bench.joints(), bench.show(hand)))
    bench.commands.clear()
    bench.until(held, 20)
    first = bench.commands[0].points[0].positions
    np.testing.assert_allclose(first[-len(fingers) :], pressing)


@pytest.mark.parametrize(
    ('argument', 'message'),
    [
        ('hand:=alegro', "unknown hand 'alegro'. Did you mean 'allegro'? Known:"),
        ('mode:=fast', "'mode' must be one of relative, absolute"),
        ('max_hand_speed:=-1.0', 'max_hand_speed'),
    ],
)
def test_a_bad_parameter_ends_the_node(ros_domain: int, argument: str, message: str) -> None:
    done = subprocess.run(
        [*NODE, '--ros-args', '-p', argument], capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert message in done.stdout + done.stderr
