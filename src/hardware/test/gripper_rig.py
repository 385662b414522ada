"""What the tests of gripper drivers share: patience, and a session that swings."""

import time

import numpy as np
import pytest
from open_device import while_open

from mimic_core.driver.testing import Rig, wait
from mimic_core.params import from_mapping

KNOWN_WITHIN = 0.2  # [s]
# A busy machine may run neither the loop nor the emulator for so long [s].
PATIENCE = 0.15
# A machine that is busy with other things is no lost device.
PATIENT = {'reconnect_period': 0.1, 'reply_timeout': 0.3, 'lost_after': 1.0}


class SwingRig(Rig):
    """A session and its loop, and a client that swings the gripper, or sends it to a goal.

    Attributes:
        make_device: The driver's function of that name.
        params: The class of the driver's parameters.
        middle, reach: Of the swing [rad] or [m]; a subclass says them.
        goal: Where to send it instead [rad] or [m]; None: swing; NaN: no command.
    """

    def __init__(self, emulator, **values):
        params = self.params_of(emulator, **values)
        super().__init__(emulator, self.make_device(params), params, self.goal_at)
        self.goal = None

    @classmethod
    def params_of(cls, emulator, **values):
        return from_mapping(cls.params, {**emulator.params, **PATIENT, **values})

    @classmethod
    def opened(cls, emulator, **values):
        return while_open(cls.make_device(cls.params_of(emulator, **values))[0])

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

    def check_that_it_stays_without_a_client(self, *, stiff: bool, atol: float):
        """Let the client be silent: it stays within `atol` [rad] or [m], and follows again."""
        wait(self.follows)
        self.goal = np.nan
        wait(lambda: self.status.client == 'lost')
        time.sleep(0.3)
        assert self.emulator.plant.torque[0] == stiff
        position = self.emulator.plant.position.copy()
        time.sleep(0.2)
        assert self.emulator.plant.position == pytest.approx(position, abs=atol)
        self.goal = None
        wait(self.follows, 8.0)
