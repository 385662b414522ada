"""The node of the gate: commands in, one output a control period."""

from collections.abc import Callable
from functools import partial

import numpy as np
from builtin_interfaces.msg import Duration
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from mimic_control import conversions
from mimic_control.gate import Gate
from mimic_control.intake import SOURCES
from mimic_control.move_node import MoveServer
from mimic_control.output import Mode
from mimic_control.params import ControlParams
from mimic_control.site import guarded_robot, neighbour_of
from mimic_core import process, ros
from mimic_core.errors import MimicError
from mimic_description import load_robot
from mimic_interfaces.msg import ControlAudit, ControlStatus
from mimic_interfaces.srv import SetMode

STATUS_RATE = 10.0  # [Hz]


class ControlNode(Node):
    """Let one source at a time move the robot, within its limits."""

    def __init__(self, **options: object) -> None:
        super().__init__('control', **options)
        params = ros.declare_params(self, ControlParams)
        robot = load_robot(params.arm, params.hand, params.prefix)
        limits, box = ros.nested_params(self, 'limits'), ros.param_group(self, 'workspace')
        robot = guarded_robot(robot, params, limits, box)
        neighbour = neighbour_of(params)
        self._gate = Gate(robot, params, neighbour)
        self._names = robot.joint_names
        self._outputs = []
        arms = len(robot.arm_joints)
        for part, joints in (('arm', slice(0, arms)), ('hand', slice(arms, None))):
            if names := self._names[joints]:
                topic = f'{part}_controller/joint_trajectory'
                publisher = self.create_publisher(JointTrajectory, topic, ros.COMMAND_QOS)
                self._outputs.append((publisher, names, joints))
        self._period = Duration(nanosec=round(self._gate.period * 1e9))
        self._status = self.create_publisher(ControlStatus, 'control/status', ros.LATCHED_QOS)
        self._audit = self.create_publisher(ControlAudit, 'control/audit', ros.STREAM_QOS)
        for source in SOURCES:
            take = partial(self._on_command, source)
            self.create_subscription(JointTrajectory, f'{source}/command', take, ros.COMMAND_QOS)
        take = partial(self._on_state, self._gate.measure)
        self.create_subscription(JointState, 'joint_states', take, ros.SENSOR_QOS)
        if neighbour is not None:
            topic = f'/{params.neighbour_namespace.strip("/")}/joint_states'
            take = partial(self._on_state, neighbour.measure)
            self.create_subscription(JointState, topic, take, ros.SENSOR_QOS)
        for topic, take in ('enable', self._gate.enable), ('take_over', self._gate.take_over):
            take = partial(self._on_button, take)
            self.create_subscription(Bool, f'control/{topic}', take, ros.COMMAND_QOS)
        self.create_service(SetMode, 'control/set_mode', self._on_set_mode)
        stop, clear = partial(self._gate.stop, 'control/stop was called'), self._gate.clear
        self.create_service(Trigger, 'control/stop', partial(self._trigger, stop))
        self.create_service(Trigger, 'control/clear', partial(self._trigger, clear))
        self._moves = MoveServer(self, self._gate, params)
        self._diagnostics = ros.Diagnostics(self, self._report)
        self._gate.set_mode(params.initial_mode)
        self._said: tuple[object, ...] = ()
        self._status_ticks = round(params.rate / STATUS_RATE)
        self._timer = self.create_timer(self._gate.period, self._tick)

    def _on_command(self, source: str, msg: JointTrajectory) -> None:
        now = ros.now(self)
        try:
            command = ros.command_from_msg(msg)
        except MimicError as error:
            refusal: str | None = self._gate.refuse(source, str(error), now)
        else:
            refusal = self._gate.offer(source, command, now)
        if refusal:
            self.get_logger().warning(f'refused {refusal}', throttle_duration_sec=1.0)

    def _on_state(self, take: Callable[..., None], msg: JointState) -> None:
        now, stamp = ros.now(self), ros.seconds(msg.header.stamp)
        try:
            take(msg.name, np.array(msg.position), stamp, now)
        except MimicError as error:
            self.get_logger().warning(f'joint state not used: {error}', throttle_duration_sec=1.0)

    def _on_button(self, take: Callable[[bool, float], None], msg: Bool) -> None:
        take(msg.data, ros.now(self))

    def _on_set_mode(self, request: SetMode.Request, response: SetMode.Response) -> object:
        response.success, response.message = self._gate.set_mode(request.mode)
        return response

    def _trigger(self, act: Callable[[], None], _: object, reply: Trigger.Response) -> object:
        act()
        reply.success = True
        return reply

    def _tick(self) -> None:
        now = ros.now(self)
        output = self._gate.tick(now)
        if output.publish:
            for publisher, names, part in self._outputs:
                q, v = output.q[part], output.v[part]
                publisher.publish(conversions.output_to_msg(names, q, v, self._period))
        self._moves.follow(now)
        for event in self._gate.audit.take(now):
            self._audit.publish(conversions.event_to_msg(event))
        said = (self._gate.mode, output.state, bool(output.reason))
        if said != self._said or self._gate.ticks % self._status_ticks == 0:
            if said != self._said and output.reason:
                self._say(output.state, output.reason)
            self._said = said
            status = self._gate.status(now)
            self._status.publish(conversions.status_to_msg(status, self._names, now))

    def _say(self, state: Mode, reason: str) -> None:
        """Log why it holds, once a second; why it stopped, each time."""
        text = f'{state.name.lower()}: {reason}'
        if state == Mode.STOPPED:
            self.get_logger().error(text)
        else:
            self.get_logger().info(text, throttle_duration_sec=1.0)

    def _report(self) -> tuple[bytes, str, dict[str, object]]:
        status = self._gate.status(ros.now(self))
        level = {Mode.STOPPED: ros.ERROR, Mode.HOLD: ros.WARN}.get(status.state, ros.OK)
        return level, status.reason or status.state.name.lower(), status.counters()


def main() -> None:
    """Run the node until it is stopped."""
    ros.run(ControlNode, first=process.CONTROL)
