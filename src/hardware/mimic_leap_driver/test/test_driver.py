"""The driver before its emulator: who answers, what is set, what moves, what a hand reports."""

import threading
import time
from contextlib import closing, contextmanager

import numpy as np
import pytest
from open_device import while_open

from mimic_core.driver.testing import wait
from mimic_core.errors import ConfigError, DeviceError, DeviceFaultError, IdentityError, PortError
from mimic_core.params import from_mapping
from mimic_leap_driver import emulator
from mimic_leap_driver.driver import make_device
from mimic_leap_driver.params import LeapParams


@pytest.fixture
def link(tmp_path):
    return tmp_path / 'port'


def device(running, **values):
    return make_device(
        from_mapping(LeapParams, {**running.params, 'reply_timeout': 0.1, **values})
    )[0]


@contextmanager
def opened(link, **values):
    with emulator.start(link) as running, while_open(device(running, **values)) as hand:
        yield running, hand


def test_make_device(link):
    hand, limits, rate = make_device(LeapParams(port=str(link)))
    assert hand.joints == tuple(f'leap_joint_{i}' for i in range(16))
    assert len(limits) == 16 and rate == 200.0


@pytest.mark.parametrize('fast', [True, False])
def test_open_read_write_follow(link, fast):
    with (
        emulator.start(link, fast=fast) as running,
        closing(device(running, fast_read=fast)) as hand,
    ):
        assert hand.open() == 'LEAP Hand: 16 motors XL330-M288, firmware 52'
        assert hand.health().details == {'firmware': '52'}
        q = hand.read().position
        assert np.allclose(q, running.plant.position, atol=8e-4)
        hand.write(q + 0.3)
        time.sleep(0.1)
        assert np.allclose(hand.read().position, q), 'it moves without torque'
        hand.enable()
        assert np.allclose(hand.read().position, q, atol=2e-3), 'it jumps when torque comes'
        goal = running.plant.limits.clip(q + 0.2)
        hand.write(goal)
        wait(lambda: np.allclose(hand.read().position, goal, atol=2e-3))
        assert np.allclose(running.writes()[-1][1], goal, atol=8e-4)


def test_enable_sets_mode_gains_and_limit_of_current(link):
    with opened(link, position_p=500, position_d=100, current_limit=0.2) as (running, hand):
        hand.enable()
        tables = running.device.tables
        assert (tables[:, 11] == 5).all() and (tables[:, 9] == 0).all()
        words = tables.view('<u2')
        side = np.isin(np.arange(16), (0, 4, 8))
        assert words[:, 42].tolist() == np.where(side, 375, 500).tolist()  # P, address 84
        assert words[:, 40].tolist() == np.where(side, 75, 100).tolist()  # D
        assert (words[:, 51] == 200).all()  # goal current, address 102
        assert (tables[:, 64] == 1).all()


def test_a_stiff_hand_in_another_mode_is_refused_and_lets_nothing_go(link):
    with opened(link) as (running, hand):
        hand.enable()
        hand.disable(hold=True)
        running.device.tables[7, 11] = 3  # position control: somebody else has used it
        with pytest.raises(DeviceError, match=r'leap_joint_7 \(motor 7\) differ, torque is on'):
            hand.enable()
        assert (running.device.tables[:, 64] == 1).all() and running.device.tables[7, 11] == 3
        hand.disable(hold=False)
        hand.enable()
        assert (running.device.tables[:, 11] == 5).all()


def test_enable_twice_does_not_let_go(link):
    with opened(link) as (running, hand):
        hand.enable()
        hand.read()  # the last write has arrived by then
        before = len(running.server.received)
        hand.enable()
        again = bytes(running.server.received)[before:]
        packets = again.split(b'\xff\xff\xfd\x00')[1:]
        assert [packet[3] for packet in packets] == [0x8A, 0x8A], 'all is set: nothing is written'
        assert (running.device.tables[:, 64] == 1).all()


@pytest.mark.parametrize('field', ['position_p', 'position_i', 'position_d', 'side_gain'])
def test_each_gain_reaches_the_motors(link, field):
    with opened(link, **{field: 0.5 if field == 'side_gain' else 123}) as (running, hand):
        hand.enable()
        d, i, p = running.device.tables.view('<u2')[0, 40:43].tolist()
        wanted = {
            'position_p': (150, 0, round(0.75 * 123)),
            'position_i': (150, 123, 450),
            'position_d': (round(0.75 * 123), 0, 450),
            'side_gain': (100, 0, 300),
        }
        assert (d, i, p) == wanted[field]


def test_zero_counts_ids_and_torque_constant(link):
    ids = tuple(range(20, 36))
    with (
        emulator.start(link, ids=ids) as running,
        while_open(
            device(running, ids=ids, zero_counts=(2048,) * 15 + (2148,), torque_constant=2.0)
        ) as hand,
    ):
        hand.enable()
        q = hand.read().position
        assert q[15] == pytest.approx(
            running.plant.position[15] - 100 * 2 * np.pi / 4096, abs=1e-3
        )
        running.plant.obstacle_upper[1] = running.plant.position[1]
        goal = q.copy()
        goal[1] = running.plant.limits.upper[1]
        hand.write(goal)
        wait(lambda: hand.read().effort[1] > 0.5)
        assert hand.read().effort[1] == pytest.approx(2.0 * 0.35, abs=0.01), 'full current'
        assert hand.health().current['leap_joint_1'] == pytest.approx(0.35, abs=0.005)


def test_another_model_is_named(link):
    with (
        emulator.start(link, model=1020) as running,
        pytest.raises(IdentityError, match=r'motor 0 says model 1020.*known: 1190 XL330'),
    ):
        device(running).open()


def test_firmware_without_fast_read(link):
    with (
        emulator.start(link, fast=False) as running,
        pytest.raises(IdentityError, match=r'firmware 52\): set fast_read to false'),
    ):
        device(running).open()


@pytest.mark.parametrize(
    'values',
    [{'ids': [0, 1]}, {'ids': [0] * 16}, {'zero_counts': [2048]}, {'current_limit': 5.0}],
)
def test_bad_parameters(values):
    with pytest.raises(ConfigError):
        make_device(from_mapping(LeapParams, values))


def test_too_hot_and_reset(link):
    with opened(link) as (running, hand):
        hand.enable()
        running.faults.set('over_temperature', joint=7)
        wait(lambda: running.device.tables[7, 70])
        with pytest.raises(DeviceFaultError, match=r'leap_joint_7 \(motor 7\): too hot; its torq'):
            hand.read()
        with pytest.raises(DeviceFaultError, match='too hot'):
            hand.reset()  # it is hot still
        running.faults.clear()
        with pytest.raises(DeviceFaultError, match='too hot'):
            hand.read()  # the motor keeps it
        hand.reset()
        hand.read()
        hand.enable()
        assert (running.device.tables[:, 64] == 1).all()


def test_calls_take_no_longer_than_their_limit(link):
    with opened(link, reply_timeout=0.03) as (running, hand):
        running.faults.set('silent')
        for call in (hand.read, hand.health):
            began = time.perf_counter()
            with pytest.raises(Exception, match='no whole reply'):
                call()
            assert time.perf_counter() - began < 0.2


def test_unplugged_between_calls(link):
    with opened(link) as (running, hand):
        timer = threading.Timer(0.05, lambda: running.faults.set('disconnect'))
        timer.start()
        with pytest.raises(PortError, match='unplugged'):
            for _ in range(1000):
                hand.read()
                time.sleep(0.001)
