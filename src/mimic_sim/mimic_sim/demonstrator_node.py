"""The virtual demonstrator as a node: the topics of a camera before which a person works."""

from threading import Event, Thread

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

from mimic_core.errors import MimicError, SourceError
from mimic_core.frames import WORLD
from mimic_core.ros import (
    ERROR,
    OK,
    WARN,
    Diagnostics,
    declare_params,
    now,
    publisher_qos,
    publishing,
    run,
    subscription_qos,
    to_stamp,
    transform_to_msg,
)
from mimic_interfaces.msg import DemonstratorStatus, TwinStatus
from mimic_sim import demonstrator_conversions as conversions
from mimic_sim.demonstrator import Plan, Sight, plan_of
from mimic_sim.demonstrator_params import DemonstratorParams
from mimic_sim.demonstrator_source import PacedDemonstrator
from mimic_sim.showing_stream import ShowingStream, open_stream

TYPES = {
    conversions.COLOR: Image,
    conversions.DEPTH: Image,
    conversions.INFO: CameraInfo,
    conversions.STATUS: DemonstratorStatus,
    '/tf_static': TFMessage,
}
LATE = 0.1  # [1] of the pictures since the last report that may be missing without a warning


class DemonstratorNode(Node):
    """Show a task to the camera, with ground truth."""

    def __init__(self) -> None:
        super().__init__('demonstrator')
        self._params = params = declare_params(self, DemonstratorParams)
        # A wrong arm or task ends the node here.
        plan = None if params.provider else plan_of(params)
        self._pubs = {
            topic: self.create_publisher(kind, topic, publisher_qos(topic))
            for topic, kind in TYPES.items()
            if params.depth or topic != conversions.DEPTH
        }
        self._sight: Sight | None = None
        if params.eyes:
            topic = 'twin/status'
            qos = subscription_qos(topic)
            self.create_subscription(TwinStatus, topic, self._on_twin, qos)
        self._shown = self._dropped = 0
        self._reported = (0, 0)
        self._phase, self._failure = 'starting', ''
        self._asked = 0  # times that demonstrator/show was called
        self.create_service(Trigger, 'demonstrator/show', self._on_show)
        self._stopped = Event()
        self._paced: PacedDemonstrator | None = None
        self._diagnostics = Diagnostics(self, self._report)
        # Rendering belongs to one thread; the executor stays free for what the twin says.
        self._thread = Thread(target=self._show, args=(plan,), name='demonstrator', daemon=True)
        self._thread.start()
        self.get_logger().info(f'shows {params.task} with the {params.side} hand')

    def destroy_node(self) -> None:
        """Also end the thread that renders."""
        self._stopped.set()
        if self._paced is not None:
            self._paced.stop()  # it may wait for a clock that has ended
        self._thread.join(timeout=5.0)
        super().destroy_node()

    def _show(self, plan: Plan | None) -> None:
        asked = self._asked
        try:
            stream = open_stream(self._params.shown(asked), plan)
            self._paced = paced = PacedDemonstrator(stream, lambda: now(self))
        except MimicError as error:
            self._failure = str(error)
            self.get_logger().fatal(self._failure)
            return
        self._publish_pose(stream)
        while not self._stopped.is_set():
            if asked != self._asked:
                asked = self._asked
                stream.close()
                stream = open_stream(self._params.shown(asked), None)
                paced.show(stream)
                self._publish_pose(stream)
            if self._sight is not None:
                stream.see(self._sight)
            try:
                msgs = paced.read_as(conversions.picture_to_msgs)
            except SourceError:
                break
            with publishing(self):
                for topic, msg in msgs.items():
                    self._pubs[topic].publish(msg)
            self._shown, self._dropped = self._shown + 1, paced.dropped
            self._phase = stream.last.phase if stream.last is not None else ''
        stream.close()

    def _publish_pose(self, stream: ShowingStream) -> None:
        pose, stamp = stream.world_T_camera, to_stamp(now(self))
        transform = transform_to_msg(pose, WORLD, stream.studio.frame_id, stamp)
        with publishing(self):
            self._pubs['/tf_static'].publish(TFMessage(transforms=[transform]))

    def _on_show(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._asked += 1
        response.success = True
        response.message = f'seed {self._params.shown(self._asked).seed}'
        return response

    def _on_twin(self, msg: TwinStatus) -> None:
        try:
            self._sight = conversions.sight_from_msg(msg)
        except MimicError as error:
            self.get_logger().warning(f'twin/status: {error}', throttle_duration_sec=1.0)

    def _report(self) -> tuple[bytes, str, dict[str, object]]:
        shown, dropped = self._shown, self._dropped
        fresh = shown - self._reported[0], dropped - self._reported[1]
        self._reported = (shown, dropped)
        values: dict[str, object] = {'pictures': shown, 'dropped': dropped, 'phase': self._phase}
        if self._failure:
            return ERROR, self._failure, values
        if fresh[1] > LATE * sum(fresh):
            return WARN, f'too slow: {fresh[1]} of {sum(fresh)} pictures were not made', values
        return OK, self._phase, values


def main() -> None:
    """Run the node until it is stopped."""
    run(DemonstratorNode)
