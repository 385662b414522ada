import itertools
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from mimic_core.errors import ConfigError
from mimic_description import UnknownDeviceError, known_devices, render_urdf
from mimic_description.tree import parse_urdf

ARMS = [*known_devices('arm'), 'none']
HANDS = [*known_devices('hand'), 'none']
LINK = '<link name="a"/><link name="b"/>'
JOINT = '<joint name="j" type="{}"><parent link="a"/><child link="{}"/>{}</joint>'


@pytest.mark.parametrize('arm', ARMS)
@pytest.mark.parametrize('hand', HANDS)
def test_any_arm_with_any_hand(arm, hand):
    tree = parse_urdf(render_urdf(arm, hand))
    assert tree.root == 'world'
    wanted = {'base_link', 'flange'}
    if hand != 'none':
        wanted |= {'palm', 'grasp_center', 'wrist_camera_color_optical_frame'}
    assert wanted <= set(tree.links)
    assert not {j.name for j in tree.joints} & set(tree.links)


PAIRS = list(itertools.zip_longest(known_devices('arm'), known_devices('hand'), fillvalue='none'))


@pytest.mark.parametrize(('arm', 'hand'), PAIRS)
def test_the_prefix_goes_before_every_name_but_world(arm, hand):
    tree = parse_urdf(render_urdf(arm, hand, prefix='left_', control='mock'))
    assert all(name.startswith('left_') for name in tree.links if name != 'world')
    assert all(joint.name.startswith('left_') for joint in tree.joints)


def test_base_pose():
    text = render_urdf('iiwa7', 'none', base_xyz=(0.1, -0.2, 0.3), base_rpy=(0.0, 0.0, 1.5))
    base = next(j for j in parse_urdf(text).joints if j.child == 'base_link')
    np.testing.assert_allclose(base.parent_T_child[:3, 3], [0.1, -0.2, 0.3])
    np.testing.assert_allclose(base.parent_T_child[0, 0], np.cos(1.5))


@pytest.mark.parametrize(
    ('control', 'plugins'),
    [
        ('none', []),
        ('mock', ['mock_components/GenericSystem'] * 2),
        ('topic', ['topic_based_ros2_control/TopicBasedSystem'] * 2),
        (
            'vendor',
            [
                'lbr_ros2_control::SystemInterface',
                'robotiq_driver/RobotiqGripperHardwareInterface',
            ],
        ),
    ],
)
def test_ros2_control_plugin(control, plugins):
    robot = ElementTree.fromstring(render_urdf('iiwa14', 'robotiq_2f85', control=control))
    assert [e.text for e in robot.findall('ros2_control/hardware/plugin')] == plugins


@pytest.mark.parametrize(('arm', 'hand'), PAIRS)
def test_ros2_control_commands_the_actuated_joints_and_reads_all(arm, hand):
    text = render_urdf(arm, hand, control='mock', prefix='left_')
    robot, tree = ElementTree.fromstring(text), parse_urdf(text)
    moving = [j for j in tree.joints if j.kind != 'fixed']
    commanded, read = set(), set()
    for joint in robot.findall('ros2_control/joint'):
        if joint.find('command_interface') is not None:
            commanded.add(joint.get('name'))
        assert [s.get('name') for s in joint.findall('state_interface')] == [
            'position',
            'velocity',
        ]
        read.add(joint.get('name'))
    assert commanded == {j.name for j in moving if j.coupling is None}
    assert read == {j.name for j in moving}


def test_no_vendor_plugin_is_an_error():
    with pytest.raises(ConfigError, match='no ros2_control plugin of the vendor for allegro'):
        render_urdf('none', 'allegro', control='vendor')


def test_unknown_control_is_an_error():
    with pytest.raises(ConfigError, match='choose none, mock, topic or vendor'):
        render_urdf('panda', 'none', control='gazebo')


def test_unknown_arm():
    with pytest.raises(UnknownDeviceError, match=r"unknown arm 'iiwa15'.*iiwa14"):
        render_urdf('iiwa15', 'none')


def test_broken_xacro_is_one_error(tmp_path, monkeypatch):
    (tmp_path / 'robots').mkdir()
    (tmp_path / 'urdf' / 'hands').mkdir(parents=True)
    source = known_entry('robotiq_2f85')
    (tmp_path / 'robots' / 'broken.yaml').write_text(source)
    monkeypatch.setenv('MIMIC_ROBOT_PATH', str(tmp_path))
    with pytest.raises(ConfigError, match=r'no xacro file .*broken\.urdf\.xacro'):
        render_urdf('none', 'broken')
    file = tmp_path / 'urdf' / 'hands' / 'broken.urdf.xacro'
    for text in ('<robot', '<robot xmlns:xacro="http://www.ros.org/wiki/xacro"/>'):
        file.write_text(text)
        with pytest.raises(ConfigError, match='hand broken'):
            render_urdf('none', 'broken')


def known_entry(name: str) -> str:
    from mimic_description.registry import own_folder

    return (own_folder() / 'robots' / f'{name}.yaml').read_text()


def test_capsules_are_put_together():
    tree = parse_urdf(render_urdf('iiwa14', 'none'))
    kinds = [shape.kind for shape in tree.links['iiwa_link_1'].shapes]
    assert kinds == ['capsule', 'capsule', 'capsule']
    shape = tree.links['iiwa_link_1'].shapes[2]
    assert shape.size == (0.0679, 0.0886)
    np.testing.assert_allclose(shape.link_T_shape[:3, 3], [0.0019, -0.0459, 0.1313])
    # Axis of rpy (0, p, w) is (cos w sin p, sin w sin p, cos p).
    p, w = 0.1698, -1.0777
    axis = [np.cos(w) * np.sin(p), np.sin(w) * np.sin(p), np.cos(p)]
    np.testing.assert_allclose(shape.link_T_shape[:3, 2], axis, atol=1e-12)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('<robot', 'not XML'),
        (f'<robot name="r">{LINK}</robot>', 'one root link'),
        (f'<robot name="r">{LINK}{JOINT.format("fixed", "c", "")}</robot>', "unknown link 'c'"),
        (f'<robot name="r">{LINK}{JOINT.format("floating", "b", "")}</robot>', "'floating'"),
        (f'<robot name="r">{LINK}{JOINT.format("revolute", "b", "")}</robot>', 'has no <limit>'),
        (
            f'<robot name="r">{LINK}'
            + JOINT.format('fixed', 'b', '<origin xyz="0 x 0"/>')
            + '</robot>',
            'not a list of numbers',
        ),
        (
            '<robot name="r"><link name="a"><collision><geometry><mesh filename="x"/></geometry>'
            '</collision></link></robot>',
            'must be a box, a cylinder or a sphere',
        ),
    ],
)
def test_what_is_no_robot_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_urdf(text)
