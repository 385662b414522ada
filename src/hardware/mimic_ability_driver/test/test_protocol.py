"""Bytes of the Ability Hand: the maker's frames, and damage on the line."""

import numpy as np
import pytest

from mimic_ability_driver import protocol
from mimic_ability_driver.emulator import Emulator
from mimic_core.errors import ProtocolError

# From the interface control document and the maker's wrapper.
POSITION_30_DEG = bytes.fromhex('7E 50 10 99 19 99 19 99 19 99 19 99 19 67 E6 D9 7E')
READ = bytes.fromhex('7E 50 A0 10 7E')
EXIT = bytes.fromhex('7E 50 7C 34 7E')


def test_golden_frames():
    q = np.radians([30.0, 30.0, 30.0, 30.0, 30.0, -30.0])
    counts = protocol.position_to_counts(q)
    assert protocol.command(0x50, protocol.POSITION, 0, counts) == POSITION_30_DEG
    assert protocol.query(0x50, 0) == READ
    assert protocol.leave(0x50) == EXIT


def test_escapes():
    # 0x7E and 0x7D inside: two bytes each, and back.
    counts = [0x7E7D, 0, 0, 0, 0, 0x007E]
    frame = protocol.command(0x50, protocol.POSITION, 2, counts)
    assert frame.count(b'\x7e') == 2
    assert frame[3:7] == bytes.fromhex('7D 5D 7D 5E')
    inner = protocol.unstuff(frame[1:-1])
    assert sum(inner) % 256 == 0 and len(inner) == 15
    assert inner[2:14] == np.array(counts, '<i2').tobytes()


def _reply(variant: int, positions=(0,) * 6, second=(0,) * 6, rotor=None, touch=None, status=0):
    """A reply by the layout of the document, written out."""
    body = [0x10 | variant]
    for p, s in zip(positions, second, strict=True):
        body += [*(p & 0xFFFF).to_bytes(2, 'little'), *(s & 0xFFFF).to_bytes(2, 'little')]
    if variant == 2:
        for r in rotor or (0,) * 6:
            body += (r & 0xFFFF).to_bytes(2, 'little')
    else:
        body += touch or bytes(45)
    body += [status]
    body += [-sum(body) & 0xFF]
    return bytes(body)


def test_reply_with_touch():
    frame = _reply(0, (6553, 0, 0, 0, 0, -6553), (621, -621, 0, 0, 0, 0), status=0b100001)
    assert len(frame) == 72
    reply = protocol.parse(frame)
    np.testing.assert_allclose(np.degrees(reply.position[[0, 5]]), [30.0, -30.0], atol=0.003)
    assert reply.current.tolist() == [621, -621, 0, 0, 0, 0]
    assert reply.limited == 0b100001
    assert reply.rotor is None and (reply.touch == 0).all()


def test_reply_with_velocity():
    frame = _reply(2, rotor=(400, 0, 0, 0, 0, -8))
    assert len(frame) == 39
    reply = protocol.parse(frame)
    assert reply.rotor.tolist() == [400, 0, 0, 0, 0, -8]
    assert reply.touch is None


def test_touch_packs_two_values_in_three_bytes_low_bits_first():
    data = bytes([0x34, 0x12, 0xAB]) + bytes(42)
    touch = protocol.unpack_touch(data)
    assert touch[:3].tolist() == [0x234, 0xAB1, 0]
    assert touch.shape == (30,)


def test_force_of_touch():
    force = protocol.touch_to_force(np.array([0, 2048, 4095]))
    # V = 1.65: R = 33000/1.65 + 10000 = 30000; F = 121591/30000 + 0.878894
    np.testing.assert_allclose(force[:2], [0.0, 121591.0 / 30000.0 + 0.878894])
    assert force[2] > force[1]


@pytest.mark.parametrize(
    'frame', [b'', b'\x10', _reply(0)[:-1], _reply(2) + b'\x00', b'\x13' * 72]
)
def test_wrong_lengths(frame: bytes):
    with pytest.raises(ProtocolError, match='bytes'):
        protocol.parse(frame)


def test_wrong_checksum():
    frame = bytearray(_reply(0))
    frame[5] ^= 0x01
    with pytest.raises(ProtocolError, match='checksum'):
        protocol.parse(bytes(frame))


@pytest.mark.parametrize('noise', [b'\x00', b'\x7e', b'abc~defgh', b'\x7d', b'\x00' * 9, b'~~~'])
@pytest.mark.parametrize('chunk', [1, 7, 1000])
def test_replies_are_found_behind_noise_and_in_pieces(noise: bytes, chunk: int):
    reader = protocol.FrameReader()
    good = protocol.stuff(_reply(0, (0x7E, 0x7D, 0, 0, 0, 0)))
    stream = noise + good + b'\x00' + good[: len(good) // 2] + good
    found = []
    for i in range(0, len(stream), chunk):
        found += reader.feed(stream[i : i + chunk])
    assert len(found) == 2  # the half one is none
    assert reader.damaged >= 1


def test_the_emulator_speaks_the_golden_frames():
    hand = Emulator()
    (reply,) = hand.feed(POSITION_30_DEG)
    assert protocol.parse(protocol.unstuff(reply[1:-1])).header == 0x10
    np.testing.assert_allclose(np.degrees(hand.writes()[0][1])[5], -30.0, atol=0.01)
    assert hand.api
    assert len(hand.feed(READ)) == 1
    assert hand.feed(EXIT) == [] and not hand.api
    assert hand.feed(READ[:3] + b'\x11\x7e') == []  # a wrong checksum is not answered
    assert hand.feed(bytes.fromhex('7E 51 A0 0F 7E')) == []  # nor another address


def test_the_watchdog_of_the_hand():
    hand = Emulator()
    hand.feed(POSITION_30_DEG)
    hand.step(0.29)
    hand.feed(READ)  # keeps it alive
    hand.step(0.29)
    assert hand.api
    hand.step(0.02)
    assert not hand.api and not hand.plant.torque.any()
    hand.feed(READ)
    assert not hand.api  # reading does not enter it
