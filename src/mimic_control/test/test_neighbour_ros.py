"""Two real gates beside each other, fed with what would make the arms meet."""

import subprocess
import time

import numpy as np
import pytest
from node_process import start_node

from mimic_control.testing import Distance
from mimic_core.frames import transform
from mimic_description import load_robot

pytestmark = pytest.mark.ros
SIDES = ('left', 'right')
Y = {'left': 0.35, 'right': -0.35}
MARGIN = 0.05
HAND = 'robotiq_2f85'


def start(side: str, other: str, *params: str) -> subprocess.Popen:
    given = [
        f'__ns:=/{side}',
        *(f'{name}:={value}' for name, value in (
            ('arm', 'iiwa14'), ('hand', HAND), ('prefix', f'{side}_'), ('initial_mode', 'shadow'),
            ('neighbour_arm', 'iiwa14'), ('neighbour_hand', HAND),
            ('neighbour_prefix', f'{other}_'), ('neighbour_namespace', other),
            ('neighbour_margin', MARGIN), ('base_xyz', f'[0.0, {Y[side]}, 0.0]'),
            ('neighbour_xyz', f'[0.0, {Y[other]}, 0.0]'),
        )),
        *params,
    ]  # fmt: skip
    args = [part for rule in given for part in ('-r' if rule[:2] == '__' else '-p', rule)]
    return start_node('mimic_control.node', *args)


def test_two_gates_keep_their_arms_apart(ros_domain) -> None:
    import rclpy
    from sensor_msgs.msg import JointState
    from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

    from mimic_core import ros
    from mimic_interfaces.msg import ControlStatus

    robots = {side: load_robot('iiwa14', HAND, f'{side}_') for side in SIDES}
    bases = [transform(np.eye(3), np.array([0.0, Y[side], 0.0])) for side in SIDES]
    distance = Distance([robots[side] for side in SIDES], bases)
    q = {side: robots[side].home.copy() for side in SIDES}
    status: dict[str, ControlStatus] = {}
    alive = dict.fromkeys(SIDES, True)
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node('robots', context=context)
    executor = ros.make_executor(context)
    executor.add_node(node)
    states, commands = {}, {}

    def moved(side: str, part: slice, msg: JointTrajectory) -> None:
        q[side][part] = msg.points[0].positions

    for side in SIDES:
        states[side] = node.create_publisher(JointState, f'/{side}/joint_states', 10)
        commands[side] = node.create_publisher(
            JointTrajectory, f'/{side}/shadow/command', ros.COMMAND_QOS
        )
        for name, part in (('arm', slice(0, 7)), ('hand', slice(7, None))):
            node.create_subscription(
                JointTrajectory,
                f'/{side}/{name}_controller/joint_trajectory',
                lambda msg, side=side, part=part: moved(side, part, msg),
                10,
            )
        node.create_subscription(
            ControlStatus,
            f'/{side}/control/status',
            lambda msg, side=side: status.__setitem__(side, msg),
            ros.LATCHED_QOS,
        )

    def publish_states() -> None:
        for side in SIDES:
            if alive[side]:
                msg = JointState(name=list(robots[side].joint_names), position=q[side].tolist())
                msg.header.stamp = node.get_clock().now().to_msg()
                states[side].publish(msg)

    node.create_timer(0.01, publish_states)
    wish = {side: robots[side].home.copy() for side in SIDES}
    wish['left'][0], wish['right'][0] = -1.2, 1.2

    def spin(seconds: float, targets: dict[str, np.ndarray]) -> float:
        nearest, end, send = np.inf, time.monotonic() + seconds, 0.0
        while time.monotonic() < end:
            if time.monotonic() > send:
                send = time.monotonic() + 0.03
                for side in SIDES:
                    point = JointTrajectoryPoint(positions=targets[side].tolist())
                    msg = JointTrajectory(
                        joint_names=list(robots[side].joint_names), points=[point]
                    )
                    msg.header.stamp = node.get_clock().now().to_msg()
                    commands[side].publish(msg)
                nearest = min(nearest, distance([q[side] for side in SIDES]))
            executor.spin_once(timeout_sec=0.005)
        return nearest

    gates = [start('left', 'right'), start('right', 'left')]
    try:
        end = time.monotonic() + 60.0
        homes = {side: robots[side].home for side in SIDES}
        while len(status) < 2 or any(s.state != ControlStatus.SHADOW for s in status.values()):
            assert time.monotonic() < end, status
            spin(0.2, homes)
        begin = distance([q[side] for side in SIDES])
        nearest = spin(3.0, wish)
        assert nearest >= MARGIN
        assert nearest < begin - 0.1, 'they went for each other'
        assert any('neighbour' in name for s in status.values() for name in s.limited)
        end = time.monotonic() + 30.0  # they part again, as soon as the machine lets them
        while max(np.abs(q[side] - homes[side]).max() for side in SIDES) > 0.02:
            assert time.monotonic() < end, status
            assert spin(0.5, homes) >= MARGIN
        alive['right'] = False  # its driver is gone: both hold, the left one says why
        end = time.monotonic() + 10.0
        while status['left'].state != ControlStatus.HOLD or 'neighbour' not in (
            status['left'].reason
        ):
            assert time.monotonic() < end, status
            spin(0.2, wish)
        spin(0.6, wish)
        assert status['left'].reason.startswith('neighbour: joint state of right_')
        before = q['left'].copy()
        spin(0.3, wish)
        np.testing.assert_array_equal(q['left'], before)
    finally:
        for gate in gates:
            gate.terminate()
            gate.communicate()
        rclpy.try_shutdown(context=context)


@pytest.mark.parametrize(
    ('param', 'says'),
    [
        ('neighbour_prefix:=left_', 'both arms have the prefix'),
        ('base_xyz:=[0.0, 1.0]', 'position of a base has shape'),
        ('neighbour_namespace:=""', 'neighbour_namespace'),
        ('base_xyz:=[0.0, -0.35, 0.0]', 'one place'),
        ('neighbour_arm:=iwa14', "Did you mean 'iiwa14'"),
    ],
)
def test_a_wrong_neighbour_ends_the_node_with_one_sentence(ros_domain, param, says) -> None:
    gate = start('left', 'right', param)
    _, text = gate.communicate(timeout=60)
    assert gate.returncode == 1
    fatal = [line for line in text.splitlines() if '[FATAL]' in line]
    assert len(fatal) == 1 and says in fatal[0]
