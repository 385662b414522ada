import dataclasses
import json
import subprocess
import sys

import h5py
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimic_dataset import DatasetError, load, load_robomimic, write_robomimic

from .conftest import fill

# What ImMimic's training reads of every demo that `mask/train` names, in both files alike: with
# its observations as released and without next_obs. It does without 'obs/wrist_image' only.
READ_BY_IMMIMIC = ('action_absolute', 'obs/agentview_image', 'obs/eef_pose_w_gripper')


@pytest.fixture
def file(dataset, tmp_path):
    folder, _ = dataset
    loaded = load(folder)
    path = tmp_path / 'robot.hdf5'
    assert write_robomimic(loaded, 'robot', path) == 3
    return path, loaded


def test_the_layout_is_that_of_immimic(file):
    path, loaded = file
    with h5py.File(path) as data:
        demo, episode = data['data/demo_1'], loaded.of('robot')[1]
        assert demo.attrs['num_samples'] == 21 and data['data'].attrs['total'] == 63
        assert demo['obs/agentview_image'].shape == (21, 36, 64, 3)
        assert demo['obs/agentview_image'].dtype == np.uint8
        np.testing.assert_array_equal(demo['action_absolute'], episode.action)
        pose = demo['obs/eef_pose_w_gripper'][()]
        np.testing.assert_array_equal(pose[:, :3], episode.state[:, :3])
        np.testing.assert_allclose(  # wxyz here, xyzw with us
            Rotation.from_quat(pose[:, 3:7], scalar_first=True).as_matrix(),
            Rotation.from_quat(episode.state[:, 3:7]).as_matrix(),
        )
        every = np.concatenate([data[f'data/demo_{i}/actions'] for i in range(3)])
        assert every.min() >= -1.0 and every.max() <= 1.0
        assert list(data['mask/train']) == [b'demo_0', b'demo_1', b'demo_2']
        assert demo['rewards'][()].sum() == 1.0 and demo['dones'][-1] == 1.0


def test_immimic_finds_what_it_reads_of_robots_and_people(tmp_path):
    fill(tmp_path, robots=11, humans=2)
    loaded = load(tmp_path)
    for domain, count in (('robot', 11), ('human', 2)):
        path = tmp_path / f'{domain}.hdf5'
        write_robomimic(loaded, domain, path)
        with h5py.File(path) as file:
            assert 'env_args' in file['data'].attrs
            # a mapping names any robot demo, so all of them must be trained on
            train = [name.decode() for name in file['mask/train']]
            assert train == [f'demo_{i}' for i in range(count)]
            for name, episode in zip(train, loaded.of(domain), strict=True):
                demo = file[f'data/{name}']
                assert demo.attrs['num_samples'] == len(episode)
                assert {key: len(demo[key]) for key in READ_BY_IMMIMIC} == dict.fromkeys(
                    READ_BY_IMMIMIC, len(episode)
                )
                assert demo['obs/eef_pose_w_gripper'].shape[1] == 7 + 2


def test_the_pose_of_people_is_the_wanted_one(file, tmp_path):
    _, loaded = file
    write_robomimic(loaded, 'human', tmp_path / 'human.hdf5')
    with h5py.File(tmp_path / 'human.hdf5') as data:
        for i, episode in enumerate(loaded.of('human')):
            pose = data[f'data/demo_{i}/obs/eef_pose_w_gripper'][()]
            np.testing.assert_array_equal(pose[:, :3], episode.action[:, :3])
            np.testing.assert_array_equal(pose[:, 7:], episode.action[:, 6:])
            np.testing.assert_allclose(
                Rotation.from_quat(pose[:, 3:7], scalar_first=True).as_matrix(),
                Rotation.from_rotvec(episode.action[:, 3:6]).as_matrix(),
                atol=1e-12,
            )
            assert (np.sum(pose[1:, 3:7] * pose[:-1, 3:7], axis=1) > 0.9).all()  # no jumps


def test_both_domains_are_read_back(file, tmp_path):
    path, loaded = file
    human = tmp_path / 'human.hdf5'
    write_robomimic(loaded, 'human', human)
    read = [*load_robomimic(path).episodes, *load_robomimic(human).episodes]
    for a, b in zip(read, loaded.episodes, strict=True):
        assert (a.name, a.domain, a.success) == (b.name, b.domain, b.success)
        np.testing.assert_array_equal(a.action, b.action)
        np.testing.assert_array_equal(a.agent, b.agent)
        assert (a.state is None) == (b.state is None)
        if b.state is not None:
            np.testing.assert_allclose(a.state, b.state)
            np.testing.assert_array_equal(a.wrist, b.wrist)


def test_one_action_is_one_number_in_the_files_of_robots_and_people(file, tmp_path):
    """Both are trained on together; each by its own bounds, one number would be two ways."""
    path, loaded = file
    write_robomimic(loaded, 'human', tmp_path / 'human.hdf5')
    bounds, every = [], []
    for each in (path, tmp_path / 'human.hdf5'):
        with h5py.File(each) as data:
            about = json.loads(data['data'].attrs['mimic'])
            low, high = np.array(about['action_low']), np.array(about['action_high'])
            bounds.append((about['action_low'], about['action_high']))
            for demo in data['data'].values():
                every.append(demo['actions'][()])
                back = low + (every[-1] + 1.0) / 2.0 * (high - low)
                np.testing.assert_allclose(back, demo['action_absolute'], atol=1e-12)
    assert bounds[0] == bounds[1]
    every = np.concatenate(every)
    assert (every.min(axis=0) == -1.0).all() and (every.max(axis=0) == 1.0).all()


def test_a_file_of_ours_is_not_taken_for_something_else(file):
    path, loaded = file
    assert len(load_robomimic(path, loaded.meta, 'robot').episodes) == 3
    for meta, domain, why in (
        (dataclasses.replace(loaded.meta, hand='three'), None, 'hand: two is not three'),
        (loaded.meta, 'human', 'domain: robot is not human'),
    ):
        with pytest.raises(DatasetError, match=rf'robot\.hdf5, data\.mimic, {why}'):
            load_robomimic(path, meta, domain)


def test_a_file_of_others_needs_to_be_told_what_it_is(file):
    path, loaded = file
    with h5py.File(path, 'a') as data:
        del data['data'].attrs['mimic']
    with pytest.raises(DatasetError, match=r'data\.mimic: missing'):
        load_robomimic(path)
    with pytest.raises(DatasetError, match=r'data\.mimic: missing.*domain'):
        load_robomimic(path, loaded.meta)
    assert len(load_robomimic(path, loaded.meta, 'robot').of('robot')) == 3


def test_a_file_that_does_not_say_who_acts_is_refused(file):
    path, _ = file
    with h5py.File(path, 'a') as data:
        about = json.loads(data['data'].attrs['mimic'])
        data['data'].attrs['mimic'] = json.dumps(about | {'domain': 'ape'})
    with pytest.raises(DatasetError, match=r"robot\.hdf5, data\.mimic, domain: 'ape'"):
        load_robomimic(path)


@pytest.mark.parametrize('field', ['action_absolute', 'obs/agentview_image'])
def test_a_missing_field_is_named(file, field):
    path, _ = file
    with h5py.File(path, 'a') as data:
        del data[f'data/demo_1/{field}']
    with pytest.raises(DatasetError, match=r'robot.hdf5, /data/demo_1.*(action_absolute|agent)'):
        load_robomimic(path)


def test_damage_and_wrong_hands_are_named(file):
    path, _ = file
    with h5py.File(path, 'a') as data:
        pose = data['data/demo_0/obs/eef_pose_w_gripper'][()]
        del data['data/demo_0/obs/eef_pose_w_gripper']
        data['data/demo_0/obs/eef_pose_w_gripper'] = pose[:, :8]
    with pytest.raises(DatasetError, match='eef_pose_w_gripper'):
        load_robomimic(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DatasetError, match=r'robot\.hdf5: cannot be read as HDF5'):
        load_robomimic(path)


_EXPORT = """
import resource, signal, sys
from mimic_dataset.command import main
folder, out, *rooms = sys.argv[1:]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for room in rooms:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(room), resource.RLIM_INFINITY))
    assert main(['export', folder, '--out', out]) == 2, room
"""


def test_a_disk_that_fills_up_is_said(file, dataset, tmp_path):
    """HDF5 ends the process with a fault of its memory when it finds no room."""
    size, out = file[0].stat().st_size, tmp_path / 'out'
    rooms = [str(int(share * size)) for share in (0.0, 0.01, 0.5, 0.99)]
    asked = [sys.executable, '-c', _EXPORT, str(dataset[0]), str(out), *rooms]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count('out/robot.hdf5: cannot be written: ') == len(rooms)
    assert not list(out.iterdir())
