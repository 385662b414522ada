"""Listens to a running policy for the rate bench."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory

from mimic_core import ros
from mimic_core.errors import DeviceError
from mimic_interfaces.msg import ControlStatus, PolicyStatus

START_TIMEOUT = 180.0  # [s]


@dataclass
class Heard:
    """What was heard since the start of the measurement."""

    stamps: list[float] = field(default_factory=list)  # [s] of commands, as the node made them
    arrivals: list[float] = field(default_factory=list)  # [s] of the same
    states: list[int] = field(default_factory=list)  # of the gate
    reasons: set[str] = field(default_factory=set)  # why the policy held
    first: PolicyStatus | None = None
    last: PolicyStatus | None = None
    latency: list[float] = field(default_factory=list)  # [s] picture to command
    inference: list[float] = field(default_factory=list)  # [s]


class PolicyRateNode(Node):
    """Collect commands and statuses."""

    def __init__(self, context: Context) -> None:
        super().__init__('policy_rate_bench', context=context)
        self.heard = Heard()
        for kind, topic, take in (
            (JointTrajectory, 'policy/command', self._on_command),
            (PolicyStatus, 'policy/status', self._on_policy),
            (ControlStatus, 'control/status', self._on_status),
        ):
            self.create_subscription(kind, topic, take, ros.subscription_qos(topic))

    def _on_command(self, msg: JointTrajectory) -> None:
        self.heard.stamps.append(ros.seconds(msg.header.stamp))
        self.heard.arrivals.append(ros.now(self))

    def _on_policy(self, msg: PolicyStatus) -> None:
        heard = self.heard
        heard.first, heard.last = heard.first or msg, msg
        if msg.state == PolicyStatus.HOLD:
            heard.reasons.add(msg.reason)
        heard.latency.append(msg.latency)
        heard.inference.append(msg.inference)

    def _on_status(self, msg: ControlStatus) -> None:
        self.heard.states.append(msg.state)


def listen(seconds: float, settle: float, log: Path) -> Heard:
    """Return what a policy does for a time [s], beginning `settle` [s] after its first command.

    Raises:
        DeviceError: It commands nothing; names the log.
    """
    context = Context()
    rclpy.init(context=context)
    node = PolicyRateNode(context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    try:
        begin = time.monotonic()
        while not node.heard.stamps:
            executor.spin_once(timeout_sec=0.5)
            if time.monotonic() - begin > START_TIMEOUT:
                raise DeviceError(f'no policy/command in {START_TIMEOUT:g} s:\n{log.read_text()}')
        for duration in (settle, seconds):
            node.heard = Heard()
            end = time.monotonic() + duration
            while time.monotonic() < end:
                executor.spin_once(timeout_sec=0.1)
        return node.heard
    finally:
        executor.shutdown()
        node.destroy_node()
        context.try_shutdown()
