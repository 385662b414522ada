"""A real container in its own process, asked over its services."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.ros

NODES = """
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from std_msgs.msg import String


class Talker(Node):
    def __init__(self):
        super().__init__('talker')
        self.declare_parameter('text', 'nothing')
        self.publisher = self.create_publisher(String, 'chatter', 10)
        self.create_timer(0.05, self.talk)

    def talk(self):
        text = self.get_parameter('text').value
        if text == 'boom':
            raise ValueError('boom')
        self.publisher.publish(String(data=text))


class Managed(LifecycleNode):
    def __init__(self):
        super().__init__('managed')


class Broken(Node):
    def __init__(self):
        raise OSError('no camera')


class NotANode:
    pass
"""


@pytest.fixture
def container(ros_domain: int, tmp_path: Path) -> Iterator[subprocess.Popen]:
    (tmp_path / 'pieces').mkdir()
    (tmp_path / 'pieces/__init__.py').touch()
    (tmp_path / 'pieces/node.py').write_text(NODES)
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(tmp_path), *sys.path])}
    code = 'from mimic_composition.node import main; main()'
    arguments = ['--ros-args', '-r', '__node:=box', '-r', '__ns:=/lab', '-r', 'chatter:=wrong']
    process = subprocess.Popen([sys.executable, '-c', code, *arguments], env=environment)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def ask(ros_domain: int) -> Iterator[object]:
    import rclpy
    from composition_interfaces.srv import ListNodes, LoadNode, UnloadNode
    from rclpy.context import Context
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node

    context = Context()
    rclpy.init(context=context)
    node = Node('asker', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)

    class Ask:
        def call(self, kind: type, name: str, **fields: object) -> object:
            client = node.create_client(kind, f'/lab/box/_container/{name}')
            assert client.wait_for_service(20.0)
            future = client.call_async(kind.Request(**fields))
            executor.spin_until_future_complete(future, 20.0)
            assert future.done()
            return future.result()

        def load(self, cls: str, **fields: object) -> object:
            fields = {'package_name': 'pieces', 'plugin_name': f'pieces.node::{cls}', **fields}
            return self.call(LoadNode, 'load_node', **fields)

        def names(self) -> dict[int, str]:
            reply = self.call(ListNodes, 'list_nodes')
            return dict(zip(reply.unique_ids, reply.full_node_names, strict=True))

        def unload(self, number: int) -> object:
            return self.call(UnloadNode, 'unload_node', unique_id=number)

        def hears(self, topic: str) -> str:
            from std_msgs.msg import String

            heard: list[str] = []
            subscription = node.create_subscription(
                String, topic, lambda msg: heard.append(msg.data), 10
            )
            end = time.monotonic() + 15.0
            while not heard and time.monotonic() < end:
                executor.spin_once(0.1)
            node.destroy_subscription(subscription)
            return heard[0] if heard else ''

    yield Ask()
    executor.shutdown()
    node.destroy_node()
    context.try_shutdown()


def _parameter(name: str, value: object) -> object:
    from rclpy.parameter import Parameter

    return Parameter(name, value=value).to_parameter_msg()


def test_load_list_unload_and_refuse(container: subprocess.Popen, ask):
    first = ask.load(
        'Talker',
        node_name='one',
        node_namespace='/a',
        remap_rules=['chatter:=other'],
        parameters=[_parameter('text', 'hello')],
        extra_arguments=[_parameter('use_intra_process_comms', True)],
    )
    assert (first.success, first.full_node_name, first.error_message) == (True, '/a/one', '')
    assert ask.hears('/a/other') == 'hello'
    # The container's own name, namespace and remaps are not the components'.
    second = ask.load('Talker')
    assert second.full_node_name == '/talker'
    assert ask.hears('/chatter') == 'nothing'
    third = ask.load('Managed', node_name='m')
    assert third.full_node_name == '/m'
    assert len({first.unique_id, second.unique_id, third.unique_id}) == 3

    for cls, fields, says in (
        ('Broken', {}, 'OSError: no camera'),
        ('NotANode', {}, 'is not an rclpy node'),
        ('Talkr', {}, "Did you mean 'Talker'?"),
        ('Talker', {'package_name': 'other'}, "not in package 'other'"),
        ('Talker', {'plugin_name': 'pieces.nothing::Talker'}, 'pieces.nothing'),
        ('Talker', {'node_name': 'not valid'}, 'not valid'),
        ('Talker', {'remap_rules': ['chatter']}, "remap rule 'chatter'"),
        ('Talker', {'extra_arguments': [_parameter('fly', True)]}, 'fly'),
    ):
        reply = ask.load(cls, **fields)
        assert not reply.success
        assert says in reply.error_message

    assert ask.names() == {
        first.unique_id: '/a/one', second.unique_id: '/talker', third.unique_id: '/m',
    }  # fmt: skip
    assert ask.unload(first.unique_id).success
    assert sorted(ask.names().values()) == ['/m', '/talker']
    again = ask.unload(first.unique_id)
    assert not again.success
    assert 'no node has the id' in again.error_message
    assert ask.hears('/chatter') == 'nothing'  # the others go on

    container.send_signal(signal.SIGINT)
    assert container.wait(10) == 0


def test_a_component_that_raises_ends_the_container(container: subprocess.Popen, ask):
    assert ask.load('Talker').success
    assert ask.load('Talker', node_name='bad', parameters=[_parameter('text', 'boom')]).success
    assert container.wait(20) == 1


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_the_loader_leaves_quietly_while_it_waits(
    ros_domain: int, tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / 'components.json').write_text('[]')
    code = 'from mimic_composition import load_node as l; l._REMIND_PERIOD = 0.5; l.main()'
    process = subprocess.Popen(
        [sys.executable, '-c', code, '/nobody', str(tmp_path / 'components.json')],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        assert 'waiting for the container /nobody' in process.stderr.readline()
        process.send_signal(number)
        assert process.wait(10) == 0
        assert 'Traceback' not in process.stderr.read()
    finally:
        process.kill()
        process.wait()
