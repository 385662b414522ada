"""The report's numbers on streams whose numbers are known."""

import json

import numpy as np
import pytest

from mimic_bringup.demo import launch_arguments, parse, prepare
from mimic_bringup.demo_report import (
    following_error,
    object_pose,
    summarise,
    tracking_errors,
    write_report,
)
from mimic_bringup.streams import Series, Streams
from mimic_core.errors import ConfigError, UnknownNameError


def series(stamps, values, delay=0.0):
    stamps = np.asarray(stamps, float)
    return Series(stamps, stamps + delay, np.asarray(values, float))


def empty(*shape):
    return Series(np.zeros(0), np.zeros(0), np.zeros((0, *shape)))


def streams(**changes):
    fields = {
        'hands': empty(21, 3),
        'pixels': empty(21, 2),
        'confidence': empty(21),
        'kinds': empty(2),
        'truth': empty(21, 3),
        'visible': empty(21),
        'joints': empty(7),
        'palm': empty(3),
        'shadow': empty(3),
        'shadow_errors': empty(3),
        'commands': empty(1),
        'control': empty(3),
        'grasp': empty(3),
    }
    return Streams(**{**fields, **changes})


def known():
    times = np.arange(10) / 30
    hands = np.zeros((10, 21, 3))
    truth = hands + np.array([0.003, 0.0, 0.004])  # 5 mm away
    visible = np.ones((10, 21))
    visible[:, 5] = 0
    hands[4] = np.nan  # lost in one image
    return streams(
        hands=series(times, hands, delay=0.02),
        truth=series(times, truth),
        visible=series(times, visible),
        commands=series(times, np.zeros((10, 1)), delay=0.022),
        control=series(times, [[1, 0.03, 0]] * 9 + [[4, np.nan, 2]]),
        palm=series(times, np.tile([0.5, 0.0, 0.2], (10, 1))),
        shadow=series(times, np.tile([0.5, 0.0, 0.21], (10, 1)), delay=0.001),
        shadow_errors=series(times, np.zeros((10, 3))),
        success=series(times, [[0, 0]] * 9 + [[1, 1]]),
        task='pick_place',
        duration=0.3,
        rates={'/joint_states': 100.0},
        counts={'/joint_states': 30},
    )


def test_numbers_of_a_known_episode():
    summary = summarise(known())
    assert summary['success'] is True
    assert summary['latency_ms']['camera to hand']['median'] == pytest.approx(20, abs=0.01)
    assert summary['latency_ms']['camera to command']['median'] == pytest.approx(22, abs=0.01)
    assert summary['latency_ms']['camera to gate output']['samples'] == 9
    assert summary['hand_found_percent'] == 90.0
    assert summary['missed_control_ticks'] == 2
    assert summary['states_percent'] == {'shadow': 90.0, 'hold': 10.0}
    assert summary['robot_error']['palm_followed_mm']['median'] == pytest.approx(10)


def test_tracking_errors_compare_images_of_one_stamp_and_skip_lost_hands():
    errors = tracking_errors(known())
    assert np.nanmax(errors['visible']) == pytest.approx(0.005)
    assert np.isnan(errors['wrist']).sum() == 1
    shifted = known()
    shifted.truth = series(shifted.truth.stamps + 0.015, shifted.truth.values)
    assert len(tracking_errors(shifted)['visible']) == 0


def test_following_error_knows_only_what_was_measured_before():
    late = known()
    late.palm = series(late.palm.stamps + 10.0, late.palm.values)
    assert len(following_error(late)) == 0


def test_an_episode_without_anything_gives_a_page_that_says_so(tmp_path):
    write_report(streams(), tmp_path, {'arm': 'iiwa14', 'hand': '<allegro>'})
    numbers = json.loads((tmp_path / 'report.json').read_text())
    assert numbers['success'] is None and numbers['hand_found_percent'] is None
    page = (tmp_path / 'report.html').read_text()
    assert 'nobody knows the truth' in page and '&lt;allegro&gt;' in page


def test_object_pose_is_none_until_it_is_known():
    path = series([1.0, 2.0], [[0, 0, 0, 0, 0, 0, 1], [np.nan] * 7])
    assert object_pose(path, 0.5) is None
    assert object_pose(path, 1.5) is not None
    assert object_pose(path, 2.5) is None


def test_options_choose_the_hand_of_the_arm_and_refuse_nonsense(tmp_path):
    assert parse(['--arm', 'so101']).hand == 'so101_gripper'
    arguments = launch_arguments(parse(['--out', str(tmp_path)]))
    assert arguments['arm'] == 'iiwa14' and arguments['hand'] == 'allegro'
    assert arguments['record'] == 'true' and 'video' not in arguments
    with pytest.raises(UnknownNameError, match='Known'):
        parse(['--arm', 'nobody'])
    with pytest.raises(ConfigError, match='no video file'):
        parse(['--video', str(tmp_path / 'none.mp4')])


def test_a_folder_that_is_not_an_episode_is_never_deleted(tmp_path):
    (tmp_path / 'episode').mkdir()
    (tmp_path / 'episode' / 'thesis.txt').write_text('keep me')
    prepare(tmp_path)
    assert (tmp_path / 'episode' / 'thesis.txt').exists()
