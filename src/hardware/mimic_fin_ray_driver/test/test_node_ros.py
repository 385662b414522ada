"""The node: topics to bytes on the wire and back, lifecycle, diagnostics, with both backends."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from mimic_fin_ray_driver.emulator import start

pytestmark = pytest.mark.ros
JOINT = 'left_fin_ray_right_finger_joint'
START_LIMIT = 40.0  # [s] for discovery and imports on a busy machine
RUN = 'from mimic_fin_ray_driver.node import main; main()'


def launch(**parameters) -> subprocess.Popen:
    values = [word for key, value in parameters.items() for word in ('-p', f'{key}:={value}')]
    return subprocess.Popen(
        [sys.executable, '-c', RUN, '--ros-args', *values], stderr=subprocess.PIPE, text=True
    )


class Client:
    """Commands the gripper and hears what it says."""

    def __init__(self):
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from lifecycle_msgs.srv import ChangeState
        from sensor_msgs.msg import JointState
        from trajectory_msgs.msg import JointTrajectory

        from mimic_core import ros

        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node('client', context=self.context)
        self.executor = ros.make_executor(self.context)
        self.executor.add_node(self.node)
        self.goal = None
        self.states, self.values = [], {}
        self.publisher = self.node.create_publisher(
            JointTrajectory, 'hand_controller/joint_trajectory', ros.COMMAND_QOS
        )
        self.node.create_subscription(
            JointState, 'joint_states', self.states.append, ros.SENSOR_QOS
        )
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)
        self.change = self.node.create_client(ChangeState, 'hand_driver/change_state')
        self.node.create_timer(0.02, self._publish)

    def _on_diagnostics(self, msg):
        for status in msg.status:
            if status.name == '/hand_driver':
                self.values = {item.key: item.value for item in status.values}

    def _publish(self):
        from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

        from mimic_core import ros

        if self.goal is not None:
            msg = JointTrajectory(joint_names=[JOINT])
            msg.points = [JointTrajectoryPoint(positions=[self.goal])]
            with ros.publishing(self.node):
                self.publisher.publish(msg)

    def spin(self, condition, limit=START_LIMIT):
        end = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < end, f'waited in vain; {self.values}'
            self.executor.spin_once(timeout_sec=0.02)

    def transition(self, number: int):
        from lifecycle_msgs.msg import Transition
        from lifecycle_msgs.srv import ChangeState

        assert self.change.wait_for_service(START_LIMIT)
        request = ChangeState.Request(transition=Transition(id=number))
        future = self.change.call_async(request)
        self.spin(future.done)
        assert future.result().success

    def close(self):
        import rclpy

        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.mark.parametrize('backend', ['wsg', 'dynamixel'])
def test_topics_and_lifecycle(tmp_path, ros_domain, backend):
    from lifecycle_msgs.msg import Transition

    with start(tmp_path / 'port', backend) as emulator:
        bounds = {f'limits.{JOINT}.upper': 0.04}
        process = launch(prefix='left_', reply_timeout=0.3, **emulator.params, **bounds)
        client = Client()
        try:
            client.spin(lambda: client.states)
            client.goal = 0.05
            client.spin(lambda: 0.038 < client.states[-1].position[0] < 0.041)
            state = client.states[-1]
            assert state.name == [JOINT] and len(state.velocity) == 1
            stamps = [s.header.stamp.sec + s.header.stamp.nanosec * 1e-9 for s in client.states]
            assert (np.diff(stamps) > 0.0).all() and abs(time.time() - stamps[-1]) < 1.0
            client.goal = 0.02
            client.spin(lambda: client.states[-1].position[0] < 0.021)
            sent = np.array([q[0] for _, q in emulator.writes()])
            inside = int(np.argmax(sent <= 0.04))  # homing ends outside the site's bound
            assert inside > 0 or backend == 'dynamixel'
            assert (sent[inside:] <= 0.04 + 1e-4).all()
            client.spin(lambda: client.values.get('state') == 'active')
            assert 'contact' in client.values

            client.transition(Transition.TRANSITION_DEACTIVATE)
            client.spin(lambda: client.values['state'] == 'inactive')
            count, before = len(emulator.writes()), len(client.states)
            client.goal = 0.03
            client.spin(lambda: len(client.states) > before + 10)
            assert len(emulator.writes()) <= count + 1  # the hold of the servo
            client.transition(Transition.TRANSITION_ACTIVATE)
            client.spin(lambda: client.states[-1].position[0] > 0.029)
            process.send_signal(signal.SIGINT)
            assert process.wait(10.0) == 0
            assert emulator.plant.torque[0]  # on_deactivate: hold, and leave was taken
        finally:
            process.kill()
            process.communicate()
            client.close()


def test_nobody_at_the_address_ends_it_with_one_sentence(tmp_path, ros_domain):
    with start(tmp_path / 'port') as emulator:
        params = emulator.params
    process = launch(**params)
    _, text = process.communicate(timeout=START_LIMIT)
    assert process.returncode == 1
    assert 'refuses TCP port' in text and 'Traceback' not in text
