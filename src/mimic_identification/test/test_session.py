"""What ends a test, and what a test keeps."""

import numpy as np
import pytest

from mimic_description import load_robot
from mimic_identification.errors import IdentificationError
from mimic_identification.excitation import excite
from mimic_identification.session import MotionTest, Watch


@pytest.fixture
def watch():
    watch = Watch('REPLAY')
    watch.begin(100.0)
    return watch


def follow(watch, begin, end, state='REPLAY', mode='REPLAY', why=''):
    for now in np.arange(begin, end, 0.05):
        watch.on_status(mode, state, why, now)
        watch.on_joint_state(now)
    return watch.problem(end)


def test_a_gate_that_follows_is_fine(watch):
    assert follow(watch, 100.0, 110.0) == ''


def test_a_gate_that_waits_at_first_is_fine(watch):
    assert follow(watch, 100.0, 100.6, 'HOLD') == ''
    assert follow(watch, 100.6, 105.0) == ''


@pytest.mark.parametrize(
    ('state', 'mode', 'why', 'says'),
    [
        ('STOPPED', 'STOPPED', 'control/stop was called', 'stopped: control/stop was called'),
        ('HOLD', 'REPLAY', 'not enabled', 'holds the robot: not enabled'),
        ('IDLE', 'IDLE', '', 'changed to IDLE'),
        ('SHADOW', 'SHADOW', '', 'changed to SHADOW'),
    ],
)
def test_what_the_gate_says_ends_the_test(watch, state, mode, why, says):
    follow(watch, 100.0, 105.0)
    assert says in follow(watch, 105.0, 105.5, state, mode, why)


def test_a_short_hold_does_not_end_it(watch):
    follow(watch, 100.0, 105.0)
    assert follow(watch, 105.0, 105.2, 'HOLD') == ''
    assert follow(watch, 105.2, 106.0) == ''


def test_silence_ends_it(watch):
    follow(watch, 100.0, 105.0)
    for now in np.arange(105.0, 106.5, 0.05):
        watch.on_joint_state(now)
    assert 'silent' in watch.problem(106.5)
    for now in np.arange(106.5, 107.5, 0.05):
        watch.on_status('REPLAY', 'REPLAY', '', now)
    assert 'joint states are 1.0' in watch.problem(107.5)


@pytest.fixture
def motion():
    return excite(load_robot('iiwa14', 'none').limits, 0, 0.0, 0.0, 0.1)


def test_points_come_from_the_motion_until_it_is_over(motion):
    test = MotionTest('a', motion, 50.0)
    assert test.point(50.0) == motion.positions[0]
    assert test.point(51.0) == pytest.approx(motion.at(1.0))
    assert test.point(50.1 + motion.duration) is None


def test_the_record_holds_what_concerns_the_joint(motion):
    test = MotionTest('b', motion, 0.0)
    for t in motion.times:
        q = motion.at(t)
        test.on_command(['a', 'b'], [9.0, q], 0.01, t)
        test.on_command(['c'], [9.0], 0.01, t)
        test.on_joint_state(['b', 'a'], [q + 1.0, 9.0], t + 0.002)
        test.on_joint_state(['b', 'a'], [q], t + 0.002)  # half a message
    record = test.record()
    np.testing.assert_allclose(record.knots, motion.times + 0.01)
    np.testing.assert_allclose(record.targets, motion.positions)
    # Positions before the first command are cut off.
    np.testing.assert_allclose(record.positions, motion.positions[-len(record.stamps) :] + 1.0)


def test_without_joint_states_there_is_no_record(motion):
    test = MotionTest('b', motion, 0.0)
    for t in motion.times:
        test.on_command(['b'], [motion.at(t)], 0.01, t)
    with pytest.raises(IdentificationError, match='0 positions'):
        test.record()
