import dataclasses

import numpy as np
import pytest

from mimic_core.errors import ConfigError, MimicError
from mimic_dataset import Dataset, DatasetMeta, EpisodeArrays, EpisodeError

T, J = 5, 2
META = DatasetMeta(
    'push', 'iiwa14', 'two', ('a', 'b'), (0.0, -1.0), (1.0, 1.0), {'agent': (8, 12)}, 10.0
)


def episode(**changes) -> EpisodeArrays:
    state = np.zeros((T, 7 + J))
    state[:, 6] = 1.0
    values = {
        'name': 'e1', 'task': 'push', 'arm': 'iiwa14', 'hand': 'two', 'domain': 'robot',
        'fps': 10.0, 'stamps': np.arange(T) / 10.0,
        'agent': np.zeros((T, 8, 12, 3), np.uint8), 'wrist': np.zeros((T, 8, 12, 3), np.uint8),
        'action': np.zeros((T, 6 + J)), 'state': state, 'joint_names': ('a', 'b'),
    }  # fmt: skip
    return EpisodeArrays(**{**values, **changes})


def test_a_good_episode_is_taken():
    assert len(episode()) == T
    human = episode(domain='human', state=None, wrist=None)
    data = Dataset(META, [episode(), human])
    assert data.of('human') == (human,)


def nan_action():
    action = np.zeros((T, 6 + J))
    action[3, 7] = np.nan
    return action


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'action': nan_action()}, ['e1, action', '[3, 7]', 'nan']),
        ({'action': np.zeros((T, 6))}, ['e1, action', '(5, 6)']),
        ({'stamps': np.zeros(0)}, ['e1, stamps', '0 frames']),
        ({'stamps': np.zeros(1)}, ['e1, stamps', '1 frames']),
        ({'stamps': np.array([0, 0.1, 0.1, 0.2, 0.3])}, ['stamps', 'after frame 1']),
        ({'state': np.zeros((T, 7 + J))}, ['state', 'quaternion', 'frame 0']),
        ({'agent': np.zeros((T, 8, 12, 3))}, ['agent', 'float64']),
        ({'wrist': np.zeros((T - 1, 8, 12, 3), np.uint8)}, ['wrist', '(4, 8, 12, 3)']),
        ({'domain': 'ape'}, ['domain', 'ape']),
        ({'domain': 'human'}, ['state', 'human']),
        ({'fps': 0.0}, ['fps']),
        ({'joint_names': ('a', 'a')}, ['joint_names', 'twice']),
    ],
)
def test_a_bad_field_is_named(changes, words):
    with pytest.raises(EpisodeError) as error:
        episode(**changes)
    assert all(word in str(error.value) for word in words), error.value


def test_mixed_hands_and_another_joint_order_are_refused():
    with pytest.raises(EpisodeError, match='e1, hand: three in a dataset of two'):
        Dataset(META, [episode(hand='three')])
    with pytest.raises(EpisodeError, match='e1, joint_names'):
        Dataset(META, [episode(joint_names=('b', 'a'))])


def test_meta_survives_json():
    assert DatasetMeta.from_map(META.as_map(), 'x') == META
    assert META.difference(META) == ''
    assert 'lower' in META.difference(dataclasses.replace(META, lower=(0.0, 0.0)))


@pytest.mark.parametrize('name', ['task', 'fps', 'joint_names', 'lower', 'cameras'])
def test_a_wrong_field_of_meta_names_file_and_field(name):
    for value in ({}, {name: None}):
        values = META.as_map()
        del values[name]
        with pytest.raises(ConfigError, match=f'some.json, {name}'):
            DatasetMeta.from_map({**values, **value}, 'some.json')
    sizes = {'agent': [0, 8]}, {'agent': [8, -1]}, {'agent': [8, float('inf')]}, {'agent': 8}
    for field, values in (('fps', (0, -1, float('nan'), float('inf'))), ('cameras', sizes)):
        for value in values:
            with pytest.raises(ConfigError, match=rf'some\.json, {field}: '):
                DatasetMeta.from_map({**META.as_map(), field: value}, 'some.json')
    with pytest.raises(MimicError, match='lower: 1 values for 2'):
        DatasetMeta.from_map({**META.as_map(), 'lower': [1.0]}, 'some.json')
