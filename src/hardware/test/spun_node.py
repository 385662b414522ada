"""A driver's node in the process of the test, and a client that commands and hears it."""

import threading
import time

import numpy as np


def wait(condition, seconds: float = 10.0):
    """Wait until there is something; return it."""
    begin = time.perf_counter()
    while not (found := condition()):
        assert time.perf_counter() - begin < seconds
        time.sleep(0.01)
    return found


class SpunNode:
    """A node of a driver and a client of it, both spun by one thread, in a `with`.

    Attributes:
        states: Every JointState that came.
        diagnostics: Every DiagnosticArray that came.
    """

    def __init__(self, kind, *parameters: str, patience: float = 10.0):
        """Make the node and let it run.

        Args:
            kind: The class of the node.
            parameters: `name:=value` each.
            patience: How long to wait for anything [s].
        """
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.executors import SingleThreadedExecutor
        from sensor_msgs.msg import JointState
        from trajectory_msgs.msg import JointTrajectory

        from mimic_core import ros

        self.patience = patience
        rclpy.init(args=['--ros-args', *(word for p in parameters for word in ('-p', p))])
        self.node = kind()
        self.client = rclpy.create_node('client')
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.executor.add_node(self.client)
        self.states = self.hear(JointState, 'joint_states', ros.SENSOR_QOS)
        self.diagnostics = self.hear(DiagnosticArray, '/diagnostics', 10)
        self.publishers = {
            part: self.client.create_publisher(
                JointTrajectory, f'{part}_controller/joint_trajectory', ros.COMMAND_QOS
            )
            for part in ('arm', 'hand')
        }
        self.spinning = threading.Thread(target=self.executor.spin, daemon=True)

    def __enter__(self):
        self.spinning.start()
        return self

    def __exit__(self, *_):
        import rclpy

        self.executor.shutdown()
        self.spinning.join()
        self.client.destroy_node()
        self.node.destroy_node()
        rclpy.shutdown()

    def hear(self, kind, topic, qos) -> list:
        """Subscribe; return the list to which messages are added as they come."""
        heard = []
        self.client.create_subscription(kind, topic, heard.append, qos)
        return heard

    def wait(self, condition):
        return wait(condition, self.patience)

    def send(self, part: str, **goals: float):
        """Command the joints of the arm or of the hand [rad]; let the driver take it."""
        from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

        point = JointTrajectoryPoint(positions=list(goals.values()))
        self.publishers[part].publish(JointTrajectory(joint_names=list(goals), points=[point]))
        time.sleep(0.02)

    def stamps(self) -> np.ndarray:
        """Return the stamps of the states [s]."""
        from mimic_core import ros

        return np.array([ros.seconds(state.header.stamp) for state in self.states])

    def now(self) -> float:
        """Return the client's time [s]."""
        from mimic_core import ros

        return ros.now(self.client)

    def call(self, kind, service: str, **request):
        """Call a service of the driver; it has to succeed."""
        client = self.client.create_client(kind, service)
        assert client.wait_for_service(timeout_sec=5.0)
        reply = client.call_async(kind.Request(**request))
        self.wait(reply.done)
        assert reply.result().success, reply.result().message

    def told(self, name: str) -> dict[str, str]:
        """Return the values of the last diagnostics of a node."""
        own = self.wait(lambda: [s for d in self.diagnostics for s in d.status if name in s.name])
        return {value.key: value.value for value in own[-1].values}

    def clean_up(self):
        """Deactivate the driver and clean it up."""
        for step in (self.node.trigger_deactivate, self.node.trigger_cleanup):
            done = []
            self.executor.create_task(lambda step=step, done=done: done.append(step()))
            self.wait(lambda done=done: done)
        assert self.node.session.status.state.value == 'unconfigured'
