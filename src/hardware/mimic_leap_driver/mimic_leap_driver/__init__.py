"""Driver of the LEAP Hand: sixteen Dynamixel motors on one bus."""

from mimic_leap_driver.driver import LeapHand, make_device
from mimic_leap_driver.params import LeapParams

__all__ = ['LeapHand', 'LeapParams', 'make_device']
