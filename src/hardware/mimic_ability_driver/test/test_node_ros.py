"""The real node of the Ability Hand before its emulator: topics, services, lifecycle."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from mimic_ability_driver.emulator import start

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

    from mimic_ability_driver.node import AbilityNode
    from mimic_core import ros
    from mimic_interfaces.msg import TactileArray

    with start(tmp_path / 'port') as emulator:
        arguments = ['-p', f'port:={emulator.params["port"]}', '-p', 'prefix:=left_']
        arguments += ['-p', 'limits.ability_index_q1.upper:=0.5']
        rclpy.init(args=['--ros-args', *arguments])
        node = AbilityNode()
        client = rclpy.create_node('client')
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.add_node(client)
        spinning = threading.Thread(target=executor.spin, daemon=True)
        spinning.start()
        states, pads, diagnostics = [], [], []
        client.create_subscription(JointState, 'joint_states', states.append, ros.SENSOR_QOS)
        client.create_subscription(TactileArray, 'tactile', pads.append, ros.SENSOR_QOS)
        client.create_subscription(DiagnosticArray, '/diagnostics', diagnostics.append, 10)
        topic = 'hand_controller/joint_trajectory'
        publisher = client.create_publisher(JointTrajectory, topic, ros.COMMAND_QOS)
        try:
            _wait(lambda: len(states) > 100 and len(pads) > 10)
            assert states[0].name[0] == 'left_ability_index_q1'
            stamps = np.array([ros.seconds(s.header.stamp) for s in states])
            assert (np.diff(stamps) > 0).all()
            assert 0.0 <= ros.now(client) - ros.seconds(states[-1].header.stamp) < 0.5
            assert [p.name for p in pads[0].pads][4] == 'left_ability_thumb_outer'
            assert len(pads[0].pads[0].force) == 6
            # The first set-point is where the hand was.
            np.testing.assert_allclose(
                emulator.writes()[0][1], [0.25, 0.25, 0.25, 0.25, 0.25, -0.5], atol=1e-3
            )
            point = JointTrajectoryPoint(positions=[0.9, 0.6])
            names = ['left_ability_index_q1', 'left_ability_middle_q1']

            def there():
                publisher.publish(JointTrajectory(joint_names=names, points=[point]))
                time.sleep(0.02)
                q = emulator.plant.position
                return abs(q[0] - 0.5) < 0.01 and abs(q[1] - 0.6) < 0.01

            _wait(there)
            assert max(q[0] for _, q in emulator.writes()) <= 0.5 + 1e-3  # the site's bound
            torque = client.create_client(SetBool, 'hand_driver/set_torque')
            assert torque.wait_for_service(timeout_sec=5.0)
            reply = torque.call_async(SetBool.Request(data=False))
            _wait(reply.done)
            assert reply.result().success, reply.result().message
            _wait(lambda: not emulator.plant.torque.any())
            own = _wait(
                lambda: [s for d in diagnostics for s in d.status if 'hand_driver' in s.name]
            )
            values = {v.key: v.value for v in own[-1].values}
            assert 'Ability Hand' in values['device']
            for step in (node.trigger_deactivate, node.trigger_cleanup):
                done = []
                executor.create_task(lambda step=step, done=done: done.append(step()))
                _wait(lambda done=done: done)
            assert node.session.status.state.value == 'unconfigured'
            _wait(lambda: not emulator.api)
        finally:
            executor.shutdown()
            spinning.join()
            client.destroy_node()
            node.destroy_node()
            rclpy.shutdown()
