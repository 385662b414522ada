"""The node that records episodes."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import Trigger

from mimic_core.errors import MimicError
from mimic_core.ros import Diagnostics, declare_params, make_plain_executor, publisher_qos, run
from mimic_core.topics import TOPICS
from mimic_interfaces.msg import EpisodeStatus
from mimic_interfaces.srv import StartEpisode
from mimic_recording import conversions
from mimic_recording.errors import RecordingError
from mimic_recording.params import RecorderParams
from mimic_recording.recorder import EpisodeState, Recorder
from mimic_recording.ros import Taps

GRAPH_PERIOD = 0.25  # [s] between looks for new topics while recording
STATUS_PERIOD = 1.0  # [s] between status messages while recording


class RecorderNode(Node):
    """Writes topics as they are, raw, while an episode runs."""

    def __init__(self) -> None:
        super().__init__('recorder')
        self._params = declare_params(self, RecorderParams)
        # A group of its own: stop and discard wait for it in the node's.
        self._ended = self.create_guard_condition(self._on_end, MutuallyExclusiveCallbackGroup())
        self._recorder = Recorder(
            self._params.folder, self._params.writer_options, on_end=self._ended.trigger
        )
        names = self._params.topics or tuple(TOPICS)
        self._wanted = {self.resolve_topic_name(name) for name in names}
        self._finished: Future | None = None
        self._taps = Taps(self)
        self._status = self.create_publisher(
            EpisodeStatus, 'episode/status', publisher_qos('episode/status')
        )
        self.create_service(StartEpisode, 'episode/start', self._on_start)
        for name, end in (('stop', self._recorder.stop), ('discard', self._recorder.discard)):
            self.create_service(Trigger, f'episode/{name}', partial(self._answer, end))
        self.create_timer(GRAPH_PERIOD, self._subscribe)
        self.create_timer(STATUS_PERIOD, self._tick)
        self._diagnostics = Diagnostics(
            self, lambda: conversions.status_to_diagnostics(self._recorder.status)
        )
        for line in self._recorder.recover():
            self.get_logger().warning(line)
        self._auto_start = self._params.auto_start
        self._publish()
        self._tick()

    def _on_start(self, request: Any, response: StartEpisode.Response) -> StartEpisode.Response:
        try:
            response.path = self._start(request.name, request.task, list(request.tags))
            response.success = True
        except RecordingError as error:
            response.message = str(error)
        return response

    def _start(self, name: str, task: str, tags: list[str]) -> str:
        if self._now() == 0:
            raise RecordingError('use_sim_time is set, but there is no /clock yet')
        time_text = datetime.now(UTC).astimezone().strftime('%Y%m%d_%H%M%S')
        path = str(self._recorder.start(name, task, tags, time_text))
        self.get_logger().info(f'recording {path}')
        self._publish()
        self._subscribe()
        return path

    def _now(self) -> int:
        return self.get_clock().now().nanoseconds

    def _subscribe(self) -> None:
        """Subscribe to wanted topics that have appeared."""
        self._taps.check()
        if not self._recorder.recording:
            return
        taps = self._taps
        for topic, kind, offered in conversions.recordable(self, self._wanted, taps.topics):
            taps.topics.add(topic)
            try:
                channel = self._recorder.add_topic(topic, kind, offered)
                taps.add(topic, kind, offered, partial(self._recorder.write, channel))
            except MimicError as error:
                self.get_logger().error(f'{topic} is not recorded: {error}')

    async def _answer(self, end: Callable[[], object], _: Any, response: Trigger.Response) -> Any:
        """Stop or discard; answer when the episode is on the disk, or gone."""
        self._taps.clear()
        try:
            end()
        except RecordingError as error:
            response.message = str(error)
            return response
        if self._recorder.busy:
            if self._finished is None:
                self._finished = Future(executor=self.executor)
            await self._finished
        status = self._recorder.status
        response.success = status.state != EpisodeState.FAILED
        response.message = status.reason or f'{status.state.name.lower()} {status.path}'
        self._publish()
        return response

    def _on_end(self) -> None:
        """Publish how an episode ended, also when nobody asked it to."""
        self._taps.clear()
        outcome = self._recorder.collect(None)
        if outcome is not None and outcome.state == 'failed':
            self.get_logger().error(f'{outcome.path}: {outcome.reason}')
        self._publish()
        if self._finished is not None:
            self._finished.set_result(None)
            self._finished = None

    def _tick(self) -> None:
        if self._auto_start and self._now() > 0:
            self._auto_start = False
            self._start(self._params.auto_name, self._params.auto_task, [])
        if self._recorder.recording:
            self._publish()

    def _publish(self) -> None:
        stamp = self.get_clock().now().to_msg()
        self._status.publish(conversions.status_to_msg(self._recorder.status, stamp))

    def destroy_node(self) -> None:
        """Close the running episode properly, then the node."""
        try:
            self._taps.close()
        finally:
            if self._recorder.busy:
                self._recorder.stop()
                self._recorder.collect(None)
            super().destroy_node()


def main() -> None:
    """Run the node until it is stopped."""
    run(RecorderNode, executor_of=make_plain_executor)
