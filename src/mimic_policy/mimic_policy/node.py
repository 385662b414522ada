"""The node that runs a policy: pictures and joints in, commands for the gate out."""

from functools import partial

import numpy as np
from sensor_msgs.msg import Image, JointState
from trajectory_msgs.msg import JointTrajectory

from mimic_core import process, ros
from mimic_core.errors import MimicError
from mimic_core.policy_run.ros import PolicyRunNode
from mimic_policy.loading import load_for
from mimic_policy.node_params import PolicyNodeParams
from mimic_policy.predictor import ThreadPredictor, warm_up
from mimic_policy.runner import Runner


class PolicyNode(PolicyRunNode):
    """Let a policy drive one robot, while the gate listens to it."""

    def __init__(self, **options: object) -> None:
        super().__init__('policy', **options)
        params = ros.declare_params(self, PolicyNodeParams)
        policy, robot = load_for(params)
        meta = policy.meta
        took = warm_up(policy)
        rng = np.random.default_rng(params.noise_seed)
        self._predictor = ThreadPredictor(policy, rng)
        runner = Runner(robot, meta, params, self._predictor)
        self._observer = runner.observer
        for camera in meta.cameras:
            self._subscribe(Image, f'{camera}_camera/color/image_raw', self._on_picture, camera)
        self._subscribe(JointState, 'joint_states', self._on_joints)
        self._subscribe(JointTrajectory, 'hand_controller/joint_trajectory', self._on_sent)
        self.get_logger().info(
            f'{meta.task} with {meta.arm} and {meta.hand}: a chunk takes {1e3 * took:.0f} ms'
        )
        self.serve(runner, params, meta.task, params.rate)

    def destroy_node(self) -> None:
        """Also end the thread of predictions."""
        self._predictor.close()
        super().destroy_node()

    def _subscribe(self, message: type, topic: str, take, *names: str) -> None:
        self.create_subscription(
            message, topic, partial(take, *names), ros.subscription_qos(topic)
        )

    def _on_picture(self, camera: str, msg: Image) -> None:
        take, stamp = partial(ros.image_from_msg, msg), ros.seconds(msg.header.stamp)
        self._try(partial(self._observer.picture, camera, take, stamp))

    def _on_joints(self, msg: JointState) -> None:
        stamp, q = ros.seconds(msg.header.stamp), np.array(msg.position)
        self._try(partial(self._observer.joints.add, msg.name, q, stamp))

    def _on_sent(self, msg: JointTrajectory) -> None:
        if msg.points:
            q = np.array(msg.points[0].positions)
            self._try(partial(self._observer.sent, msg.joint_names, q, ros.now(self)))

    def _try(self, take) -> None:
        try:
            take()
        except MimicError as error:
            self.get_logger().warning(f'not used: {error}', throttle_duration_sec=1.0)


def main() -> None:
    """Run the node until it is stopped."""
    ros.run(PolicyNode, first=process.COMMANDS)
