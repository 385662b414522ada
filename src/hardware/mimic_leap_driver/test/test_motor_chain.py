"""What every chain of motors passes, before this one's emulator."""

from typing import ClassVar

import numpy as np
from motor_chain_tests import MotorChainTests

from mimic_leap_driver import emulator
from mimic_leap_driver.driver import make_device
from mimic_leap_driver.params import LeapParams


class TestMotorChain(MotorChainTests):
    emulator = emulator
    make_device = staticmethod(make_device)
    params = LeapParams
    ids = tuple(range(16))
    bauds = 4_000_000, 57600
    warm, volts = 32.0, 5.0
    far = np.full(16, 3.0)
    resolution = 8e-4
    messages: ClassVar = {
        'checksum': 'damaged reply',
        'short': '116 bytes came',
        'silent': 'no whole reply of all motors: 0 bytes',
        'slow': 'no whole reply',
    }
    stuck = 9, 'upper'
    stuck_says = 'leap_joint_9 does not follow its command'
    torque_register = 64
    measured = 116

    @staticmethod
    def motors(emulator):
        return list(emulator.device.tables)
