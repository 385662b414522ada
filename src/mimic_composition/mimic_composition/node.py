"""The container: loads rclpy nodes into this process, each with its own thread and executor."""

from composition_interfaces.srv import ListNodes, LoadNode, UnloadNode
from rclpy.exceptions import NameValidationException, ParameterException
from rclpy.node import Node

from mimic_composition.component_node import Component, make_node
from mimic_composition.plugins import LOAD_ERRORS
from mimic_core.errors import MimicError
from mimic_core.process import settle
from mimic_core.ros import run

_LOAD_ERRORS = (*LOAD_ERRORS, NameValidationException, ParameterException)


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
        settle()
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
            component.stop()
        for component in self._components.values():
            component.close()
            self.failed = self.failed or component.failed
        self._components.clear()
        super().destroy_node()


def main() -> None:
    """Run a container until it is stopped; exit code 1 when a component raised."""
    nodes: list[ContainerNode] = []

    def make() -> ContainerNode:
        nodes.append(ContainerNode())
        return nodes[0]

    run(make, failed=lambda: any(node.failed for node in nodes))
