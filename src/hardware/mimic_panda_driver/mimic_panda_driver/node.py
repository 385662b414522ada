"""ROS shell of the driver of the Panda and its gripper."""

from typing import Any

from mimic_core.driver import Device
from mimic_core.driver.ros import DriverNode, run
from mimic_core.limits import JointLimits, SiteLimits
from mimic_panda_driver.driver import make_device
from mimic_panda_driver.params import PandaParams


class PandaNode(DriverNode):
    """Drive a Panda, and its own gripper where it wears it."""

    parts = ('arm', 'hand')

    def __init__(self, **options: Any) -> None:
        super().__init__('arm_driver', PandaParams, self._make, **options)

    def _make(self, params: PandaParams, site: SiteLimits) -> tuple[Device, JointLimits, float]:
        if params.hand == 'none':
            self.parts = ('arm',)
        return make_device(params, site)


def main() -> None:
    """Run the node until it is stopped."""
    run(PandaNode)
