import dataclasses
import json

import numpy as np
import pytest
from alignment_episodes import episode, share_of
from scipy.spatial.transform import Rotation

from mimic_alignment.alignment import about_of, actions_of, align, check_episodes, split
from mimic_alignment.dtw import warp
from mimic_alignment.features import thumbnail
from mimic_alignment.mapping import Mapping
from mimic_alignment.params import AlignmentParams, WarpParams
from mimic_alignment.patterns import PATTERNS
from mimic_core.errors import ConfigError, MimicError, UnknownNameError


def pair():
    """A human who starts fast, and two robots: a steady one, and a slow starter."""
    human = episode('h0', 'human', lambda s: np.sqrt(s), 60)
    robots = [episode('r0', 'robot', frames=90), episode('r1', 'robot', lambda s: s**2, 120)]
    return human, robots


def test_actions_keep_pose_and_hand():
    one = episode('e', 'robot')
    actions = actions_of(one)
    np.testing.assert_allclose(actions.position, one.action[:, :3])
    np.testing.assert_allclose(
        Rotation.from_quat(actions.quat_xyzw).as_rotvec(), one.action[:, 3:6], atol=1e-12
    )
    np.testing.assert_allclose(actions.hand, one.action[:, 6:])


@pytest.mark.parametrize('encoder', [None, thumbnail])
def test_frames_that_match_are_at_the_same_place_of_the_way(encoder):
    human, robots = pair()
    result = align([human], robots, AlignmentParams(), encoder)
    assert result.method == ('action' if encoder is None else 'visual')
    assert (result.humans, result.robots) == (('h0',), ('r0', 'r1'))
    for robot, frames in zip(robots, result.mapping.frames[0], strict=True):
        assert len(frames) == len(human)
        apart = np.abs(share_of(robot)[frames] - share_of(human))
        # One step of the picture's square is 1/20 of the way; actions know more.
        assert np.median(apart) < (0.01 if encoder is None else 0.05)


def test_what_the_room_looks_like_matters_to_eyes_only():
    human, robots = pair()
    bright = dataclasses.replace(human, agent=np.maximum(human.agent, 120))
    by_action = [align([h], robots, AlignmentParams()).costs for h in (human, bright)]
    by_eye = [align([h], robots, AlignmentParams(), thumbnail).costs for h in (human, bright)]
    np.testing.assert_array_equal(*by_action)
    assert (by_eye[1] > 2.0 * by_eye[0]).all()


def test_files_name_what_they_were_made_of(tmp_path):
    human, robots = pair()
    result = align([human], robots, AlignmentParams(hand_weight=2.0))
    file = tmp_path / 'mapping.json'
    about = result.save(file)
    assert about == about_of(file) == tmp_path / 'mapping.about.json'
    again = Mapping.load(file)
    for a, b in zip(again.frames[0], result.mapping.frames[0], strict=True):
        np.testing.assert_array_equal(a, b)
    facts = json.loads(about.read_text())
    assert facts['robots'] == ['r0', 'r1'] and facts['parameters']['hand_weight'] == 2.0
    np.testing.assert_allclose(facts['costs'], result.costs)
    assert sorted(p.name for p in tmp_path.iterdir()) == ['mapping.about.json', 'mapping.json']


@pytest.mark.parametrize('name', PATTERNS)
def test_the_mean_cost_does_not_depend_on_the_step_pattern(name):
    """What is the same everywhere costs that much a step, whichever steps count twice."""
    result = warp(np.full((60, 90), 0.5), WarpParams(step_pattern=name))
    assert result.mean == pytest.approx(0.5, rel=0.01)


def test_a_mapping_of_other_episodes_is_known_by_their_names(tmp_path):
    human, robots = pair()
    file = tmp_path / 'mapping.json'
    align([human], robots[::-1], AlignmentParams()).save(file)
    check_episodes(file, ['h0'], ['r1'])  # fewer are trained on
    with pytest.raises(ConfigError, match=r'robot episode 0 is r1 .*, that of the dataset is r0'):
        check_episodes(file, ['h0'], ['r0', 'r1'])
    about_of(file).write_text('{"humans": ["h0"], "robots": 3}')
    with pytest.raises(ConfigError, match=r'about\.json, robots: no list'):
        check_episodes(file, ['h0'], ['r0'])
    about_of(file).unlink()  # as of ImMimic itself
    check_episodes(file, ['h0'], ['r0', 'r1'])


def test_split_by_domain_and_name():
    human, robots = pair()
    every = [robots[0], human, robots[1]]
    assert [[e.name for e in side] for side in split(every)] == [['h0'], ['r0', 'r1']]
    assert [e.name for e in split(every, robots=['r1'])[1]] == ['r1']
    with pytest.raises(UnknownNameError, match='r2'):
        split(every, robots=['r2'])
    with pytest.raises(UnknownNameError, match='human episode'):
        split(every, humans=['r0'])
    with pytest.raises(ConfigError, match='no human'):
        split(robots)


def test_mixed_hands_and_tasks_are_refused():
    human, robots = pair()
    with pytest.raises(ConfigError, match='hand'):
        split([human, episode('x', 'robot', hand='other')])
    with pytest.raises(ConfigError, match='task'):
        split([human, episode('x', 'robot', task='other')])
    three = episode('x', 'robot', joint_names=('a',), action=robots[0].action[:40, :7])
    with pytest.raises(MimicError, match='joints'):
        align([human], [three], AlignmentParams())


def test_constant_actions_align_without_a_number_that_is_none():
    still = episode('h', 'human', action=np.zeros((40, 8)))
    result = align([still], [episode('r', 'robot', action=np.zeros((40, 8)))], AlignmentParams())
    assert result.costs == pytest.approx(0.0)
