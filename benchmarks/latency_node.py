"""Listens to the running graph for the latency bench."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory

from mimic_core import ros
from mimic_core.arrays import FloatArray
from mimic_core.errors import DeviceError
from mimic_interfaces.msg import ControlStatus, HandArray

START_TIMEOUT = 90.0  # [s]


@dataclass(frozen=True)
class Measured:
    """What was heard."""

    latency: FloatArray  # [s] capture to the first output after the command, of every command
    reported: FloatArray  # [s] the same, as the gate reports it ten times a second
    hands: FloatArray  # [s] capture to hand_tracking/hands received
    commands: FloatArray  # [s] capture to shadow/command received
    hand_share: float  # [1] of the pictures
    missed_ticks: int
    outputs: int


class LatencyNode(Node):
    """Collect stamps; small messages only, so that listening costs little."""

    def __init__(self, context: Context) -> None:
        super().__init__('latency_bench', context=context)
        self.hands: list[tuple[float, bool]] = []
        self.commands: list[float] = []
        self.status: list[ControlStatus] = []
        self.outputs = 0
        self.latency: list[float] = []
        self._waiting: list[float] = []  # [s] stamps of commands without an output yet
        for topic, kind, callback in (
            ('hand_tracking/hands', HandArray, self._on_hands),
            ('shadow/command', JointTrajectory, self._on_command),
            ('control/status', ControlStatus, self.status.append),
            ('arm_controller/joint_trajectory', JointTrajectory, self._on_output),
        ):
            self.create_subscription(kind, topic, callback, ros.subscription_qos(topic))

    def _on_hands(self, msg: HandArray) -> None:
        self.hands.append((ros.now(self) - ros.seconds(msg.header.stamp), bool(msg.hands)))

    def _on_command(self, msg: JointTrajectory) -> None:
        stamp = ros.seconds(msg.header.stamp)
        self.commands.append(ros.now(self) - stamp)
        self._waiting.append(stamp)

    def _on_output(self, msg: JointTrajectory) -> None:
        self.outputs += 1
        now = ros.now(self)
        self.latency += [now - stamp for stamp in self._waiting]
        self._waiting = []

    def clear(self) -> None:
        """Forget what was heard so far."""
        self.hands, self.commands, self.latency, self.outputs = [], [], [], 0
        del self.status[:-1]


def listen(warm_up: float, seconds: float, log: Path, began: Callable[[], None]) -> Measured:
    """Return what a running shadow mode does in a time [s].

    Args:
        warm_up: After the first command [s].
        seconds: Measured [s].
        log: Of the graph.
        began: Called when the warm-up is over.

    Raises:
        DeviceError: The robot is not commanded in time; names the log.
    """
    context = Context()
    rclpy.init(context=context)
    node = LatencyNode(context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)

    def spin(duration: float) -> None:
        end = time.monotonic() + duration
        while time.monotonic() < end:
            executor.spin_once(timeout_sec=0.1)

    try:
        end = time.monotonic() + START_TIMEOUT
        while not any(s.state == ControlStatus.SHADOW for s in node.status):
            executor.spin_once(timeout_sec=0.1)
            if time.monotonic() > end:
                raise DeviceError(f'the robot was not commanded: {log.read_text()[-2000:]}')
        spin(warm_up)
        node.clear()
        began()
        first = node.status[-1].missed_ticks
        spin(seconds)
    finally:
        node.destroy_node()
        context.try_shutdown()
    reported = np.array([s.latency for s in node.status[1:]])
    return Measured(
        latency=np.array(node.latency),
        reported=reported[np.isfinite(reported)],
        hands=np.array([age for age, _ in node.hands]),
        commands=np.array(node.commands),
        hand_share=float(np.mean([found for _, found in node.hands])),
        missed_ticks=int(node.status[-1].missed_ticks - first),
        outputs=node.outputs,
    )
