"""A recorded episode through the real gate to a small robot that obeys."""

import os
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from signal import SIGINT

import numpy as np
import pytest

from mimic_core.topics import TOPICS

from .conftest import SECOND, T0

pytestmark = pytest.mark.ros
WAIT = 25.0  # [s]
ARM, HAND = 'arm_controller/joint_trajectory', 'hand_controller/joint_trajectory'


@contextmanager
def node(package, module, **parameters):
    code = f'from {package}.{module} import main; main()'
    command = [sys.executable, '-c', code, '--ros-args']
    for name, value in parameters.items():
        command += ['-p', f'{name}:={value}']
    environment = os.environ | {'PYTHONPATH': os.pathsep.join(p for p in sys.path if p)}
    process = subprocess.Popen(command, env=environment)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(SIGINT)
        process.wait(15)


class Robot:
    """Follows what the gate commands, at once, and says where it is."""

    def __init__(self, names, q):
        import rclpy
        from rclpy.action import ActionClient
        from rclpy.executors import SingleThreadedExecutor
        from sensor_msgs.msg import JointState
        from trajectory_msgs.msg import JointTrajectory

        from mimic_core.ros import SENSOR_PUBLISHER_QOS, subscription_qos
        from mimic_interfaces.action import PlayEpisode
        from mimic_interfaces.srv import SetMode

        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node('robot', context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.q = dict(zip(names, q, strict=True))
        self.path = []
        self.states = self.node.create_publisher(JointState, 'joint_states', SENSOR_PUBLISHER_QOS)
        for topic in (ARM, HAND):
            self.node.create_subscription(
                JointTrajectory, topic, self.obey, subscription_qos(topic)
            )
        self.node.create_timer(0.01, self.tell)
        self.play = ActionClient(self.node, PlayEpisode, 'replay/play')
        self.set_mode = self.node.create_client(SetMode, 'control/set_mode')

    def obey(self, msg):
        self.q.update(zip(msg.joint_names, msg.points[-1].positions, strict=True))
        self.path.append(dict(self.q))

    def tell(self):
        from sensor_msgs.msg import JointState

        msg = JointState(name=list(self.q), position=list(self.q.values()))
        msg.velocity = [0.0] * len(self.q)
        msg.header.stamp = self.node.get_clock().now().to_msg()
        self.states.publish(msg)

    def wait(self, future, timeout=WAIT):
        self.executor.spin_until_future_complete(future, timeout_sec=timeout)
        assert future.done(), 'no answer'
        return future.result()

    def run(self, path, preview=False, speed=0.0, cancel_after=None):
        from mimic_interfaces.action import PlayEpisode

        assert self.play.wait_for_server(WAIT)
        goal = PlayEpisode.Goal(path=str(path), preview=preview, speed=speed)
        handle = self.wait(self.play.send_goal_async(goal))
        assert handle.accepted
        result = handle.get_result_async()
        if cancel_after is not None:
            end = time.monotonic() + cancel_after
            while time.monotonic() < end:
                self.executor.spin_once(timeout_sec=0.01)
            self.wait(handle.cancel_goal_async())
        return self.wait(result, 40)

    def mode(self, mode):
        from mimic_interfaces.srv import SetMode

        assert self.set_mode.wait_for_service(WAIT)
        answer = self.wait(self.set_mode.call_async(SetMode.Request(mode=mode)))
        assert answer.success, answer.message

    def close(self):
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def recorded(bench, store, make):
    """episode(name, scale) of so101 with a gripper: a slow swing of two arm joints."""
    from mimic_description import load_robot

    model = load_robot('so101', 'robotiq_2f85')
    point = store.types['trajectory_msgs/msg/JointTrajectoryPoint']
    duration = store.types['builtin_interfaces/msg/Duration']
    none = np.zeros(0)
    arm = len(model.arm_joints)
    middle = (model.limits.lower + model.limits.upper)[:arm] / 2
    # Turning joints only: the others would lower the gripper to where the gate stops it.
    turning = np.array([name.endswith(('pan', 'roll')) for name in model.arm_joints])
    inward = np.where(model.home[:arm] > middle, -1.0, 1.0) * turning
    kind = TOPICS[ARM].type

    def build(name='a', scale=0.2):
        rows = []
        for i in range(150):
            t = T0 + i * SECOND // 100
            q = model.home.copy()
            q[:arm] += inward * scale * (1 - np.cos(2 * np.pi * i / 149)) / 2
            for topic, names, part in (
                (ARM, model.arm_joints, q[:arm]),
                (HAND, model.hand_joints, q[arm:]),
            ):
                made = point(
                    positions=part, velocities=none, accelerations=none, effort=none,
                    time_from_start=duration(sec=0, nanosec=10_000_000),
                )  # fmt: skip
                data = make(kind, joint_names=list(names), points=[made])
                rows.append((f'/{topic}', kind, t, data, i + 1))
        return bench.episode(rows, name)

    return model, build


def test_an_episode_is_played_through_the_gate(recorded, ros_domain):
    from mimic_interfaces.msg import ControlStatus

    model, build = recorded
    start = model.home.copy()
    start[0] += 0.05  # not where the episode begins
    robot = Robot(model.joint_names, start)
    setup = {'arm': 'so101', 'hand': 'robotiq_2f85'}
    good, far = build('good'), build('far', scale=9.0)
    try:
        with ExitStack() as stack:
            stack.enter_context(node('mimic_recording', 'replay_node', **setup))

            preview = robot.run(good, preview=True).result
            assert preview.success and 'within the limits (gate)' in preview.message
            refused = robot.run(far, preview=True).result
            assert not refused.success and 'beyond the limits' in refused.message
            assert not robot.run(far).result.success
            nothing = robot.run(good.parent / 'none').result
            assert not nothing.success and 'cannot be read' in nothing.message
            assert 'speed' in robot.run(good, speed=3.0).result.message
            assert 'no gate' in robot.run(good).result.message

            stack.enter_context(node('mimic_control', 'node', **setup))
            robot.mode(ControlStatus.IDLE)
            end = time.monotonic() + WAIT
            while 'no gate' in (idle := robot.run(good).result).message:
                assert time.monotonic() < end, 'the nodes do not find each other'
                robot.executor.spin_once(timeout_sec=0.1)
            assert not idle.success and 'not in mode REPLAY' in idle.message

            robot.mode(ControlStatus.REPLAY)
            played = robot.run(good)
            assert played.status == 4 and played.result.success, played.result.message
            # 1.5 s at 100 Hz where there is time; a busy machine sends fewer and lags more.
            assert played.result.commands > 40 and played.result.max_error < 0.3
            for j, joint in enumerate(model.arm_joints):
                swing = max(abs(q[joint] - model.home[j]) for q in robot.path)
                wanted = 0.2 if joint.endswith(('pan', 'roll')) else 0.0
                assert swing == pytest.approx(wanted, abs=0.02), joint
            last = np.array([robot.q[n] for n in model.joint_names])
            np.testing.assert_allclose(last, model.home, atol=0.02)

            cancelled = robot.run(good, cancel_after=0.5)
            assert cancelled.status == 5 and 'cancelled' in cancelled.result.message
    finally:
        robot.close()
