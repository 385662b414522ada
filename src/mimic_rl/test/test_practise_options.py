"""What the options of `practise` mean, and what is said on the way."""

import dataclasses
import io
import re
import time
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console
from scipy.spatial.transform import Rotation
from small_training import call

from mimic_core.errors import ConfigError, UnknownNameError
from mimic_rl import Practice, practise, robot_synergies
from mimic_rl.params import LearningParams, PracticeParams
from mimic_rl.shown import show

pytest.importorskip('torch', reason='what learning needs is not installed')


@pytest.mark.parametrize(
    ('task', 'least', 'most'), [('box_push', 0.8, 0.8), ('box_pivot', 0.8, 0.8),
                                ('pitcher_pour', 1.3, 1.4)],
)  # fmt: skip
def test_a_palm_may_turn_as_it_was_shown(task, least, most):
    run = show(task, 'iiwa14', 'robotiq_2f85')
    params = practise.settings_from([], run)['practice']
    assert least <= params.max_turn <= most
    practice = Practice(run, robot_synergies(run.robot()), count=1, threads=1, params=params)
    shown = practice.motion.places(practice.demonstration).palm_R
    turn = Rotation.from_matrix(shown @ shown[0].T).as_euler('xyz')
    assert np.abs(turn).max() < params.max_turn - 0.1  # and some more, to correct
    assert practise.settings_from(['max_turn=0.5'], run)['practice'].max_turn == 0.5
    seen = dataclasses.replace(run, demonstration=None)
    assert practise.settings_from([], seen)['practice'] == PracticeParams()


@pytest.mark.parametrize(
    ('stopped', 'words', 'says'),
    [
        ('practise.show', ['draft', 'RUN'], 'the same command begins anew'),
        ('practise.open_training', ['train', 'RUN'], 'a training goes on with the same command'),
        ('show_command.make_stream', ['show', 'BAG'], 'remove the folder of the bag, and the '),
        ('show_command.object_mesh', ['mesh', 'box.obj'], 'the same command begins anew'),
        ('prepare.command.check_folder', ['prepare', 'BAG', '--object', 'a.obj'], 'the same com'),
    ],
)
def test_each_command_that_is_stopped_says_how_it_goes_on(
    stopped, words, says, monkeypatch, capsys
):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(f'mimic_rl.{stopped}', stop)
    assert call(monkeypatch, *words) == 130
    assert capsys.readouterr().err.startswith(f'practise: stopped; {says}')


@pytest.mark.parametrize(
    ('values', 'words'),
    [
        (['horizon=0'], 'horizon'),
        (['start=sideways'], 'start'),
        (['palm_speed=fast'], 'palm_speed'),
        (['min_delay=3'], 'min_delay = 3 is above delay = 2'),
    ],
)
def test_wrong_settings_are_named(values, words):
    with pytest.raises(ConfigError, match=words):
        practise.settings_from(values, show('box_push', 'iiwa14', 'robotiq_2f85'))


def test_settings_of_every_group():
    run = show('box_push', 'iiwa14', 'robotiq_2f85')
    groups = practise.settings_from(['horizon=4', 'xy=0.02', 'hold=3', 'layers=[8, 8]'], run)
    assert groups['learning'] == LearningParams(horizon=4, layers=(8, 8))
    assert groups['randomisation'].xy == 0.02 and groups['practice'].hold == 3
    words = "unknown parameter 'horizn'. Did you mean 'horizon'"
    with pytest.raises(UnknownNameError, match=re.escape(words)) as caught:
        practise.settings_from(['horizn=4'], run)
    assert {'hold', 'xy', 'horizon'} <= set(caught.value.known)
    again = practise.settings_from(['xy=0.03'], run, groups)
    assert again['learning'] == groups['learning'] and again['practice'] == groups['practice']
    assert again['randomisation'] == dataclasses.replace(groups['randomisation'], xy=0.03)


@pytest.mark.parametrize(
    ('terminal', 'total', 'says'),
    [
        (False, 1000, ['300 of 1,000 steps, reward 0.50, level 0.40, success  25 %', ' to go']),
        (False, None, ['300 steps, reward 0.50', '0:00:0', ' to go']),
        (True, 1000, ['300/1000']),
        (True, None, ['success  25 %', '/9']),
    ],
)
def test_progress_by_steps_and_by_time(terminal, total, says, monkeypatch):
    monkeypatch.setattr(practise, '_LINE_EVERY', 0.0)
    told = io.StringIO()
    console = Console(file=told, force_terminal=terminal, width=120)
    end = time.monotonic() + 9.4
    report = SimpleNamespace(reward=0.5, level=0.4, episodes=4, success=0.25, steps=300)
    with practise.TrainingScreen(console, 100, total, end) as screen:
        screen.show(report)
    text = re.sub(r'\x1b\[[0-9;?]*[a-zA-Z]', '', told.getvalue())
    for words in says:
        assert words in text


@pytest.mark.parametrize(
    'words',
    [
        ['train', '--steps', '0'],
        ['train', '--threads', '0'],
        ['train', '--seed', '-1'],
        ['train', '--minutes', 'nan'],
        ['train', '--film-every', '-1'],
        ['evaluate', '--episodes', '0'],
        ['evaluate', '--threads', '0'],
        ['evaluate', '--seed', '-1'],
    ],
)
def test_numbers_out_of_range_are_told_in_a_line(tmp_path, monkeypatch, capsys, words):
    command, option, value = words
    with pytest.raises(SystemExit) as ended:
        call(monkeypatch, command, tmp_path, option, value)
    assert ended.value.code == 2
    assert f'argument {option}: {value} is not at least ' in capsys.readouterr().err


def test_synergies_of_a_gripper_are_its_joint():
    run = show('box_push', 'iiwa14', 'robotiq_2f85')
    assert robot_synergies(run.robot()).components.tolist() == [[1.0]]
