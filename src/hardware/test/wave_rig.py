"""A session under a client that waves, for tests that measure how soon a fault is told."""

import time

import numpy as np

from mimic_core.driver.testing import Rig, Stalls, wait
from mimic_core.params import from_mapping


class WaveRig(Rig):
    """A session in its loop before an emulator, commanded along a wave about a goal.

    Attributes:
        make_device: The driver's function of that name.
        params: The class of the driver's parameters.
        home: (J,) the goal at the start [rad].
        amplitude, speed: Of the wave [rad], [rad/s].
        goal: (J,) the middle of the wave [rad].
    """

    def check_writes(self):
        """Check, at the end, all that was written."""
        raise NotImplementedError

    def __init__(self, context, **values):
        """Start an emulator from what its `start` returned."""
        self.stalls = Stalls()
        self.context = context
        emulator = context.__enter__()
        patient = {'lost_after': 2.0, 'reconnect_period': 0.1}
        params = from_mapping(self.params, {**patient, **emulator.params, **values})
        self.goal = self.home.copy()
        super().__init__(emulator, self.make_device(params), params, self._wave)

    def _wave(self, seconds: float) -> np.ndarray:
        return self.goal + self.amplitude * np.sin(self.speed * seconds)

    def __enter__(self):
        super().__enter__()
        time.sleep(0.4)
        return self

    def __exit__(self, *_):
        super().__exit__()
        self.context.__exit__(None, None, None)
        self.stalls.stop()
        assert all(self.limits.contains(q, 1e-6) for q in self.moved())
        self.check_writes()

    def wait(self, condition, seconds: float = 8.0) -> float:
        """Wait for a condition; return how long it took, less the stalls of the machine [s]."""
        self.stalls.total = 0.0
        return wait(condition, seconds) - self.stalls.total
