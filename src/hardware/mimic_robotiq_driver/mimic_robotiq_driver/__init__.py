"""Robotiq 2F-85 and 2F-140 grippers on Modbus RTU."""

from mimic_robotiq_driver.driver import RobotiqGripper, make_device
from mimic_robotiq_driver.params import RobotiqParams

__all__ = ['RobotiqGripper', 'RobotiqParams', 'make_device']
