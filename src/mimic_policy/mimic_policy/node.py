"""The node that runs a policy: pictures and joints in, commands for the gate out."""

from functools import partial
from pathlib import Path

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState
from trajectory_msgs.msg import JointTrajectory

from mimic_core import ros
from mimic_core.errors import MimicError
from mimic_interfaces.msg import PolicyStatus
from mimic_policy import conversions
from mimic_policy.loading import load_for
from mimic_policy.node_params import PolicyNodeParams
from mimic_policy.predictor import ThreadPredictor, warm_up
from mimic_policy.run_node import RunServer
from mimic_policy.runner import Runner, State, Tick

STATUS_RATE = 10.0  # [Hz]


class PolicyNode(Node):
    """Let a policy drive one robot, while the gate listens to it."""

    def __init__(self, **options: object) -> None:
        super().__init__('policy', **options)
        self._params = params = ros.declare_params(self, PolicyNodeParams)
        policy, robot = load_for(params)
        self._meta = policy.meta
        took = warm_up(policy)
        rng = np.random.default_rng(params.noise_seed)
        self._predictor = ThreadPredictor(policy, rng)
        self._runner = Runner(robot, policy.meta, params, self._predictor)
        self._checkpoint = str(Path(params.checkpoint).expanduser().absolute())
        self._last = Tick(None, State.IDLE, '')
        self._command = self._publisher(JointTrajectory, 'policy/command')
        self._status = self._publisher(PolicyStatus, 'policy/status')
        for camera in policy.meta.cameras:
            self._subscribe(Image, f'{camera}_camera/color/image_raw', self._on_picture, camera)
        self._subscribe(JointState, 'joint_states', self._on_joints)
        self._server = RunServer(self, self._runner, self._meta.task if params.record else '')
        self._diagnostics = ros.Diagnostics(self, self._report)
        self._status_ticks, self._ticks = max(round(params.rate / STATUS_RATE), 1), 0
        self._timer = self.create_timer(1.0 / params.rate, self._tick)
        self.get_logger().info(
            f'{self._meta.task} with {self._meta.arm} and {self._meta.hand}: '
            f'a chunk takes {1e3 * took:.0f} ms'
        )
        if params.autostart:
            self._server.start(0.0, params.start_posture)

    def destroy_node(self) -> None:
        """Also end the thread of predictions."""
        self._predictor.close()
        super().destroy_node()

    def _publisher(self, message: type, topic: str):
        return self.create_publisher(message, topic, ros.publisher_qos(topic))

    def _subscribe(self, message: type, topic: str, take, *names: str) -> None:
        self.create_subscription(
            message, topic, partial(take, *names), ros.subscription_qos(topic)
        )

    def _on_picture(self, camera: str, msg: Image) -> None:
        take, stamp = partial(ros.image_from_msg, msg), ros.seconds(msg.header.stamp)
        self._try(partial(self._runner.observer.picture, camera, take, stamp))

    def _on_joints(self, msg: JointState) -> None:
        stamp, q = ros.seconds(msg.header.stamp), np.array(msg.position)
        self._try(partial(self._runner.observer.joints.add, msg.name, q, stamp))

    def _try(self, take) -> None:
        try:
            take()
        except MimicError as error:
            self.get_logger().warning(f'not used: {error}', throttle_duration_sec=1.0)

    def _tick(self) -> None:
        now = ros.now(self)
        with ros.publishing(self):
            self._server.step(now)
            tick = self._runner.tick(now, self._server.driving)
            if tick.command is not None:
                self._command.publish(conversions.command_to_msg(tick.command))
            self._server.feed(tick, now)
            self._tell(tick, now)

    def _tell(self, tick: Tick, now: float) -> None:
        changed = tick.state != self._last.state or bool(tick.reason) != bool(self._last.reason)
        if changed:
            why = f': {tick.reason}' if tick.reason else ''
            self.get_logger().info(f'{tick.state.name.lower()}{why}')
        self._last = tick
        self._ticks += 1
        if changed or self._ticks % self._status_ticks == 0:
            if tick.state == State.IDLE:
                tick = Tick(None, State.IDLE, self._server.outcome)
            args = tick, self._runner.counts, self._meta, self._checkpoint, now
            self._status.publish(conversions.status_to_msg(*args))

    def _report(self) -> tuple[bytes, str, dict[str, object]]:
        level = ros.WARN if self._last.state == State.HOLD else ros.OK
        text = self._last.reason or self._last.state.name.lower()
        return level, text, dict(vars(self._runner.counts))


def main() -> None:
    """Run the node until it is stopped."""
    ros.run(PolicyNode)
