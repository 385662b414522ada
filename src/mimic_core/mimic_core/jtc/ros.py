"""The link to a vendor's stack over ROS topics, beside the node of the driver."""

import threading
import time
import weakref
from array import array
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import rclpy
from builtin_interfaces.msg import Duration
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.utilities import get_default_context
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from mimic_core import ros
from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError
from mimic_core.jtc.device import Session, StateSample
from mimic_core.jtc.params import Stack

_ASK_PERIOD = 0.1  # [s] between questions about the controllers
_FORGET = 1.0  # [s] without an answer the question is asked anew
_NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


class RosLink:
    """Listens with a node of its own in a thread of its own, so that a driver may wait for it."""

    def __init__(
        self,
        stack: Stack,
        command: str = 'trajectory',
        session: tuple[type, str, Callable[[Any, float], Session]] | None = None,
        extend: Callable[[Node], None] | None = None,
    ) -> None:
        """Make a link that does not listen yet.

        Args:
            stack: Names of topics and joints.
            command: trajectory or forward.
            session: Message, topic and reader of the state of the robot's own controller.
            extend: Adds to the node whatever else a device needs.
        """
        self._stack, self._command, self._session_of = stack, command, session
        self._extend = extend
        self._node: Node | None = None
        self._context: Context | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._clear()

    def _clear(self) -> None:
        self._sample: StateSample | None = None
        self._heard: frozenset[str] = frozenset()
        self._session: Session | None = None
        self._controllers: tuple[Mapping[str, str], float] = ({}, -np.inf)
        self._asked = self._switched = -np.inf
        self._pending: Any = None
        self._columns: tuple[list[str], list[int]] = ([], [])

    # Open and close -------------------------------------------------------------------------

    def open(self) -> None:
        """Make the node and its thread."""
        if self._node is not None:
            return
        self._clear()
        context = self._context_to_use()
        # The names of this process's command line are those of the driver's node, not of this.
        node = Node(
            f'{self._stack.name.split()[0]}_link', context=context, use_global_arguments=False,
            start_parameter_services=False, enable_rosout=False,
        )  # fmt: skip
        name = self._stack.topic
        node.create_subscription(
            JointState, name(self._stack.state_topic), self._on_states, _NEWEST
        )
        if self._session_of is not None:
            kind, topic, read = self._session_of
            node.create_subscription(
                kind, name(topic), lambda msg: self._on_session(read, msg), _NEWEST
            )
        leaf = 'joint_trajectory' if self._command == 'trajectory' else 'commands'
        self._publisher = node.create_publisher(
            JointTrajectory if self._command == 'trajectory' else Float64MultiArray,
            name(f'{self._stack.controller}/{leaf}'),
            ros.COMMAND_QOS,
        )
        if self._stack.manager:
            self._open_manager(node)
        if self._extend is not None:
            self._extend(node)
        self._node = node
        self._stopping.clear()
        self._thread = threading.Thread(target=self._spin, args=(node,), daemon=True, name='link')
        self._thread.start()

    def _context_to_use(self) -> Context:
        context = get_default_context()
        if context.ok():
            return context
        if self._context is None:  # no node runs here: a bench, a test
            # Kept until the end: a new one is not known to others for up to 3 s.
            self._context = Context()
            rclpy.init(context=self._context)
            weakref.finalize(self, self._context.try_shutdown)
        return self._context

    def _open_manager(self, node: Node) -> None:
        try:
            from controller_manager_msgs.srv import ListControllers, SwitchController
        except ImportError as error:
            raise ConfigError(
                'controller_manager_msgs is not here: source the ROS that has ros2_control, or '
                "set the parameter controller_manager to ''"
            ) from error
        self._list_kind, self._switch_kind = ListControllers, SwitchController
        manager = self._stack.topic(self._stack.manager)
        self._list = node.create_client(ListControllers, f'{manager}/list_controllers')
        self._switch = node.create_client(SwitchController, f'{manager}/switch_controller')
        node.create_timer(_ASK_PERIOD, self._ask)

    def _spin(self, node: Node) -> None:
        ros.spin(node, stopped=self._stopping.is_set)

    def close(self) -> None:
        """Stop the thread and forget what was heard."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._node is not None:
            self._end()
            self._node.destroy_node()
            self._node = None
        self._clear()

    def _end(self) -> None:
        """Let go of what `extend` added; the thread is over, the node not yet."""

    # What is heard --------------------------------------------------------------------------

    def latest(self) -> StateSample | None:
        """Return the newest joint states of all joints."""
        return self._sample

    def heard(self) -> frozenset[str]:
        """Return every joint name that was heard."""
        return self._heard

    def session(self) -> Session | None:
        """Return the newest state of the robot's own controller."""
        return self._session

    def controllers(self) -> tuple[Mapping[str, str], float]:
        """Return the controllers with their states, and when that was."""
        return self._controllers

    def _on_states(self, msg: JointState) -> None:
        names = list(msg.name)
        if names != self._columns[0]:
            self._heard |= frozenset(names)
            if not set(self._stack.joints) <= set(names):
                return  # of somebody else on the same topic
            self._columns = (names, [names.index(joint) for joint in self._stack.joints])
        columns = self._columns[1]

        def pick(values: Any) -> FloatArray | None:
            return np.array(values)[columns] if len(values) == len(names) else None

        position = pick(msg.position)
        if position is None or self._node is None:
            return
        stamp = ros.seconds(msg.header.stamp)
        delay = ros.now(self._node) - stamp if stamp > 0.0 else 0.0
        self._sample = StateSample(
            position, pick(msg.velocity), pick(msg.effort), stamp, delay, time.perf_counter()
        )

    def _on_session(self, read: Callable[[Any, float], Session], msg: Any) -> None:
        self._session = read(msg, time.perf_counter())

    def _ask(self) -> None:
        now = time.perf_counter()
        waiting = self._pending is not None and not self._pending.done()
        if (waiting and now - self._asked < _FORGET) or not self._list.service_is_ready():
            return
        self._asked = now
        self._pending = self._list.call_async(self._list_kind.Request())
        self._pending.add_done_callback(self._on_list)

    def _on_list(self, future: Any) -> None:
        reply = future.result()
        if reply is not None and self._asked > self._switched:
            states = {item.name: item.state for item in reply.controller}
            self._controllers = (states, time.perf_counter())

    # What is said ---------------------------------------------------------------------------

    def switch(self, controller: str, timeout: float) -> bool:
        """Ask the controller manager to activate a controller."""
        if not self._switch.service_is_ready():
            return False
        request = self._switch_kind.Request(
            activate_controllers=[controller], strictness=self._switch_kind.Request.STRICT,
            timeout=_duration(timeout),
        )  # fmt: skip
        done = threading.Event()
        future = self._switch.call_async(request)
        future.add_done_callback(lambda _: done.set())
        if not done.wait(timeout) or not future.result().ok:
            return False
        # What was asked before the switch does not count; until then, this is known.
        self._switched = time.perf_counter()
        self._controllers = ({**self._controllers[0], controller: 'active'}, time.perf_counter())
        return True

    def send(self, position: FloatArray, duration: float) -> None:
        """Publish (J,) positions."""
        if self._node is None:
            return
        values = array('d', position.tobytes())
        if self._command == 'forward':
            msg: Any = Float64MultiArray(data=values)
        else:
            point = JointTrajectoryPoint(positions=values, time_from_start=_duration(duration))
            msg = JointTrajectory(joint_names=list(self._stack.joints), points=[point])
        with ros.publishing(self._node):
            self._publisher.publish(msg)


def _duration(seconds: float) -> Duration:
    nanoseconds = round(seconds * 1e9)
    return Duration(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)
