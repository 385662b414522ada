"""An arm behind a vendor's stack, with a link that a test holds in its hand."""

import numpy as np

from mimic_core.driver import DriverSession, DriverState
from mimic_core.jtc import JtcDevice, JtcParams, Stack, StateSample
from mimic_core.limits import JointLimits
from mimic_core.params import from_mapping

JOINTS = ('a', 'b')
RATE = 100.0
KNOWN_WITHIN = 0.2  # [s]


class Clock:
    """Time that goes on only when it is told to."""

    now = 100.0

    def perf_counter(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class HeldLink:
    """Joint states come while `talks`; there is no controller manager."""

    talks = True

    def __init__(self, clock):
        self._clock, self._sample = clock, None

    def open(self):
        self._sample = None

    def close(self):
        pass

    def latest(self):
        if self.talks:
            self._sample = StateSample(np.zeros(2), None, None, 0.0, 0.0, self._clock.now)
        return self._sample

    def heard(self):
        return frozenset(JOINTS)

    def session(self):
        return None

    def controllers(self):
        return {}, -np.inf

    def send(self, position, duration):
        pass


def test_a_stack_that_falls_silent_is_lost_within_a_fifth_of_a_second(monkeypatch):
    clock = Clock()
    monkeypatch.setattr('mimic_core.jtc.device.time', clock)
    params = from_mapping(JtcParams, {'rate': RATE, 'controller_manager': ''})
    stack = Stack.chosen('stack', params, 'arm', 'controller', JOINTS)
    link = HeldLink(clock)
    device = JtcDevice(JOINTS, stack, link, params, 1.0 / RATE)
    one = np.ones(2)
    session = DriverSession(device, JointLimits(-one, one, one, one, one), params)
    session.configure(clock.now)
    session.activate(clock.now)
    session.cycle(clock.now, clock.perf_counter)
    assert session.status.state == DriverState.ACTIVE
    link.talks, begin = False, clock.now
    while session.status.state == DriverState.ACTIVE and clock.now < begin + 1.0:
        clock.sleep(1.0 / RATE)
        session.cycle(clock.now, clock.perf_counter)
    assert session.status.state == DriverState.LOST
    assert 'nothing on /arm/joint_states' in session.status.message
    assert clock.now - begin < KNOWN_WITHIN
