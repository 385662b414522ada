"""Holds the deadman switch for the soak bench, and listens."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import Bool
from trajectory_msgs.msg import JointTrajectory

from mimic_core import ros
from mimic_core.errors import DeviceError
from mimic_interfaces.msg import ControlStatus

START_TIMEOUT = 120.0  # [s]
ENABLE_PERIOD = 0.05  # [s]
WIRE = '/emulated_arm/joint_trajectory_controller/joint_trajectory'
DRIVERS = ('arm_driver', 'hand_driver')


@dataclass
class Heard:
    """What was heard since the start of the measurement."""

    latency: list[tuple[float, float]] = field(default_factory=list)  # [s] since the start, [s]
    states: list[int] = field(default_factory=list)  # of the gate, ten times a second
    ticks: int = 0
    missed_ticks: int = 0
    drivers: dict[str, tuple[int, float]] = field(default_factory=dict)  # missed periods, [Hz]
    driver_states: set[str] = field(default_factory=set)
    wire: int = 0  # messages to the arm's controller


class SoakNode(Node):
    """A person who holds the pedal, and a clock."""

    def __init__(self, context: Context) -> None:
        super().__init__('soak_bench', context=context)
        self.heard = Heard()
        self.status: ControlStatus | None = None
        self._begun = 0.0
        self._first: dict[str, int] = {}
        self._waiting: list[float] = []
        self._enable = self.create_publisher(Bool, 'control/enable', ros.COMMAND_QOS)
        self.create_timer(ENABLE_PERIOD, lambda: self._enable.publish(Bool(data=True)))
        qos = ros.subscription_qos
        self.create_subscription(
            ControlStatus, 'control/status', self._on_status, qos('control/status')
        )
        self.create_subscription(
            JointTrajectory, 'shadow/command', self._on_command, qos('shadow/command')
        )
        self.create_subscription(JointTrajectory, WIRE, self._on_wire, ros.COMMAND_QOS)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 20)

    def begin(self) -> None:
        """Forget what was heard so far."""
        self.heard, self._begun, self._first = Heard(), time.monotonic(), {}

    def _since_first(self, key: str, value: int) -> int:
        return value - self._first.setdefault(key, value)

    def _on_status(self, msg: ControlStatus) -> None:
        self.status = msg
        self.heard.states.append(msg.state)
        self.heard.ticks = self._since_first('ticks', msg.ticks)
        self.heard.missed_ticks = self._since_first('missed', msg.missed_ticks)

    def _on_command(self, msg: JointTrajectory) -> None:
        self._waiting.append(ros.seconds(msg.header.stamp))

    def _on_wire(self, _: JointTrajectory) -> None:
        self.heard.wire += 1
        now, since = ros.now(self), time.monotonic() - self._begun
        self.heard.latency += [(since, now - stamp) for stamp in self._waiting]
        self._waiting = []

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            name = status.name.strip('/')
            if name in DRIVERS:
                values = {item.key: item.value for item in status.values}
                missed = self._since_first(name, int(values['missed periods']))
                self.heard.drivers[name] = (missed, float(values['rate']))
                self.heard.driver_states.add(values['state'])


def listen(seconds: float, log: Path, look: Callable[[], None]) -> Heard:
    """Return what a running shadow mode does in a time [s].

    Args:
        seconds: How long, from the moment in which the robot follows.
        log: Of the launcher, for the error.
        look: Called ten times a second or more, for what is sampled beside.

    Raises:
        DeviceError: The robot is not commanded in time; ends with the log.
    """
    context = Context()
    rclpy.init(context=context)
    node = SoakNode(context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    try:
        end = time.monotonic() + START_TIMEOUT
        while node.status is None or node.status.state != ControlStatus.SHADOW:
            executor.spin_once(timeout_sec=0.1)
            if time.monotonic() > end:
                raise DeviceError(f'the robot was not commanded: {log.read_text()[-2000:]}')
        node.begin()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            executor.spin_once(timeout_sec=0.1)
            look()
    finally:
        node.destroy_node()
        context.try_shutdown()
    return node.heard
