"""Frames of the instruction manual, byte for byte; damaged ones; counts and angles."""

import numpy as np
import pytest

from mimic_core.errors import DeviceError, IdentityError, NoReplyError, ProtocolError
from mimic_robotiq_driver.emulator import GripperDevice
from mimic_robotiq_driver.protocol import (
    MODELS,
    Command,
    Scale,
    check_write_reply,
    parse_status,
    read_request,
    share_byte,
    write_request,
)

SCALE = Scale(0.7929, 3, 230)
CLEAR = '09 10 03 E8 00 03 06 00 00 00 00 00 00 73 30'
ACTIVATE = '09 10 03 E8 00 03 06 01 00 00 00 00 00 72 E1'
CLOSE = '09 10 03 E8 00 03 06 09 00 00 FF FF FF 42 29'
OPEN = '09 10 03 E8 00 03 06 09 00 00 00 FF FF 72 19'
WRITTEN = '09 10 03 E8 00 03 01 30'
OPENED = '09 03 06 F9 00 00 00 0D 00 56 4C'
HELD = '09 03 06 B9 00 00 FF BD 00 1D 7C'


def crc(data: bytes) -> bytes:
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value.to_bytes(2, 'little')


@pytest.mark.parametrize(
    ('command', 'frame'),
    [
        (Command(), CLEAR),
        (Command(activate=True), ACTIVATE),
        (Command(activate=True, go=True, position=255, speed=255, force=255), CLOSE),
        (Command(activate=True, go=True, position=0, speed=255, force=255), OPEN),
    ],
)
def test_golden_commands(command, frame):
    assert write_request(9, command) == bytes.fromhex(frame)


def test_golden_reads():
    assert read_request(9, 1) == bytes.fromhex('09 03 07 D0 00 01 85 CF')
    assert read_request(9, 3) == bytes.fromhex('09 03 07 D0 00 03 04 0E')
    assert read_request(9, 6) == bytes.fromhex('09 03 07 D0 00 06 C4 0D')


def test_golden_status():
    opened = parse_status(bytes.fromhex(OPENED), 9)
    assert opened.active and opened.going and opened.object == 3
    assert (opened.position, opened.requested, opened.fault) == (0x0D, 0, 0)
    held = parse_status(bytes.fromhex(HELD), 9)
    assert held.active and held.object == 2
    assert (held.position, held.requested, held.current) == (0xBD, 0xFF, 0)
    check_write_reply(bytes.fromhex(WRITTEN), 9)


@pytest.mark.parametrize(
    ('request_frame', 'reply'),
    [
        ('09 03 07 D0 00 01 85 CF', '09 03 02 00 00 59 85'),
        ('09 04 07 D0 00 01 30 0F', '09 04 02 00 00 58 F1'),
        (CLEAR, WRITTEN),
        (ACTIVATE, WRITTEN),
    ],
)
def test_the_emulator_answers_golden_frames(request_frame, reply):
    assert GripperDevice().feed(bytes.fromhex(request_frame)) == [bytes.fromhex(reply)]


def test_the_emulator_walks_through_the_golden_states():
    device = GripperDevice()
    read = bytes.fromhex('09 03 07 D0 00 01 85 CF')

    def status() -> bytes:
        return device.feed(read)[0]

    assert status()[3] == 0x00
    device.feed(bytes.fromhex(ACTIVATE))
    assert status() == bytes.fromhex('09 03 02 11 00 55 D5')
    for _ in range(2000):
        device.step(0.002)
    assert status() == bytes.fromhex('09 03 02 31 00 4C 15')
    device.feed(bytes.fromhex(CLOSE))
    device.step(0.01)
    assert status()[3] == 0x39
    device.plant.obstacle_upper[:] = 0.4
    for _ in range(500):
        device.step(0.002)
    assert status()[3] == 0xB9
    device.feed(bytes.fromhex(OPEN))
    for _ in range(500):
        device.step(0.002)
    assert status()[3] == 0xF9


def test_the_emulator_takes_bytes_one_by_one_and_forgets_half_a_frame():
    device = GripperDevice()
    frame = bytes.fromhex(ACTIVATE)
    replies = [reply for byte in frame for reply in device.feed(bytes([byte]))]
    assert replies == [bytes.fromhex(WRITTEN)]
    device.feed(frame[:5])
    device.step(0.1)
    assert device.feed(frame) == [bytes.fromhex(WRITTEN)]


def test_the_emulator_is_silent_where_the_gripper_is():
    device = GripperDevice()
    assert device.feed(bytes.fromhex(CLEAR)[:-1] + b'\x31') == []  # checksum
    other = b'\x05' + bytes.fromhex('03 07 D0 00 03')
    assert device.feed(other + crc(other)) == []  # another slave
    unknown = bytes.fromhex('09 03 00 00 00 01')
    assert device.feed(unknown + crc(unknown)) == []  # another register


@pytest.mark.parametrize(
    ('frame', 'error'),
    [
        (b'', NoReplyError),
        (bytes.fromhex(OPENED)[:6], ProtocolError),  # short
        (bytes.fromhex(OPENED)[:-1] + b'\x4d', ProtocolError),  # checksum
        (b'\xaa\xbb' + bytes.fromhex(OPENED)[:-2], ProtocolError),  # noise in front
        (b'\x07' + bytes.fromhex(OPENED)[1:], ProtocolError),  # another slave
        (bytes.fromhex(WRITTEN) + b'\x00\x00\x00', ProtocolError),  # reply to the one before
        (bytes.fromhex('09 83 02 41 32'), ProtocolError),  # exception, wrong checksum
        (bytes.fromhex('09 83 02') + crc(bytes.fromhex('09 83 02')), IdentityError),
    ],
)
def test_damaged_replies(frame, error):
    with pytest.raises(error):
        parse_status(frame, 9)


def test_a_reply_that_came_late_is_not_that_of_the_next_request():
    body = bytes.fromhex('09 03 08 F9 00 00 00 0D 00 00 00')
    four = body + crc(body)
    assert parse_status(four, 9, 4).position == 0x0D
    with pytest.raises(ProtocolError):
        parse_status(four, 9, 3)
    with pytest.raises(ProtocolError):
        parse_status(four[:11], 9, 3)
    with pytest.raises(ProtocolError):
        check_write_reply(bytes.fromhex(OPENED), 9)
    with pytest.raises(ProtocolError):
        check_write_reply(bytes.fromhex(OPENED)[:8], 9)


@pytest.mark.parametrize('status', ['FD 00 00 00 0D 00', 'E9 00 00 00 0D 00', 'F9 01 00 00 0D 00'])
def test_registers_of_something_else(status):
    body = bytes.fromhex('09 03 06' + status)
    with pytest.raises(IdentityError, match='no Robotiq gripper'):
        parse_status(body + crc(body), 9)


@pytest.mark.parametrize('seed', range(20))
def test_no_random_bytes_are_a_status(seed):
    rng = np.random.default_rng(seed)
    for _ in range(200):
        with pytest.raises(DeviceError):
            parse_status(rng.bytes(int(rng.integers(0, 20))), 9)


def test_every_count_comes_back():
    for model in MODELS.values():
        scale = Scale(model.closed_position, 3, 230)
        for count in range(256):
            assert scale.to_count(scale.to_angle(count)) == count


def test_counts_of_angles():
    assert SCALE.to_count(0.0) == 3
    assert SCALE.to_count(0.7929) == 230
    assert SCALE.to_count(0.8) == 232
    assert SCALE.to_count(0.39645) == 116  # 116.5, truncated
    assert SCALE.to_count(-1.0) == 0 and SCALE.to_count(9.0) == 255
    assert SCALE.to_angle(230) == pytest.approx(0.7929)
    assert SCALE.to_angle(0) == pytest.approx(-0.7929 * 3 / 227)


def test_bytes_of_speed_and_force_never_exceed_what_is_asked():
    assert share_byte(0.150, 0.02, 0.15) == 255
    assert share_byte(0.02, 0.02, 0.15) == 0
    assert share_byte(0.0, 0.02, 0.15) == 0 and share_byte(9.0, 0.02, 0.15) == 255
    for value in np.linspace(0.02, 0.15, 50):
        assert 0.02 + 0.13 * share_byte(value, 0.02, 0.15) / 255 <= value + 1e-6
