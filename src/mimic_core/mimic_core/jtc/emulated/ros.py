"""The topics and services of an emulated stack."""

import threading
import time
from array import array
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from controller_manager_msgs.msg import ControllerState
from controller_manager_msgs.srv import ListControllers, SwitchController
from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from mimic_core import ros
from mimic_core.errors import MimicError
from mimic_core.jtc.emulated.stack import EmulatedStack

_MARK = bytes(8)  # stands for the bytes of a message, which faults spoil
_REPLUG = 0.05  # [s] between looks whether the stack shall be back


class Extra(Protocol):
    """Topics and services that one vendor has."""

    def begin(self, node: Node) -> None:
        """Add them to a node."""

    def publish(self, stamp: Time) -> None:
        """Publish, once a period."""

    def end(self) -> None:
        """Let go of what the node does not destroy itself; its thread is over."""


class StackServer:
    """Runs a stack at its update rate, and speaks for it; the fault disconnect ends its node."""

    def __init__(self, stack: EmulatedStack, namespace: str, extra: Extra | None = None) -> None:
        """Make a server that does not run yet.

        Args:
            stack: Who is spoken for.
            namespace: Of its topics.
            extra: Adds topics and services that this vendor has.
        """
        self.stack, self._namespace, self._extra = stack, namespace, extra
        self._context = Context()
        self._node: Node | None = None
        self._late: deque[tuple[float, Callable[[], None]]] = deque()
        self._lock = threading.Lock()  # nobody publishes while the node ends
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, daemon=True, name='stack'),
            threading.Thread(target=self._spin, daemon=True, name='stack topics'),
        ]

    def __enter__(self) -> 'StackServer':
        """Start; the topics are there when this returns."""
        rclpy.init(context=self._context)
        self._plug()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._unplug()
        self._context.try_shutdown()

    def _unplug(self) -> None:
        with self._lock:
            node, self._node = self._node, None
            self._late.clear()
        if node is not None:
            if self._extra is not None:
                self._extra.end()
            node.destroy_node()

    def _plug(self) -> Node:
        node = Node(
            'emulated_stack', context=self._context, namespace=self._namespace,
            use_global_arguments=False, start_parameter_services=False, enable_rosout=False,
        )  # fmt: skip
        controller = self.stack.controller
        self._states = node.create_publisher(JointState, 'joint_states', 10)
        node.create_subscription(
            JointTrajectory, f'{controller}/joint_trajectory', self._on_trajectory, 10
        )
        node.create_subscription(
            Float64MultiArray, f'{controller}/commands', self._on_positions, 10
        )
        node.create_service(ListControllers, 'controller_manager/list_controllers', self._list)
        node.create_service(SwitchController, 'controller_manager/switch_controller', self._switch)
        if self._extra is not None:
            self._extra.begin(node)
        self._node = node
        return node

    def _spin(self) -> None:
        """Serve the node; the same thread ends it, so that nothing is in its callbacks then."""
        while not self._stopping.is_set():
            if self.stack.faults.on('disconnect'):
                self._unplug()
                time.sleep(_REPLUG)
                continue
            node = self._node or self._plug()
            ros.spin(
                node,
                stopped=lambda: self._stopping.is_set() or self.stack.faults.on('disconnect'),
            )

    def _run(self) -> None:
        period = 1.0 / self.stack.options.update_rate
        due = time.perf_counter()
        while not self._stopping.is_set():
            time.sleep(max(due - time.perf_counter(), 0.0))
            self.stack.step()
            with self._lock:
                if self._node is not None and not self.stack.faults.on('disconnect'):
                    self._publish(self._node)
            due = max(due + period, time.perf_counter() - 10.0 * period)

    # Topics ---------------------------------------------------------------------------------

    def _publish(self, node: Node) -> None:
        arrived, delay = self.stack.faults.spoil(_MARK)
        now = time.perf_counter()
        if arrived:
            stamp = node.get_clock().now().to_msg()
            position, velocity = self.stack.plant.position, self.stack.plant.velocity
            if len(arrived) > len(_MARK):  # noise
                position = position.copy()
                position[self.stack.faults.rng.integers(len(position))] = np.nan
            msg = JointState(name=list(self.stack.joints))
            msg.header.stamp = stamp
            msg.position = array('d', position.tobytes())
            msg.velocity = array('d', velocity.tobytes())
            self._later(now + delay, lambda: self._states.publish(msg))
            if self._extra is not None:
                extra = self._extra
                self._later(now + delay, lambda: extra.publish(stamp))
        with ros.publishing(node):
            while self._late and self._late[0][0] <= now:
                self._late.popleft()[1]()

    def _later(self, due: float, act: Callable[[], None]) -> None:
        self._late.append((max(due, self._late[-1][0] if self._late else due), act))

    def _on_trajectory(self, msg: JointTrajectory) -> None:
        try:
            command = ros.command_from_msg(msg)
        except MimicError as error:
            self.stack.refused.append(str(error))
            return
        stamp, node = ros.seconds(msg.header.stamp), self._node
        late = ros.now(node) - stamp if stamp and node is not None else 0.0
        self.stack.take(command.names, command.points, command.times, command.velocities, late)

    def _on_positions(self, msg: Float64MultiArray) -> None:
        values = np.array(msg.data)
        if len(values) != len(self.stack.joints) or not np.isfinite(values).all():
            self.stack.refused.append('command size does not match the joints, or is not finite')
            return
        self.stack.take(self.stack.joints, values[None], np.zeros(1))

    # Services -------------------------------------------------------------------------------

    def _list(self, _: Any, reply: ListControllers.Response) -> Any:
        reply.controller = [
            ControllerState(name=name, state=state) for name, state in self.stack.states.items()
        ]
        return reply

    def _switch(self, request: Any, reply: SwitchController.Response) -> Any:
        reply.ok = self.stack.switch(
            list(request.activate_controllers), list(request.deactivate_controllers)
        )
        return reply
