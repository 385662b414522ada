"""The topics of another Allegro stack, on a node and a thread of their own.

The driver's node waits for the hand inside its lifecycle transitions, so that what the hand says
must come by another executor.
"""

import array
import threading
from collections.abc import Callable, Sequence

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, String

from mimic_allegro_driver.topics import Stack, State
from mimic_core import ros
from mimic_core.errors import PortError


class RosWire:
    """Carries the topics of a stack in the namespace of the driver's node."""

    def __init__(self, owner: Node) -> None:
        """Make a wire that does not listen yet."""
        self._owner = owner
        self._node: Node | None = None
        self._executor: SingleThreadedExecutor | None = None
        self._thread: threading.Thread | None = None

    def open(self, stack: Stack, on_state: Callable[[State], None]) -> None:
        """Begin to listen; does nothing if it does already."""
        if self._node is not None:
            return
        owner = self._owner
        # A remap of the driver's name on the command line is for the driver, not for this; remaps
        # of topics are for both.
        node = rclpy.create_node(
            f'{owner.get_name()}_stack', context=owner.context, namespace=owner.get_namespace(),
            use_global_arguments=False, start_parameter_services=False, enable_rosout=False,
        )  # fmt: skip
        name = owner.resolve_topic_name

        def take(msg: JointState) -> None:
            stamp = ros.seconds(msg.header.stamp)
            delay = ros.now(owner) - stamp if stamp > 0.0 else 0.0
            on_state(State(msg.name, msg.position, msg.velocity, msg.effort, stamp, delay))

        node.create_subscription(JointState, name(stack.states), take, ros.SENSOR_QOS)
        self._as_array, self._names = stack.as_array, list(stack.names)
        kind = Float64MultiArray if stack.as_array else JointState
        self._commands = node.create_publisher(kind, name(stack.commands), ros.COMMAND_QOS)
        self._words = None
        if stack.words:
            self._words = node.create_publisher(String, name(stack.words), ros.DEFAULT_QOS)
        self._executor = SingleThreadedExecutor(context=owner.context)
        self._executor.add_node(node)
        self._node = node
        self._thread = threading.Thread(target=self._spin, name='hand_stack', daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        if self._node is None or self._executor is None or self._thread is None:
            return
        self._executor.shutdown()
        self._thread.join()
        self._node.destroy_node()
        self._node = None

    def command(self, position: Sequence[float]) -> None:
        """Publish 16 positions [rad] in the order of the stack."""
        values = array.array('d', position)
        if self._as_array:
            self._publish(self._commands, Float64MultiArray(data=values))
        else:
            self._publish(self._commands, JointState(name=self._names, position=values))

    def say(self, word: str) -> None:
        """Publish a word for the stack's own controllers."""
        self._publish(self._words, String(data=word))

    def _publish(self, publisher: object, message: object) -> None:
        if self._node is None:
            raise PortError('the topics of the hand are not open')
        with ros.publishing(self._node):
            publisher.publish(message)

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            return
