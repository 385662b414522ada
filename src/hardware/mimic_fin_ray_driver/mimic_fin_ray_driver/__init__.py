"""Parallel grippers with Fin Ray fingers: a WSG-50 on TCP, or a Dynamixel servo."""

from mimic_fin_ray_driver.driver import make_device
from mimic_fin_ray_driver.params import FinRayParams
from mimic_fin_ray_driver.servo import ServoGripper
from mimic_fin_ray_driver.wsg import WsgGripper

__all__ = ['FinRayParams', 'ServoGripper', 'WsgGripper', 'make_device']
