"""What every chain of motors passes, before this one's emulator."""

from typing import ClassVar

import numpy as np
from motor_chain_tests import MotorChainTests

from mimic_so101_driver import emulator
from mimic_so101_driver.driver import make_device
from mimic_so101_driver.params import So101Params


class TestMotorChain(MotorChainTests):
    emulator = emulator
    make_device = staticmethod(make_device)
    params = So101Params
    ids = tuple(range(1, 7))
    bauds = 1_000_000, 115200
    warm, volts = 30.0, 12.0
    far = np.full(6, 5.0)
    resolution = 2.4e-3  # a count of the motors, and half a one of their calibration's middle
    messages: ClassVar = {
        'checksum': 'wrong checksum',
        'short': 'no reply of motor',
        'silent': 'no reply of motor 1, 2, 3',
        'slow': 'no reply of motor',
    }
    stuck = 3, 'lower'
    stuck_says = 'so101_wrist_flex does not follow its command'
    torque_register = 40
    measured = 42

    @staticmethod
    def motors(emulator):
        return emulator.device.memory
