"""The contract of every device driver: what a device gives, and what is done with it."""

from mimic_core.driver.device import Device, Health, Reading, TactilePad
from mimic_core.driver.follower import Follower
from mimic_core.driver.loop import Loop
from mimic_core.driver.params import DriverParams, SessionParams
from mimic_core.driver.serial_port import SerialParams, SerialPort
from mimic_core.driver.session import DriverSession, DriverState, DriverStatus

__all__ = [
    'Device',
    'DriverParams',
    'DriverSession',
    'DriverState',
    'DriverStatus',
    'Follower',
    'Health',
    'Loop',
    'Reading',
    'SerialParams',
    'SerialPort',
    'SessionParams',
    'TactilePad',
]
