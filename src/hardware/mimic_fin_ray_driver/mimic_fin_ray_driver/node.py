"""ROS shell of the Fin Ray driver."""

from typing import Any

from mimic_core.driver.ros import DriverNode, run
from mimic_fin_ray_driver.driver import make_device
from mimic_fin_ray_driver.params import FinRayParams


class FinRayNode(DriverNode):
    """Drive a gripper with Fin Ray fingers."""

    def __init__(self, **options: Any) -> None:
        super().__init__('hand_driver', FinRayParams, make_device, **options)


def main() -> None:
    """Run the node until it is stopped."""
    run(FinRayNode)
