"""Node of the SO-ARM101's driver: arm and gripper on one bus."""

from typing import Any

from mimic_core.driver.device import Device
from mimic_core.driver.ros import DriverNode, run
from mimic_core.limits import JointLimits, SiteLimits
from mimic_so101_driver.driver import has_gripper, make_device
from mimic_so101_driver.params import So101Params


class So101DriverNode(DriverNode):
    """Drive an SO-ARM101."""

    parts = ('arm', 'hand')

    def __init__(self, **options: Any) -> None:
        super().__init__('arm_driver', So101Params, self._make, **options)

    def _make(self, params: So101Params, site: SiteLimits) -> tuple[Device, JointLimits, float]:
        if not has_gripper(params):
            self.parts = ('arm',)
        return make_device(params, site)


def main() -> None:
    """Run the node until it is stopped."""
    run(So101DriverNode)
