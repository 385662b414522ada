"""ROS shell of the iiwa's driver."""

from typing import Any

from mimic_core.driver.ros import DriverNode, run
from mimic_iiwa_driver.driver import make_device
from mimic_iiwa_driver.params import IiwaParams


class IiwaNode(DriverNode):
    """Drive an iiwa behind one of its stacks."""

    parts = ('arm',)

    def __init__(self, **options: Any) -> None:
        super().__init__('arm_driver', IiwaParams, make_device, **options)


def main() -> None:
    """Run the node until it is stopped."""
    run(IiwaNode)
