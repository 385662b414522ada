"""ROS shell of the Robotiq driver."""

from typing import Any

from mimic_core import ros
from mimic_core.driver import Device
from mimic_core.driver.ros import DriverNode, run
from mimic_core.limits import JointLimits
from mimic_robotiq_driver.driver import make_device
from mimic_robotiq_driver.params import RobotiqParams


class RobotiqNode(DriverNode):
    """Drive a Robotiq gripper."""

    def __init__(self, **options: Any) -> None:
        super().__init__('hand_driver', RobotiqParams, self._make, **options)

    def _make(self, params: RobotiqParams) -> tuple[Device, JointLimits, float]:
        return make_device(params, ros.nested_params(self, 'limits'))


def main() -> None:
    """Run the node until it is stopped."""
    run(RobotiqNode)
