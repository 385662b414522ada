"""The node that runs a practised policy: the object's pose and joints in, commands out."""

import numpy as np
from sensor_msgs.msg import JointState

from mimic_core import process, ros
from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError, MimicError
from mimic_core.frames import BASE, WORLD
from mimic_core.policy_run.ros import PolicyRunNode
from mimic_interfaces.msg import ObjectPoseArray
from mimic_rl import conversions
from mimic_rl.run_folder import check_base
from mimic_rl.runner_loading import load_runner
from mimic_rl.runner_params import PracticeNodeParams

OBJECTS = 'object_tracking/objects'


class PracticeNode(PolicyRunNode):
    """Let a practised policy drive one robot, while the gate listens to it."""

    def __init__(self, **options: object) -> None:
        super().__init__('policy', **options)
        params = ros.declare_params(self, PracticeNodeParams)
        self._practice, task = load_runner(params)
        self._base = params.prefix + BASE
        self._frames = ros.StaticFrames(self)
        for message, topic, take in (
            (JointState, 'joint_states', self._on_joints),
            (ObjectPoseArray, OBJECTS, self._on_objects),
        ):
            self.create_subscription(message, topic, take, ros.subscription_qos(topic))
        self.get_logger().info(f'{task}: waits for {" or ".join(sorted(self._practice.names))}')
        self.serve(self._practice, params, task, params.rate)

    def _on_joints(self, msg: JointState) -> None:
        stamp, q = ros.seconds(msg.header.stamp), np.array(msg.position)
        try:
            self._practice.history.add(msg.name, q, stamp)
        except MimicError as error:
            self._unused(error)

    def _on_objects(self, msg: ObjectPoseArray) -> None:
        stamp, frame = ros.seconds(msg.header.stamp), msg.header.frame_id
        try:
            pose = conversions.pose_of(msg, self._practice.names)
            if pose is None:
                self._practice.see_others(thing.name for thing in msg.objects)
                return
            base_T_frame = self._located(frame)
            if base_T_frame is not None:
                self._practice.see(base_T_frame @ pose, stamp)
        except MimicError as error:
            self._unused(error)

    def _located(self, frame: str) -> FloatArray | None:
        """Return base_T_frame (4, 4), else tell the runner why it is not known."""
        world_T_base = self._frames.lookup(WORLD, self._base)
        base_T_frame = self._frames.lookup(self._base, frame)
        try:
            if world_T_base is not None:
                check_base(world_T_base, self._base)
            if base_T_frame is None:
                raise ConfigError(
                    f"/tf_static does not connect '{frame}' to {self._base}: calibrate that "
                    'camera (./mimic calibrate hand_eye) and name it, as agent_calibration:=NAME'
                )
        except ConfigError as error:
            self._practice.unlocated(str(error))
            return None
        return base_T_frame

    def _unused(self, error: MimicError) -> None:
        self.get_logger().warning(f'not used: {error}', throttle_duration_sec=1.0)


def main() -> None:
    """Run the node until it is stopped."""
    ros.run(PracticeNode, first=process.COMMANDS)
