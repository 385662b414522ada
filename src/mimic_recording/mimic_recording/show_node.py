"""The node that publishes the topics of an episode again, so that people can look at it."""

from collections.abc import Iterator
from pathlib import Path

from rclpy.node import Node
from rclpy.publisher import Publisher

from mimic_core.ros import declare_params, now, publisher_qos, run
from mimic_recording import conversions
from mimic_recording.errors import RecordingError
from mimic_recording.params import ShowParams
from mimic_recording.reader import Episode, Message
from mimic_recording.showing import shown, table_name, taken

TICK = 0.005  # [s]
LOOK_AROUND = 3.0  # [s] to see whether a robot runs here, before the first message
WATCH = 1.0  # [s] between later looks


class ShowNode(Node):
    """Publishes pictures, states and hands of an episode with their old stamps; never commands."""

    def __init__(self) -> None:
        super().__init__('show')
        self._params = declare_params(self, ShowParams)
        self._episode = Episode(Path(self._params.episode).expanduser())
        self._topics = shown(self._episode.topics)
        if not self._topics:
            raise RecordingError(f'{self._params.episode} holds nothing that can be shown')
        self._pubs: dict[str, Publisher] = {}
        self._messages: Iterator[Message] = iter(())
        self._next: Message | None = None
        self._origin = now(self)  # [s] time of the first message
        self._look = self.create_timer(LOOK_AROUND, self._begin)

    def _begin(self) -> None:
        self._look.cancel()
        if not self._is_alone():
            return
        for topic in self._topics:
            kind = conversions.message_class(self._episode.topics[topic].type)
            qos = publisher_qos(table_name(topic))
            self._pubs[topic] = self.create_publisher(kind, topic, qos)
        self.get_logger().info(f'{len(self._topics)} topics, {self._episode.duration:.1f} s')
        self._rewind()
        self.create_timer(TICK, self._tick)
        self.create_timer(WATCH, self._is_alone)

    def _is_alone(self) -> bool:
        """Stop when somebody else publishes what is shown: both would mix."""
        own = 1 if self._pubs else 0
        others = taken(self._topics, {t: self.count_publishers(t) - own for t in self._topics})
        if others:
            self.get_logger().fatal(f'not shown: a robot runs here, {others[0]} is published')
            self.context.try_shutdown()
        return not others

    def _rewind(self) -> None:
        self._messages = self._episode.messages(self._topics)
        self._next = next(self._messages, None)
        self._origin = now(self)

    def _tick(self) -> None:
        elapsed = (now(self) - self._origin) * self._params.speed
        while (
            self._next is not None and self._next.log_time - self._episode.start <= elapsed * 1e9
        ):
            self._pubs[self._next.topic].publish(self._next.data)
            self._next = next(self._messages, None)
        if self._next is None and self._params.loop:
            self._rewind()

    def destroy_node(self) -> None:
        """Close the episode with the node."""
        self._episode.close()
        super().destroy_node()


def main() -> None:
    """Run the node until it is stopped."""
    run(ShowNode)
