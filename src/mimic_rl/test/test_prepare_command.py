"""What `practise prepare` takes on the command line."""

import argparse
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from mimic_core.errors import ConfigError
from mimic_rl.prepare import command
from mimic_rl.shown import shown_task


def _parse(*words):
    parser = argparse.ArgumentParser()
    actions = command.add_commands(parser.add_subparsers(dest='command'))
    assert set(actions) == {'prepare'}
    return parser.parse_args(['prepare', *map(str, words)])


def test_what_is_given_and_what_is_not():
    given = _parse('bag', '--object', 'box.obj')
    assert (given.markers, given.estimator, given.farthest) == ('', 'shape', 1.6)  # the tracker's
    assert (given.bag, given.object, given.out) == (Path('bag'), Path('box.obj'), None)
    assert (given.arm, given.hand, given.task) == ('iiwa14', 'allegro', '')
    assert command._pose(given.camera_pose) is None
    half = np.sqrt(0.5)
    words = ['--camera-pose', 0.4, -0.1, 0.9, 0, 0, half, half]
    pose = command._pose(_parse('bag', '--object', 'box.obj', *words).camera_pose)
    np.testing.assert_allclose(pose[:3, 3], [0.4, -0.1, 0.9])
    np.testing.assert_allclose(pose[:3, :3], [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-9)


@pytest.mark.parametrize(
    'words',
    [
        ['bag'],
        ['bag', '--object', 'box.obj', '--camera-pose', 1, 2, 3],
        ['bag', '--object', 'box.obj', '--mesh-scale', 'big'],
    ],
)
def test_what_is_missing_or_no_number_is_told(words, capsys):
    with pytest.raises(SystemExit):
        _parse(*words)
    assert 'error: ' in capsys.readouterr().err


def test_what_stands_on_the_table(tmp_path):
    wall = shown_task('box_pivot')
    assert command._table('box_pivot', None) == (wall.fixtures, wall.start_box)
    assert command._table('my own', None) == ((), None)
    file = tmp_path / 'fixtures.json'
    file.write_text(json.dumps([{'form': 'cylinder', 'size': [0.1, 0.05], 'xyz': [0.5, 0, 0.02]}]))
    (part,), box = command._table('box_pivot', file)  # the file says what there is
    assert (part.form, part.size, part.xyz) == ('cylinder', (0.1, 0.05), (0.5, 0.0, 0.02))
    assert box is None


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        (None, 'is no JSON file'),
        ('[', 'is no JSON file'),
        ('{}', 'fixtures.json is no list of primitives'),
        ('[{"form": "cone", "size": [1]}]', r'fixtures.json\[0\].form must be one of'),
        ('[{"form": "box", "size": [1, 0, 1]}]', r'fixtures.json\[0\].size must be > 0'),
    ],
)
def test_fixtures_that_are_wrong_are_named(tmp_path, text, words):
    file = tmp_path / 'fixtures.json'
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match=words):
        command._table('box_push', file)


def prepared(**report):
    """Return what the summary looks at."""
    numbers = dict.fromkeys(
        ('object_seen', 'hand_seen', 'start_s', 'moved_s', 'position_error_mm', 'angle_error_deg',
         'starts_reached', 'skipped_steps', 'slowed_steps', 'shape_error_mm'), 0.0,
    )  # fmt: skip
    usual = {'frames': 90, 'frames_without_depth': 0, 'tip_error_mm': None, 'hand_by_depth': True}
    run = SimpleNamespace(
        trajectory=[0], rate=15.0, object=SimpleNamespace(parts=[0]), fixtures=()
    )  # fmt: skip
    return SimpleNamespace(
        model=SimpleNamespace(describe=lambda: 'box'), run=run, origin=np.zeros(3),
        report=lambda: numbers | usual | report,
    )  # fmt: skip


def printed(table):
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_frames_without_depth_are_counted_for_people():
    assert 'left out' not in printed(command.summary(prepared(), True))
    said = printed(command.summary(prepared(frames_without_depth=3), True))
    assert 'hand in 0%; 3 more have no depth and are left out' in said


def test_a_hand_that_was_fitted_without_depth_is_a_warning():
    assert command.warnings(prepared(), False) == ()
    (said,) = command.warnings(prepared(hand_by_depth=False), False)
    assert 'the hand at the start was fitted without depth' in said and 'or change lead' in said


def test_a_motion_that_the_arm_cannot_follow_is_a_warning():
    steps = SimpleNamespace(trajectory=[0] * 40, fixtures=())
    few, many = (prepared(skipped_steps=n) for n in (10, 16))
    few.run = many.run = steps
    assert command.warnings(few, False) == ()
    (said,) = command.warnings(many, False)
    assert said.startswith('at 16 of 40 steps the robot does not get to where the hand was')


def test_what_the_name_of_the_task_puts_onto_the_table_is_said():
    pivot = prepared()
    assert 'on the table' not in printed(command.summary(pivot, True))
    pivot.run.task = 'box_pivot'
    pivot.run.fixtures, pivot.run.start_box = command._table('box_pivot', None)
    said = printed(command.summary(pivot, True))
    assert "box at (0.55, 0.19) m, taken from the name of the task, 'box_pivot'" in said
    assert 'starts are bounded to x -0.10 to +0.10 m, y -0.08 to +0.03 m' in said
    assert '--fixtures replaces it' in said
    told = printed(command.summary(pivot, False))
    assert 'box at (0.55, 0.19) m, as --fixtures says' in told and 'name of the task' not in told
    (warned,) = command.warnings(pivot, True)  # a real person's
    assert "that of the virtual person's 'box_pivot', which this bag is not of" in warned
    assert command.warnings(pivot, False) == ()
    pivot.run.fixtures = ()
    assert command.warnings(pivot, True) == ()
