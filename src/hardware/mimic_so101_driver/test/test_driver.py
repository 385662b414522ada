"""The driver before its emulator: who answers, whose calibration, what is set, what moves."""

import json
import time
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from open_device import while_open

from mimic_core.driver import DriverSession
from mimic_core.driver.testing import wait
from mimic_core.errors import (
    ConfigError,
    DeviceError,
    DeviceFaultError,
    IdentityError,
)
from mimic_core.params import from_mapping
from mimic_so101_driver import emulator
from mimic_so101_driver.driver import make_device
from mimic_so101_driver.params import So101Params


@pytest.fixture
def link(tmp_path):
    return tmp_path / 'port'


def device(running, **values):
    return make_device(
        from_mapping(So101Params, {**running.params, 'reply_timeout': 0.1, **values})
    )[0]


@contextmanager
def opened(link, **values):
    with emulator.start(link) as running, while_open(device(running, **values)) as arm:
        yield running, arm


def word(memory, address):
    return int.from_bytes(memory[address : address + 2], 'little')


def test_open_read_write_follow(link):
    with emulator.start(link) as running, closing(device(running)) as arm:
        assert arm.joints[0] == 'so101_shoulder_pan' and arm.joints[5] == 'so101_gripper_joint'
        assert arm.open() == 'SO-ARM101: 6 STS3215 motors, firmware 3.10'
        q = arm.read().position
        assert np.allclose(q, running.plant.position, atol=1.6e-3)
        arm.enable()
        time.sleep(0.1)
        assert np.allclose(arm.read().position, q, atol=2e-3), 'it jumps when torque comes'
        goal = np.array([0.3, -0.2, 0.4, 1.2, -0.3, 1.0])
        arm.write(goal)
        wait(lambda: np.allclose(arm.read().position, goal, atol=3e-3))
        assert np.allclose(running.plant.position, goal, atol=3e-3)
        assert np.allclose(running.writes()[-1][1], goal, atol=2e-3)


def test_without_the_gripper_motor_six_is_left_alone(link):
    with (
        emulator.start(link, missing=(6,)) as running,
        closing(device(running, hand='allegro')) as arm,
    ):
        assert len(arm.joints) == 5 and len(arm.limits) == 5
        assert arm.open() == 'SO-ARM101: 5 STS3215 motors, firmware 3.10'
        arm.enable()
        arm.write(np.zeros(5))
        assert len(arm.read().position) == 5


def test_settings_are_those_of_lerobot(link):
    with emulator.start(link) as running:
        for memory in running.device.memory:
            memory[18] |= 0x10
        settings = {'position_p': 20, 'position_d': 30, 'position_i': 1, 'gripper_torque': 0.4}
        with while_open(device(running, **settings)) as arm:
            arm.enable()
        for i, memory in enumerate(running.device.memory):
            assert (memory[7], memory[33], memory[41], memory[85]) == (0, 0, 254, 254)
            assert (memory[21], memory[22], memory[23]) == (20, 30, 1)
            assert memory[18] == 0x0C and memory[40] == 1 and memory[55] == 1
            gripper = i == 5
            assert word(memory, 16) == word(memory, 48) == (400 if gripper else 1000)
            assert word(memory, 28) == (250 if gripper else 500)
            assert memory[36] == (25 if gripper else 80)


def test_enable_twice_writes_nothing(link):
    with opened(link) as (running, arm):
        arm.enable()
        arm.read()
        before = len(running.server.received)
        arm.enable()
        packets = bytes(running.server.received)[before:].split(b'\xff\xff')[1:]
        assert [packet[2] for packet in packets] == [0x82] * 3


def test_a_stiff_arm_with_other_settings_is_refused_and_does_not_drop(link):
    with emulator.start(link) as running:
        first = device(running)
        first.open()
        first.enable()
        first.disable(hold=True)
        first.close()
        arm = device(running, gripper_torque=0.4, on_deactivate='limp')
        with pytest.raises(DeviceError, match=r'so101_gripper_joint \(motor 6\) differ.*hold'):
            arm.open()
        session = DriverSession(arm, arm.limits, So101Params(rate=100.0))
        with pytest.raises(DeviceError, match='switch its supply off and on'):
            session.configure(0.0)
        session.deactivate()
        session.cleanup()
        assert [memory[40] for memory in running.device.memory] == [1] * 6
        assert all(running.plant.torque)
        again = device(running)
        again.open()
        again.enable()
        with pytest.raises(DeviceError, match='torque is on'):
            running.device.memory[2][21] = 99
            again.enable()
        assert [memory[40] for memory in running.device.memory] == [1] * 6
        again.disable(hold=False)
        again.close()
        arm.open()
        arm.enable()
        assert running.device.memory[2][21] == 16 and word(running.device.memory[5], 48) == 400
        arm.close()


def test_contact_shows_as_effort(link):
    with opened(link, stall_torque=2.0, current_unit=0.01) as (running, arm):
        arm.enable()
        running.plant.obstacle_lower[5] = running.plant.position[5]
        goal = arm.read().position
        goal[5] = arm.limits.lower[5]
        arm.write(goal)
        wait(lambda: arm.read().effort[5] < -1.9)
        assert arm.read().effort[5] == pytest.approx(-2.0, abs=0.01)
        assert arm.health().current['so101_gripper_joint'] == pytest.approx(2.5, abs=0.02)


def refused(running, error, text, **values):
    with pytest.raises(error, match=text):
        device(running, **values).open()


def test_another_model_is_named(link):
    with emulator.start(link, model=1284) as running:
        refused(
            running, IdentityError, r'no STS3215 motors \(model 777\): motor 1 says model 1284'
        )


def test_different_firmware_is_named(link):
    with emulator.start(link, odd_firmware=4) as running:
        refused(running, IdentityError, r'different firmware.*motor 3 3\.10, motor 4 3\.9')


def test_the_calibration_of_another_arm_is_refused(link, tmp_path):
    with emulator.start(link) as running:
        content = json.loads(Path(running.params['calibration']).read_text())
        content['elbow_flex']['homing_offset'] += 40
        content['gripper']['range_max'] -= 7
        other = tmp_path / 'other.json'
        other.write_text(json.dumps(content))
        offset, high = content['elbow_flex']['homing_offset'], content['gripper']['range_max']
        expected = (
            f'not that of this arm.*elbow_flex.homing_offset {offset} in the file, {offset - 40} '
            f'in the motor; gripper.range_max {high} in the file, {high + 7} in the motor'
        )
        refused(running, IdentityError, expected, calibration=str(other))


def test_no_calibration(link):
    with emulator.start(link) as running:
        for value, text in (('', 'must name the calibration file'), ('/no.json', 'there is no')):
            with pytest.raises(ConfigError, match=text):
                device(running, calibration=value)


def test_too_hot_and_reset(link):
    with opened(link) as (running, arm):
        arm.enable()
        running.faults.set('over_temperature', joint=2)
        wait(lambda: running.device.memory[2][65])
        for call in (arm.read, arm.health, arm.reset):
            with pytest.raises(DeviceFaultError, match=r'so101_elbow_flex \(motor 3\): too hot'):
                call()
        running.faults.clear()
        wait(lambda: not running.device.memory[2][65])
        arm.reset()
        arm.enable()
        assert running.device.memory[2][40] == 1
        arm.health()
