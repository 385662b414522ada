import dataclasses

import numpy as np
import pytest
from reaching import META, SIDE, dataset

from mimic_core.errors import ConfigError
from mimic_dataset import Dataset
from mimic_dataset.video import Region
from mimic_policy.data import prepare
from mimic_policy.poses import encode_state
from mimic_policy.train_params import TrainParams


def _params(**changes):
    values = dict(method='co_train', horizon=8, height=SIDE, width=SIDE, observation_steps=2)
    return TrainParams(**{**values, **changes})


@pytest.fixture(scope='module')
def episodes():
    return dataset(robots=3, humans=2)


def test_a_window_is_what_was_seen_and_what_was_done_from_then_on(episodes):
    data = prepare(episodes, _params())
    robot, meta = episodes.of('robot')[1], data.meta
    batch = data.robot.batch(np.array([1]), np.array([10]))
    np.testing.assert_array_equal(batch.agent[0], robot.agent[[9, 10]])
    states = meta.state.scale(encode_state(robot.state[[9, 10]]))
    np.testing.assert_allclose(batch.state[0], states, atol=1e-6)
    actions = meta.action.unscale(batch.chunk[0])
    np.testing.assert_allclose(actions[:, :3], robot.action[10:18, :3], atol=1e-6)
    np.testing.assert_allclose(actions[:, 6:], robot.action[10:18, 6:], atol=1e-6)
    assert np.abs(batch.chunk).max() <= 1.0 + 1e-6


def test_the_first_frame_stands_before_the_beginning_and_the_last_action_after_the_end(episodes):
    data = prepare(episodes, _params())
    robot = episodes.of('robot')[2]
    batch = data.robot.batch(np.array([2, 2]), np.array([0, len(robot) - 3]))
    np.testing.assert_array_equal(batch.agent[0], robot.agent[[0, 0]])
    chunk = data.meta.action.unscale(batch.chunk[1])[:, :3]
    np.testing.assert_allclose(chunk[2:], np.tile(robot.action[-1, :3], (6, 1)), atol=1e-6)


def test_strides_stretch_rows_and_observations(episodes):
    data = prepare(episodes, _params(robot_stride=2.5, human_stride=1.0))
    robot = episodes.of('robot')[0]
    assert data.meta.fps == pytest.approx(4.0)
    batch = data.robot.batch(np.array([0]), np.array([10]))
    np.testing.assert_array_equal(batch.agent[0], robot.agent[[8, 10]])  # 7.5 rounds to even
    rows = 10 + 2.5 * np.arange(8)
    wanted = [np.interp(rows, np.arange(len(robot)), robot.action[:, i]) for i in range(3)]
    chunk = data.meta.action.unscale(batch.chunk[0])
    np.testing.assert_allclose(chunk[:, :3], np.array(wanted).T, atol=1e-6)
    human = data.human.batch(np.array([1]), np.array([3]))
    wanted = episodes.of('human')[1].action[3:11, :3]
    np.testing.assert_allclose(data.meta.action.unscale(human.chunk[0])[:, :3], wanted, atol=1e-6)


def test_the_human_stride_makes_median_episodes_equally_long(episodes):
    data = prepare(episodes, _params())
    robot, human = (np.median([len(e) for e in episodes.of(d)]) for d in ('robot', 'human'))
    explicit = prepare(episodes, _params(human_stride=human / robot))
    frames = np.arange(5)
    for one, other in ((data.human, explicit.human), (data.robot, explicit.robot)):
        np.testing.assert_array_equal(
            one.batch(np.zeros(5, int), frames).chunk, other.batch(np.zeros(5, int), frames).chunk
        )


def test_frames_are_counted_over_all_episodes(episodes):
    windows = prepare(episodes, _params()).robot
    lengths = [len(e) for e in episodes.of('robot')]
    assert len(windows) == sum(lengths)
    at = np.array([0, lengths[0] - 1, lengths[0], sum(lengths) - 1])
    episode, frame = windows.locate(at)
    assert episode.tolist() == [0, 0, 1, 2]
    assert frame.tolist() == [0, lengths[0] - 1, 0, lengths[2] - 1]


def test_people_have_neither_state_nor_wrist_view(episodes):
    batch = prepare(episodes, _params()).human.batch(np.array([0]), np.array([0]))
    assert batch.state is None
    assert batch.wrist is None


def test_robot_only_is_scaled_by_robots_alone(episodes):
    alone = prepare(episodes, _params(method='robot_only'))
    both = prepare(episodes, _params())
    assert alone.human is None
    robots = np.concatenate([e.action[:, 0] for e in episodes.of('robot')])
    assert alone.meta.action.low[0] == robots.min()
    assert both.meta.action.low[0] <= alone.meta.action.low[0]
    assert alone.fingerprint != both.fingerprint


def test_pictures_of_another_size_are_refused_by_episode(episodes):
    first = episodes.episodes[0]
    small = dataclasses.replace(first, name='small', agent=first.agent[:, :20])
    mixed = Dataset(META, (*episodes.episodes, small))
    with pytest.raises(ConfigError, match='episode small, agent'):
        prepare(mixed, _params())


def test_a_robot_episode_without_state_is_refused_by_name(episodes):
    blind = dataclasses.replace(episodes.episodes[0], name='blind', state=None)
    with pytest.raises(ConfigError, match='robot episode blind: no state'):
        prepare(Dataset(META, (blind,)), _params(method='robot_only'))


def test_pictures_of_another_region_than_the_training_s_are_refused(episodes):
    part = (0.5, 0.5, 1.0, 1.0)
    with pytest.raises(
        ConfigError, match=r'pictures of Region\(left=0\.0.* give `load` the region'
    ):
        prepare(episodes, _params(region=part))
    cut = dataclasses.replace(episodes, region=Region(*part))
    assert prepare(cut, _params(region=part)).dataset.region == Region(*part)
    with pytest.raises(ConfigError, match=r'pictures of Region\(left=0\.5'):
        prepare(cut, _params())
