"""ROS shell of the link: the gripper's topic and action, and those of an emulated one."""

import time
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from control_msgs.action import GripperCommand
from rclpy.action.client import ActionClient
from rclpy.action.server import ActionServer
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import JointState

from mimic_core import ros
from mimic_core.jtc import Stack
from mimic_core.jtc.ros import RosLink
from mimic_panda_driver.emulated_gripper import EmulatedGripper
from mimic_panda_driver.params import PandaParams


class PandaLink(RosLink):
    """The link of the arm, with the gripper beside it."""

    def __init__(self, stack: Stack, params: PandaParams) -> None:
        super().__init__(stack, params.command, extend=self._add_gripper)
        self._params, self._names = params, stack.topic
        self._finger = (np.nan, -np.inf)
        self._bad = 0  # messages of the fingers with another number of positions than of names
        self._client: ActionClient | None = None

    def _add_gripper(self, node: Node) -> None:
        self._finger = (np.nan, -np.inf)
        if self._params.hand == 'none':
            return
        topic = self._names(self._params.gripper_state_topic)
        node.create_subscription(JointState, topic, self._on_fingers, ros.SENSOR_QOS)
        action = self._names(self._params.gripper_action)
        self._client = ActionClient(node, GripperCommand, action)

    def _on_fingers(self, msg: JointState) -> None:
        if len(msg.position) != len(msg.name):
            self._bad += 1
        elif self._params.gripper_joint in msg.name:
            position = msg.position[msg.name.index(self._params.gripper_joint)]
            self._finger = (position, time.perf_counter())

    def _end(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.destroy()

    def finger(self) -> tuple[float, float]:
        """Return the position of one finger [m], and when it was heard."""
        return self._finger

    def bad(self) -> int:
        """Return how many messages of the fingers were damaged."""
        return self._bad

    def send_goal(self, position: float, effort: float) -> bool:
        """Send a goal; its result does not matter, the state of the fingers does."""
        if self._client is None or not self._client.server_is_ready():
            return False
        goal = GripperCommand.Goal()
        goal.command.position, goal.command.max_effort = position, effort
        self._client.send_goal_async(goal)
        return True


class GripperServer:
    """The topic and the action of an emulated gripper; a new goal takes the place of the last."""

    def __init__(self, gripper: EmulatedGripper) -> None:
        self._gripper = gripper

    def begin(self, node: Node) -> None:
        """Add the topic and the action."""
        self._states = node.create_publisher(JointState, 'panda_gripper/joint_states', 10)
        name = 'panda_gripper/gripper_action'
        self._action = ActionServer(node, GripperCommand, name, self._serve)
        self._moving: tuple[Any, Future] | None = None

    def end(self) -> None:
        """Let go of the action."""
        self._action.destroy()

    async def _serve(self, goal: Any) -> GripperCommand.Result:
        if self._moving is not None and not self._moving[1].done():
            self._moving[1].set_result(False)
        self._gripper.take(goal.request.command.position, goal.request.command.max_effort)
        done = Future()
        self._moving = (goal, done)
        reached = await done
        (goal.succeed if reached else goal.abort)()
        return GripperCommand.Result(
            position=self._gripper.position, stalled=self._gripper.stalled, reached_goal=reached
        )

    def publish(self, stamp: Time) -> None:
        """Publish both fingers, and end a goal that is reached."""
        still = self._gripper.stalled or self._gripper.arrived
        if still and self._moving is not None and not self._moving[1].done():
            self._moving[1].set_result(True)
        position = self._gripper.position
        msg = JointState(name=['panda_finger_joint1', 'panda_finger_joint2'])
        msg.header.stamp = stamp
        msg.position, msg.velocity = [position, position], [0.0, 0.0]
        self._states.publish(msg)
