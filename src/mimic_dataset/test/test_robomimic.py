import h5py
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimic_dataset import DatasetError, load, load_robomimic, write_robomimic


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
        assert every.min() == -1.0 and every.max() == 1.0
        assert list(data['mask/train']) == [b'demo_0', b'demo_1', b'demo_2']
        assert demo['rewards'][()].sum() == 1.0 and demo['dones'][-1] == 1.0


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


def test_a_file_of_others_needs_to_be_told_what_it_is(file):
    path, loaded = file
    with h5py.File(path, 'a') as data:
        del data['data'].attrs['mimic']
    with pytest.raises(DatasetError, match=r'data\.mimic: missing'):
        load_robomimic(path)
    assert len(load_robomimic(path, loaded.meta).episodes) == 3


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
