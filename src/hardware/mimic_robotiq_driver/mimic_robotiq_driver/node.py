"""ROS shell of the Robotiq driver."""

from typing import Any

from mimic_core.driver.ros import DriverNode, run
from mimic_robotiq_driver.driver import make_device
from mimic_robotiq_driver.params import RobotiqParams


class RobotiqNode(DriverNode):
    """Drive a Robotiq gripper."""

    def __init__(self, **options: Any) -> None:
        super().__init__('hand_driver', RobotiqParams, make_device, **options)


def main() -> None:
    """Run the node until it is stopped."""
    run(RobotiqNode)
