import dataclasses
from pathlib import Path

import pytest
import yaml

from mimic_core.errors import ConfigError, UnknownNameError
from mimic_description import UnknownDeviceError, known_devices, load_device
from mimic_description.registry import own_folder, parse_device

ARMS = ['iiwa14', 'iiwa7', 'panda', 'so101']
HANDS = ['ability', 'allegro', 'fin_ray', 'leap', 'panda_hand', 'robotiq_2f85', 'so101_gripper']


def entry(name: str) -> dict:
    return yaml.safe_load((own_folder() / 'robots' / f'{name}.yaml').read_text())


def parse(data: object) -> object:
    return parse_device(data, Path('robots/thing.yaml'))


def test_the_devices():
    assert known_devices('arm') == ARMS
    assert known_devices('hand') == HANDS
    assert known_devices() == sorted(ARMS + HANDS)


def test_unknown_device_lists_the_known_and_the_near_one():
    with pytest.raises(UnknownDeviceError) as caught:
        load_device('alegro', 'hand')
    message = str(caught.value)
    assert "Did you mean 'allegro'?" in message
    assert all(name in message for name in HANDS)
    assert 'iiwa14' not in message  # an arm is no answer to a question for a hand


def test_an_arm_is_no_hand():
    with pytest.raises(UnknownDeviceError, match="unknown hand 'iiwa14'"):
        load_device('iiwa14', 'hand')


@pytest.mark.parametrize('name', ARMS + HANDS)
def test_each_entry_is_complete(name):
    device = load_device(name)
    assert device.name == name
    assert device.urdf_file.is_file()
    assert device.driver.package.startswith('mimic_') and device.driver.rate > 0
    for posture in device.postures:
        assert len(device.posture(posture)) == len(device.joints)
    if device.kind == 'arm':
        assert device.default_hand in HANDS
        space = device.workspace
        assert all(
            low <= mid <= high
            for low, mid, high in zip(space.box_min, space.centre, space.box_max, strict=True)
        )
    elif device.grasp.kind == 'dexterous':
        assert 'pinch' in device.postures
        assert {'thumb', 'index', 'middle'} <= set(device.tip_frames)
        assert device.retargeting.vectors and device.retargeting.pinch


def test_devices_cannot_be_changed():
    device = load_device('allegro')
    with pytest.raises(dataclasses.FrozenInstanceError):
        device.kind = 'arm'
    with pytest.raises(TypeError):
        device.postures['home']['allegro_joint_0'] = 1.0


def test_unknown_posture_lists_the_known():
    with pytest.raises(UnknownNameError, match='closed, home, open, pinch'):
        load_device('leap').posture('fist')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'colour': 'red'}, "unknown key .*'colour'"),
        ({'joints': ['allegro_joint_0', 'allegro_joint_0']}, 'different names'),
        ({'joints': 'allegro_joint_0'}, 'list of texts'),
        ({'max_jerk': -1.0}, 'max_jerk must be > 0'),
        ({'max_jerk': {'allegro_joint_0': 1.0}}, 'allegro_joint_1 is missing'),
        ({'max_acceleration': float('nan')}, 'max_acceleration is nan'),
        ({'kind': 'foot'}, "unknown kind .*'foot'.*arm, hand"),
        ({'tip_frames': {'thumb': 'a', 'index': 'b', 'toe': 'c'}}, "unknown finger .*'toe'"),
        ({'tip_frames': {'thumb': 'a'}}, r'tip_frames\.index is missing'),
        ({'grasp': {'kind': 'dexterous'}}, 'aperture_max is missing'),
        ({'retargeting': {'scale': 1.0}}, 'needs keypoints'),
        ({'retargeting': {'keypoints': {'nose': 'a'}}}, "unknown keypoint .*'nose'"),
        ({'retargeting': {'vectors': [['wrist', 'thumb_tip']]}}, 'lists of 5'),
        ({'retargeting': {'aperture': {'open': 0.0, 'closed': 0.1}}}, 'closed < open'),
        ({'retargeting': {'keypoints': {}, 'turn': 'left'}}, 'turn must be a number'),
        ({'driver': {'package': 'p', 'rate': 'fast'}}, 'rate must be a number'),
        ({'driver': {'package': 'p', 'rate': 9.0, 'executable': 'e'}}, 'executable'),
        ({'self_collision_ignore': [['a', 'b', 'c']]}, 'lists of 2'),
    ],
)
def test_a_wrong_entry_names_the_key(change, message):
    with pytest.raises((ConfigError, UnknownNameError), match=message) as caught:
        parse(entry('allegro') | change)
    assert 'thing.yaml' in str(caught.value)


@pytest.mark.parametrize('key', ['kind', 'joints', 'postures', 'driver', 'grasp', 'retargeting'])
def test_a_missing_key_is_named(key):
    data = entry('allegro')
    del data[key]
    with pytest.raises(ConfigError, match=f'{key} is missing'):
        parse(data)


def test_a_posture_must_name_every_joint_and_no_other():
    data = entry('robotiq_2f85')
    data['postures']['open'] = {}
    with pytest.raises(
        ConfigError, match=r'postures\.open: robotiq_left_knuckle_joint is missing'
    ):
        parse(data)
    data['postures']['open'] = {'robotiq_left_knuckle_joint': 0.0, 'thumb': 1.0}
    with pytest.raises(UnknownNameError, match="'thumb'"):
        parse(data)


def test_a_box_must_not_be_empty():
    data = entry('panda')
    data['workspace']['box_min'] = [0.9, 0.0, 0.0]
    with pytest.raises(ConfigError, match='box_min must be below box_max'):
        parse(data)


def test_broken_yaml_names_the_file(tmp_path, monkeypatch):
    (tmp_path / 'robots').mkdir()
    (tmp_path / 'robots' / 'claw.yaml').write_text('kind: [hand')
    monkeypatch.setenv('MIMIC_ROBOT_PATH', str(tmp_path))
    with pytest.raises(ConfigError, match=r'claw\.yaml'):
        load_device('claw')


def test_robot_path_without_robots(tmp_path, monkeypatch):
    monkeypatch.setenv('MIMIC_ROBOT_PATH', str(tmp_path))
    with pytest.raises(ConfigError, match='has no robots/ folder'):
        load_device('allegro')
