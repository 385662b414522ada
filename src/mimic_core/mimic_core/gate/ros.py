"""The gate as other nodes see it: asked for a mode or a motion, and heard of."""

from collections.abc import Callable, Generator
from typing import Final

from rclpy.action import ActionClient
from rclpy.action.client import ClientGoalHandle
from rclpy.node import Node
from rclpy.task import Future

from mimic_core import ros
from mimic_interfaces.action import MoveTo
from mimic_interfaces.msg import ControlStatus
from mimic_interfaces.srv import SetMode

ANSWER: Final = 5.0  # [s] for the gate to answer, and to say that it did
MOTION: Final = 60.0  # [s] for a motion to a posture to end
GONE: Final = 1.0  # [s] without control/status after which there is no gate
GATE_GONE: Final = 'the gate is gone: no control/status'

Course = Generator[None, None, str]  # returns why it failed, '' when it did not


class GateClient:
    """Asks the gate for a mode or a motion. A course yields for as long as it waits."""

    def __init__(self, node: Node) -> None:
        """Listen to the gate from now on."""
        self._node = node
        self.status: ControlStatus | None = None  # the last one
        self.heard = -float('inf')  # [s] of it
        topic = 'control/status'
        node.create_subscription(
            ControlStatus, topic, self._on_status, ros.subscription_qos(topic)
        )
        self._modes = node.create_client(SetMode, 'control/set_mode')
        self._moves = ActionClient(node, MoveTo, 'control/move_to')

    @property
    def ready(self) -> bool:
        """It is there."""
        return self._modes.service_is_ready() and self.status is not None

    def choose(self, mode: int) -> Course:
        """Choose a mode, and wait until the gate's status says so."""
        begin = ros.now(self._node)
        answer = self._modes.call_async(SetMode.Request(mode=mode))
        while not answer.done() or self.status is None or self.status.mode != mode:
            if answer.done() and not answer.result().success:
                return f'the gate refuses: {answer.result().message}'
            if ros.now(self._node) - begin > ANSWER:
                return 'the gate does not answer control/set_mode'
            yield
        return ''

    def move(self, posture: str, cancelled: Callable[[], bool] = lambda: False) -> Course:
        """Bring the robot to a posture, in mode IDLE; what is given up is cancelled."""
        if failure := (yield from self.choose(ControlStatus.IDLE)):
            return failure
        begin = ros.now(self._node)
        while not self._moves.server_is_ready():
            if ros.now(self._node) - begin > ANSWER:
                return 'nobody offers control/move_to'
            yield
        begin = ros.now(self._node)
        sent = self._moves.send_goal_async(MoveTo.Goal(posture=posture))
        while not sent.done():
            if why := self._why_give_up(begin, ANSWER, cancelled):
                sent.add_done_callback(_cancel_late)
                return why
            yield
        handle: ClientGoalHandle = sent.result()
        if not handle.accepted:
            return 'control/move_to refuses'
        begin = ros.now(self._node)
        moved = handle.get_result_async()
        while not moved.done():
            if why := self._why_give_up(begin, MOTION, cancelled):
                handle.cancel_goal_async()
                return why
            yield
        result = moved.result().result
        return '' if result.success else f'control/move_to: {result.message}'

    def _why_give_up(self, begin: float, limit: float, cancelled: Callable[[], bool]) -> str:
        now = ros.now(self._node)
        if cancelled():
            return 'cancelled'
        if now - self.heard > GONE:
            return GATE_GONE
        return f'control/move_to takes longer than {limit:g} s' if now - begin > limit else ''

    def _on_status(self, msg: ControlStatus) -> None:
        self.status, self.heard = msg, ros.now(self._node)


def _cancel_late(sent: Future) -> None:
    """Cancel a motion that begins after nobody waits for it any more."""
    if sent.exception() is None and sent.result().accepted:
        sent.result().cancel_goal_async()
