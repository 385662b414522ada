"""Bytes: frames of the reference, damaged replies, replies to something else."""

import numpy as np
import pytest
from wire import NoiseWithoutEnd, Wire

from mimic_core.errors import NoReplyError, ProtocolError
from mimic_so101_driver import protocol
from mimic_so101_driver.emulator import So101Emulator
from mimic_so101_driver.transport import Bus

PING_1 = bytes.fromhex('FF FF 01 02 01 FB')
READ_POSITION_1 = bytes.fromhex('FF FF 01 04 02 38 02 BE')
STATUS_1_AT_2048 = bytes.fromhex('FF FF 01 04 00 00 08 F2')
SYNC_READ_ALL = bytes.fromhex('FF FF FE 0A 82 38 02 01 02 03 04 05 06 26')
SYNC_WRITE_1_2 = bytes.fromhex('FF FF FE 0A 83 2A 02 01 00 08 02 00 08 35')
POSITION = protocol.Register(56, 2)
IDS = (1, 2, 3, 4, 5, 6)


def status(motor: int, *data: int, error: int = 0) -> bytes:
    body = bytes([motor, len(data) + 2, error, *data])
    return b'\xff\xff' + body + bytes([255 - sum(body) % 256])


def test_golden_requests():
    wire = Wire()
    bus = Bus(wire, IDS)
    asks = (
        lambda: bus.ping(1),
        lambda: bus.read(1, POSITION),
        lambda: bus.sync_read(POSITION),
    )
    for ask in asks:
        with pytest.raises(NoReplyError):
            ask()
    two = Bus(wire, (1, 2))
    two.sync_write(protocol.GOAL_POSITION, protocol.word_bytes(np.array([[2048], [2048]])))
    reads = [READ_POSITION_1] * 3  # tried again where no period is to be kept
    assert wire.sent == [PING_1, *reads, SYNC_READ_ALL, SYNC_WRITE_1_2]


def test_golden_reply():
    assert status(1, 0x00, 0x08) == STATUS_1_AT_2048
    assert Bus(Wire(STATUS_1_AT_2048), (1,)).read(1, POSITION) == b'\x00\x08'
    errors, data = Bus(Wire(STATUS_1_AT_2048), (1,)).sync_read(POSITION)
    assert errors.tolist() == [0] and protocol.words(data).tolist() == [[2048]]


def test_a_write_is_confirmed():
    wire = Wire(status(3))
    Bus(wire, IDS).write(3, protocol.MAX_TORQUE, 500)
    assert wire.sent == [bytes.fromhex('FF FF 03 05 03 10 F4 01 EF')]


def test_signs_are_magnitudes():
    values = np.array([0, 5, -5, 2047, -2047])
    for bit in (11, 15):
        words = protocol.encode_signed(values, bit)
        assert words[2] == (1 << bit) + 5 and (words >= 0).all()
        assert protocol.decode_signed(words, bit).tolist() == values.tolist()
    with pytest.raises(ProtocolError, match='do not fit into 11 bits'):
        protocol.encode_signed(np.array([2048]), 11)


def test_present():
    # position 2048, speed -100 counts/s, load -50.0 %
    data = np.array([[0x00, 0x08, 100, 0x80, 0xF4, 0x05]], np.uint8)
    position, speed, load = protocol.present(data)
    assert position.tolist() == [2048]
    assert speed[0] == pytest.approx(-100 * 2 * np.pi / 4096)
    assert load[0] == pytest.approx(-0.5)


@pytest.mark.parametrize(
    ('reply', 'error', 'text'),
    [
        (b'', NoReplyError, 'no reply of motor 1'),
        (STATUS_1_AT_2048[:-1], NoReplyError, 'no reply of motor 1'),
        (STATUS_1_AT_2048[:3], NoReplyError, 'no reply of motor 1'),
        (STATUS_1_AT_2048[:-1] + b'\x00', ProtocolError, 'wrong checksum in a reply of motor 1'),
        (status(2, 0, 8), ProtocolError, 'motor 2 answers with 2 bytes instead of motor 1'),
        (status(1, 0), ProtocolError, 'with 1 bytes instead of motor 1 with 2'),
        (bytes(range(100)), NoReplyError, 'no reply'),
        (b'\xff' * 300, NoReplyError, 'no reply'),
    ],
)
def test_bad_replies(reply, error, text):
    with pytest.raises(error, match=text):
        Bus(Wire(reply), (1,)).sync_read(POSITION)


def test_motors_that_do_not_answer_are_named():
    wire = Wire(b''.join(status(m, 0, 8) for m in (1, 2, 3)))
    with pytest.raises(NoReplyError, match='no reply of motor 4, 5, 6'):
        Bus(wire, IDS).sync_read(POSITION)


def test_noise_before_a_reply_is_counted_and_passed_over():
    bus = Bus(Wire(b'\x13\xff\x77' + STATUS_1_AT_2048), (1,))
    assert bus.read(1, POSITION) == b'\x00\x08'
    assert bus.noise == 3


def test_noise_without_end_ends():
    with pytest.raises(NoReplyError):
        Bus(NoiseWithoutEnd(), (1,)).read(1, POSITION)


def test_the_late_reply_of_an_earlier_request_is_not_taken():
    def reply(order, low):
        return b''.join(status(m, low, 8) for m in order)

    turned = (2, 3, 4, 5, 6, 1)
    # Nothing comes in time; then only what was late.
    wire = Wire(b'', reply(IDS, 1) + reply(turned, 2), reply((3, 4, 5, 6, 1, 2), 3))
    bus = Bus(wire, IDS)
    with pytest.raises(NoReplyError):
        bus.sync_read(POSITION)
    with pytest.raises(ProtocolError, match='motor 1 answers'):
        bus.sync_read(POSITION)
    assert (bus.sync_read(POSITION)[1][:, 0] == 3).all()


def test_replies_are_put_in_the_order_of_the_ids():
    wire = Wire(b'', b''.join(status(m, m, 0) for m in (2, 3, 4, 5, 6, 1)))
    bus = Bus(wire, IDS)
    with pytest.raises(NoReplyError):
        bus.sync_read(POSITION)
    assert bus.sync_read(POSITION)[1][:, 0].tolist() == list(IDS)


def test_the_emulator_answers_the_golden_requests():
    arm = So101Emulator()
    arm.plant.position[0] = 0.0
    arm._show()
    assert arm.feed(PING_1) == [status(1)]
    (reply,) = arm.feed(READ_POSITION_1)
    assert reply == status(1, *(2047).to_bytes(2, 'little'))
    (replies,) = arm.feed(SYNC_READ_ALL)
    assert len(replies) == 6 * 8
    assert arm.feed(SYNC_WRITE_1_2) == []
    assert arm.memory[1][42:44] == b'\x00\x08' and arm.memory[2][42:44] == b'\x00\x00'


def test_errors_in_words():
    assert protocol.error_text(0x24) == 'too hot, overload'
    assert protocol.error_text(0x41) == 'supply voltage out of range, error 0x40'
