"""The twin as a node: the topics of drivers and cameras, and the clock."""

from functools import partial

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rosgraph_msgs.msg import Clock as ClockMsg
from sensor_msgs.msg import JointState
from tf2_msgs.msg import TFMessage
from trajectory_msgs.msg import JointTrajectory

from mimic_core.camera import Frame
from mimic_core.errors import MimicError
from mimic_core.frames import WORLD
from mimic_core.ros import (
    OK,
    WARN,
    Diagnostics,
    command_from_msg,
    declare_params,
    publisher_qos,
    publishing,
    run,
    seconds,
    subscription_qos,
    to_stamp,
    transform_to_msg,
)
from mimic_description import load_robot
from mimic_interfaces.msg import ObjectPoseArray, TactileArray, TwinStatus
from mimic_interfaces.srv import ResetTwin
from mimic_sim import twin_conversions as conversions
from mimic_sim.runner import Part, TwinRunner
from mimic_sim.scene import AGENT_CAMERA
from mimic_sim.twin_params import TwinNodeParams
from mimic_sim.view import camera_frame

RATE = 30.0  # [Hz] of twin/status and object_tracking/objects
BUSY_PERIOD = 0.001  # [s] between ticks when running as fast as possible
SLOW = 0.9  # [1], a real-time factor below this share of the wanted one is a warning
TYPES = {
    'joint_states': JointState,
    'tactile': TactileArray,
    'twin/status': TwinStatus,
    'object_tracking/objects': ObjectPoseArray,
    '/clock': ClockMsg,
    '/tf_static': TFMessage,
}


class TwinNode(Node):
    """Stand in for the drivers and cameras of one robot."""

    def __init__(self) -> None:
        super().__init__('twin')
        self._params = params = declare_params(self, TwinNodeParams)
        # Its own clocks: under use_sim_time the node's clock would wait for the node itself.
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        robot = load_robot(params.arm, params.hand, params.prefix)
        self._runner = TwinRunner(robot, params, self._on_frame)
        types = dict(TYPES)
        for camera in self._runner.cameras:
            types |= conversions.camera_topics(camera)
        self._pubs = {
            topic: self.create_publisher(kind, topic, publisher_qos(topic))
            for topic, kind in types.items()
        }
        for part in ('arm', 'hand'):
            topic = f'{part}_controller/joint_trajectory'
            callback = partial(self._on_command, part)
            self.create_subscription(JointTrajectory, topic, callback, subscription_qos(topic))
        self.create_service(ResetTwin, 'twin/reset', self._on_reset)
        self._refused = 0
        self._diagnostics = Diagnostics(self, self._report)
        factor = params.real_time_factor
        time_of_day = seconds(Clock(clock_type=ClockType.SYSTEM_TIME).now())
        self._runner.start(time_of_day if factor > 0.0 else 0.0, seconds(self._steady.now()))
        self._publish_camera_pose()
        tick = 1.0 / (params.rate * factor) if factor > 0.0 else BUSY_PERIOD
        self._timer = self.create_timer(tick, self._on_tick, clock=self._steady)
        self.get_logger().info(f'{params.arm} with {params.hand}, task {params.task}')

    def destroy_node(self) -> None:
        """Also end the thread of the cameras."""
        self._runner.close()
        super().destroy_node()

    def _on_tick(self) -> None:
        wall = seconds(self._steady.now())
        for _ in self._runner.periods(wall):
            with publishing(self):
                self._publish(wall)

    def _publish(self, wall: float) -> None:
        twin, stamp = self._runner.twin, to_stamp(self._runner.time)
        self._pubs['/clock'].publish(ClockMsg(clock=stamp))
        self._pubs['joint_states'].publish(conversions.joint_state_to_msg(twin, stamp))
        self._pubs['tactile'].publish(conversions.tactile_to_msg(twin, stamp))
        if self._runner.due('status', RATE):
            factor = self._runner.real_time_factor(wall)
            self._pubs['twin/status'].publish(conversions.status_to_msg(twin, stamp, factor))
            if self._params.publish_objects:
                msg = conversions.object_poses_to_msg(twin, stamp)
                self._pubs['object_tracking/objects'].publish(msg)

    def _on_command(self, part: Part, msg: JointTrajectory) -> None:
        try:
            self._runner.command(part, command_from_msg(msg), seconds(self._steady.now()))
        except MimicError as error:
            self._refused += 1
            self.get_logger().error(f'{part} command refused: {error}', throttle_duration_sec=1.0)

    def _on_reset(self, request: ResetTwin.Request, response: ResetTwin.Response) -> object:
        try:
            self._runner.reset(request.task, request.seed)
        except MimicError as error:
            response.message = str(error)
            return response
        self._publish_camera_pose()
        response.success = True
        return response

    def _on_frame(self, camera: str, frame: Frame) -> None:
        with publishing(self):
            for topic, msg in conversions.camera_to_msgs(camera, frame).items():
                self._pubs[topic].publish(msg)

    def _publish_camera_pose(self) -> None:
        pose, stamp = self._runner.twin.camera_pose(AGENT_CAMERA), to_stamp(self._runner.time)
        frame = camera_frame(AGENT_CAMERA, self._params.prefix)
        transform = transform_to_msg(pose, WORLD, frame, stamp)
        self._pubs['/tf_static'].publish(TFMessage(transforms=[transform]))

    def _report(self) -> tuple[bytes, str, dict[str, object]]:
        wanted = self._params.real_time_factor
        factor = self._runner.real_time_factor(seconds(self._steady.now()))
        values: dict[str, object] = {'real_time_factor': round(factor, 3)}
        values |= {'lost [s]': round(self._runner.lost, 3), 'commands refused': self._refused}
        values |= {'pictures dropped': self._runner.dropped}
        if factor < SLOW * wanted:
            return WARN, f'runs at {factor:.2f} of real time, not {wanted:.2f}', values
        return OK, 'runs', values


def main() -> None:
    """Run the node until it is stopped."""
    run(TwinNode)
