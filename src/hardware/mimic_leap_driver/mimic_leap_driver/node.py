"""Node of the LEAP Hand's driver."""

from typing import Any

from mimic_core.driver.ros import DriverNode, run
from mimic_leap_driver.driver import make_device
from mimic_leap_driver.params import LeapParams


class LeapDriverNode(DriverNode):
    """Drive a LEAP Hand."""

    parts = ('hand',)

    def __init__(self, **options: Any) -> None:
        super().__init__('hand_driver', LeapParams, make_device, **options)


def main() -> None:
    """Run the node until it is stopped."""
    run(LeapDriverNode)
