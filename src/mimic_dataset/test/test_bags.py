import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimic_core.errors import MimicError
from mimic_dataset import ConvertParams, EpisodeError, convert, load, make_jobs
from mimic_dataset.bags import axis_angles, convert_robot, is_of, poses
from mimic_dataset.command import main
from mimic_description import known_devices, load_robot, render_urdf

from .synthetic_bags import ROBOT, BagSpec, joints_at, write_bag

PARAMS = ConvertParams(task='push', hand='robotiq_2f85', quality=5)
SPLIT = ['never measured together: robotiq', 'from 2.00 s on, iiwa_joint_1, ', 'until 1.89 s']


@pytest.fixture(scope='module')
def good(tmp_path_factory):
    return write_bag(tmp_path_factory.mktemp('bags') / 'good')


@pytest.fixture(scope='module')
def read(good, tmp_path_factory):
    folder = tmp_path_factory.mktemp('dataset')
    before = {p.name: p.read_bytes() for p in good.iterdir()}
    notes = convert_robot(good, folder, PARAMS, 'good')
    assert {p.name: p.read_bytes() for p in good.iterdir()} == before  # the bag is only read
    convert(make_jobs([good], folder, 'robot', PARAMS))
    return load(folder), notes


def test_actions_are_the_commands_and_states_the_joints(read):
    data, notes = read
    episode, robot = data.episodes[0], load_robot(*ROBOT)
    start = notes['head']  # idle that was cut off
    assert start == pytest.approx(0.4, abs=0.11) and notes['tail'] > 0.05
    for k in (0, 7, 15, len(episode) - 1):
        t = start + k / 10
        for values, q in ((episode.action, joints_at(t)), (episode.state, joints_at(t - 0.05))):
            base_T_palm = robot.fk(q, 'palm', 'base_link')
            np.testing.assert_allclose(values[k, :3], base_T_palm[:3, 3], atol=3e-5)
            turned = (
                Rotation.from_rotvec(values[k, 3:6]) if values is episode.action
                else Rotation.from_quat(values[k, 3:7])
            )  # fmt: skip
            np.testing.assert_allclose(turned.as_matrix(), base_T_palm[:3, :3], atol=1e-4)
            np.testing.assert_allclose(values[k, -1:], q[7:], atol=1e-4)
    assert data.meta.joint_names == robot.hand_joints
    assert data.meta.upper == tuple(robot.limits.upper[7:])


@pytest.mark.parametrize('hand', ['robotiq_2f85', 'allegro'])
def test_rotations_of_people_and_robots_lie_on_one_branch(hand):
    robot = load_robot('iiwa14', hand)
    _, (home,) = poses(robot, robot.home[None])
    reference = Rotation.from_quat(home).as_rotvec()
    generator = np.random.default_rng(3)
    for _ in range(50):
        turn = Rotation.from_rotvec(generator.uniform(-0.3, 0.3, (4, 3)))
        quats = (turn * Rotation.from_quat(home)).as_quat() * generator.choice([-1.0, 1.0])
        vectors = axis_angles(robot, quats)
        assert np.abs(vectors - reference).max() < 1.0  # not a whole turn away
        same = Rotation.from_rotvec(vectors) * Rotation.from_quat(quats).inv()
        assert same.magnitude().max() < 1e-9


def test_pictures_are_the_nearest_in_time(read):
    data, notes = read
    episode = data.episodes[0]
    for k in range(len(episode)):
        shown = float(np.median(episode.agent[k, ..., 0])) / 2
        assert abs(shown - (notes['head'] + k / 10) * 30) <= 1.6  # 30 Hz, colours are rounded
    assert episode.wrist.shape == (len(episode), 48, 64, 3)
    assert notes['picture_offset']['agent'] <= 0.5 / 30 + 1e-6


def test_the_interpolation_error_is_that_of_left_out_samples(read):
    _, notes = read
    error = notes['error']['command']
    # linear over 20 ms in which a smooth motion of 1.5 rad/s^2 bends
    assert 0.0 < error['joints']['largest'] < 3e-4
    assert 0.0 < error['position']['largest'] < 1e-4
    assert error['rotation']['median'] < 1e-4


def test_the_shortest_episode_is_without_its_idle_head_and_tail(good, tmp_path):
    for least, words in (
        (3.9, r'commands: \d\.\d0 s are left .* 3.9 s'),
        (4.5, 'together for 3.9'),
    ):
        params = dataclasses.replace(PARAMS, min_duration=least)
        with pytest.raises(EpisodeError, match=words):
            convert_robot(good, tmp_path, params, 'good')


def test_joints_are_mapped_by_name(good, tmp_path):
    other = write_bag(tmp_path / 'other', BagSpec(arm_first=False))
    found = []
    for bag, folder in ((good, tmp_path / 'a'), (other, tmp_path / 'b')):
        convert(make_jobs([bag], folder, 'robot', PARAMS))
        found.append(load(folder).episodes[0])
    np.testing.assert_array_equal(found[0].action, found[1].action)
    np.testing.assert_array_equal(found[0].state, found[1].state)


@pytest.mark.parametrize(
    ('spec', 'words'),
    [
        (BagSpec(duration=0.0), ['commands']),
        (BagSpec(duration=0.05), ['together for 0.00 s']),  # one picture
        (BagSpec(still=True), ['constant', 'nothing moves']),
        (BagSpec(nan_at=2.0), ['arm_controller/joint_trajectory', 'nan']),
        (BagSpec(agent=False), ['agent_camera/color/image_raw']),
        (BagSpec(states=False), ['joint_states']),
        (BagSpec(hand_joint='other_hand_joint'), ['robotiq', 'missing', 'other_hand_joint']),
        (BagSpec(camera_gap=(1.5, 2.5)), ['agent_camera', 'nothing within 0.15 s']),
        (BagSpec(command_gap=(1.5, 2.5)), ['commands', 'nothing within 0.15 s']),
        (BagSpec(pictures_late=60.0), ['together for 0.00 s']),
        (BagSpec(still=True, drift=0.012), ['commands: constant, nothing moves']),
        (BagSpec(measured=((0.0, 1.9), (2.0, 99.0))), ['joint_states', *SPLIT]),
        (BagSpec(measured=((0.0, 99.0), (0.0, 0.005))), ['left_knuckle_joint until 0.00 s']),
        (BagSpec(other_size_at=2.0), ['color/image_raw', 'size from 64 x 48 to 64 x 24']),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(tmp_path, spec, words):
    bag = write_bag(tmp_path / 'bag', spec)
    with pytest.raises(MimicError) as error:
        convert_robot(bag, tmp_path / 'dataset', PARAMS, 'bag')
    assert all(word in str(error.value) for word in words), error.value
    assert str(bag) in str(error.value)
    assert not list((tmp_path / 'dataset').rglob('episode.json'))


@pytest.mark.parametrize(
    ('description', 'tags', 'of'),
    [
        (None, (), ''),
        ('iiwa14', (), ''),
        ('iiwa7', (), 'robot_description: of arm iiwa7, not iiwa14'),
        ('iiwa7', ('arm=iiwa14', 'hand=robotiq_2f85'), ''),
        ('iiwa14', ('arm=iiwa7',), 'tag.arm: of arm iiwa7, not iiwa14'),
        (None, ('arm=iiwa14', 'hand=fin_ray'), 'tag.hand: of hand fin_ray, not robotiq_2f85'),
        ('<robot name="of_a_lab"/>', (), ''),
        ('no XML', (), ''),
    ],
)
def test_arms_whose_joints_have_the_same_names_are_told_apart(tmp_path, description, tags, of):
    urdf = description
    if description in known_devices('arm'):
        urdf = render_urdf(description, ROBOT[1], base_xyz=(0.3, 0.0, 0.1))  # wherever it stands
    bag = write_bag(tmp_path / 'bag', BagSpec(description=urdf, tags=tags))
    assert is_of(bag, load_robot(*ROBOT), 'push') == (not of)
    outcome = convert(make_jobs([bag], tmp_path / 'd', 'robot', PARAMS)).outcomes[0]
    assert outcome.error.startswith(f'{bag}, {of}; give --arm' if of else '') and (
        bool(outcome.error) == bool(of)
    )


def test_an_episode_of_one_of_two_arms_is_read_without_its_prefix(good, tmp_path, capsys):
    names = tuple(f'left_{name}' for name in load_robot(*ROBOT).joint_names)
    urdf = render_urdf(*ROBOT, prefix='left_', base_xyz=(0.0, 0.4, 0.0))
    bag = write_bag(tmp_path / 'bag', BagSpec(names=names, description=urdf))
    assert is_of(bag, load_robot(*ROBOT), 'push')
    assert not is_of(bag, load_robot('iiwa7', ROBOT[1]), 'push')  # by its description
    assert not is_of(bag, load_robot(ROBOT[0], 'fin_ray'), 'push')
    assert [
        convert(make_jobs([b], tmp_path / f'd_{b.name}', 'robot', PARAMS)).failed
        for b in (bag, good)
    ] == [(), ()]
    found, wanted = load(tmp_path / 'd_bag'), load(tmp_path / 'd_good')
    assert found.meta == wanted.meta  # joints have no prefix
    np.testing.assert_array_equal(found.episodes[0].action, wanted.episodes[0].action)
    np.testing.assert_array_equal(found.episodes[0].state, wanted.episodes[0].state)
    for words in ([], ['--hand', ROBOT[1]]):
        assert main(['validate', str(bag), *words]) == 0
        assert 'not checked' not in capsys.readouterr().out
    params = dataclasses.replace(PARAMS, arm='iiwa7')
    (failed,) = convert(make_jobs([bag], tmp_path / 'iiwa7', 'robot', params)).failed
    assert 'robot_description: of arm iiwa14, not iiwa7' in failed.error


def test_a_damaged_bag_names_its_file(good, tmp_path):
    for name, harm in (('cut', lambda d: d[: len(d) // 2]), ('noise', lambda d: b'x' * len(d))):
        bag = tmp_path / name
        bag.mkdir()
        for file in good.iterdir():
            data = file.read_bytes()
            (bag / file.name).write_bytes(harm(data) if file.suffix == '.mcap' else data)
        with pytest.raises(MimicError, match=name):
            convert_robot(bag, tmp_path / 'dataset', PARAMS, name)


def test_bags_of_another_hand_do_not_enter_a_dataset(good, tmp_path):
    params = ConvertParams(task='push', hand='allegro')
    outcome = convert(make_jobs([good], tmp_path, 'robot', params)).outcomes[0]
    assert 'are missing' in outcome.error and 'robotiq' in outcome.error


def test_without_a_wrist_camera_there_is_none(tmp_path):
    bag = write_bag(tmp_path / 'bag', BagSpec(wrist=False))
    convert(make_jobs([bag], tmp_path / 'd', 'robot', PARAMS))
    assert load(tmp_path / 'd').episodes[0].wrist is None
