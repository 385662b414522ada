import time

import numpy as np

from mimic_core.command import NamedPositions
from mimic_core.driver import DriverSession, Health, Loop, Reading, SessionParams
from mimic_core.limits import JointLimits

LIMITS = JointLimits(*(np.array([v]) for v in (-1.0, 1.0, 10.0, 1.0, 1.0)))


class Device:
    joints = ('a',)

    def __init__(self):
        self.reads, self.writes = [], []
        self.delay = 0.0

    def open(self):
        return 'device'

    def close(self):
        pass

    def enable(self):
        pass

    def disable(self, *, hold):
        pass

    def read(self):
        time.sleep(self.delay)
        self.reads.append(time.perf_counter())
        return Reading(np.zeros(1))

    def write(self, position):
        self.writes.append((time.perf_counter(), position[0]))

    def health(self):
        return Health()

    def reset(self):
        pass


def _loop(rate):
    device = Device()
    session = DriverSession(device, LIMITS, SessionParams(rate=rate))
    session.configure(time.perf_counter())
    session.activate(time.perf_counter())
    return device, session, Loop(session, time.perf_counter, lambda reading: None)


def test_holds_its_rate_over_time():
    device, _, loop = _loop(200.0)
    loop.start()
    time.sleep(0.5)
    loop.stop()
    # Absolute times: what is late is caught up with or counted, so none is lost silently.
    assert abs(len(device.reads) + loop.missed - 100) <= 2
    assert not loop.alive


def test_counts_the_periods_that_it_misses():
    device, _, loop = _loop(200.0)
    device.delay = 0.05  # ten periods
    loop.start()
    time.sleep(0.5)
    loop.stop()
    assert loop.missed >= 5 * loop.cycles


def test_a_command_does_not_wait_for_the_period():
    device, session, loop = _loop(2.0)
    loop.start()
    while not device.writes:
        time.sleep(0.01)
    time.sleep(0.3)  # the next period begins in 0.2 s
    asked = time.perf_counter()
    session.take(NamedPositions.single(('a',), np.array([0.5])), asked)
    loop.wake()
    time.sleep(0.1)
    loop.stop()
    assert device.writes[-1][0] - asked < 0.1
    assert device.writes[-1][1] > 0.0


def test_a_command_that_comes_too_soon_is_not_forgotten_at_the_next_period():
    device, session, loop = _loop(10.0)
    loop.start()
    while not device.writes:
        time.sleep(0.001)
    begin = device.writes[-1][0]
    for at in (0.092, 0.097):  # the first is written at once, the second waits for its gap
        time.sleep(max(begin + at - time.perf_counter(), 0.0))
        command = NamedPositions.single(('a',), np.array([at]))
        session.take(command, time.perf_counter())
        loop.wake()
    time.sleep(0.085)  # past the gap, before the period after the next
    loop.stop()
    assert device.writes[-1][1] > device.writes[-2][1]
    assert 0.04 < device.writes[-1][0] - device.writes[-2][0] < 0.1
