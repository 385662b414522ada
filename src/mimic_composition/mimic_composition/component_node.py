"""One component: constructed from a request, spun by a thread of its own."""

import threading

from composition_interfaces.srv import LoadNode
from rclpy.context import Context
from rclpy.lifecycle import LifecycleNode
from rclpy.logging import LoggingSeverity
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.task import Future

from mimic_composition.plugins import find_class, remap_arguments
from mimic_core.ros import make_executor

_EXTRA = {'use_intra_process_comms'}  # has no meaning for Python nodes, harmless


class Component:
    """One loaded node with the thread that spins it."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.name = node.get_fully_qualified_name()
        self.failed = False  # a callback raised
        self._stopped = threading.Event()
        self._executor = make_executor(node.context)
        self._executor.add_node(node)
        self._thread = threading.Thread(target=self._spin, name=self.name, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        forever = Future()
        try:
            while self.node.context.ok() and not self._stopped.is_set():
                self._executor.spin_until_future_complete(forever, timeout_sec=0.2)
        except BaseException:
            # As in a process of its own: a callback that raises ends the node, so all end.
            if self.node.context.ok():
                self.failed = True
                self.node.get_logger().fatal(f'{self.name} raised an error')
                self.node.context.try_shutdown()
                raise

    def stop(self) -> None:
        """Let the thread end after its callback."""
        self._stopped.set()

    def close(self) -> None:
        """Stop spinning and destroy the node."""
        self.stop()
        self._thread.join(timeout=5.0)
        self._executor.shutdown(timeout_sec=0.0)
        self.node.destroy_node()


def make_node(request: LoadNode.Request, context: Context) -> Node:
    """Construct the node of a request, with its name, namespace, remaps and parameters."""
    cls = find_class(request.package_name, request.plugin_name)
    if not issubclass(cls, Node):
        raise TypeError(f'{request.plugin_name} is not an rclpy node')
    unknown = sorted({extra.name for extra in request.extra_arguments} - _EXTRA)
    if unknown:
        raise ValueError(f'extra arguments are not known: {", ".join(unknown)}')
    arguments = ['--ros-args']
    arguments += ['-r', f'__node:={request.node_name}'] if request.node_name else []
    arguments += ['-r', f'__ns:={request.node_namespace}'] if request.node_namespace else []
    arguments += remap_arguments(list(request.remap_rules))
    options = {
        'context': context,
        'cli_args': arguments,
        'use_global_arguments': False,  # those of the container are not the component's
        'parameter_overrides': [Parameter.from_parameter_msg(p) for p in request.parameters],
    }
    base = LifecycleNode if issubclass(cls, LifecycleNode) else Node

    class Configured(base):  # type: ignore[misc, valid-type]
        """Stands between the component's class and rclpy's, and adds the options."""

        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **{**kwargs, **options})

    node = type(cls.__name__, (cls, Configured), {})()
    if request.log_level:
        node.get_logger().set_level(LoggingSeverity(request.log_level))
    return node
