"""Hardware mode before emulated devices: the robot follows the hand over real drivers."""

import os
import time

import numpy as np
import pytest

pytestmark = [pytest.mark.ros, pytest.mark.timeout(180)]
# One dexterous hand and one gripper here; the others with MIMIC_ALL_HANDS=1, some minutes.
PAIRS = [('iiwa14', 'allegro'), ('iiwa14', 'robotiq_2f85')]
MORE = [
    ('iiwa14', 'ability'), ('iiwa14', 'leap'), ('iiwa14', 'fin_ray'), ('iiwa7', 'robotiq_2f85'),
    ('panda', 'panda_hand'), ('panda', 'allegro'), ('so101', 'so101_gripper'),
]  # fmt: skip
# This machine does more than shadow: age limits for that. One joint is bounded by this lab.
SITE = """
/**:
  ros__parameters: {limits: {iiwa_joint_1: {upper: 0.5}}}
/**/control:
  ros__parameters: {shadow_timeout: 2.0, state_timeout: 1.0, enable_timeout: 1.0}
/**/retargeting:
  ros__parameters: {max_input_age: 2.0}
"""
START, FOLLOW, AFTER = 90.0, 8.0, 1.5  # [s]
LATE = 30.0  # [s] more, if the hand is seen so late that the arm has not moved yet
MOVED = 0.05  # [rad]
BUSY_SHARE = 0.2  # [1] of the time that it follows at least, however busy the machine is
ARM_AWAY = 0.12  # [rad] most that an arm joint is away from what the gate said in the last ...
ARM_LATE = 0.6  # [s] on a machine so busy that a driver misses turns and catches up


class Rig:
    """Holds the deadman switch and hears everything."""

    def __init__(self, domain: int) -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.node import Node
        from sensor_msgs.msg import JointState
        from std_msgs.msg import Bool

        from mimic_core import ros
        from mimic_interfaces.msg import ControlStatus

        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = Node('rig', context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.status: list[object] = []
        self.joints: dict[str, list[tuple[float, float]]] = {}
        self.ages: dict[str, list[float]] = {}
        self.diagnostics: dict[str, object] = {}
        self.held = True
        self._enable = self.node.create_publisher(Bool, 'control/enable', ros.COMMAND_QOS)
        self.node.create_timer(0.05, self._hold)
        for kind, topic, take in (
            (ControlStatus, 'control/status', self.status.append),
            (JointState, 'joint_states', self._on_joints),
            (DiagnosticArray, '/diagnostics', self._on_diagnostics),
        ):
            self.node.create_subscription(kind, topic, take, ros.subscription_qos(topic))

    def _hold(self) -> None:
        from std_msgs.msg import Bool

        if self.held:
            self._enable.publish(Bool(data=True))

    def _on_joints(self, msg) -> None:
        from mimic_core import ros

        stamp = ros.seconds(msg.header.stamp)
        for name, position in zip(msg.name, msg.position, strict=True):
            self.joints.setdefault(name, []).append((stamp, position))
        self.ages.setdefault(msg.name[0], []).append(ros.now(self.node) - stamp)

    def _on_diagnostics(self, msg) -> None:
        for status in msg.status:
            self.diagnostics[status.name] = status

    def spin(self, seconds: float, done=lambda: False) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not done():
            self.executor.spin_once(timeout_sec=0.05)
        return done()

    def state(self) -> int:
        return self.status[-1].state if self.status else -1

    def moved(self, joints, begun: int) -> bool:
        from mimic_core import ros

        start = ros.seconds(self.status[begun].header.stamp)
        seen = [np.array([p for t, p in self.joints[name] if t > start]) for name in joints]
        return any(len(s) and np.ptp(s) > 2.0 * MOVED for s in seen)

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()


def series(samples):
    """(T,) stamps and (T,) positions of a joint."""
    array = np.array(samples)
    return array[:, 0], array[:, 1]


def distance(at, measured, stamps, commands):
    """(T,) distances [rad] from each measured position to what was said in the time before it."""
    grid = np.arange(-ARM_LATE, 0.021, 0.02)  # (G,) [s]
    said = np.interp(at[:, None] + grid, stamps, commands)  # (T, G)
    return np.maximum(said.min(axis=1) - measured, measured - said.max(axis=1)).clip(min=0.0)


@pytest.fixture
def rig(ros_domain):
    one = Rig(ros_domain)
    yield one
    one.close()


def pairs():
    return PAIRS + (MORE if os.environ.get('MIMIC_ALL_HANDS') else [])


@pytest.mark.parametrize(('arm', 'hand'), pairs())
def test_the_emulated_robot_follows_the_hand(rig, tmp_path, monkeypatch, arm, hand):
    from mimic_bringup.graph import graph
    from mimic_core import ros
    from mimic_description import load_robot
    from mimic_interfaces.msg import ControlStatus

    log, robot = tmp_path / 'launch.log', load_robot(arm, hand)
    monkeypatch.chdir(tmp_path)  # the ports of emulators are here
    site = tmp_path / 'site.yaml'
    site.write_text(SITE)
    arguments = {
        'site': site, 'arm': arm, 'hand': hand, 'twin': 'false', 'emulator': 'true',
        'viewer': 'false', 'initial_mode': 'shadow', 'demonstrator_loop': 'true',
    }  # fmt: skip
    with graph('shadow', arguments, log) as process:
        assert rig.spin(START, lambda: rig.state() == ControlStatus.SHADOW), log.read_text()
        begun = len(rig.status)
        rig.spin(FOLLOW)
        rig.spin(LATE, lambda: rig.moved(robot.arm_joints, begun))
        moving = rig.status[begun:]
        share = np.mean([s.state == ControlStatus.SHADOW for s in moving])
        assert share > BUSY_SHARE, {s.reason for s in moving}
        rig.held = False
        assert rig.spin(3.0, lambda: rig.state() == ControlStatus.HOLD)
        rig.spin(AFTER)
        assert process.poll() is None
    text = log.read_text()
    assert 'Traceback' not in text, text
    commands = np.array([list(s.position) for s in moving])  # (T, J)
    stamps = np.array([ros.seconds(s.header.stamp) for s in moving])
    limits, travel = robot.limits, {}
    if 'iiwa_joint_1' in rig.joints:
        assert series(rig.joints['iiwa_joint_1'])[1].max() < 0.5 + 1e-3
    for j, name in enumerate(robot.joint_names):
        at, measured = series(rig.joints[name])
        assert (np.diff(at) >= 0).all(), name
        slack = 0.02 * (limits.upper[j] - limits.lower[j])  # resolution of grippers
        assert measured.min() >= limits.lower[j] - slack, name
        assert measured.max() <= limits.upper[j] + slack, name
        window = (at > stamps[0]) & (at < stamps[-1])
        travel[name] = np.ptp(measured[window])
        if j < len(robot.arm_joints):
            away = distance(at[window], measured[window], stamps, commands[:, j])
            assert away.max() < ARM_AWAY, (name, away.max())
        # A driver that came back lately may still be on its way to the position that is held.
        held = np.abs(measured[at > at[-1] - 0.5 * AFTER] - rig.status[-1].position[j])
        away = np.diff(held).clip(min=0.0).sum()
        assert away < max(0.01, 1.01 * slack), f'{name} moves without the deadman switch'
    arm_names, hand_names = robot.arm_joints, robot.hand_joints
    assert max(travel[n] for n in arm_names) > MOVED, travel
    reach = {n: limits.upper[i] - limits.lower[i] for i, n in enumerate(robot.joint_names)}
    assert max(travel[n] / reach[n] for n in hand_names) > 0.02, travel
    for name in ('/arm_driver', '/hand_driver'):
        if name in rig.diagnostics:
            status = rig.diagnostics[name]
            assert status.level in (ros.OK, ros.WARN), status.message
    assert '/arm_driver' in rig.diagnostics
    for name, ages in rig.ages.items():
        assert np.median(ages) < 0.05, name  # stamps are those of the read
