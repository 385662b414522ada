"""Colour and depth of a camera as pairs, for nodes that look at both."""

import time
from collections.abc import Callable

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from mimic_hand_tracking.sync import FrameSync, Pair

COLOR = 'camera/color/image_raw'
DEPTH = 'camera/aligned_depth_to_color/image_raw'
INFO = 'camera/color/camera_info'
# Sensor data, but only the newest: an image that waited behind another one is of no use.
NEWEST_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


class ColorAndDepth:
    """Hands on each colour image with the depth image of the same stamp, or without."""

    def __init__(
        self, node: Node, wait: float, take: Callable[[Pair[Image, Image]], None], *, depth: bool
    ) -> None:
        """Subscribe.

        Args:
            node: Whose topics these are.
            wait: For the depth of a colour image [s].
            take: Called with each pair.
            depth: Listen to depth at all.
        """
        self.sync: FrameSync[Image, Image] = FrameSync(wait)  # its counters are for diagnostics
        self._take = take
        node.create_subscription(Image, COLOR, self._on_color, NEWEST_QOS)
        if depth:
            node.create_subscription(Image, DEPTH, self._on_depth, NEWEST_QOS)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(max(wait, 1e-3), self._on_wait_over, clock=steady)
        self._timer.cancel()

    def _on_color(self, msg: Image) -> None:
        stamp = (msg.header.stamp.sec, msg.header.stamp.nanosec)
        pair = self.sync.add_color(stamp, msg, time.perf_counter())
        if pair is not None:
            self._take(pair)
        elif self.sync.is_waiting:
            self._timer.reset()

    def _on_depth(self, msg: Image) -> None:
        stamp = (msg.header.stamp.sec, msg.header.stamp.nanosec)
        pair = self.sync.add_depth(stamp, msg, time.perf_counter())
        if pair is not None:
            self._timer.cancel()
            self._take(pair)

    def _on_wait_over(self) -> None:
        pair = self.sync.give_up(time.perf_counter())
        if pair is not None:
            self._take(pair)
        if not self.sync.is_waiting:
            self._timer.cancel()
