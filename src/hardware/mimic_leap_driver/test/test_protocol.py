"""Bytes: frames of the maker's documents, damaged replies, replies to something else."""

import numpy as np
import pytest
from wire import NoiseWithoutEnd, Wire

from mimic_core.errors import NoReplyError, ProtocolError
from mimic_leap_driver import emulator, protocol
from mimic_leap_driver.transport import Bus

PING_1 = bytes.fromhex('FF FF FD 00 01 03 00 01 19 4E')
SYNC_READ_0_1 = bytes.fromhex('FF FF FD 00 FE 09 00 82 84 00 04 00 00 01 C7 7C')
STATUS_0_AT_2048 = bytes.fromhex('FF FF FD 00 00 08 00 55 00 00 08 00 00 7F BE')
SYNC_WRITE_0_1 = bytes.fromhex(
    'FF FF FD 00 FE 11 00 83 74 00 04 00 00 00 08 00 00 01 00 08 00 00 F7 AC'
)
POSITION = protocol.Register(132, 4)


def status(motor: int, position: int) -> bytes:
    return emulator.frame(motor, b'\x55\x00' + position.to_bytes(4, 'little'))


def test_golden_requests():
    wire = Wire()
    bus = Bus(wire, (0, 1), fast=False)
    for ask in (lambda: bus.ping(1), lambda: bus.sync_read(POSITION)):
        with pytest.raises(NoReplyError):
            ask()
    bus.sync_write(protocol.GOAL_POSITION, np.array([2048, 2048], np.int32))
    assert wire.sent == [PING_1, SYNC_READ_0_1, SYNC_WRITE_0_1]


def test_golden_reply():
    assert status(0, 2048) == STATUS_0_AT_2048  # the emulator's own CRC
    bus = Bus(Wire(STATUS_0_AT_2048), (0,), fast=False)
    errors, data = bus.sync_read(POSITION)
    assert errors.tolist() == [0] and data.view('<i4')[0, 0] == 2048


def test_a_fast_read_asks_with_the_other_instruction_and_takes_one_reply():
    hand = emulator.LeapEmulator()
    request = emulator.frame(0xFE, bytes([0x8A, 126, 0, 10, 0, *range(16)]))
    (reply,) = hand.feed(request)
    assert len(reply) == 8 + 16 * 14
    wire = Wire(reply)
    errors, data = Bus(wire, tuple(range(16))).sync_read(protocol.PRESENT)
    assert wire.sent == [request]
    counts = protocol.present(data)[2]
    zero = np.full(16, 2048)
    assert np.allclose(protocol.to_radians(counts, zero), hand.plant.position, atol=8e-4)
    assert not errors.any()


def test_stuffing_is_taken_out_of_a_reply():
    # A position of 0xFDFFFF holds the header's bytes: FF FF FD 00.
    reply = status(0, 0x00FDFFFF)
    assert len(reply) == len(STATUS_0_AT_2048) + 1
    _, data = Bus(Wire(reply), (0,), fast=False).sync_read(POSITION)
    assert data.view('<i4')[0, 0] == 0x00FDFFFF


@pytest.mark.parametrize('fast', [True, False])
def test_signs(fast):
    hand = emulator.LeapEmulator(ids=(3, *range(20, 35)))
    hand.tables[0, 126:136] = np.frombuffer(
        np.array([-350], '<i2').tobytes() + np.array([-100, -5], '<i4').tobytes(), np.uint8
    )
    instruction = 0x8A if fast else 0x82
    replies = hand.feed(emulator.frame(0xFE, bytes([instruction, 126, 0, 10, 0, 3])))
    _, data = Bus(Wire(b''.join(replies)), (3,), fast).sync_read(protocol.PRESENT)
    current, speed, counts = protocol.present(data)
    assert current[0] == pytest.approx(-0.35)
    assert speed[0] == pytest.approx(-22.9 * 2 * np.pi / 60)
    assert counts[0] == -5


def test_counts_and_radians():
    zero = np.array([2048, 2048, 2000])
    q = np.array([np.pi / 2, -np.pi / 2, 0.0])
    counts = protocol.to_counts(q, zero)
    assert counts.tolist() == [3072, 1024, 2000]
    assert np.allclose(protocol.to_radians(counts, zero), q)


def broken(reply: bytes) -> bytes:
    return reply[:-1] + bytes([reply[-1] ^ 1])


@pytest.mark.parametrize(
    ('reply', 'error', 'text'),
    [
        (b'', NoReplyError, '0 bytes came'),
        (STATUS_0_AT_2048[:9], NoReplyError, '9 bytes came'),
        (STATUS_0_AT_2048[:13], NoReplyError, '13 bytes came'),
        (broken(STATUS_0_AT_2048), ProtocolError, 'damaged reply of motor 0'),
        (status(1, 2048), ProtocolError, 'motor 1 answers instead of motor 0'),
        (emulator.frame(0, b'\x55\x00\x01'), ProtocolError, 'instead'),
        (bytes(range(64)), NoReplyError, 'no whole reply'),
        (b'\xff' * 300, NoReplyError, 'no whole reply'),
    ],
)
def test_bad_replies(reply, error, text):
    with pytest.raises(error, match=text):
        Bus(Wire(reply), (0,), fast=False).sync_read(POSITION)


def test_noise_before_a_reply_is_counted_and_passed_over():
    bus = Bus(Wire(b'\x13\xff\xff\x77' + STATUS_0_AT_2048), (0,), fast=False)
    assert bus.sync_read(POSITION)[1].view('<i4')[0, 0] == 2048
    assert bus.noise == 4


def test_noise_without_end_ends():
    with pytest.raises(NoReplyError):
        Bus(NoiseWithoutEnd(), (0,), fast=False).sync_read(POSITION)


@pytest.mark.parametrize('fast', [True, False])
def test_the_late_reply_of_an_earlier_request_is_not_taken(fast):
    hand = emulator.LeapEmulator()
    ids = tuple(range(16))

    def reply(order):
        instruction = 0x8A if fast else 0x82
        return b''.join(
            hand.feed(emulator.frame(0xFE, bytes([instruction, 132, 0, 4, 0, *order])))
        )

    old = reply(ids)
    hand.plant.position[:] += 0.1
    hand.step(0.0)
    hand._show()
    turned = (*ids[1:], 0)
    new = reply(turned)
    # Nothing comes in time; then what was late, and the second request's own reply.
    bus = Bus(Wire(b'', old + new, reply((*ids[2:], 0, 1))), ids, fast)
    with pytest.raises(NoReplyError):
        bus.sync_read(POSITION)
    if fast:  # it is told from the right one, which is taken
        counts = bus.sync_read(POSITION)[1].copy().view('<i4')[:, 0]
    else:
        with pytest.raises(ProtocolError, match='motor 0 answers instead of motor 1'):
            bus.sync_read(POSITION)
        counts = bus.sync_read(POSITION)[1].copy().view('<i4')[:, 0]
    measured = protocol.to_radians(counts, np.full(16, 2048))
    assert np.allclose(measured, hand.plant.position, atol=8e-4)


def test_a_motor_that_refuses_says_why():
    hand = emulator.LeapEmulator()
    hand.tables[2, 64] = 1
    request = emulator.frame(2, bytes([3, 11, 0, 5]))
    (reply,) = hand.feed(request)
    wire = Wire(reply)
    with pytest.raises(ProtocolError, match='motor 2 refuses: no access: EEPROM while torque is'):
        Bus(wire, (2,)).write(2, protocol.OPERATING_MODE, 5)
    assert wire.sent == [request]


def test_hardware_errors_in_words():
    assert protocol.hardware_error(0x24) == 'too hot, overload'
    assert protocol.hardware_error(0x42) == 'hardware error 0x42'


def test_the_late_confirmation_of_a_write_is_no_value():
    hand = emulator.LeapEmulator()
    (value,) = hand.feed(emulator.frame(2, bytes([2, 11, 0, 1, 0])))
    confirmation = emulator.frame(2, b'\x55\x00')
    assert Bus(Wire(confirmation, value), (2,)).read(2, protocol.OPERATING_MODE) == 3
