"""The matrix of collisions and the SRDF: every pair known, home free, stale ones found."""

import itertools
import xml.etree.ElementTree as ElementTree

import numpy as np
import pinocchio as pin
import pytest

from mimic_core.errors import ConfigError
from mimic_description import known_devices, load_robot
from mimic_description.urdf import render_urdf
from mimic_moveit import StaleSrdfError, check_srdf, collision_matrix, make_srdf
from mimic_moveit.srdf import disabled_pairs

PAIRS = list(itertools.product(known_devices('arm'), known_devices('hand')))
FEW = 60  # samples, where the numbers do not matter


@pytest.fixture(scope='module')
def panda():
    robot = load_robot('panda', 'robotiq_2f85')
    return robot, collision_matrix(robot, 3000)


@pytest.mark.parametrize('pair', PAIRS, ids='+'.join)
def test_every_robot(pair: tuple[str, str]):
    robot = load_robot(*pair, 'left_')
    matrix = collision_matrix(robot, FEW)
    links = {name for name, link in robot.tree.links.items() if link.shapes}
    wanted = {tuple(sorted(p)) for p in itertools.combinations(links, 2)}
    assert matrix.pairs == wanted
    assert len(matrix.disabled) + len(matrix.enabled) == len(wanted)
    reasons = set(matrix.disabled.values())
    assert 'Default' not in reasons, 'home is in collision'
    assert reasons <= {'Adjacent', 'Always', 'Never', 'User'}
    check_srdf(make_srdf(robot, matrix), robot)


def test_neighbours_and_counts(panda):
    _, matrix = panda
    assert matrix.disabled[('panda_link_3', 'panda_link_4')] == 'Adjacent'
    assert matrix.disabled[('robotiq_left_finger_tip', 'robotiq_left_inner_knuckle')] == 'User'
    assert matrix.disabled[('panda_link_0', 'panda_link_2')] == 'Never'
    assert matrix.counts[('panda_link_0', 'panda_link_2')] == 0
    for pair in matrix.enabled:
        assert 0 < matrix.counts[pair] < 0.95 * matrix.samples
    assert ('panda_link_0', 'panda_link_6') in matrix.enabled


def test_the_same_seed_gives_the_same_matrix(panda):
    robot, matrix = panda
    again = collision_matrix(robot, 3000)
    assert again == matrix
    assert make_srdf(robot, again) == make_srdf(robot, matrix)
    other = collision_matrix(robot, 3000, seed=1)
    assert other.counts != matrix.counts


def test_never_is_never_by_another_library_call(panda):
    """Distances instead of collisions, other samples: disabled pairs keep apart."""
    robot, matrix = panda
    geometry = robot.collision_model(within_hand=False)
    names = [g.name.rsplit(':', 1)[0] for g in geometry.geometryObjects]
    data, found = robot.pin_model.createData(), geometry.createData()
    rng = np.random.default_rng(99)
    overlaps = 0
    for _ in range(300):
        q = robot.full(rng.uniform(robot.limits.lower, robot.limits.upper))
        pin.computeDistances(robot.pin_model, data, geometry, found, q)
        for pair, result in zip(geometry.collisionPairs, found.distanceResults, strict=True):
            if result.min_distance < 0.0:
                links = tuple(sorted((names[pair.first], names[pair.second])))
                overlaps += matrix.disabled.get(links) == 'Never'
    assert overlaps == 0


def test_pinocchio_reads_the_srdf(panda, tmp_path):
    robot, matrix = panda
    srdf, urdf = tmp_path / 'robot.srdf', tmp_path / 'robot.urdf'
    srdf.write_text(make_srdf(robot, matrix))
    urdf.write_text(robot.urdf)
    geometry = robot.collision_model()
    links = [g.name.rsplit(':', 1)[0] for g in geometry.geometryObjects]
    geometry.removeAllCollisionPairs()
    geometry.addAllCollisionPairs()
    # pinocchio takes the geometries of a link by its name followed by _number
    for item, link in zip(geometry.geometryObjects, links, strict=True):
        item.name = f'{link}_{item.name.rsplit(":", 1)[1]}'
    pin.removeCollisionPairs(robot.pin_model, geometry, str(srdf))
    left = {
        tuple(sorted((links[p.first], links[p.second])))
        for p in geometry.collisionPairs
        if links[p.first] != links[p.second]
    }
    assert left == set(matrix.enabled)


def test_pinocchio_finds_the_postures(panda, tmp_path):
    robot, matrix = panda
    srdf = tmp_path / 'robot.srdf'
    text = make_srdf(robot, matrix)
    srdf.write_text(text)
    model = pin.buildModelFromXML(robot.urdf)
    pin.loadReferenceConfigurations(model, str(srdf))
    for posture, value in (('open', 0.0), ('closed', 0.7995)):
        q = model.referenceConfigurations[posture]
        assert q[robot.q_index[-1]] == pytest.approx(value)
    assert model.referenceConfigurations['home'] is not None


def test_groups_and_the_end_effector(panda):
    robot, matrix = panda
    root = ElementTree.fromstring(make_srdf(robot, matrix))
    groups = {g.get('name'): g for g in root.findall('group')}
    assert set(groups) == {'arm', 'hand', 'arm_hand'}
    chain = groups['arm'].find('chain')
    assert (chain.get('base_link'), chain.get('tip_link')) == ('base_link', 'palm')
    joints = [j.get('name') for j in groups['hand'].findall('joint')]
    assert joints[0] == 'robotiq_left_knuckle_joint'
    assert set(joints) == {j.name for j in robot.tree.joints if 'robotiq' in j.name
                           and j.kind != 'fixed'}  # fmt: skip
    assert len(root.findall('passive_joint')) == len(joints) - 1
    eef = root.find('end_effector')
    assert (eef.get('parent_link'), eef.get('group')) == ('palm', 'hand')
    virtual = root.find('virtual_joint')
    assert virtual.get('child_link') == robot.tree.root
    states = {(s.get('group'), s.get('name')) for s in root.findall('group_state')}
    assert {('arm', 'home'), ('hand', 'open'), ('hand', 'closed'), ('arm_hand', 'home')} <= states


def test_a_stale_srdf_is_found(panda, monkeypatch: pytest.MonkeyPatch):
    robot, matrix = panda
    text = make_srdf(robot, matrix)
    check_srdf(text, robot)
    with pytest.raises(StaleSrdfError, match='make it anew'):
        check_srdf(text, load_robot('panda', 'panda_hand'))
    with pytest.raises(StaleSrdfError):
        check_srdf(text, load_robot('panda', 'robotiq_2f85', base_xyz=(0.1, 0.0, 0.0)))
    with pytest.raises(ConfigError, match='does not say of which model'):
        check_srdf('<robot name="mimic"/>', robot)
    wrong = text.replace('link1="panda_link_0" link2="panda_link_1"',
                         'link1="panda_link_0" link2="panda_link_9"')  # fmt: skip
    with pytest.raises(ConfigError, match='panda_link_9'):
        check_srdf(wrong, robot)
    assert disabled_pairs(text) == matrix.disabled


def test_an_arm_alone_and_a_hand_alone():
    for names in (('iiwa7', 'none'), ('none', 'leap')):
        robot = load_robot(*names)
        root = ElementTree.fromstring(make_srdf(robot, collision_matrix(robot, FEW)))
        assert [g.get('name') for g in root.findall('group')] == [
            'arm' if names[1] == 'none' else 'hand'
        ]
        assert root.find('end_effector') is None


def test_the_urdf_of_the_topic_plugin_commands_every_joint_it_names():
    for pair in PAIRS:
        root = ElementTree.fromstring(render_urdf(*pair, control='topic'))
        for system in root.findall('ros2_control'):
            for joint in system.findall('joint'):
                assert joint.find('command_interface') is not None, joint.get('name')
