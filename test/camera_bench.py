"""A node that looks at a camera, in a process of its own, and who plays that camera to it."""

import subprocess
import time

from node_process import command


def check_one_line(module: str, arguments: list[str], says: str):
    """Check that a node ends at once with a sentence, not with a traceback."""
    result = subprocess.run(
        command(module, *arguments), capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 1
    assert says in result.stdout + result.stderr
    assert 'Traceback' not in result.stderr


class CameraBench:
    """Plays the camera to a node and listens to it.

    Attributes:
        messages: What came on the topic of the node.
        reports: Every DiagnosticArray that came.
        process: The node, once started.
    """

    def __init__(self, module: str, kind, topic: str, period: float):
        """Make the publishers and the subscriptions.

        Args:
            module: That of the node.
            kind: The class of what it publishes.
            topic: Where it does.
            period: Between two pictures [s].
        """
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from sensor_msgs.msg import CameraInfo, Image

        from mimic_core import ros

        self.module, self.period = module, period
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node('bench', context=self.context)
        self.executor = rclpy.executors.SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        topics = {
            'color': (Image, 'camera/color/image_raw'),
            'depth': (Image, 'camera/aligned_depth_to_color/image_raw'),
            'info': (CameraInfo, 'camera/color/camera_info'),
        }
        self.publishers = {
            name: self.node.create_publisher(seen, where, ros.publisher_qos(where))
            for name, (seen, where) in topics.items()
        }
        self.messages, self.reports = [], []
        self.node.create_subscription(kind, topic, self.messages.append, ros.STREAM_QOS)
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self.reports.append, 10)
        self.process = None

    def start(self, *arguments: str):
        """Start the node; return when it hears the camera."""
        self.process = subprocess.Popen(command(self.module, *arguments))
        for publisher in self.publishers.values():
            self.until(lambda p=publisher: p.get_subscription_count() > 0, 60)

    def until(self, ready, seconds: float, each=lambda: None):
        """Do something each period, such as to send, until the answer is there."""
        end = time.monotonic() + seconds
        while not ready():
            assert time.monotonic() < end, 'timed out'
            assert self.process.poll() is None, 'the node has died'
            each()
            pause = time.monotonic() + self.period
            while time.monotonic() < pause:
                self.executor.spin_once(timeout_sec=0.01)

    def send(self, intrinsics, color, depth=None):
        """Send what a camera sees now: (H, W, 3) colour, and (H, W) depth [mm] where given."""
        from mimic_core import ros

        stamp, name = ros.to_stamp(time.time()), 'camera_color_optical_frame'
        self.publishers['info'].publish(ros.intrinsics_to_msg(intrinsics, stamp, name))
        if depth is not None:
            self.publishers['depth'].publish(ros.image_to_msg(depth, stamp, name))
        self.publishers['color'].publish(ros.image_to_msg(color, stamp, name))

    def said(self, level) -> list[str]:
        """Return the messages of a level of diagnostics so far."""
        return [s.message for a in self.reports for s in a.status if s.level == level]

    def close(self):
        import rclpy

        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)
