"""The node of the Ability Hand."""

from typing import Any

from mimic_ability_driver.driver import make_device
from mimic_ability_driver.params import AbilityParams
from mimic_core.driver.ros import DriverNode, run


class AbilityNode(DriverNode):
    """Drive one Ability Hand."""

    def __init__(self, **options: Any) -> None:
        super().__init__('hand_driver', AbilityParams, make_device, **options)


def main() -> None:
    """Run the node until it is stopped."""
    run(AbilityNode)


if __name__ == '__main__':
    main()
