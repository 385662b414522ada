"""The driver before an emulated franka_ros2, over real topics, services and the action."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mimic_core.errors import PortError
from mimic_core.params import from_mapping

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]
FAULTS = ('silent', 'noise', 'slow', 'disconnect', 'brown_out')
KNOWN_WITHIN, BUSY = 0.2, 0.15  # [s], and what a busy machine adds


def wait(condition, timeout=3.0):
    end = time.perf_counter() + timeout
    while not condition() and time.perf_counter() < end:
        time.sleep(0.01)
    return condition()


def make(emulated, **changes):
    from mimic_panda_driver.driver import make_device
    from mimic_panda_driver.params import PandaParams

    device, _, _ = make_device(from_mapping(PandaParams, {**emulated.params, **changes}))
    return device


def test_arm_and_gripper_move_and_an_object_stops_the_fingers(ros_domain):
    from mimic_panda_driver import emulator

    with emulator.start(Path('panda_test')) as emulated:
        device = make(emulated)
        try:
            assert 'panda_arm_controller is active' in device.open()
            device.enable()
            goal = device.read().position + np.array([*(0.01 * np.arange(1, 8)), -0.02])
            emulated.stack.gripper.plant.obstacle_lower[:] = 0.03

            def there():
                device.write(goal)
                time.sleep(0.01)
                return np.abs(device.read().position - [*goal[:7], 0.03]).max() < 2e-3

            assert wait(there)
            assert emulated.plant.position == pytest.approx([*goal[:7], 0.03], abs=2e-3)
            assert [p for _, p in emulated.stack.gripper.goals] == pytest.approx([0.02])
            assert emulated.stack.gripper.stalled
        finally:
            device.close()


def test_names_without_positions_end_no_thread():
    from sensor_msgs.msg import JointState

    from mimic_core.jtc import Stack
    from mimic_panda_driver.driver import CONTROLLER, JOINTS, TITLE
    from mimic_panda_driver.params import PandaParams
    from mimic_panda_driver.ros import PandaLink

    params = PandaParams()
    link = PandaLink(Stack.chosen(TITLE, params, '', CONTROLLER, JOINTS), params)
    fingers = ['panda_finger_joint2', 'panda_finger_joint1']
    link._on_fingers(JointState(name=fingers, position=[0.02, 0.03]))
    heard = link.finger()
    assert heard[0] == 0.03 and link.bad() == 0
    link._on_fingers(JointState(name=fingers, position=[0.02]))
    link._on_fingers(JointState(name=fingers, position=[]))
    assert link.finger() == heard and link.bad() == 2


def test_a_gripper_that_is_not_there_is_told(ros_domain):
    from mimic_panda_driver import emulator

    with emulator.start(Path('alone_test'), hand='none') as emulated:
        device = make(emulated, hand='panda_hand', open_timeout=1.0)
        with pytest.raises(PortError, match='hand:=none drives the arm alone'):
            device.open()
        device.close()
        alone = make(emulated)
        assert 'active' in alone.open() and len(alone.joints) == 7
        alone.close()


def test_every_fault(ros_domain):
    """No motion outside limits, known within 0.2 s, followed again without a restart."""
    from benchmarks.driver_faults import Swinging, scenario
    from mimic_panda_driver import emulator

    with (
        emulator.start(Path('fault_test')) as emulated,
        Swinging('panda', emulated, 'mimic_panda_driver') as running,
    ):
        for fault in FAULTS:
            outcome = scenario(running, fault)
            assert outcome.known < KNOWN_WITHIN + BUSY, outcome
            assert outcome.recovered < 5.0, outcome
            assert outcome.outside == 0 and outcome.jump < 1.0, outcome
        assert emulated.stack.trips == 0, 'the robot had to refuse a set-point'


def test_the_node_takes_arm_and_hand(ros_domain):
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node
    from sensor_msgs.msg import JointState
    from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

    from mimic_core import ros
    from mimic_panda_driver import emulator

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros_domain)
    client = Node('client', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(client)
    states = []
    client.create_subscription(JointState, 'joint_states', states.append, ros.SENSOR_QOS)
    topic = 'hand_controller/joint_trajectory'
    commands = client.create_publisher(JointTrajectory, topic, ros.COMMAND_QOS)
    with emulator.start(Path('node_test')) as emulated:
        script = 'from mimic_panda_driver.node import main; main()'
        arguments = ['--ros-args', '-p', 'namespace:=node_test', '-p', 'open_timeout:=20.0']
        process = subprocess.Popen(
            [sys.executable, '-c', script, *arguments],
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            end = time.monotonic() + 40.0
            while time.monotonic() < end and emulated.plant.position[7] > 0.0105:
                executor.spin_once(timeout_sec=0.02)
                point = JointTrajectoryPoint(positions=[0.01])
                point.time_from_start.nanosec = 10_000_000
                commands.publish(
                    JointTrajectory(joint_names=['panda_finger_joint_1'], points=[point])
                )
            assert emulated.plant.position[7] < 0.0105
            assert len(states[-1].name) == 8
        finally:
            process.terminate()
            _, error = process.communicate(timeout=15)
    client.destroy_node()
    context.try_shutdown()
    assert process.returncode == 0 and 'Traceback' not in error, error
