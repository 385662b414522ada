"""Session, loop and driver before the emulator: faults on the way, and what moves meanwhile."""

from typing import ClassVar

import numpy as np
from session_tests import SessionTests

from mimic_leap_driver import emulator
from mimic_leap_driver.driver import make_device
from mimic_leap_driver.params import LeapParams


class TestSession(SessionTests):
    emulator = emulator
    make_device = staticmethod(make_device)
    params = LeapParams
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

    @staticmethod
    def motors(emulator):
        return list(emulator.device.tables)
