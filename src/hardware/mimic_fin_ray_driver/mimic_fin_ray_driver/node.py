"""ROS shell of the Fin Ray driver."""

from typing import Any

from mimic_core import ros
from mimic_core.driver import Device
from mimic_core.driver.ros import DriverNode, run
from mimic_core.limits import JointLimits
from mimic_fin_ray_driver.driver import make_device
from mimic_fin_ray_driver.params import FinRayParams


class FinRayNode(DriverNode):
    """Drive a gripper with Fin Ray fingers."""

    def __init__(self, **options: Any) -> None:
        super().__init__('hand_driver', FinRayParams, self._make, **options)

    def _make(self, params: FinRayParams) -> tuple[Device, JointLimits, float]:
        return make_device(params, ros.nested_params(self, 'limits'))


def main() -> None:
    """Run the node until it is stopped."""
    run(FinRayNode)
