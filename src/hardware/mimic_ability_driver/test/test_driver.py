"""The driver of the Ability Hand before its emulator, over a pseudo-terminal."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from mimic_ability_driver.driver import make_device
from mimic_ability_driver.emulator import start
from mimic_ability_driver.params import AbilityParams
from mimic_core.errors import ConfigError, IdentityError, NoReplyError, PortError, ProtocolError
from mimic_core.params import from_mapping

GOAL = np.array([0.6, 0.5, 0.4, 0.3, 0.5, -0.8])


def _device(emulator, **params):
    params = {**emulator.params, **params}
    return make_device(from_mapping(AbilityParams, params))[0]


@pytest.fixture
def hand(tmp_path: Path):
    with start(tmp_path / 'port') as emulator:
        device = _device(emulator)
        device.open()
        yield device, emulator
        device.close()


def _drive(device, goal, seconds: float = 0.5):
    """Read and write at 100 Hz; return the readings."""
    readings = []
    for _ in range(round(seconds * 100)):
        readings.append(device.read())
        device.write(goal)
        time.sleep(0.01)
    return readings


def test_names_and_rate():
    device, limits, rate = make_device(AbilityParams())
    assert device.joints[0] == 'ability_index_q1' and device.joints[5] == 'ability_thumb_q1'
    assert len(limits) == 6 and rate == 500.0


def test_reading_moves_nothing_and_does_not_take_over(hand):
    device, emulator = hand
    before = emulator.plant.position.copy()
    for _ in range(10):
        reading = device.read()
    np.testing.assert_allclose(reading.position, before, atol=1e-4)
    assert not emulator.api and emulator.writes() == []


def test_writes_reach_the_motors_and_come_back(hand):
    device, emulator = hand
    device.enable()
    readings = _drive(device, GOAL)
    np.testing.assert_allclose(emulator.writes()[-1][1], GOAL, atol=1e-4)
    np.testing.assert_allclose(readings[-1].position, GOAL, atol=5e-3)
    assert max(np.abs(r.velocity).max() for r in readings if r.velocity is not None) > 0.5
    assert sum(bool(r.tactile) for r in readings) == pytest.approx(len(readings) / 5, abs=1)


def test_velocity_agrees_with_the_change_of_position(hand):
    device, emulator = hand
    device.enable()
    goal = emulator.plant.position.copy()
    measured, found = [], []
    for _ in range(60):
        reading = device.read()
        measured.append(reading.position[0])
        found.append(reading.velocity[0] if reading.velocity is not None else 0.0)
        goal[0] += 0.005
        device.write(goal)
        time.sleep(0.005)
    span = 59 * 0.005
    assert np.median(found[20:]) == pytest.approx((measured[-1] - measured[0]) / span, rel=0.35)


@pytest.mark.parametrize('scale', ['icd', 'wrapper'])
def test_rotor_scale(tmp_path: Path, scale: str):
    with start(tmp_path / 'port') as emulator:
        device = _device(emulator, rotor_scale=scale, touch_every=0)
        device.open()
        emulator.step = lambda dt: []  # time stands still
        emulator.plant.velocity[:] = 2.0
        ratio = 1.0 if scale == 'icd' else 3000 / 32767 / 4 / 0.25
        assert device.read().velocity[0] == pytest.approx(2.0 * ratio, rel=1e-3)
        device.close()


def test_touch_effort_and_current_of_a_grasp(hand):
    device, emulator = hand
    emulator.plant.obstacle_upper[1] = emulator.plant.position[1] + 0.1
    device.enable()
    readings = _drive(device, GOAL + np.array([0, 0.8, 0, 0, 0, 0]))
    pads = [r.tactile for r in readings if r.tactile][-1]
    assert [pad.name for pad in pads] == [
        f'ability_{finger}_outer' for finger in ('index', 'middle', 'ring', 'pinky', 'thumb')
    ]
    assert pads[1].force.max() > 2.0
    assert max(pad.force.max() for i, pad in enumerate(pads) if i != 1) == 0.0
    assert readings[-1].effort[1] > 0.3
    health = device.health()
    assert health.current['ability_middle_q1'] > 0.3
    assert health.warnings == ('ability_middle_q1: output limited (collision or heat)',)


@pytest.mark.parametrize(('every', 'share'), [(0, 0.0), (1, 1.0), (4, 0.25)])
def test_touch_every(tmp_path: Path, every: int, share: float):
    with start(tmp_path / 'port') as emulator:
        device = _device(emulator, touch_every=every)
        device.open()
        readings = [device.read() for _ in range(20)]
        device.close()
    assert np.mean([bool(r.tactile) for r in readings]) == pytest.approx(share)


def test_scales_of_currents(tmp_path: Path):
    with start(tmp_path / 'port') as emulator:
        device = _device(emulator, current_scale=310.303, torque_constant=2.98e-3)
        device.open()
        emulator.step = lambda dt: []
        emulator.plant.effort[:] = 0.5  # 0.3 A in the emulator's own scale
        reading = device.read()
        assert device.health().current['ability_ring_q1'] == pytest.approx(0.6, rel=0.01)
        assert reading.effort[2] == pytest.approx(0.6 * 2.98e-3 * 649, rel=0.01)
        device.close()


def test_hold_stays_stiff_and_limp_does_not(hand):
    device, emulator = hand
    device.enable()
    _drive(device, GOAL)
    device.disable(hold=True)
    begin = time.perf_counter()
    while time.perf_counter() - begin < 0.5:  # longer than the watchdog
        device.read()
        time.sleep(0.02)
    assert emulator.plant.torque.all()
    np.testing.assert_allclose(emulator.plant.position, GOAL, atol=5e-3)
    device.disable(hold=False)
    device.read()
    assert not emulator.plant.torque.any() and emulator.api
    device.close()
    time.sleep(0.05)
    assert not emulator.api


def test_the_age_of_a_pipelined_reading(hand):
    device, _ = hand
    device.enable()
    device.read()
    device.write(GOAL)
    time.sleep(0.05)
    assert 0.045 < device.read().age < 0.2


def test_two_set_points_in_one_cycle_have_two_replies(hand):
    device, emulator = hand
    device.enable()
    device.read()
    for step in range(20):
        device.write(GOAL + 0.001 * step)
        device.write(GOAL + 0.001 * step + 0.0005)
        time.sleep(0.01)
        assert device.read().age < 0.05
    assert len(emulator.writes()) == 40
    assert device.health().details['late replies'] == '0'


# What goes wrong ------------------------------------------------------------------------------


def test_silence_says_what_to_look_at(hand):
    device, emulator = hand
    emulator.faults.set('silent')
    with pytest.raises(NoReplyError, match=r'no reply in 0\.02 s'):
        device.read()
    with pytest.raises(NoReplyError, match=r'460800 baud, address 0x50.*stuffing'):
        device.open()
    device.close()


@pytest.mark.parametrize('fault', ['checksum', 'short'])
def test_one_damaged_reply_is_an_error_and_the_next_is_good(hand, fault: str):
    device, emulator = hand
    emulator.faults.set(fault, 1)
    with pytest.raises(ProtocolError, match='bytes came'):
        device.read()
    before = emulator.plant.position
    np.testing.assert_allclose(device.read().position, before, atol=1e-4)


def test_noise_before_replies_is_passed_over(hand):
    device, emulator = hand
    emulator.faults.set('noise')
    for _ in range(50):
        np.testing.assert_allclose(device.read().position, emulator.plant.position, atol=1e-4)
    assert int(device.health().details['damaged frames']) > 20


def test_a_late_reply_is_not_taken_for_the_next(hand):
    device, emulator = hand
    emulator.faults.set('slow', 1)
    with pytest.raises(NoReplyError):
        device.read()
    time.sleep(0.4)  # it is there now
    emulator.plant.position[:] = emulator.plant.target[:] = GOAL
    np.testing.assert_allclose(device.read().position, GOAL, atol=1e-4)


def test_a_slow_hand_cannot_be_opened(hand):
    device, emulator = hand
    emulator.faults.set('slow')
    for _ in range(4):
        with pytest.raises((NoReplyError, IdentityError)):
            device.open()
    device.close()


def test_wrong_baud(tmp_path: Path):
    with start(tmp_path / 'port', device_baud=921600) as emulator:
        with pytest.raises(NoReplyError, match='460800 baud'):
            _device(emulator).open()
        device = _device(emulator, baud=921600)
        assert '921600' in device.open()
        device.close()


def test_replies_without_stuffing_are_named(tmp_path: Path):
    with (
        start(tmp_path / 'port', stuff_replies=False) as emulator,
        pytest.raises(IdentityError, match='does not stuff'),
    ):
        _device(emulator).open()


def test_another_address(tmp_path: Path):
    with start(tmp_path / 'port', address=0x51) as emulator:
        with pytest.raises(NoReplyError, match='0x50'):
            _device(emulator).open()
        device = _device(emulator, address=0x51)
        assert '0x51' in device.open()
        device.close()


def test_unknown_and_busy_ports(tmp_path: Path):
    params = AbilityParams(port=str(tmp_path / 'nothing'))
    with pytest.raises(PortError, match='there is no port'):
        make_device(params)[0].open()
    with start(tmp_path / 'port') as emulator:
        first = _device(emulator)
        first.open()
        if os.geteuid() != 0:  # root may open a locked terminal
            with pytest.raises(PortError, match='busy'):
                _device(emulator).open()
        first.close()


def test_a_hand_of_other_motors_is_refused():
    with pytest.raises(ConfigError, match='6 motors, allegro has 16'):
        make_device(AbilityParams(hand='allegro'))


def test_closed_means_closed(hand):
    device, _ = hand
    device.close()
    device.close()
    with pytest.raises(PortError, match='not open'):
        device.read()
