"""Loads components into a running container: what the launcher starts for composable nodes."""

import json
import sys
from pathlib import Path
from typing import Any

import rclpy
from composition_interfaces.srv import LoadNode
from rcl_interfaces.msg import Parameter as ParameterMsg
from rclpy.client import Client
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.parameter import Parameter

from mimic_core.ros import publishing

_REMIND_PERIOD = 5.0  # [s] between two lines about a container that is not there


def main() -> None:
    """Be the command `load CONTAINER FILE`; FILE is written by the launcher."""
    container, path = sys.argv[1:3]
    components = json.loads(Path(path).read_text(encoding='utf-8'))
    rclpy.init()
    node = Node('load_components', start_parameter_services=False, enable_rosout=False)
    ok = True
    try:
        with publishing(node):
            client = node.create_client(LoadNode, f'{container}/_container/load_node')
            while not client.wait_for_service(timeout_sec=_REMIND_PERIOD):
                node.get_logger().info(f'waiting for the container {container}')
            for component in components:
                ok = _load(node, client, component) and ok
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    raise SystemExit(0 if ok else 1)


def _load(node: Node, client: Client, component: dict[str, Any]) -> bool:
    """Load one component; return whether the container did."""
    future = client.call_async(_request(component))
    rclpy.spin_until_future_complete(node, future)
    response = future.result()
    if response is None:
        return False
    if response.success:
        node.get_logger().info(f'loaded {response.full_node_name}')
    else:
        node.get_logger().error(f'cannot load {component["name"]}: {response.error_message}')
    return bool(response.success)


def _request(component: dict[str, Any]) -> LoadNode.Request:
    return LoadNode.Request(
        package_name=component['package'],
        plugin_name=component['plugin'],
        node_name=component['name'],
        node_namespace=component['namespace'],
        remap_rules=[f'{source}:={target}' for source, target in component['remaps']],
        parameters=_parameters(component['parameters']),
        extra_arguments=_parameters(component['extra_arguments']),
    )


def _parameters(values: dict[str, Any]) -> list[ParameterMsg]:
    return [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
