"""The stack allegro_hand_ros that is not there: its topics, and a hand with a position loop."""

from typing import Any

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from mimic_allegro_driver.topics import STACKS
from mimic_core import ros
from mimic_core.emulator import Plant
from mimic_description import load_robot

_STACK = STACKS['allegro_hand_ros']


class StackNode(Node):
    """Publishes joint states, follows positions, and knows the words pdControl and off."""

    def __init__(self, **options: Any) -> None:
        super().__init__('allegro_hand_ros', **options)
        robot = load_robot('none', 'allegro')
        self.plant = Plant(robot.limits, robot.home)
        self.words: list[str] = []
        self._states = self.create_publisher(JointState, _STACK.states, ros.SENSOR_PUBLISHER_QOS)
        self.create_subscription(JointState, _STACK.commands, self._on_command, ros.COMMAND_QOS)
        self.create_subscription(String, _STACK.words, self._on_word, ros.DEFAULT_QOS)
        self._last = ros.now(self)
        self._timer = self.create_timer(1.0 / _STACK.rate, self._tick)

    def _on_command(self, msg: JointState) -> None:
        self.plant.torque[:] = True  # a command switches its controller on
        self.plant.target = np.array(msg.position)

    def _on_word(self, msg: String) -> None:
        self.words.append(msg.data)
        self.plant.torque[:] = msg.data == 'pdControl'
        self.plant.target = self.plant.position.copy()

    def _tick(self) -> None:
        now = ros.now(self)
        self.plant.step(now - self._last)
        self._last = now
        msg = JointState(name=list(_STACK.names), position=self.plant.position.tolist())
        msg.velocity = self.plant.velocity.tolist()
        msg.header.stamp = ros.to_stamp(now)
        self._states.publish(msg)


def main() -> None:
    """Run the stack until it is stopped."""
    ros.run(StackNode)


if __name__ == '__main__':
    main()
