import numpy as np
import pytest

from mimic_core.errors import ConfigError, UnknownNameError
from mimic_description import load_robot, with_site

ROBOT = load_robot('iiwa14', 'allegro', 'left_')
ARM = [name.removeprefix('left_') for name in ROBOT.arm_joints]


def test_a_site_tightens_limits_and_workspace_and_changes_nothing_else():
    site = with_site(
        ROBOT,
        {ARM[0]: {'lower': -1.0, 'max_speed': 0.5}, 'panda_joint_1': {'lower': -1.0}},
        {'min_height': 0.2, 'box_max': [0.5, 0.4, 0.7]},
    )
    assert site.limits.lower[0] == -1.0 and site.limits.max_speed[0] == 0.5
    np.testing.assert_array_equal(site.limits.lower[1:], ROBOT.limits.lower[1:])
    assert site.arm.workspace.min_height == 0.2 and site.arm.workspace.box_max == (0.5, 0.4, 0.7)
    assert site.arm.workspace.box_min == ROBOT.arm.workspace.box_min
    np.testing.assert_array_equal(site.fk(ROBOT.home, 'flange'), ROBOT.fk(ROBOT.home, 'flange'))
    assert load_robot('iiwa14', 'allegro', 'left_') is ROBOT  # the shared one is as it was
    assert ROBOT.limits.lower[0] < -1.0


def test_a_joint_that_no_device_has_is_refused():
    with pytest.raises(UnknownNameError, match=f"{ARM[0]}x'"):
        with_site(ROBOT, {f'{ARM[0]}x': {'lower': 0.0}})


@pytest.mark.parametrize(
    ('workspace', 'words'),
    [
        ({'min_height': -1.0}, 'min_height.*-1.*tighten'),
        ({'box_min': [-9.0, 0.0, 0.0]}, 'box_min: x = -9.*below'),
        ({'box_max': [9.0, 0.0, 0.5]}, 'box_max: x = 9.*above'),
        ({'box_max': [0.5, 0.4]}, 'three numbers'),
        ({'box_max': 'abc'}, 'three numbers'),
        ({'min_height': True}, 'number'),
        ({'box': 1.0}, 'unknown'),
        ({'min_height': 0.5, 'box_max': [0.5, 0.4, 0.4]}, 'nothing is left'),
    ],
)
def test_a_wrong_workspace_is_refused(workspace, words):
    with pytest.raises(ConfigError, match=words):
        with_site(ROBOT, {}, workspace)
