"""The state machine of drivers, on a simulated device with motors, limits and faults."""

import numpy as np
import pytest

from mimic_core.command import NamedPositions
from mimic_core.driver import DriverSession, DriverState, Health, Reading, SessionParams
from mimic_core.emulator import Plant
from mimic_core.errors import (
    DeviceError,
    DeviceFaultError,
    NoReplyError,
    PortError,
    ProtocolError,
)
from mimic_core.limits import JointLimits

JOINTS = ('a', 'b')
LIMITS = JointLimits(
    np.array([-1.0, 0.0]), np.array([1.0, 0.5]), np.array([2.0, 1.0]), np.ones(2), np.ones(2)
)
RATE = 100.0


class SimulatedDevice:
    joints = JOINTS

    def __init__(self):
        self.plant = Plant(LIMITS, np.array([0.2, 0.1]), time_constant=0.01)
        self.opened = 0
        self.error = None  # raised by every call until it is cleared
        self.fault = None  # raised by read until reset, or until it is cleared
        self.reset_clears = True
        self.written = []

    def _bus(self):
        if self.error is not None:
            raise self.error

    def open(self):
        self._bus()
        self.opened += 1
        return 'simulated, firmware 1'

    def close(self):
        pass

    def enable(self):
        self._bus()
        if self.fault:
            raise self.fault
        self.plant.target = self.plant.position.copy()
        self.plant.torque[:] = True

    def disable(self, *, hold):
        self._bus()
        self.plant.torque[:] = hold

    def read(self):
        self._bus()
        if self.fault:
            raise self.fault
        return Reading(self.plant.position.copy())

    def write(self, position):
        self._bus()
        self.written.append(position.copy())
        self.plant.target = position.copy()

    def health(self):
        self._bus()
        return Health(temperature={'motor': 30.0})

    def reset(self):
        self._bus()
        if self.reset_clears:
            self.fault = None


class Bench:
    """A session and its device in simulated time."""

    def __init__(self, **params):
        self.device = SimulatedDevice()
        self.now = 100.0
        self.said = []
        self.session = DriverSession(
            self.device, LIMITS, SessionParams(rate=RATE, **params), self._note
        )
        self.path = []

    def _note(self):
        status = self.session.status
        self.said.append((self.now, status.state, status.message))

    def start(self):
        self.session.configure(self.now)
        self.session.activate(self.now)
        return self

    def run(self, seconds, command=None):
        readings = []
        for _ in range(round(seconds * RATE)):
            self.now += 1.0 / RATE
            if command is not None:
                goal = NamedPositions(JOINTS, np.atleast_2d(command), np.array([0.01]))
                assert self.session.take(goal, self.now) is None
            readings.append(self.session.cycle(self.now, lambda: self.now))
            self.device.plant.step(1.0 / RATE)
            self.path.append(self.device.plant.position.copy())
        return [r for r in readings if r is not None]

    @property
    def state(self):
        return self.session.status.state


def _largest_steps(device):
    return np.abs(np.diff(np.array(device.written), axis=0)).max(axis=0)


def test_the_first_command_is_the_measured_position():
    bench = Bench().start()
    bench.run(0.05, [0.9, 0.4])
    np.testing.assert_array_equal(bench.device.written[0], [0.2, 0.1])
    assert bench.state == DriverState.ACTIVE


def test_follows_a_command_and_stamps_what_it_reads():
    bench = Bench().start()
    readings = bench.run(2.0, [0.9, 0.4])
    np.testing.assert_allclose(readings[-1].position, [0.9, 0.4], atol=1e-3)
    assert readings[-1].stamp == pytest.approx(bench.now)
    assert bench.session.status.reads == 200


def test_the_age_of_a_reading_makes_its_stamp():
    bench = Bench().start()
    read = bench.device.read
    bench.device.read = lambda: Reading(read().position, age=0.004)
    assert bench.run(0.01)[-1].stamp == pytest.approx(bench.now - 0.004)


def test_the_same_reply_read_twice_is_no_older_the_second_time():
    bench = Bench().start()
    read, ages = bench.device.read, [0.004, 0.2, 0.004]  # [s]
    bench.device.read = lambda: Reading(read().position, age=ages.pop(0))
    stamps = [reading.stamp for reading in bench.run(0.03)]
    assert len(stamps) == 3 and stamps == sorted(stamps)


@pytest.mark.parametrize('seed', range(5))
def test_never_outside_the_limits_whatever_is_asked(seed):
    rng = np.random.default_rng(seed)
    bench = Bench().start()
    for _ in range(200):
        bench.run(rng.integers(1, 10) / RATE, rng.normal(0.0, 5.0, 2))
        if rng.random() < 0.05:
            bench.session.set_torque(False, bench.now)
            bench.run(0.05)
            bench.session.set_torque(True, bench.now)
    written = np.array(bench.device.written)
    assert (written >= LIMITS.lower).all() and (written <= LIMITS.upper).all()
    assert (_largest_steps(bench.device) <= LIMITS.max_speed * 2.0 / RATE + 1e-12).all()


def test_catches_up_slowly_and_then_follows_at_full_speed():
    bench = Bench(resume_speed_scale=0.25).start()
    bench.run(0.5, [0.9, 0.1])
    first = np.abs(np.diff(np.array(bench.device.written)[:, 0]))
    assert first.max() == pytest.approx(0.25 * 2.0 / RATE)
    bench.run(2.0, [0.9, 0.1])
    count = len(bench.device.written)
    bench.run(0.5, [-0.9, 0.1])
    later = np.abs(np.diff(np.array(bench.device.written)[count:, 0]))
    assert later.max() == pytest.approx(2.0 / RATE)


def test_refuses_foreign_joints_and_old_trajectories():
    bench = Bench().start()
    foreign = NamedPositions.single(('x',), np.zeros(1))
    assert 'unknown joint x' in bench.session.take(foreign, bench.now)
    old = NamedPositions(JOINTS, np.zeros((1, 2)), np.array([0.1]), stamp=bench.now - 1.0)
    assert 'ended in the past' in bench.session.take(old, bench.now)
    assert bench.session.status.refused == 2


def test_one_damaged_reply_is_counted_and_not_published():
    bench = Bench().start()
    bench.run(0.1, [0.3, 0.1])
    bench.device.error = ProtocolError('checksum')
    assert bench.run(0.01) == []
    bench.device.error = None
    assert len(bench.run(0.05, [0.3, 0.1])) == 5
    assert bench.state == DriverState.ACTIVE
    assert bench.session.status.errors == {'ProtocolError': 1}


@pytest.mark.parametrize('error', [NoReplyError('silence'), ProtocolError('noise')])
def test_a_silent_device_is_lost_within_a_fifth_of_a_second_and_found_again(error):
    bench = Bench(reconnect_period=0.2).start()
    bench.run(1.0, [0.8, 0.4])
    failed_at, bench.device.error = bench.now, error
    bench.run(0.5, [-0.8, 0.0])
    lost = next(now for now, state, _ in bench.said if state == DriverState.LOST)
    assert lost - failed_at <= 0.2
    assert bench.session.status.message == str(error)
    bench.device.plant.torque[:] = False  # its supply failed, and somebody moved it
    bench.device.plant.position[:] = [0.0, 0.2]
    bench.device.error = None
    count = len(bench.device.written)
    bench.run(1.0, [-0.8, 0.0])
    assert bench.state == DriverState.ACTIVE
    assert bench.session.status.reconnects == 1
    after = np.array(bench.device.written[count:])
    np.testing.assert_allclose(after[0], [0.0, 0.2])  # starts where it is
    assert (np.abs(np.diff(after, axis=0)) <= 0.25 * LIMITS.max_speed / RATE * 2 + 1e-9).all()


def test_an_unplugged_port_is_lost_at_once():
    bench = Bench().start()
    bench.run(0.1)
    bench.device.error = PortError('unplugged')
    bench.run(0.02)
    assert bench.state == DriverState.LOST
    assert bench.session.status.torque is False


def test_a_fault_stops_writing_and_is_left_when_it_is_over():
    bench = Bench().start()
    bench.run(0.5, [0.8, 0.4])
    bench.device.fault = DeviceFaultError('motor a: 80 deg C')
    failed_at, count = bench.now, len(bench.device.written)
    bench.run(0.5, [-0.8, 0.0])
    assert bench.state == DriverState.FAULT
    assert bench.said[-1][0] - failed_at <= 0.2
    assert 'motor a' in bench.session.status.message
    assert len(bench.device.written) == count
    bench.device.fault = None
    bench.run(0.5, [-0.8, 0.0])
    assert bench.state == DriverState.ACTIVE
    np.testing.assert_allclose(bench.device.written[count], bench.path[99], atol=1e-3)


def test_a_fault_that_stays_is_cleared_by_reset_only():
    bench = Bench().start()
    bench.device.fault = DeviceFaultError('over-current')
    bench.run(1.0)
    assert bench.state == DriverState.FAULT
    bench.session.reset(bench.now)
    bench.run(0.1)
    assert bench.state == DriverState.ACTIVE


def test_auto_reset_clears_it_by_itself():
    bench = Bench(auto_reset=True, reconnect_period=0.1).start()
    bench.device.fault = DeviceFaultError('over-current')
    bench.run(0.5)
    assert bench.state == DriverState.ACTIVE


@pytest.mark.parametrize(('policy', 'torque'), [('hold', True), ('limp', False)])
def test_a_lost_client(policy, torque):
    bench = Bench(command_timeout=0.2, on_lost_client=policy).start()
    bench.run(1.0, [0.8, 0.4])
    bench.run(0.3)
    held = bench.device.written[-1]
    bench.run(1.0)
    assert bench.session.status.client == 'lost'
    assert bool(bench.device.plant.torque.all()) is torque
    assert 'no command' in bench.session.status.message
    if torque:
        np.testing.assert_allclose(bench.device.written[-1], held, atol=1e-9)
    bench.device.plant.position[:] = [0.5, 0.3]
    count = len(bench.device.written)
    bench.run(0.1, [0.8, 0.4])
    assert bench.session.status.client == 'live'
    assert bench.device.plant.torque.all()
    if not torque:
        np.testing.assert_allclose(bench.device.written[count], [0.5, 0.3], atol=1e-6)


@pytest.mark.parametrize(('policy', 'torque'), [('hold', True), ('limp', False)])
def test_deactivate(policy, torque):
    bench = Bench(on_deactivate=policy).start()
    bench.run(0.2, [0.8, 0.4])
    bench.session.deactivate()
    assert bool(bench.device.plant.torque.all()) is torque
    count = len(bench.device.written)
    late = NamedPositions.single(JOINTS, np.zeros(2))
    assert bench.session.take(late, bench.now) == 'a command: the driver is inactive'
    assert len(bench.run(0.2)) == 20  # still read
    assert len(bench.device.written) == count
    bench.session.set_torque(False, bench.now)
    assert not bench.device.plant.torque.any()
    bench.session.cleanup()
    assert bench.run(0.1) == []


def test_deactivated_while_lost_it_comes_back_limp():
    bench = Bench(reconnect_period=0.1).start()
    bench.device.error = PortError('unplugged')
    bench.run(0.1)
    bench.session.deactivate()
    bench.device.error = None
    bench.run(0.5)
    assert bench.state == DriverState.INACTIVE
    assert not bench.device.plant.torque.any()


def test_torque_off_on_request_and_on_again_where_it_is():
    bench = Bench().start()
    bench.run(0.5, [0.8, 0.4])
    bench.session.set_torque(False, bench.now)
    count = len(bench.device.written)
    bench.device.plant.position[:] = [-0.5, 0.2]
    bench.run(0.5, [0.8, 0.4])
    assert not bench.device.plant.torque.any() and len(bench.device.written) == count
    bench.session.set_torque(True, bench.now)
    bench.run(0.05, [0.8, 0.4])
    np.testing.assert_allclose(bench.device.written[count], [-0.5, 0.2], atol=1e-6)


def test_torque_off_stays_off_when_it_is_lost_and_found_again():
    bench = Bench(reconnect_period=0.1).start()
    bench.run(0.5, [0.8, 0.4])
    bench.session.set_torque(False, bench.now)
    bench.device.error = PortError('unplugged')
    bench.run(0.2)
    bench.device.error = None
    count = len(bench.device.written)
    bench.run(0.5, [0.8, 0.4])
    assert bench.state == DriverState.ACTIVE
    assert not bench.device.plant.torque.any() and len(bench.device.written) == count
    bench.device.error = PortError('unplugged')
    bench.run(0.2)
    with pytest.raises(DeviceError, match='once it does, its torque is on'):
        bench.session.set_torque(True, bench.now)
    bench.device.error = None
    bench.run(0.5, [0.8, 0.4])
    assert bench.device.plant.torque.all()


def test_torque_off_during_a_fault():
    bench = Bench().start()
    bench.device.fault = DeviceFaultError('over-current')
    bench.run(0.1)
    bench.session.set_torque(False, bench.now)
    assert not bench.device.plant.torque.any()
    assert bench.session.status.message == 'over-current'
    bench.device.fault = None
    bench.run(0.5, [0.8, 0.4])
    assert bench.state == DriverState.ACTIVE and not bench.device.plant.torque.any()


def test_limp_without_a_client_it_comes_back_limp():
    bench = Bench(command_timeout=0.2, on_lost_client='limp', reconnect_period=0.1).start()
    bench.run(0.5, [0.8, 0.4])
    bench.run(0.5)
    assert not bench.device.plant.torque.any()
    bench.device.error = PortError('unplugged')
    bench.run(0.2)
    bench.device.error = None
    bench.run(0.5)
    assert bench.state == DriverState.ACTIVE and not bench.device.plant.torque.any()
    bench.run(0.1, [0.8, 0.4])
    assert bench.device.plant.torque.all()


def test_a_stuck_joint_is_named():
    bench = Bench(following_error=0.1, following_time=0.3).start()
    bench.device.plant.stuck[1] = True
    bench.run(1.5, [0.2, 0.5])
    assert bench.session.status.warnings == ('b does not follow its command',)
    assert bench.said[-1][0] < bench.now - 0.1  # told when it began, and once


def test_a_command_is_written_before_the_period_is_over():
    bench = Bench().start()
    bench.run(0.1, [0.2, 0.1])
    count = len(bench.device.written)
    later = bench.now + 0.6 / RATE
    bench.session.take(NamedPositions.single(JOINTS, np.array([0.21, 0.1])), later)
    assert bench.session.write_now(later) == 0.0
    assert len(bench.device.written) == count + 1
    assert bench.device.written[-1][0] > 0.2
    early = bench.session.write_now(later + 0.001)  # not twice within half a period
    assert early == pytest.approx(0.5 / RATE - 0.001)
    assert len(bench.device.written) == count + 1


@pytest.mark.parametrize(('policy', 'torque'), [('hold', True), ('limp', False)])
def test_a_damaged_reply_while_deactivating_does_not_leave_it_active(policy, torque):
    bench = Bench(on_deactivate=policy).start()
    bench.run(0.2, [0.8, 0.4])
    bench.device.error = NoReplyError('no reply')
    with pytest.raises(NoReplyError):
        bench.session.deactivate()
    assert bench.state == DriverState.INACTIVE
    assert 'not deactivated' in bench.session.status.message
    bench.device.error = None
    count = len(bench.device.written)
    bench.run(0.2)
    assert len(bench.device.written) == count
    assert bool(bench.device.plant.torque.all()) is torque
    assert bench.session.status.message == ''


def test_deactivated_after_torque_off_it_does_not_get_stiff():
    bench = Bench(on_deactivate='hold').start()
    bench.run(0.1)
    bench.session.set_torque(False, bench.now)
    bench.session.deactivate()
    assert not bench.device.plant.torque.any() and bench.session.status.torque is False


def test_what_was_enabled_in_part_goes_limp_again():
    bench = Bench()
    bench.session.configure(bench.now)
    enable = bench.device.enable

    def enable_in_part():
        enable()
        raise NoReplyError('motor b')

    bench.device.enable = enable_in_part
    with pytest.raises(NoReplyError):
        bench.session.activate(bench.now)
    bench.run(0.02)
    assert bench.state == DriverState.INACTIVE and not bench.device.plant.torque.any()


def test_a_lost_device_is_neither_activated_nor_reset():
    bench = Bench(reconnect_period=0.1)
    bench.session.configure(bench.now)
    bench.device.error = PortError('unplugged')
    bench.run(0.02)
    bench.device.error = None
    for act in (bench.session.activate, bench.session.reset):
        with pytest.raises(DeviceError):
            act(bench.now)
    bench.run(0.2)
    assert bench.state == DriverState.INACTIVE and not bench.device.plant.torque.any()


def test_reset_of_a_healthy_device_leaves_it_enabled():
    bench = Bench().start()
    bench.run(0.2, [0.8, 0.4])

    def reset():
        bench.device.plant.torque[:] = False  # as one that restarts its motors

    bench.device.reset = reset
    bench.session.reset(bench.now)
    bench.run(0.5, [0.8, 0.4])
    assert bench.state == DriverState.ACTIVE and bench.device.plant.torque.all()


def test_outside_the_bounds_it_moves_only_when_it_is_commanded():
    bench = Bench().start()
    bench.session.limits = JointLimits(
        np.array([-0.1, 0.0]), np.array([0.1, 0.5]), LIMITS.max_speed, np.ones(2), np.ones(2)
    )
    bench.run(1.0)
    np.testing.assert_allclose(bench.path[-1], [0.2, 0.1])
    bench.run(0.5, [0.9, 0.1])
    assert bench.path[-1][0] == pytest.approx(0.1)  # back to its bound, not out with the wish
    bench.run(1.0, [0.0, 0.1])
    bench.run(1.0, [0.9, 0.1])
    assert bench.path[-1][0] == pytest.approx(0.1, abs=1e-3)  # and never out again


@pytest.mark.parametrize('velocities', [None, [[1e308, 0.0], [-1e308, 0.0]]])
def test_numbers_that_overflow_are_refused(velocities):
    bench = Bench().start()
    points = np.array([[1e308, 0.0], [-1e308, 0.0]]) if velocities is None else np.zeros((2, 2))
    absurd = NamedPositions(JOINTS, points, np.array([0.01, 1.0]), velocities=velocities)
    assert 'beyond' in bench.session.take(absurd, bench.now)
    bench.run(0.5)
    assert np.isfinite(bench.device.written).all()


def test_a_measured_position_that_is_no_number_is_a_damaged_reply():
    bench = Bench().start()
    bench.run(0.1)
    read = bench.device.read
    bench.device.read = lambda: Reading(np.array([np.nan, 0.1]))
    assert bench.run(0.05) == []
    bench.device.read = read
    bench.run(0.1)
    assert bench.state == DriverState.ACTIVE
    assert bench.session.status.errors['ProtocolError'] == 5


def test_writes_that_fail_for_long_are_a_loss_though_reads_do_not():
    bench = Bench(lost_after=0.15).start()
    bench.run(0.1)

    def refuse(_):
        raise NoReplyError('nobody serves the gripper')

    bench.device.write = refuse
    bench.run(0.2, [0.8, 0.4])
    assert any(s == DriverState.LOST and 'nobody' in m for _, s, m in bench.said)


def test_a_clock_that_is_set_back_stops_nothing():
    bench = Bench(command_timeout=0.2, reconnect_period=0.1).start()
    bench.run(0.5, [0.8, 0.4])
    bench.now -= 50.0
    held, count = bench.device.written[-1], len(bench.device.written)
    bench.run(0.1)
    assert len(bench.device.written) > count
    np.testing.assert_allclose(bench.device.written[-1], held, atol=1e-9)
    bench.run(0.5)
    assert bench.session.status.client == 'lost'
    bench.device.error = PortError('unplugged')
    bench.run(0.02)
    bench.now -= 50.0
    bench.device.error = None
    bench.run(0.3)
    assert bench.state == DriverState.ACTIVE


def test_a_client_that_goes_during_a_fault_is_lost_after_it():
    bench = Bench(command_timeout=0.2, on_lost_client='limp').start()
    bench.run(0.5, [0.8, 0.4])
    bench.device.fault = DeviceFaultError('over-current')
    bench.run(0.5)
    bench.device.fault = None
    bench.run(0.5)
    assert bench.state == DriverState.ACTIVE and not bench.device.plant.torque.any()
    assert bench.session.status.torque is False and bench.session.status.client == 'lost'
    bench.run(0.1, [0.8, 0.4])
    assert bench.device.plant.torque.all() and bench.session.status.client == 'live'


def test_of_two_streams_the_latest_command_counts():
    bench = Bench().start()
    bench.run(0.1)
    for names, goal in ((JOINTS, [0.2, 0.2]), (('b',), [0.0]), (JOINTS, [0.2, 0.15])):
        command = NamedPositions(names, np.atleast_2d(goal), np.array([0.01]))
        assert bench.session.take(command, bench.now) is None
    bench.run(0.4)
    assert bench.device.written[-1][1] == pytest.approx(0.15)
