"""Packets of the servo against golden ones; registers, ticks, ways."""

import pytest

from mimic_fin_ray_driver.servo_emulator import ServoDevice
from mimic_fin_ray_driver.servo_protocol import Scale, hardware_errors, parse_present

PING = bytes.fromhex('FF FF FD 00 01 03 00 01 19 4E')


def test_the_emulator_answers_a_golden_ping():
    (reply,) = ServoDevice().feed(PING)
    assert reply[:12] == bytes.fromhex('FF FF FD 00 01 07 00 55 00 B0 04 34')


def test_golden_status():
    # status of id 0, position 2048, of the reference
    device = ServoDevice(motor=0)
    device._set(132, 4, 2048)
    assert device._status(0, bytes(device._table[132:136])) == bytes.fromhex(
        'FF FF FD 00 00 08 00 55 00 00 08 00 00 7F BE'
    )


def test_the_emulator_is_silent_to_others_and_to_wrong_checksums():
    assert ServoDevice(motor=2).feed(PING) == []
    assert ServoDevice().feed(PING[:-1] + b'\x4f') == []
    device = ServoDevice()
    replies = [reply for byte in PING for reply in device.feed(bytes([byte]))]
    assert len(replies) == 1


def test_present_values():
    data = bytes.fromhex('9C FF') + (-10).to_bytes(4, 'little', signed=True)
    present = parse_present(data + (2048).to_bytes(4, 'little'))
    assert present.current == pytest.approx(-0.1)
    assert present.velocity == pytest.approx(-10 * 0.229 / 60 * 4096)
    assert present.position == 2048


@pytest.mark.parametrize(('closed', 'opened'), [(1024, 3072), (3072, 1024), (-500, 9000)])
def test_ticks_of_ways(closed, opened):
    scale = Scale(closed, opened, 0.054)
    assert scale.to_ticks(0.0) == closed and scale.to_ticks(0.054) == opened
    for ticks in range(min(closed, opened), max(closed, opened), 97):
        assert scale.to_ticks(scale.to_way(ticks)) == ticks


def test_hardware_errors_in_words():
    assert hardware_errors(0x24) == 'over-temperature, overload'
    assert hardware_errors(0x80) == 'hardware error 0x80'
