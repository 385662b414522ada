"""Raw messages as they come, taken from DDS without an executor."""

from collections.abc import Callable, Sequence
from threading import Event, Lock, Thread
from typing import Any

from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rosgraph_msgs.msg import Clock

from mimic_recording.arrival import ArrivalTimes
from mimic_recording.conversions import message_class, subscription_qos
from mimic_recording.errors import RecordingError
from mimic_recording.qos import OfferedQos

# Called with time of receipt [ns], of publication [ns], data, sequence number.
Write = Callable[[int, int, bytes, int], object]
PERIOD = 0.02  # [s] between looks at what has arrived
CLOCK_QOS = QoSProfile(depth=1000, reliability=ReliabilityPolicy.BEST_EFFORT)


class Taps:
    """Subscriptions that are looked at from time to time, by a thread, instead of waited for.

    What arrives waits in DDS, two seconds deep, with the time of its arrival, so that a later look
    changes nothing in the episode. The default executor spends ten times as much on waiting for a
    message as it takes to take one, and the EventsExecutor of the Jazzy wheels crashes on raw
    messages with their information. So these belong to a node of their own that nobody spins.
    """

    def __init__(self, node: Node) -> None:
        """Args: node: whose clock and namespace count."""
        self._clock, self._log = node.get_clock(), node.get_logger()
        self._times = ArrivalTimes()
        self._node = Node(
            f'_{node.get_name()}_taps',  # hidden, as that of the ROS 2 daemon
            context=node.context,
            namespace=node.get_namespace(),
            use_global_arguments=False,
            enable_rosout=False,
            start_parameter_services=False,
            parameter_overrides=[Parameter('start_type_description_service', value=False)],
        )
        self._simulated: Subscription | None = None
        if node.get_parameter('use_sim_time').value:
            self._simulated = self._node.create_subscription(Clock, '/clock', _ignore, CLOCK_QOS)
        self.topics: set[str] = set()  # that are added, or that the caller wants no more
        self._taps: list[tuple[Subscription, type, Write]] = []
        self._lock = Lock()
        self._stopped = Event()
        self._thread = Thread(target=self._run, name='taps', daemon=True)
        self._thread.start()

    def add(self, topic: str, kind: str, offered: Sequence[OfferedQos], write: Write) -> None:
        """Subscribe to a topic.

        Args:
            topic: Absolute name.
            kind: Type, pkg/msg/Type.
            offered: QoS of its publishers.
            write: Called with each message, by another thread. The times are the node's when it
                uses simulated time.

        Raises:
            UnknownNameError: The type is not installed.
        """
        message, qos = message_class(kind), subscription_qos(offered, kind)
        subscription = self._node.create_subscription(message, topic, _ignore, qos, raw=True)
        with self._lock:
            self._taps.append((subscription, message, write))
            self.topics.add(topic)

    def check(self) -> None:
        """See that messages are still taken.

        Raises:
            RecordingError: They are not: a `write` raised, and the thread told it and ended.
        """
        if not self._stopped.is_set() and not self._thread.is_alive():
            raise RecordingError('messages are taken no more: their thread broke')

    def clear(self) -> None:
        """Pass on what has arrived until now, then unsubscribe from everything."""
        with self._lock:
            try:
                self._take()
            finally:
                for subscription, *_ in self._taps:
                    self._node.destroy_subscription(subscription)
                self._taps.clear()
                self.topics.clear()

    def close(self) -> None:
        """Clear, and end the node and its thread."""
        self._stopped.set()
        self._thread.join()
        try:
            self.clear()
        finally:
            self._node.destroy_node()

    def _run(self) -> None:
        while not self._stopped.wait(PERIOD):
            with self._lock:
                self._take()

    def _take(self) -> None:
        if self._simulated is not None:
            self._take_simulated(self._simulated)
            return
        for subscription, message, write in self._taps:
            while (taken := self._next(subscription, message)) is not None:
                data, info = taken
                number = info['publication_sequence_number'] or 0
                write(info['received_timestamp'], info['source_timestamp'], data, number)

    def _take_simulated(self, clock: Subscription) -> None:
        """Take messages, then what the clock has said, which tells when they came."""
        taken = []
        for subscription, message, write in self._taps:
            while (one := self._next(subscription, message)) is not None:
                taken.append((write, *one))
        while (said := self._next(clock, Clock, raw=False)) is not None:
            time = said[0].clock
            nanoseconds = time.sec * 10**9 + time.nanosec
            self._times.hear(said[1]['received_timestamp'], nanoseconds)
        now = self._clock.now().nanoseconds
        for write, data, info in taken:
            time = self._times.of(info['received_timestamp'], now)
            write(time, time, data, info['publication_sequence_number'] or 0)

    def _next(self, subscription: Subscription, message: type, *, raw: bool = True) -> Any:
        """Return the next message with its information; None where there is none."""
        try:
            return subscription.handle.take_message(message, raw)
        except rclpy_implementation.RCLError as error:  # of this message: the others go on
            why = f'a message of {subscription.topic_name} cannot be taken: {error}'
            self._log.error(why, throttle_duration_sec=1.0)
            return None


def _ignore(_: Any) -> None:
    """Be the callback that every subscription has; nobody calls it."""
