"""A gripper's node in a process of its own, and a client that commands and hears it."""

import subprocess
import sys
import time

START_LIMIT = 40.0  # [s] for discovery and imports on a busy machine


def launch(package: str, **parameters) -> subprocess.Popen:
    """Start the node of a package."""
    run = f'from {package}.node import main; main()'
    values = [word for key, value in parameters.items() for word in ('-p', f'{key}:={value}')]
    return subprocess.Popen(
        [sys.executable, '-c', run, '--ros-args', *values], stderr=subprocess.PIPE, text=True
    )


class GripperClient:
    """Commands a gripper and hears what it says.

    Attributes:
        goal: What it commands at 50 Hz [rad] or [m]; None: nothing.
        states: Every JointState that came.
        values: Of the driver's last diagnostics.
    """

    def __init__(self, joint: str):
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from lifecycle_msgs.srv import ChangeState
        from sensor_msgs.msg import JointState
        from std_srvs.srv import SetBool, Trigger
        from trajectory_msgs.msg import JointTrajectory

        from mimic_core import ros

        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node('client', context=self.context)
        self.executor = ros.make_executor(self.context)
        self.executor.add_node(self.node)
        self.joint, self.goal = joint, None
        self.states, self.values = [], {}
        self.publisher = self.node.create_publisher(
            JointTrajectory, 'hand_controller/joint_trajectory', ros.COMMAND_QOS
        )
        self.node.create_subscription(
            JointState, 'joint_states', self.states.append, ros.SENSOR_QOS
        )
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)
        self.change = self.node.create_client(ChangeState, 'hand_driver/change_state')
        self.torque = self.node.create_client(SetBool, 'hand_driver/set_torque')
        self.reset = self.node.create_client(Trigger, 'hand_driver/reset')
        self.node.create_timer(0.02, self._publish)

    def _on_diagnostics(self, msg):
        for status in msg.status:
            if status.name == '/hand_driver':
                self.values = {item.key: item.value for item in status.values}

    def _publish(self):
        from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

        from mimic_core import ros

        if self.goal is not None:
            msg = JointTrajectory(joint_names=[self.joint])
            msg.points = [JointTrajectoryPoint(positions=[self.goal])]
            with ros.publishing(self.node):
                self.publisher.publish(msg)

    def spin(self, condition, limit=START_LIMIT):
        end = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < end, f'waited in vain; {self.values}'
            self.executor.spin_once(timeout_sec=0.02)

    def call(self, client, request):
        assert client.wait_for_service(START_LIMIT)
        future = client.call_async(request)
        self.spin(future.done)
        return future.result()

    def until_done(self, client, request):
        """Ask until it is done: on a busy machine the emulator may answer too late."""
        self.spin(lambda: self.call(client, request).success)

    def transition(self, number: int):
        from lifecycle_msgs.msg import Transition
        from lifecycle_msgs.srv import ChangeState

        request = ChangeState.Request(transition=Transition(id=number))
        assert self.call(self.change, request).success

    def close(self):
        import rclpy

        self.node.destroy_node()
        rclpy.shutdown(context=self.context)
