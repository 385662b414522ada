"""Joints are identified from an episode; episodes that do not fit are refused."""

import pytest

from mimic_description.response import JointResponse
from mimic_identification.bag import identify_episode
from mimic_identification.errors import IdentificationError
from mimic_recording.reader import Episode

TRUTH = JointResponse(0.04, 1, 0.05, 1.0, 0.98, 0.01, 0.02)
JOINTS = ('iiwa_joint_2', 'iiwa_joint_7')


def outcomes(path, joints=JOINTS):
    with Episode(path) as episode:
        return identify_episode(episode, joints)


def test_a_joint_is_found_in_an_episode(maker):
    moved, still = outcomes(maker.write(maker.rows(TRUTH)))
    found = moved.fit.response
    assert found.delay == pytest.approx(0.04, abs=0.002)
    assert found.time_constant == pytest.approx(0.05, rel=0.03)
    assert found.backlash == pytest.approx(0.02, rel=0.05)
    assert moved.verdict == 'backlash'
    assert still.verdict == 'not tested' and 'does not hold it' in still.reason


def test_the_episode_of_another_robot_is_refused(maker):
    path = maker.write(maker.rows(TRUTH, joint='panda_joint1'))
    with pytest.raises(IdentificationError, match=r'another robot: it moves panda_joint1'):
        outcomes(path)


def test_an_episode_without_commands_or_states_is_refused(maker):
    rows = maker.rows(TRUTH)
    commands = [row for row in rows if row[0] != '/joint_states']
    states = [row for row in rows if row[0] == '/joint_states']
    with pytest.raises(IdentificationError, match='holds no joint_states'):
        outcomes(maker.write(commands, 'a'))
    with pytest.raises(IdentificationError, match='holds no commands of the gate'):
        outcomes(maker.write(states, 'b'))


def test_a_pause_of_the_gate_is_cut_out(maker):
    rows = maker.rows(TRUTH)
    begin = min(row[2] for row in rows)
    rows = [row for row in rows if not 1.0 < row[2] - begin < 2.5]
    moved = outcomes(maker.write(rows))[0]
    assert moved.fit.response.delay == pytest.approx(0.04, abs=0.003)


def test_stamps_that_jump_are_said(maker):
    rows = []
    for topic, kind, time, data in maker.rows(TRUTH):
        if topic == '/joint_states' and time > 1_800_000_005.0:
            time_wrong = time - 3.0
            data = maker.state(['iiwa_joint_2'], [0.5], time_wrong)
        rows.append((topic, kind, time, data))
    moved = outcomes(maker.write(rows))[0]
    assert moved.verdict == 'not tested' and 'jumped back by' in moved.reason


def test_a_still_joint_says_nothing(maker):
    rows = [
        (topic, kind, time, maker.command('iiwa_joint_2', 0.5) if 'arm' in topic else data)
        for topic, kind, time, data in maker.rows(TRUTH)
    ]
    moved = outcomes(maker.write(rows))[0]
    assert moved.verdict == 'not tested' and 'says nothing' in moved.reason
