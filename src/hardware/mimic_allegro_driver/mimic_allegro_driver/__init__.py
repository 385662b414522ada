"""Driver of the Wonik Allegro Hand."""

from mimic_allegro_driver.driver import AllegroHand, make_device
from mimic_allegro_driver.params import AllegroParams

__all__ = ['AllegroHand', 'AllegroParams', 'make_device']
