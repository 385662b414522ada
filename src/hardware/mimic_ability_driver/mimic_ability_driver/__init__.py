"""Driver of the PSYONIC Ability Hand."""

from mimic_ability_driver.driver import AbilityHand, make_device
from mimic_ability_driver.params import AbilityParams

__all__ = ['AbilityHand', 'AbilityParams', 'make_device']
