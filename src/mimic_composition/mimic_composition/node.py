"""The container: loads rclpy nodes into this process, each with its own thread and executor."""

import threading

import rclpy
from composition_interfaces.srv import ListNodes, LoadNode, UnloadNode
from rclpy.exceptions import (
    InvalidParameterValueException,
    NameValidationException,
    ParameterException,
)
from rclpy.lifecycle import LifecycleNode
from rclpy.logging import LoggingSeverity
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.task import Future

from mimic_composition.plugins import LOAD_ERRORS, find_class, remap_arguments
from mimic_core.errors import MimicError
from mimic_core.ros import make_executor, run

_LOAD_ERRORS = (
    *LOAD_ERRORS,
    InvalidParameterValueException,
    NameValidationException,
    ParameterException,
)
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

    def close(self) -> None:
        """Stop spinning and destroy the node."""
        self._stopped.set()
        self._thread.join(timeout=5.0)
        self._executor.shutdown(timeout_sec=0.0)
        self.node.destroy_node()


class ContainerNode(Node):
    """Serves load_node, unload_node and list_nodes of composition_interfaces."""

    def __init__(self) -> None:
        super().__init__('container')
        self._components: dict[int, Component] = {}
        self._last_id = 0
        self.failed = False  # a component ended with an error
        name = '~/_container/'
        self.create_service(LoadNode, name + 'load_node', self._on_load)
        self.create_service(UnloadNode, name + 'unload_node', self._on_unload)
        self.create_service(ListNodes, name + 'list_nodes', self._on_list)

    def _on_load(
        self, request: LoadNode.Request, response: LoadNode.Response
    ) -> LoadNode.Response:
        try:
            component = Component(make_node(request, self.context))
        except _LOAD_ERRORS as error:
            kind = '' if isinstance(error, MimicError) else f'{type(error).__name__}: '
            response.error_message = f'{kind}{error}'
            plugin = f'{request.package_name} {request.plugin_name}'
            self.get_logger().error(f'cannot load {plugin}: {response.error_message}')
            return response
        self._last_id += 1
        self._components[self._last_id] = component
        response.success = True
        response.full_node_name, response.unique_id = component.name, self._last_id
        self.get_logger().info(f'loaded {component.name}')
        return response

    def _on_unload(
        self, request: UnloadNode.Request, response: UnloadNode.Response
    ) -> UnloadNode.Response:
        component = self._components.pop(request.unique_id, None)
        if component is None:
            response.error_message = f'no node has the id {request.unique_id}'
            return response
        component.close()
        response.success = True
        return response

    def _on_list(
        self, request: ListNodes.Request, response: ListNodes.Response
    ) -> ListNodes.Response:
        response.unique_ids = list(self._components)
        response.full_node_names = [c.name for c in self._components.values()]
        return response

    def destroy_node(self) -> None:
        """Destroy the components, then this node."""
        for component in self._components.values():
            component.close()
            self.failed = self.failed or component.failed
        self._components.clear()
        super().destroy_node()


def make_node(request: LoadNode.Request, context: rclpy.Context) -> Node:
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


def main() -> None:
    """Run a container until it is stopped; exit code 1 when a component raised."""
    nodes: list[ContainerNode] = []

    def make() -> ContainerNode:
        nodes.append(ContainerNode())
        return nodes[0]

    run(make)
    if any(node.failed for node in nodes):
        raise SystemExit(1)
