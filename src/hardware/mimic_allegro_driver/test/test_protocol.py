"""CAN frames of the Allegro Hand, bit by bit from the makers' drivers."""

import numpy as np
import pytest

from mimic_allegro_driver.hand_state import HandState
from mimic_allegro_driver.protocol import RAD_PER_COUNT, V3, V4, Frame, parse_info
from mimic_core.errors import ProtocolError

V2_OFFSETS = np.arange(16) * 10


@pytest.fixture
def v3():
    return V3(V2_OFFSETS, np.array([1, -1] * 8), np.ones(16, int))


def test_ids_of_v4():
    v4 = V4()
    assert v4.servo(True) == [Frame(0x100)] and v4.servo(False) == [Frame(0x104)]
    assert v4.period(3, 500) == Frame(0x204, bytes.fromhex('0300 0000 F401'))
    assert list(v4.position_ids) == [0x080, 0x084, 0x088, 0x08C]
    assert (v4.info_id, v4.serial_id) == (0x200, 0x220)
    assert min(v4.temperature_ids) == 0x0E0
    assert [f.id for f in v4.torque(np.zeros(16))] == [0x180, 0x184, 0x188, 0x18C]


def test_the_device_id_is_in_every_id_of_v4():
    v4 = V4(2)
    assert v4.servo(True)[0].id == 0x102
    assert sorted(v4.torque_ids) == [0x182, 0x186, 0x18A, 0x18E]


def test_ids_of_v3(v3):
    assert v3.servo(True) == [Frame(0x10A), Frame(0x04A)]
    assert v3.servo(False) == [Frame(0x08A)]
    assert v3.period(3, 500) == Frame(0x0CA, b'\x03')
    assert [f.id for f in v3.torque(np.zeros(16))] == [0x18A, 0x1CA, 0x20A, 0x24A]
    for finger, id_ in enumerate(v3.position_ids):
        assert id_ == (0x0F << 6) + (2 << 3) + 3 + finger
    assert v3.info_id is None


def test_torque_of_v4_is_little_endian_in_order():
    pwm = np.array([1, -2, 300, -400, *[0] * 12])
    assert V4().torque(pwm)[0].data == bytes.fromhex('0100 FEFF 2C01 70FE')


def test_torque_of_v3_is_big_endian_in_reverse_order(v3):
    pwm = np.array([1, -2, 300, -400, *[0] * 12])
    assert v3.torque(pwm)[0].data == bytes.fromhex('FE70 012C FFFE 0001')


def test_motors_of_v3_have_directions_of_their_own():
    turned = V3(V2_OFFSETS, np.ones(16, int), np.array([1, -1, 1, -1] * 4))
    pwm = np.array([1, -2, 300, -400, *[0] * 12])
    assert turned.torque(pwm)[0].data == bytes.fromhex('0190 012C 0002 0001')


def test_positions_of_v4():
    data = np.array([1000, -1000, *[0] * 14], '<i2').tobytes()
    q = V4().positions(data)
    assert np.degrees(q[0]) == pytest.approx(1000 * 333.3 / 65536)
    assert q[1] == -q[0]


def test_positions_of_v3_have_offset_and_direction(v3):
    data = np.array([33768, 33768, *[32768] * 14], '<u2').tobytes()
    q = v3.positions(data) / RAD_PER_COUNT
    np.testing.assert_allclose(q[:2], [1000.0, -33768 - 32768 - 10])
    assert q[2] == -20.0


def test_info():
    info = parse_info(bytes.fromhex('0400 1302 01 2A 03'))
    assert (info.hardware, info.firmware, info.left, info.temperature) == (4, 0x213, True, 42)
    assert info.servo and info.over_temperature and not info.internal_fault
    with pytest.raises(ProtocolError, match='6 bytes'):
        parse_info(bytes(6))


# Sets of four frames --------------------------------------------------------------------------


def _state(**options):
    return HandState(V4(), 0.003, options.get('cutoff', 30.0), options.get('words', False))


def _set(counts):
    data = np.array(counts, '<i2').tobytes()
    return [Frame(0x080 + 4 * f, data[8 * f : 8 * f + 8]) for f in range(4)]


def test_a_set_is_whole_with_four_fingers_in_any_order():
    state = _state()
    frames = _set(range(16))
    for frame in (frames[2], frames[0], frames[3]):
        state.take(frame)
    assert state.sets == 0 and state.missing() == ['middle']
    state.take(frames[1])
    assert state.sets == 1
    np.testing.assert_allclose(state.position, np.arange(16) * RAD_PER_COUNT)


def test_frames_of_two_sets_are_not_mixed():
    state = _state()
    old, new = _set([1] * 16), _set([2] * 16)
    for frame in old[:3] + new:  # the thumb of the old set was lost
        state.take(frame)
    assert (state.sets, state.incomplete) == (1, 1)
    np.testing.assert_allclose(state.position, 2 * RAD_PER_COUNT)


@pytest.mark.parametrize('lost', range(4))
def test_a_lost_frame_costs_its_set_and_no_other(lost: int):
    state = _state()
    for i in range(10):
        for finger, frame in enumerate(_set([i] * 16)):
            if (i, finger) != (5, lost):
                stamp = 1000.0 + 0.003 * i + 0.0001 * finger
                state.take(Frame(frame.id, frame.data, stamp=stamp))
        assert state.sets == (i + 1 if i < 5 else i)
        if i != 5:
            np.testing.assert_allclose(state.position, i * RAD_PER_COUNT)


def test_short_frames_and_strangers_do_not_count():
    state = _state()
    for frame in _set(range(16))[:3]:
        state.take(frame)
    for frame in (
        Frame(0x08C, bytes(4)), Frame(0x7FF, bytes(8)), Frame(-1), Frame(0x08C, remote=True),
    ):  # fmt: skip
        state.take(frame)
    assert state.sets == 0 and state.damaged == 1
    assert state.damage == 'thumb: positions of 4 bytes, not 8'


def test_velocity_is_that_of_the_hands_clock():
    state = _state()
    speed = 2.0  # [rad/s]
    for i in range(200):
        for frame in _set([round(speed * i * 0.003 / RAD_PER_COUNT)] * 16):
            state.take(frame)  # all at once, as after a pause of the computer
    np.testing.assert_allclose(state.velocity, speed, rtol=0.02)


def test_information_of_a_stranger_does_not_count():
    state = _state()
    state.take(Frame(0x200, bytes.fromhex('0400 1302 00 26 01')))
    state.take(Frame(0x200, bytes.fromhex('9A31 1302 00 FF 06')))
    assert state.info.servo and not state.info.over_temperature
    assert state.damage == 'information of another hand'


def test_cutoff_smooths():
    slow, fast = _state(cutoff=5.0), _state(cutoff=100.0)
    for state in (slow, fast):
        for i in range(4):
            for frame in _set([100 * i] * 16):
                state.take(frame)
    assert slow.velocity[0] < 0.5 * fast.velocity[0]


@pytest.mark.parametrize('words', [False, True])
def test_temperatures(words: bool):
    state = _state(words=words)
    state.take(Frame(0x0E4, bytes([40, 0, 0, 0]) if words else bytes([40, 41, 42, 43])))
    assert state.temperature == (
        {'middle': 40.0} if words else {f'middle {i}': 40.0 + i for i in range(4)}
    )
