"""ROS shell of the iiwa's driver."""

from typing import Any

from mimic_core import ros
from mimic_core.driver import Device
from mimic_core.driver.ros import DriverNode, run
from mimic_core.limits import JointLimits, tighten
from mimic_description import known_joints
from mimic_iiwa_driver.driver import make_device
from mimic_iiwa_driver.params import IiwaParams


class IiwaNode(DriverNode):
    """Drive an iiwa behind one of its stacks."""

    parts = ('arm',)

    def __init__(self, **options: Any) -> None:
        super().__init__('arm_driver', IiwaParams, self._make, **options)

    def _make(self, params: IiwaParams) -> tuple[Device, JointLimits, float]:
        device, limits, rate = make_device(params)
        site = ros.nested_params(self, 'limits')
        names = [params.prefix + joint for joint in device.joints]
        tight = tighten(limits, names, site, known=known_joints(), prefix=params.prefix)
        return device, tight, rate


def main() -> None:
    """Run the node until it is stopped."""
    run(IiwaNode)
