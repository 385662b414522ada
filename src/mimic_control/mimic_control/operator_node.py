"""The node of the person at the deadman: control/enable while held, control/stop on the button."""

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from mimic_control.operator_source import OperatorParams, open_source
from mimic_core import ros

POLL_PERIOD = 0.01  # [s] between looks at the device


class OperatorNode(Node):
    """Tell the gate whether a person holds on."""

    def __init__(self, **options: object) -> None:
        super().__init__('operator', **options)
        params = ros.declare_params(self, OperatorParams)
        self._source, how = open_source(params)
        self._enable = self.create_publisher(Bool, 'control/enable', ros.COMMAND_QOS)
        self._stop = self.create_client(Trigger, 'control/stop')
        self._period = 1.0 / params.rate
        self._held = False
        self._owed = ''  # why to stop, while the gate has not answered
        self._said_at = -1.0
        self._diagnostics = ros.Diagnostics(self, self._report)
        self._clock = Clock(clock_type=ClockType.STEADY_TIME)  # a device follows no /clock
        self._timer = self.create_timer(POLL_PERIOD, self._poll, clock=self._clock)
        self.get_logger().info(how)
        self._enable.publish(Bool(data=False))

    def _poll(self) -> None:
        now = self._clock.now().nanoseconds * 1e-9
        wish = self._source.poll(now)
        if wish.note:
            self.get_logger().warning(wish.note)
        if wish.held != self._held or (wish.held and now - self._said_at >= self._period):
            self._held, self._said_at = wish.held, now
            self._enable.publish(Bool(data=wish.held))
        self._owed = wish.stop or self._owed
        if self._owed and self._stop.service_is_ready():
            self.get_logger().warning(f'{self._owed}: control/stop')
            self._stop.call_async(Trigger.Request())
            self._owed = ''

    def _report(self) -> tuple[bytes, str, dict[str, object]]:
        return ros.OK, 'held' if self._held else 'released', {'held': self._held}

    def destroy_node(self) -> None:
        """Let go, and give the device back."""
        with ros.publishing(self):
            self._enable.publish(Bool(data=False))
        self._source.close()
        super().destroy_node()


def main() -> None:
    """Run the node until it is stopped."""
    ros.run(OperatorNode)
