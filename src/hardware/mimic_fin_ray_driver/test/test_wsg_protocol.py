"""Frames of the WSG-50, byte for byte; streams that are cut, damaged and mixed."""

import struct

import numpy as np
import pytest

from mimic_core.errors import IdentityError, ProtocolError
from mimic_fin_ray_driver.wsg_emulator import WsgDevice
from mimic_fin_ray_driver.wsg_protocol import (
    Frame,
    FrameReader,
    crc,
    frame,
    query,
    script_state,
    step,
    system_state,
    system_state_query,
)

PENDING = bytes.fromhex('AA AA AA 20 02 00 1A 00 FC 32')
DONE = bytes.fromhex('AA AA AA 20 02 00 00 00 B3 FD')
MOVE = 'AA AA AA 21 09 00 00 00 00 48 42 00 00 C8 42 47 4C'


def test_golden_frames():
    assert crc(b'\xaa\xaa\xaa') == 0x50F5
    assert frame(0x24, b'ack') == bytes.fromhex('AA AA AA 24 03 00 61 63 6B DC B9')
    assert frame(0x20, b'\x01') == bytes.fromhex('AA AA AA 20 01 00 01 AE 93')
    assert frame(0x22) == bytes.fromhex('AA AA AA 22 00 00 0E 76')
    assert frame(0x21, struct.pack('<Bff', 0, 50.0, 100.0)) == bytes.fromhex(MOVE)
    assert query() == bytes.fromhex('AA AA AA B0 01 00 00 69 12')


@pytest.mark.parametrize('data', [PENDING, DONE, bytes.fromhex(MOVE), query()])
def test_the_checksum_of_a_whole_frame_is_zero(data):
    assert crc(data) == 0


def test_golden_replies():
    reader = FrameReader()
    assert reader.feed(PENDING) == [Frame(0x20, b'\x1a\x00')]
    assert reader.feed(DONE) == [Frame(0x20, b'\x00\x00')]
    assert Frame(0x20, b'\x1a\x00').status == 26 and reader.damaged == 0


def test_the_bytes_of_a_step():
    data = step(50.0, 10.0, 15.0, 0.001, 80.0, 40.0)
    assert data[:6] == bytes.fromhex('AA AA AA B1 19 00')
    assert data[6] == 0
    assert struct.unpack('<6f', data[7:31]) == pytest.approx((50.0, 10.0, 15.0, 0.001, 80.0, 40.0))
    assert system_state_query()[:9] == bytes.fromhex('AA AA AA 40 03 00 00 00 00')


@pytest.mark.parametrize(
    ('given', 'wanted'), [('20 01 00 01 AE 93', [PENDING]), ('22 00 00 0E 76', None)]
)
def test_the_emulator_answers_golden_frames(given, wanted):
    replies = WsgDevice().feed(bytes.fromhex('AA AA AA' + given))
    assert replies == wanted if wanted else replies[0][3] == 0x22


def test_the_emulator_ends_its_homing_with_the_golden_frame():
    device = WsgDevice()
    device.feed(bytes.fromhex('AA AA AA 20 01 00 01 AE 93'))
    frames = [reply for _ in range(1000) for reply in device.step(0.002)]
    assert frames == [DONE] and device.plant.position[0] > 0.0537


def test_the_emulator_refuses_a_wrong_checksum():
    damaged = bytes.fromhex('AA AA AA 22 00 00 0E 77')
    (reply,) = WsgDevice().feed(damaged)
    assert FrameReader().feed(reply) == [Frame(0x22, b'\x0b\x00')]


@pytest.mark.parametrize('cut', range(1, 20))
def test_frames_that_come_in_pieces(cut):
    reader, stream = FrameReader(), PENDING + DONE
    frames = reader.feed(stream[:cut]) + reader.feed(stream[cut:])
    assert [f.payload for f in frames] == [b'\x1a\x00', b'\x00\x00'] and reader.damaged == 0


@pytest.mark.parametrize(
    'noise',
    [b'\x01\x02\x03', b'\xaa', b'\xaa\xaa', b'\xaa\xaa\xaa\x20\xff\xff', PENDING[:-1] + b'\x00'],
)
def test_noise_before_a_frame_is_skipped_and_counted(noise):
    reader = FrameReader()
    frames = reader.feed(noise) + reader.feed(DONE) + reader.feed(PENDING)
    assert frames[-2:] == [Frame(0x20, b'\x00\x00'), Frame(0x20, b'\x1a\x00')]
    assert reader.damaged == 1


def test_a_frame_that_ends_early_is_counted_with_the_next_one():
    reader = FrameReader()
    assert reader.feed(PENDING[:6]) == []
    assert reader.feed(DONE + PENDING)[-1] == Frame(0x20, b'\x1a\x00')
    assert reader.damaged == 1


@pytest.mark.parametrize('seed', range(20))
def test_random_bytes_are_no_frames_and_do_not_pile_up(seed):
    rng, reader = np.random.default_rng(seed), FrameReader()
    for _ in range(100):
        assert reader.feed(rng.bytes(50)) == []
    assert len(reader.rest) < 2000


def test_what_the_script_measured():
    payload = struct.pack('<HB4f', 0, 0x09, 50.0, -20.0, 12.5, 1.7e9)
    assert len(payload) == 19
    state = script_state(Frame(0xB0, payload))
    assert (state.state, state.width, state.speed, state.force) == (9, 50.0, -20.0, 12.5)


@pytest.mark.parametrize(
    ('payload', 'error', 'words'),
    [
        (b'\x0e\x00', IdentityError, 'cmd_measure.lua'),
        (b'\x03\x00', ProtocolError, 'not initialised'),
        (bytes(23), IdentityError, 'another script runs'),
        (b'\x00', ProtocolError, 'without a status'),
    ],
)
def test_replies_of_something_else(payload, error, words):
    with pytest.raises(error, match=words):
        script_state(Frame(0xB0, payload))


def test_system_state():
    assert system_state(Frame(0x40, bytes.fromhex('00 00 01 40 08 00'))) == 0x84001
    for payload in (b'\x10\x00', bytes(4)):
        with pytest.raises(ProtocolError):
            system_state(Frame(0x40, payload))
