"""The action control/move_to of the gate's node."""

from typing import Final

import numpy as np
from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from rclpy.task import Future

from mimic_control.gate import Gate
from mimic_control.posture import goal_of
from mimic_core import ros
from mimic_core.errors import LimitError, MimicError
from mimic_interfaces.action import MoveTo

FEEDBACK_PERIOD: Final = 0.1  # [s]


class MoveServer:
    """Serves one motion at a time; the node calls `follow` at each tick."""

    def __init__(self, node: Node, gate: Gate) -> None:
        self._node, self._gate = node, gate
        self._moving: tuple[ServerGoalHandle, Future] | None = None
        self._feedback_ticks = max(round(FEEDBACK_PERIOD / gate.period), 1)
        cancel = {'cancel_callback': lambda _: CancelResponse.ACCEPT}
        self._action = ActionServer(node, MoveTo, 'control/move_to', self._move, **cancel)

    def follow(self, now: float) -> None:
        """Tell the client how far the motion is, and end it when it has ended."""
        if self._moving is None:
            return
        goal, done = self._moving
        if goal.is_cancel_requested:
            self._gate.cancel_move()
        progress, remaining, failure = self._gate.move_state(now)
        if (failure or progress >= 1.0) and not done.done():
            done.set_result(failure)
        elif self._gate.ticks % self._feedback_ticks == 0:
            goal.publish_feedback(MoveTo.Feedback(progress=progress, remaining=remaining))

    async def _move(self, goal: ServerGoalHandle) -> MoveTo.Result:
        wish, robot = goal.request, self._gate.robot
        try:
            if self._moving is not None:
                raise LimitError('another motion is under way')
            names, q = goal_of(robot, wish.posture, wish.joint_names, np.array(wish.position))
            self._gate.move_to(names, q, wish.speed_scale, ros.now(self._node))
        except MimicError as error:
            goal.abort()
            return MoveTo.Result(success=False, message=str(error), error=float('nan'))
        self._moving = goal, Future()
        failure = await self._moving[1]
        self._moving = None
        error = float(np.abs(self._gate.anchor.of(names) - q).max())
        end = goal.canceled if goal.is_cancel_requested else goal.abort
        (end if failure else goal.succeed)()
        return MoveTo.Result(success=not failure, message=failure, error=error)
