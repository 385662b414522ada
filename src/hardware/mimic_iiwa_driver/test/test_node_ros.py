"""The node: command topic to the stack's topic, joint states, diagnostics, lifecycle."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.ros, pytest.mark.timeout(90)]
SCRIPT = 'from mimic_iiwa_driver.node import main; main()'


def node(*parameters):
    arguments = [word for p in parameters for word in ('-p', p)]
    return subprocess.Popen(
        [sys.executable, '-c', SCRIPT, '--ros-args', *arguments],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.fixture
def client(ros_domain):
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros_domain)
    one = Node('client', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(one)

    def spin(done, timeout):
        end = time.monotonic() + timeout
        while not done() and time.monotonic() < end:
            executor.spin_once(timeout_sec=0.02)
        return done()

    one.spin_until = spin
    yield one
    one.destroy_node()
    context.try_shutdown()


def test_from_the_command_to_the_stack_and_back(client):
    from diagnostic_msgs.msg import DiagnosticArray
    from lifecycle_msgs.srv import ChangeState
    from sensor_msgs.msg import JointState
    from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

    from mimic_core import ros
    from mimic_iiwa_driver import emulator

    with emulator.start(Path('node_test')) as emulated:
        process = node(
            'namespace:=node_test', 'prefix:=left_', 'limits.iiwa_joint_1.upper:=0.05',
            'limits.left_iiwa_joint_4.max_speed:=0.5', 'open_timeout:=20.0',
        )  # fmt: skip
        states, diagnostics = [], []
        client.create_subscription(
            JointState, 'joint_states', lambda m: states.append((time.time(), m)), ros.SENSOR_QOS
        )
        client.create_subscription(DiagnosticArray, '/diagnostics', diagnostics.append, 10)
        commands = client.create_publisher(
            JointTrajectory, 'arm_controller/joint_trajectory', ros.COMMAND_QOS
        )
        try:
            assert client.spin_until(lambda: len(states) > 50, 40.0)
            _, first = states[-1]
            assert list(first.name) == [f'left_iiwa_joint_{i}' for i in range(1, 8)]
            ages = [at - ros.seconds(m.header.stamp) for at, m in states[5:]]
            assert 0.0 <= np.median(ages) < 0.03
            # Two joints of seven, the second over the site's bound: it stops there.
            goal = {'left_iiwa_joint_4': first.position[3] + 0.1, 'left_iiwa_joint_1': 0.3}

            # One without the prefix is of another arm.
            point = JointTrajectoryPoint(positions=[first.position[1] + 0.3])
            commands.publish(JointTrajectory(joint_names=['iiwa_joint_2'], points=[point]))
            client.spin_until(lambda: False, 0.3)

            def command():
                point = JointTrajectoryPoint(positions=list(goal.values()))
                point.time_from_start.nanosec = 10_000_000
                commands.publish(JointTrajectory(joint_names=list(goal), points=[point]))
                return abs(emulated.plant.position[3] - goal['left_iiwa_joint_4']) < 2e-3

            assert client.spin_until(command, 10.0)
            sent = np.array([q for _, q in emulated.writes()])
            assert sent[:, 0].max() <= 0.05 + 1e-9
            assert sent[0] == pytest.approx(first.position, abs=1e-3), (
                'the measured position first'
            )
            assert np.abs(np.diff(sent, axis=0)).max() < 0.05
            assert np.ptp(sent[:, 1]) < 1e-3
            said = [s for d in diagnostics for s in d.status if s.name == '/arm_driver'][-1]
            values = {v.key: v.value for v in said.values}
            assert values['session'] == 'commanding active'
            assert float(values['rate']) == pytest.approx(100.0, rel=0.4)  # of a busy machine
            change = client.create_client(ChangeState, 'arm_driver/change_state')
            assert client.spin_until(change.service_is_ready, 5.0)
            for transition in (4, 2):  # deactivate, clean up
                future = change.call_async(_request(ChangeState, transition))
                assert client.spin_until(future.done, 5.0) and future.result().success
            count = len(emulated.writes())
            client.spin_until(lambda: False, 0.3)
            assert len(emulated.writes()) == count
        finally:
            process.terminate()
            _, error = process.communicate(timeout=15)
    assert process.returncode == 0 and 'Traceback' not in error, error


def _request(kind, transition):
    request = kind.Request()
    request.transition.id = transition
    return request


def test_a_stack_that_is_not_there_ends_it_with_a_sentence(ros_domain):
    process = node('namespace:=nobody', 'open_timeout:=0.5')
    _, error = process.communicate(timeout=40)
    assert process.returncode == 1
    assert 'nothing on /nobody/joint_states: is lbr_fri_ros2_stack running' in error
    assert 'Traceback' not in error
