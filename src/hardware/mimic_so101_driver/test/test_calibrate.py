"""The calibration tool before the emulator, with a person who does what is asked, or does not."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from mimic_core.errors import ConfigError, DeviceError
from mimic_core.params import from_mapping
from mimic_so101_driver import emulator
from mimic_so101_driver.calibrate import Terminal, calibrate, main
from mimic_so101_driver.driver import make_device
from mimic_so101_driver.params import So101Params


class Person:
    """Moves the emulated arm as the prompts say."""

    def __init__(self, running, *, lazy=(), answer='y', leave_at=None):
        self.running, self.lazy, self.answer, self.leave_at = running, lazy, answer, leave_at
        self.said, self.asked, self.shown = [], [], []
        self._looks, self._patience = 0, 3
        self.limits = running.device.limits

    def say(self, text):
        self.said.append(text)

    def ask(self, text):
        self.asked.append(text)
        if self.leave_at and self.leave_at in text:
            raise KeyboardInterrupt
        if 'middle' in text:
            self._move(0.5)
        return self.answer

    def show(self, lines):
        self.shown = list(lines)
        self._looks += 1
        # From end to end in steps that a hand makes.
        self._move(0.5 + 0.5 * np.sin(2.0 * np.pi * self._looks / 40.0))

    def is_done(self):
        return self._looks % 45 == 0

    def _move(self, share):
        assert not self.running.plant.torque.any(), 'asked to move an arm that is stiff'
        lower, upper = self.limits.lower, self.limits.upper
        goal = lower + share * (upper - lower)
        for joint in self.lazy:
            goal[joint] = 0.5 * (lower[joint] + upper[joint])
        if 'not yet: move on those that do not say ok' in self.said:
            self.lazy = ()
        self.running.plant.position[:] = goal
        self.running.device._show()


def options(running, file, **values):
    given = {'port': str(running.server.link), 'baud': 1_000_000, 'timeout': 0.2, 'apply': False}
    return argparse.Namespace(file=file, **{**given, **values})


def given_by(running):
    return Path(running.params['calibration'])


@pytest.fixture
def file(tmp_path):
    return tmp_path / 'arm.json'


def test_what_is_found_is_right_and_the_driver_takes_it(tmp_path, file):
    with emulator.start(tmp_path / 'port', calibrated=False) as running:
        person = Person(running)
        calibrate(options(running, file), person)
        assert person.said[-1] == f'written: {file}'
        content = json.loads(file.read_text())
        assert list(content) == list(emulator.MOTORS)
        assert (content['wrist_roll']['range_min'], content['wrist_roll']['range_max']) == (
            0,
            4095,
        )
        for i, values in enumerate(content.values()):
            memory = running.device.memory[i]
            assert int.from_bytes(memory[9:11], 'little') == values['range_min']
            assert int.from_bytes(memory[11:13], 'little') == values['range_max']
            assert memory[55] == 1, 'EEPROM is left open'
        arm, _, _ = make_device(
            from_mapping(So101Params, {**running.params, 'calibration': str(file)})
        )
        arm.open()
        # The middle pose of wrist_roll is what the person took for it, up to a count.
        goal = np.array([0.5, -0.5, 0.7, 1.0, 0.0, 0.8])
        running.plant.position[:] = goal
        running.device._show()
        measured = arm.read().position
        middle = 0.5 * (person.limits.lower[4] + person.limits.upper[4])
        goal[4] -= middle
        assert np.allclose(measured, goal, atol=0.02)
        arm.close()


def test_a_joint_that_was_not_moved_is_told(tmp_path, file):
    with emulator.start(tmp_path / 'port', calibrated=False) as running:
        person = Person(running, lazy=(1, 5))
        calibrate(options(running, file), person)
        assert 'not yet: move on those that do not say ok' in person.said
        assert file.exists()


def test_a_joint_that_passes_the_end_of_its_sensor_ends_it(tmp_path, file):
    with emulator.start(tmp_path / 'port') as running:
        person = Person(running)
        move = person._move

        def wrong_middle(share):  # the "middle" is one end: the other is beyond the sensor's
            move(share)
            if share == 0.5:
                running.plant.position[0] = person.limits.lower[0] - 0.5
                running.device._show()

        person._move = wrong_middle
        before = [bytes(memory[:40]) for memory in running.device.memory]
        with pytest.raises(ConfigError, match='shoulder_pan went past the end of its sensor'):
            calibrate(options(running, file), person)
        assert not file.exists()
        assert [bytes(memory[:40]) for memory in running.device.memory] == before


@pytest.mark.parametrize('leave_at', ['middle', 'hold the arm'])
def test_broken_off_it_leaves_everything_as_it_was(tmp_path, file, leave_at):
    with emulator.start(tmp_path / 'port') as running:
        before = [bytes(memory[:40]) for memory in running.device.memory]
        with pytest.raises(KeyboardInterrupt):
            calibrate(options(running, file), Person(running, leave_at=leave_at))
        assert [bytes(memory[:40]) for memory in running.device.memory] == before
        assert not file.exists()


def test_motors_that_go_away_on_the_way_are_told(tmp_path, file):
    with emulator.start(tmp_path / 'port') as running:
        person = Person(running)
        person.show = lambda lines: running.faults.set('silent')
        with pytest.raises(DeviceError, match='no reply of motor'):
            calibrate(options(running, file, timeout=0.02), person)
        assert 'the motors do not take back what they had' in person.said[-1]
        assert not file.exists()


def test_input_that_ends_is_nobody(tmp_path, file, monkeypatch):
    with emulator.start(tmp_path / 'port', calibrated=False) as running:
        before = [bytes(memory[:40]) for memory in running.device.memory]
        for text in ('', '\n\n'):  # at the first question; while a person should move the arm
            with (tmp_path / 'input').open('w+') as answers:
                answers.write(text)
                answers.seek(0)
                monkeypatch.setattr('sys.stdin', answers)
                with pytest.raises(ConfigError, match='run it on a terminal'):
                    calibrate(options(running, file), Terminal())
        assert [bytes(memory[:40]) for memory in running.device.memory] == before


def test_an_existing_file_is_replaced_only_when_that_is_wanted(tmp_path, file):
    file.write_text('precious')
    with emulator.start(tmp_path / 'port') as running:
        with pytest.raises(ConfigError, match='stays as it is'):
            calibrate(options(running, file), Person(running, answer=''))
        assert file.read_text() == 'precious'


def test_apply_puts_a_file_into_new_motors(tmp_path, file):
    with emulator.start(tmp_path / 'port', calibrated=False) as running:
        calibrate(options(running, given_by(running), apply=True), Person(running))
        arm, _, _ = make_device(from_mapping(So101Params, running.params))
        arm.open()
        assert np.allclose(arm.read().position, running.plant.position, atol=2e-3)
        arm.close()


def test_a_file_that_the_motors_do_not_keep(tmp_path):
    with emulator.start(tmp_path / 'port', calibrated=False) as running:
        keep = running.device._set
        running.device._set = lambda i, address, data: (
            None if address < 40 else keep(i, address, data)
        )
        with pytest.raises(DeviceError, match=r'shoulder_pan holds \(0, 0, 4095\) after'):
            calibrate(options(running, given_by(running), apply=True), Person(running))


def test_bad_frames_on_the_way_are_tried_again(tmp_path, file):
    with emulator.start(tmp_path / 'port', calibrated=False) as running:
        person = Person(running)
        show = person.show

        def noisy(lines):
            running.faults.set('checksum', 1)
            show(lines)

        person.show = noisy
        calibrate(options(running, file), person)
        assert file.exists()


def test_the_command_says_in_one_line_what_is_wrong(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(['--port', str(tmp_path / 'none'), '--file', str(tmp_path / 'file.json')])
    assert stopped.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith('calibrate: there is no port') and error.count('\n') == 1
