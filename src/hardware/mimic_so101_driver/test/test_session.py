"""Session, loop and driver before the emulator: faults on the way, and what moves meanwhile."""

from typing import ClassVar

import numpy as np
from session_tests import SessionTests

from mimic_so101_driver import emulator
from mimic_so101_driver.driver import make_device
from mimic_so101_driver.params import So101Params


class TestSession(SessionTests):
    emulator = emulator
    make_device = staticmethod(make_device)
    params = So101Params
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

    @staticmethod
    def motors(emulator):
        return emulator.device.memory
