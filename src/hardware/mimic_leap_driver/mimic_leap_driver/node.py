"""Node of the LEAP Hand's driver."""

from typing import Any

from mimic_core import ros
from mimic_core.driver.device import Device
from mimic_core.driver.ros import DriverNode, run
from mimic_core.limits import JointLimits, tighten
from mimic_description import known_joints
from mimic_leap_driver.driver import make_device
from mimic_leap_driver.params import LeapParams


class LeapDriverNode(DriverNode):
    """Drive a LEAP Hand."""

    parts = ('hand',)

    def __init__(self, **options: Any) -> None:
        super().__init__('hand_driver', LeapParams, self._make, **options)

    def _make(self, params: LeapParams) -> tuple[Device, JointLimits, float]:
        device, limits, rate = make_device(params)
        site = ros.nested_params(self, 'limits')
        names = [params.prefix + joint for joint in device.joints]
        limits = tighten(limits, names, site, known=known_joints(), prefix=params.prefix)
        return device, limits, rate


def main() -> None:
    """Run the node until it is stopped."""
    run(LeapDriverNode)
