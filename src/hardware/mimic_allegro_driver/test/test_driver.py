"""The driver of the Allegro Hand before its emulator, over python-can's buses."""

import itertools
import time

import can
import numpy as np
import pytest

from mimic_allegro_driver.driver import make_device
from mimic_allegro_driver.emulator import start
from mimic_allegro_driver.params import AllegroParams
from mimic_core.errors import (
    ConfigError,
    DeviceFaultError,
    IdentityError,
    NoReplyError,
    PortError,
    ProtocolError,
)
from mimic_core.params import from_mapping

GOAL = np.array([0.2, 0.8, 0.7, 0.6, 0.0, 0.8, 0.7, 0.6, -0.2, 0.8, 0.7, 0.6, 1.0, 0.5, 0.5, 0.5])
_buses = (f'allegro-{i}' for i in itertools.count())


def _start(**options):
    options = {'interface': 'virtual', 'channel': next(_buses), **options}
    return start(**options)


def _device(emulator, **params):
    # A busy machine may pause for long; nothing here is about that.
    params = {'reply_timeout': 1.0, **emulator.params, **params}
    return make_device(from_mapping(AllegroParams, params))[0]


@pytest.fixture
def hand():
    with _start() as emulator:
        device = _device(emulator)
        device.open()
        yield device, emulator
        device.close()


def _drive(device, goal, seconds=0.6):
    """Read and write as the session does."""
    begin, readings = time.perf_counter(), []
    while time.perf_counter() - begin < seconds:
        readings.append(device.read())
        if goal is not None:
            device.write(goal)
    return readings


def test_a_set_point_is_no_torque_by_positions_that_are_old():
    with _start() as emulator:
        device = _device(emulator, reply_timeout=0.05)
        device.open()
        device.enable()
        device.read()
        emulator.faults.set('silent')
        time.sleep(0.2)
        device.write(GOAL)
        time.sleep(0.1)
        assert not emulator.writes()[-1][1].any()
        device.close()


@pytest.mark.parametrize('dialect', ['v4', 'v3'])
def test_opens_reads_and_follows(dialect: str):
    with _start(dialect=dialect) as emulator:
        device = _device(emulator)
        identity = device.open()
        assert dialect in identity
        if dialect == 'v4':
            assert 'SAH040BR, right, hardware 0x0004, firmware 0x0213' in identity
        np.testing.assert_allclose(device.read().position, emulator.plant.position, atol=1e-4)
        assert not emulator.plant.torque.any()
        device.enable()
        readings = _drive(device, GOAL, 1.2)
        np.testing.assert_allclose(readings[-1].position, GOAL, atol=0.01)
        assert max(np.abs(r.effort).max() for r in readings) <= 675 / 1200
        device.close()
        time.sleep(0.1)
        assert not emulator.plant.torque.any() and emulator.period == 0.0


def test_between_processes():
    with start() as emulator:  # multicast
        device = _device(emulator)
        device.open()
        device.enable()
        readings = _drive(device, GOAL, 0.5)
        assert len(readings) > 20
        assert readings[-1].age < 0.02
        device.close()


def test_positions_come_at_the_rate_of_the_hand(hand):
    device, _ = hand
    readings = _drive(device, None, 0.6)
    assert 40 < len(readings) < 220  # 333 Hz; fewer where the machine is busy


def test_velocities_and_efforts(hand):
    device, emulator = hand
    device.enable()
    _drive(device, emulator.plant.position.copy(), 0.05)
    readings = _drive(device, GOAL, 0.2)
    q = np.array([r.position for r in readings])
    changes = (q[10:] - q[5:-5]) / (5 * 0.003)  # [rad/s] around reading 7, 8, …
    speeds = np.array([r.velocity for r in readings])[8:-2]
    moving = changes > 1.0
    assert moving.sum() > 10
    assert np.median(speeds[moving] / changes[moving]) == pytest.approx(1.0, abs=0.3)
    np.testing.assert_allclose(readings[-1].effort, emulator.writes()[-2][1], atol=0.1)


def test_pwm_limits_hold_on_the_wire():
    with _start() as emulator:
        device = _device(emulator, kp=[30.0] * 16, pwm_limits=[100] * 16)
        device.open()
        device.enable()
        _drive(device, GOAL, 0.1)
        torque = np.array([t for _, t in emulator.writes()])
        assert np.abs(torque).max() == pytest.approx(100 / 1200)
        device.close()


def test_scale_of_the_motors():
    with _start(pwm_per_newton_metre=800.0) as emulator:
        device = _device(emulator, pwm_per_newton_metre=800.0, kd=[0.0] * 16)
        device.open()
        device.enable()
        device.read()
        q = emulator.plant.position.copy()
        device.write(q + 0.1)
        time.sleep(0.1)
        kp = AllegroParams().kp
        np.testing.assert_allclose(emulator.writes()[-1][1], np.array(kp) * 0.1, atol=3e-3)
        device.close()


def test_damping_acts_against_motion():
    with _start() as emulator:
        device = _device(emulator, kp=[0.0] * 16, kd=[0.1] * 16)
        device.open()
        device.enable()
        _drive(device, GOAL, 0.05)
        emulator.plant.velocity[0] = 3.0
        _drive(device, GOAL, 0.02)
        assert min(t[0] for _, t in emulator.writes()) < -0.02
        device.close()


@pytest.mark.parametrize(('compensate', 'error'), [(False, 0.02), (True, 0.004)])
def test_gravity(compensate: bool, error: float):
    gravity = (9.81, 0.0, 0.0)  # palm up: it pulls the fingers open
    with _start(gravity=gravity) as emulator:
        device = _device(emulator, gravity=gravity, gravity_compensation=compensate)
        device.open()
        device.enable()
        _drive(device, GOAL, 1.5)
        off = np.abs(emulator.plant.position - GOAL).max()
        assert (off < error) if compensate else (off > error)
        device.close()


def test_gravity_may_turn(hand):
    device, _ = hand
    device._law._compensate = True
    before = device._law.weight(GOAL)
    device.set_gravity(np.array([0.0, 0.0, 9.81]))
    np.testing.assert_allclose(device._law.weight(GOAL), -before, atol=1e-12)


def test_hold_keeps_the_grip_and_limp_lets_go(hand):
    device, emulator = hand
    emulator.plant.obstacle_upper[1] = 0.6
    device.enable()
    _drive(device, GOAL, 0.5)
    grip = emulator.plant.drive[1]
    assert grip > 0.1
    device.disable(hold=True)
    _drive(device, None, 0.3)
    assert emulator.plant.torque.all()
    assert emulator.plant.drive[1] == pytest.approx(grip, rel=0.1)
    device.disable(hold=False)
    time.sleep(0.1)
    assert not emulator.plant.torque.any()
    assert not emulator.plant.drive.any()


def test_without_positions_the_torque_is_zero(hand):
    device, emulator = hand
    device.enable()
    _drive(device, GOAL, 0.1)
    emulator.period = 0.0
    with pytest.raises(NoReplyError, match='answers, but sends no positions of any finger'):
        _drive(device, GOAL, 0.3)
    time.sleep(0.1)
    assert not emulator.plant.drive.any()


def test_temperatures_of_joints(hand):
    device, _ = hand
    _drive(device, None, 0.2)
    temperature = device.health().temperature
    assert temperature['hand'] == 38.0
    assert temperature['thumb 3'] == 41.0
    assert device.health().details['servo'] == 'False'
    device.enable()
    _drive(device, GOAL, 0.15)
    assert device.health().details['servo'] == 'True'


def test_no_temperatures_and_another_period():
    with _start() as emulator:
        device = _device(emulator, temperature_period_ms=0, period_ms=10)
        device.open()
        readings = _drive(device, None, 0.3)
        assert 5 < len(readings) < 36
        assert set(device.health().temperature) == {'hand'}
        device.close()


# Who is there ---------------------------------------------------------------------------------


def test_nobody_answers():
    with pytest.raises(NoReplyError, match=r'device id 0 answers on nowhere.*1 Mbit/s'):
        make_device(AllegroParams(interface='virtual', channel='nowhere'))[0].open()


def test_how_long_it_may_take_to_answer_is_a_parameter():
    params = AllegroParams(interface='virtual', channel='nowhere', answer_timeout=0.8)
    began = time.perf_counter()
    with pytest.raises(NoReplyError):
        make_device(params)[0].open()
    assert time.perf_counter() - began > 0.8


def test_the_wrong_dialect():
    with _start(dialect='v3') as emulator, pytest.raises(NoReplyError, match='is it no v3'):
        _device(emulator, dialect='v4').open()
    silent = 'index, middle, ring, thumb'
    with _start(dialect='v4') as emulator, pytest.raises(IdentityError, match=silent):
        _device(emulator, dialect='v3').open()


@pytest.mark.parametrize(
    ('options', 'params', 'message'),
    [
        ({'left': True}, {}, 'this is a left hand, not a right one'),
        ({'serial': 'XYZ1'}, {}, "serial number 'XYZ1' is of no Allegro Hand v4"),
        ({'mute': (1, 3)}, {}, 'sends no positions of middle, thumb'),
    ],
)
def test_another_hand(options: dict, params: dict, message: str):
    with _start(**options) as emulator:
        device = _device(emulator, **params)
        with pytest.raises(IdentityError, match=message):
            device.open()
        device.close()


def test_any_side():
    with _start(left=True) as emulator:
        device = _device(emulator, side='any')
        assert 'left' in device.open()
        device.close()


def test_a_hand_that_is_commanded_by_another_program():
    with _start() as emulator:
        first = _device(emulator)
        first.open()
        first.enable()
        _drive(first, GOAL, 0.02)
        second = _device(emulator)
        with can.Bus(interface='virtual', channel=emulator.params['channel']) as bus:
            import threading

            stop = threading.Event()

            def command():
                while not stop.wait(0.003):
                    bus.send(
                        can.Message(arbitration_id=0x180, data=bytes(8), is_extended_id=False)
                    )

            thread = threading.Thread(target=command)
            thread.start()
            with pytest.raises(PortError, match='busy: another program'):
                second.open()
            stop.set()
            thread.join()
        first.close()


def test_an_unknown_interface_says_what_to_do():
    # Kernels without CAN have not even the address family.
    with pytest.raises(PortError, match=r'no CAN interface can9|can9 \(socketcan\).*family'):
        make_device(AllegroParams(channel='can9'))[0].open()
    with pytest.raises(PortError, match='nonsense'):
        make_device(AllegroParams(interface='nonsense', channel='x'))[0].open()
    with pytest.raises(PortError, match='there is no port /dev/nothing'):
        make_device(AllegroParams(interface='slcan', channel='/dev/nothing'))[0].open()


@pytest.mark.parametrize(
    ('params', 'message'),
    [
        ({'kp': (1.0,)}, "'kp' must be 16"),
        ({'kd': (-1.0,) * 16}, 'must be >= 0'),
        ({'pwm_limits': (1300,) * 16}, r'\[0, 1200\]'),
        ({'dialect': 'v3', 'offsets': (0,)}, "'offsets' must be 16"),
        ({'dialect': 'v3', 'directions': (2,) * 16}, "'directions' must be 1 or -1"),
        ({'dialect': 'v3', 'motor_directions': (0,) * 16}, "'motor_directions' must be 1 or -1"),
        ({'hand': 'ability'}, '16 joints, ability 6'),
        ({'backend': 'topics'}, 'need a node'),
    ],
)
def test_bad_parameters(params: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        make_device(AllegroParams(**params))


# What goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize('fault', ['checksum', 'silent', 'short'])
def test_one_lost_frame_is_no_error(hand, fault: str):
    device, emulator = hand
    for _ in range(5):
        emulator.faults.set(fault, 1)
        _drive(device, None, 0.12)  # not in step with the questions for information
    details = device.health().details
    assert int(details['incomplete sets']) >= 1
    assert {'checksum': 'error frames', 'short': 'damaged frames'}.get(fault, 'servo') in details


def test_damaged_frames_are_named(hand):
    device, emulator = hand
    emulator.faults.set('short')
    with pytest.raises(ProtocolError, match='positions of 4 bytes, not 8'):
        _drive(device, None, 0.3)


def test_a_restart_is_named_and_reset_brings_it_back(hand):
    device, emulator = hand
    device.enable()
    _drive(device, GOAL, 0.1)
    emulator.faults.set('brown_out')
    with pytest.raises(DeviceFaultError, match='restarted'):
        _drive(device, GOAL, 0.3)
    with pytest.raises(DeviceFaultError, match='restarted'):
        device.enable()
    device.reset()
    device.enable()
    _drive(device, GOAL, 0.1)
    assert emulator.plant.torque.all()


def test_heat_is_a_fault_until_it_is_over(hand):
    device, emulator = hand
    device.enable()
    emulator.faults.set('over_temperature')
    with pytest.raises(DeviceFaultError, match='over-temperature: 83 deg C'):
        _drive(device, GOAL, 0.3)
    with pytest.raises(DeviceFaultError):
        device.reset()
    emulator.faults.clear()
    device.reset()
    device.enable()


def test_closed_means_closed(hand):
    device, _ = hand
    device.close()
    device.close()
    with pytest.raises(PortError, match='not open'):
        device.read()
