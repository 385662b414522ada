"""Driver of the SO-ARM101: five joints and a gripper of Feetech motors on one bus."""

from mimic_so101_driver.driver import So101, make_device
from mimic_so101_driver.params import So101Params

__all__ = ['So101', 'So101Params', 'make_device']
