"""The real node of the LEAP Hand before its emulator: topics, services, lifecycle."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from mimic_leap_driver.emulator import start

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
    from std_srvs.srv import SetBool, Trigger
    from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

    from mimic_core import ros
    from mimic_leap_driver.node import LeapDriverNode

    with start(tmp_path / 'port') as emulator:
        before = emulator.plant.position.copy()
        arguments = ['-p', f'port:={emulator.params["port"]}', '-p', 'prefix:=left_']
        arguments += ['-p', 'limits.leap_joint_1.upper:=0.8']
        rclpy.init(args=['--ros-args', *arguments])
        node = LeapDriverNode()
        client = rclpy.create_node('client')
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.add_node(client)
        spinning = threading.Thread(target=executor.spin, daemon=True)
        spinning.start()
        states, diagnostics = [], []
        client.create_subscription(JointState, 'joint_states', states.append, ros.SENSOR_QOS)
        client.create_subscription(DiagnosticArray, '/diagnostics', diagnostics.append, 10)
        topic = 'hand_controller/joint_trajectory'
        publisher = client.create_publisher(JointTrajectory, topic, ros.COMMAND_QOS)
        try:
            _wait(lambda: len(states) > 50)
            assert states[0].name == [f'left_leap_joint_{i}' for i in range(16)]
            assert len(states[0].velocity) == len(states[0].effort) == 16
            stamps = np.array([ros.seconds(s.header.stamp) for s in states])
            assert (np.diff(stamps) > 0).all()
            assert 0.0 <= ros.now(client) - ros.seconds(states[-1].header.stamp) < 0.5
            np.testing.assert_allclose(emulator.writes()[0][1], before, atol=1e-3)
            point = JointTrajectoryPoint(positions=[1.2, 0.6])
            names = ['left_leap_joint_1', 'left_leap_joint_13']

            def there():
                publisher.publish(JointTrajectory(joint_names=names, points=[point]))
                time.sleep(0.02)
                q = emulator.plant.position
                return abs(q[1] - 0.8) < 0.01 and abs(q[13] - 0.6) < 0.01

            _wait(there)
            assert max(q[1] for _, q in emulator.writes()) <= 0.8 + 1e-3  # the site's bound
            torque = client.create_client(SetBool, 'hand_driver/set_torque')
            assert torque.wait_for_service(timeout_sec=5.0)
            reply = torque.call_async(SetBool.Request(data=False))
            _wait(reply.done)
            assert reply.result().success, reply.result().message
            _wait(lambda: not emulator.plant.torque.any())
            reply = torque.call_async(SetBool.Request(data=True))
            _wait(reply.done)
            _wait(lambda: emulator.plant.torque.all())
            own = _wait(
                lambda: [s for d in diagnostics for s in d.status if 'hand_driver' in s.name]
            )
            values = {v.key: v.value for v in own[-1].values}
            assert values['device'] == 'LEAP Hand: 16 motors XL330-M288, firmware 52'
            assert 'temperature: leap_joint_0' in values
            # A supply that fails for a moment, and the way back without a restart of the node.
            emulator.faults.set('brown_out')
            _wait(lambda: any('restarted' in s.message for d in diagnostics for s in d.status))
            emulator.faults.clear()
            reset = client.create_client(Trigger, 'hand_driver/reset')
            assert reset.wait_for_service(timeout_sec=5.0)
            reply = reset.call_async(Trigger.Request())
            _wait(reply.done)
            assert reply.result().success, reply.result().message
            _wait(lambda: emulator.plant.torque.all())
            for step in (node.trigger_deactivate, node.trigger_cleanup):
                done = []
                executor.create_task(lambda step=step, done=done: done.append(step()))
                _wait(lambda done=done: done)
            assert node.session.status.state.value == 'unconfigured'
            assert not emulator.plant.torque.any()  # on_deactivate is limp
        finally:
            executor.shutdown()
            spinning.join()
            client.destroy_node()
            node.destroy_node()
            rclpy.shutdown()
