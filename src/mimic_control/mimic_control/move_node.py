"""The action control/move_to of the gate's node."""

from typing import Final

import numpy as np
from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from rclpy.task import Future

from mimic_control.gate import Gate
from mimic_control.params import MoveParams
from mimic_control.planned_move import Phase, PlannedMove
from mimic_control.posture import goal_of
from mimic_core import ros
from mimic_core.errors import LimitError, MimicError
from mimic_interfaces.action import MoveTo

FEEDBACK_PERIOD: Final = 0.1  # [s]
MOVEIT_GRACE: Final = 2.0  # [s] beyond its timeout that MoveIt may take to answer


class MoveServer:
    """Serves one motion at a time; the node calls `follow` at each tick."""

    def __init__(self, node: Node, gate: Gate, params: MoveParams) -> None:
        self._node, self._gate, self._params = node, gate, params
        self._move = PlannedMove(
            gate, plan=params.planner != 'none', timeout=params.planning_timeout
        )
        self._moving: tuple[ServerGoalHandle, Future] | None = None
        self._asked_at = 0.0
        self._feedback_ticks = max(round(FEEDBACK_PERIOD / gate.period), 1)
        self._moveit = self._moveit_client() if params.planner in ('auto', 'moveit') else None
        cancel = {'cancel_callback': lambda _: CancelResponse.ACCEPT}
        self._action = ActionServer(node, MoveTo, 'control/move_to', self._serve, **cancel)
        node.context.on_shutdown(self._move.close)

    def follow(self, now: float) -> None:
        """Go on with planning, tell the client how far the motion is, and end it."""
        if self._moving is None:
            return
        goal, done = self._moving
        if goal.is_cancel_requested:
            self._move.cancel()
        late = now - self._asked_at > self._params.planning_timeout + MOVEIT_GRACE
        if self._move.phase is Phase.ASKED and late:
            self._move.refuse('MoveIt did not answer', now)
        before = self._move.phase
        progress, remaining, failure = self._move.step(now)
        if self._move.phase is not before and self._move.note:
            self._node.get_logger().info(f'control/move_to: {self._move.note}')
        if (failure or progress >= 1.0) and not done.done():
            done.set_result(failure)
        elif self._gate.ticks % self._feedback_ticks == 0:
            goal.publish_feedback(MoveTo.Feedback(progress=progress, remaining=remaining))

    async def _serve(self, goal: ServerGoalHandle) -> MoveTo.Result:
        wish, robot = goal.request, self._gate.robot
        try:
            if self._moving is not None:
                raise LimitError('another motion is under way')
            names, q = goal_of(robot, wish.posture, wish.joint_names, np.array(wish.position))
            self._begin(names, q, wish.speed_scale)
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

    def _begin(self, names: tuple[str, ...], q: np.ndarray, speed_scale: float) -> None:
        ready = self._moveit is not None and self._moveit.service_is_ready()
        if self._params.planner == 'moveit' and not ready:
            raise LimitError("planner is 'moveit', but move_group does not offer its service")
        now = self._asked_at = ros.now(self._node)
        self._move.begin(names, q, speed_scale, now, elsewhere=ready)
        if self._move.phase is Phase.ASKED:
            self._ask_moveit()

    def _moveit_client(self) -> object:
        try:
            from moveit_msgs.srv import GetMotionPlan
        except ImportError:  # an installed ROS without MoveIt
            return None
        return self._node.create_client(GetMotionPlan, 'plan_kinematic_path')

    def _ask_moveit(self) -> None:
        from mimic_control import moveit_conversions as conversions

        move, robot, number = self._move, self._gate.robot, self._move.number
        request = conversions.plan_request(
            robot.joint_names, len(robot.arm_joints), move.start, move.goal,
            self._params.planning_timeout, move.scale,
        )  # fmt: skip

        def taken(future: Future) -> None:
            if move.number != number:  # that motion was given up meanwhile
                return
            now = ros.now(self._node)
            try:
                way = conversions.way_from_msg(
                    future.result(), robot.joint_names, move.start, move.goal
                )
            except MimicError as error:
                move.refuse(str(error), now)
            else:
                move.take(*way, now)

        self._moveit.call_async(request).add_done_callback(taken)
