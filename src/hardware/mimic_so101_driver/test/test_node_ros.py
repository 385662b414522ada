"""The real node of the SO-ARM101 before its emulator: topics, services, lifecycle."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from mimic_so101_driver.emulator import MOTORS, start

pytestmark = pytest.mark.ros


def _wait(condition, seconds: float = 10.0):
    begin = time.perf_counter()
    while not (found := condition()):
        assert time.perf_counter() - begin < seconds
        time.sleep(0.01)
    return found


def test_topics_services_and_lifecycle(ros_domain, tmp_path: Path):
    import rclpy
    from diagnostic_msgs.msg import DiagnosticArray
    from rclpy.executors import SingleThreadedExecutor
    from sensor_msgs.msg import JointState
    from std_srvs.srv import SetBool
    from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

    from mimic_core import ros
    from mimic_so101_driver.node import So101DriverNode

    with start(tmp_path / 'port') as emulator:
        before = emulator.plant.position.copy()
        arguments = ['-p', 'limits.so101_elbow_flex.upper:=0.5']
        for name, value in emulator.params.items():
            arguments += ['-p', f'{name}:={value}']
        rclpy.init(args=['--ros-args', *arguments])
        node = So101DriverNode()
        client = rclpy.create_node('client')
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.add_node(client)
        spinning = threading.Thread(target=executor.spin, daemon=True)
        spinning.start()
        states, diagnostics = [], []
        client.create_subscription(JointState, 'joint_states', states.append, ros.SENSOR_QOS)
        client.create_subscription(DiagnosticArray, '/diagnostics', diagnostics.append, 10)
        publishers = {
            part: client.create_publisher(
                JointTrajectory, f'{part}_controller/joint_trajectory', ros.COMMAND_QOS
            )
            for part in ('arm', 'hand')
        }

        def send(part, **goals):
            point = JointTrajectoryPoint(positions=list(goals.values()))
            publishers[part].publish(JointTrajectory(joint_names=list(goals), points=[point]))

        try:
            _wait(lambda: len(states) > 50)
            assert states[0].name == [
                *(f'so101_{name}' for name in MOTORS[:5]),
                'so101_gripper_joint',
            ]
            assert len(states[0].velocity) == len(states[0].effort) == 6
            stamps = np.array([ros.seconds(s.header.stamp) for s in states])
            assert (np.diff(stamps) > 0).all()
            np.testing.assert_allclose(emulator.writes()[0][1], before, atol=2e-3)

            def there():  # arm and hand, each on its own topic
                send('arm', so101_elbow_flex=0.9, so101_shoulder_pan=0.3)
                send('hand', so101_gripper_joint=1.2)
                time.sleep(0.02)
                return np.allclose(emulator.plant.position[[0, 2, 5]], [0.3, 0.5, 1.2], atol=0.01)

            _wait(there)
            assert max(q[2] for _, q in emulator.writes()) <= 0.5 + 2.4e-3  # the site's bound
            torque = client.create_client(SetBool, 'arm_driver/set_torque')
            assert torque.wait_for_service(timeout_sec=5.0)
            reply = torque.call_async(SetBool.Request(data=False))
            _wait(reply.done)
            assert reply.result().success, reply.result().message
            _wait(lambda: not emulator.plant.torque.any())
            own = _wait(
                lambda: [s for d in diagnostics for s in d.status if 'arm_driver' in s.name]
            )
            values = {v.key: v.value for v in own[-1].values}
            assert values['device'] == 'SO-ARM101: 6 STS3215 motors, firmware 3.10'
            for step in (node.trigger_deactivate, node.trigger_cleanup):
                done = []
                executor.create_task(lambda step=step, done=done: done.append(step()))
                _wait(lambda done=done: done)
            assert node.session.status.state.value == 'unconfigured'
        finally:
            executor.shutdown()
            spinning.join()
            client.destroy_node()
            node.destroy_node()
            rclpy.shutdown()


def test_what_a_launch_file_says_wins_over_the_site_file(ros_domain, tmp_path: Path):
    """A launch file's parameters stand under /**, and ROS merges them with that of the site."""
    import rclpy

    from mimic_core.errors import ConfigError
    from mimic_so101_driver.node import So101DriverNode

    site = Path(__file__).parents[4] / 'config/site.yaml'
    launch = tmp_path / 'launch_params'
    launch.write_text(f'/**:\n  ros__parameters:\n    calibration: {tmp_path}/none.json\n')
    rclpy.init(args=['--ros-args', '--params-file', str(site), '--params-file', str(launch)])
    try:
        with pytest.raises(ConfigError, match=r'there is no calibration file .*none\.json'):
            So101DriverNode()
    finally:
        rclpy.shutdown()
