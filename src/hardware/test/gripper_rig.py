"""What the tests of gripper drivers share: patience, an open device, a session that swings."""

from contextlib import contextmanager

import numpy as np

from mimic_core.driver.testing import Rig, wait

KNOWN_WITHIN = 0.2  # [s]
# A busy machine may run neither the loop nor the emulator for so long [s].
PATIENCE = 0.15
# A machine that is busy with other things is no lost device.
PATIENT = {'reconnect_period': 0.1, 'reply_timeout': 0.3, 'lost_after': 1.0}


@contextmanager
def while_open(device):
    device.open()
    try:
        yield device
    finally:
        device.close()


class SwingRig(Rig):
    """A session and its loop, and a client that swings the gripper, or sends it to a goal.

    Attributes:
        middle, reach: Of the swing [rad] or [m]; a subclass says them.
        goal: Where to send it instead [rad] or [m]; None: swing; NaN: no command.
    """

    def __init__(self, emulator, made, params):
        super().__init__(emulator, made, params, self.goal_at)
        self.goal = None

    def goal_at(self, seconds):
        swing = self.middle - self.reach * np.cos(2.0 * np.pi * seconds / 4.0)
        goal = swing if self.goal is None else self.goal
        return np.array([goal]) if np.isfinite(goal) else None

    def check_that_a_bad_reply_costs_one_period(self, *faults: str):
        """Let each fault happen once: it follows again, and was never lost."""
        wait(self.follows)
        for fault in faults:
            errors = self.status.errors.total()
            self.emulator.faults.set(fault, 1)
            wait(lambda before=errors: self.status.errors.total() > before)
            wait(self.follows)
        assert self.status.reconnects == 0
