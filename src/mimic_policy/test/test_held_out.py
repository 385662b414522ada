"""Demonstrations that are held out: what a policy is compared with, and does not learn from."""

from dataclasses import replace

import numpy as np
import pytest
from reaching import dataset
from scipy.spatial.transform import Rotation
from training_runs import settings_of, train_run

from mimic_core.errors import ConfigError
from mimic_dataset import Dataset
from mimic_policy import Observation
from mimic_policy.checkpoint import load_policy
from mimic_policy.data import prepare
from mimic_policy.held_out import WINDOWS, HeldOut
from mimic_policy.trainer import Trainer
from mimic_policy.training import read_curve, train
from mimic_policy.windows import Windows


@pytest.fixture(scope='module')
def held():
    """Two episodes that are held out, and what a training on three others prepares."""
    whole = dataset(robots=5, humans=0)
    settings = settings_of(method='robot_only')
    data = prepare(Dataset(whole.meta, whole.episodes[:3]), settings.train)
    return HeldOut(whole.episodes[3:], data.meta, 1.0), data, settings


class Told:
    """Does what was done, but for what it is told to add."""

    def __init__(self, held_out, change):
        self.held_out, self.change = held_out, change

    def actions_of(self, batch, rng):
        assert len(batch.chunk) <= WINDOWS
        return self.change(self.held_out._done.copy())


def test_errors_are_those_of_the_actions(held):
    held_out = held[0]

    def errors(change):
        return held_out.errors(Told(held_out, change))

    assert held_out.count == 2
    assert errors(lambda a: a) == pytest.approx(
        {'held_out_position': 0.0, 'held_out_rotation': 0.0, 'held_out_hand': 0.0}, abs=1e-6
    )

    def other(actions):
        actions[..., :3] += [0.03, 0.0, 0.04]
        flat = actions.reshape(-1, actions.shape[-1])
        turn = Rotation.from_rotvec([0.0, 0.2, 0.0])
        flat[:, 3:6] = (turn * Rotation.from_rotvec(flat[:, 3:6])).as_rotvec()
        actions[..., 6:] -= 0.1
        return actions

    # The mean of all rows, half of which are right
    def half(actions):
        actions[:, ::2] = other(actions[:, ::2].copy())
        return actions

    for change, share in ((other, 1.0), (half, 0.5)):
        assert errors(change) == pytest.approx(
            {
                'held_out_position': 0.05 * share,
                'held_out_rotation': 0.2 * share,
                'held_out_hand': 0.1 * share,
            }
        )


def test_a_curve_tells_how_each_checkpoint_does_and_learning_is_as_without(held, tmp_path):
    held_out, data, settings = held
    train(data, settings, tmp_path / 'with', held_out=held_out)
    plain = train_run(data.dataset, tmp_path / 'without', method='robot_only')
    lines = read_curve(tmp_path / 'with')
    told = [line for line in lines if 'held_out_position' in line]
    assert [line['step'] for line in told] == [2, 4, 6]
    assert [line for line in lines if line not in told] == read_curve(tmp_path / 'without')
    policy = load_policy(tmp_path / 'with')
    assert held_out.errors(policy) == {k: v for k, v in told[-1].items() if k != 'step'}
    assert held_out.errors(load_policy(plain)) == held_out.errors(policy)


class KilledError(Exception):
    """Stands for SIGKILL."""


@pytest.mark.parametrize('last', [4, 6])
def test_a_comparison_that_was_killed_is_made_when_training_goes_on(held, tmp_path, last):
    held_out, data, settings = held
    train(data, settings, tmp_path / 'whole', held_out=held_out)

    class Dies:
        def errors(self, policy):
            if [line['step'] for line in read_curve(tmp_path / 'cut')][-1] == last:
                raise KilledError
            return held_out.errors(policy)

    with pytest.raises(KilledError):
        train(data, settings, tmp_path / 'cut', held_out=Dies())
    for _ in range(2):  # and a finished one stays as it is
        train(data, settings, tmp_path / 'cut', held_out=held_out)
        assert read_curve(tmp_path / 'cut') == read_curve(tmp_path / 'whole')


def test_windows_in_a_batch_are_predicted_as_each_alone(held):
    _, data, settings = held
    policy = Trainer(data, settings.train, settings.network, settings.diffusion, None).policy()
    episode = data.dataset.episodes[0]
    batch = Windows([episode], data.meta, 1.0).batch(np.array([0, 0]), np.array([0, 7]))
    both = policy.actions_of(batch, np.random.default_rng(3))
    state = np.concatenate([episode.state[0, :7], episode.action[0, 6:]])
    alone = policy.predict(
        Observation(episode.agent[:1], None, state[None]), np.random.default_rng(3)
    )
    np.testing.assert_allclose(both[0], alone, atol=1e-5)
    assert both.shape == (2, *alone.shape)


def test_an_episode_without_state_cannot_be_compared_with(held):
    blind = replace(dataset(robots=1, humans=0).episodes[0], state=None)
    with pytest.raises(ConfigError, match=f'{blind.name}, which is held out: no state'):
        HeldOut([blind], held[1].meta, 1.0)
