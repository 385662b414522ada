"""What buttons of the page call: services, and actions whose goals they send and cancel."""

from collections.abc import Callable
from functools import partial
from typing import Any

from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.task import Future

Tell = Callable[[str], None]  # takes what became of a press


def service_caller(
    node: Node, tell: Tell, kind: type[Any], name: str, **fields: object
) -> Callable[..., None]:
    """Return what calls a service with these fields and with those that it is given."""
    client = node.create_client(kind, name)

    def answered(future: Future) -> None:
        response: Any = future.result()
        tell(f'{name}: {"ok" if response.success else response.message}')

    def call(**more: object) -> None:
        if not client.service_is_ready():
            tell(f'nobody offers {name}')
            return
        client.call_async(kind.Request(**fields, **more)).add_done_callback(answered)

    return call


class GoalCaller:
    """Sends one goal whenever it is asked to, and tells how it went.

    The page asks from threads of its own, where the action client could miss an answer that
    comes at once; so it is the executor that sends.
    """

    def __init__(self, node: Node, tell: Tell, kind: type[Any], name: str, goal: object) -> None:
        """Args: kind: of the action; goal: that is sent."""
        self._node, self._client = node, ActionClient(node, kind, name)
        self._name, self._goal, self._tell = name, goal, tell
        self._open: set[Future] = set()  # goals that have no result yet, as answers of the server

    def send(self) -> None:
        """Send the goal soon."""
        self._node.executor.create_task(self._send)

    def cancel(self) -> None:
        """Cancel what was sent, also where the server has not answered yet."""
        self._node.executor.create_task(self._cancel)

    def _send(self) -> None:
        if not self._client.server_is_ready():
            self._tell(f'nobody offers {self._name}')
            return
        sent = self._client.send_goal_async(self._goal)
        self._open.add(sent)
        sent.add_done_callback(self._on_answer)

    def _on_answer(self, sent: Future) -> None:
        goal: Any = sent.result()
        if not goal.accepted:
            self._open.discard(sent)
            self._tell(f'{self._name}: refused; is one under way?')
            return
        self._tell(f'{self._name}: under way')
        goal.get_result_async().add_done_callback(partial(self._on_result, sent))

    def _on_result(self, sent: Future, answer: Future) -> None:
        self._open.discard(sent)
        result = answer.result().result
        self._tell(f'{self._name}: {"ok" if result.success else result.message or "failed"}')

    def _cancel(self) -> None:
        none = 'this page sent none; mode idle ends what others sent'
        self._tell(f'{self._name}: {"cancelling" if self._open else none}')
        for sent in self._open:
            sent.add_done_callback(_cancel)
        self._open.clear()  # a server that is gone never answers


def _cancel(sent: Future) -> None:
    if sent.result().accepted:
        sent.result().cancel_goal_async()
