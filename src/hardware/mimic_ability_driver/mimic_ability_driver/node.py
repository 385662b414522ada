"""The node of the Ability Hand."""

from typing import Any

from mimic_ability_driver.driver import AbilityHand, make_device
from mimic_ability_driver.params import AbilityParams
from mimic_core import ros
from mimic_core.driver.ros import DriverNode, run
from mimic_core.limits import JointLimits, tighten
from mimic_description import known_joints


class AbilityNode(DriverNode):
    """Drive one Ability Hand."""

    def __init__(self, **options: Any) -> None:
        super().__init__('hand_driver', AbilityParams, self._make, **options)

    def _make(self, params: AbilityParams) -> tuple[AbilityHand, JointLimits, float]:
        device, limits, rate = make_device(params)
        site = ros.nested_params(self, 'limits')
        names = [params.prefix + joint for joint in device.joints]
        tight = tighten(limits, names, site, known=known_joints(), prefix=params.prefix)
        return device, tight, rate


def main() -> None:
    """Run the node until it is stopped."""
    run(AbilityNode)


if __name__ == '__main__':
    main()
