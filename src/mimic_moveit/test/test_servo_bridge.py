"""One command for each look: Servo's arm with retargeting's hand, and nothing that is old."""

import numpy as np
import pytest

from mimic_core.errors import ConfigError, NotFiniteError, ShapeError, UnknownNameError
from mimic_description import load_robot
from mimic_moveit.servo_bridge import Look, ServoBridge

ROBOT = load_robot('panda', 'robotiq_2f85')
ARM, HAND = ROBOT.arm_joints, ROBOT.hand_joints
Q = np.arange(7.0) / 10.0


@pytest.fixture
def bridge() -> ServoBridge:
    bridge = ServoBridge(ROBOT, max_look_age=0.25)
    bridge.fingers(HAND, np.array([0.3]))
    return bridge


def test_one_answer_for_each_look(bridge: ServoBridge):
    assert bridge.answer(ARM, Q, 0.0) is None, 'nobody asked'
    assert bridge.look(Look(1.0, np.eye(4)), 1.05) == ''
    command = bridge.answer(ARM[::-1], Q[::-1], 1.06)
    assert command.names == ROBOT.joint_names
    assert command.stamp == 1.0
    np.testing.assert_array_equal(command.points[0], [*Q, 0.3])
    assert bridge.answer(ARM, Q, 1.07) is None, 'Servo gives three outputs for one look'
    assert bridge.look(Look(1.033, np.eye(4)), 1.08) == ''
    assert bridge.answer(ARM, Q + 0.1, 1.09).stamp == 1.033


def test_what_is_old_is_not_answered(bridge: ServoBridge):
    assert bridge.look(Look(1.0, np.eye(4)), 1.3) == 'the look is 0.300 s old'
    assert bridge.look(Look(1.0, np.eye(4)), 1.1) == ''
    assert bridge.answer(ARM, Q, 1.3) is None


def test_nothing_goes_without_the_hand():
    bridge = ServoBridge(ROBOT)
    assert bridge.look(Look(1.0, np.eye(4)), 1.0) == 'no joints of the hand yet'
    alone = ServoBridge(load_robot('panda', 'none'))
    assert alone.look(Look(1.0, np.eye(4)), 1.0) == ''
    assert alone.answer(ARM, Q, 1.0).names == ARM


def test_silence_is_noticed(bridge: ServoBridge):
    assert bridge.silent_for(5.0) == 0.0
    bridge.look(Look(1.0, np.eye(4)), 1.0)
    bridge.look(Look(2.0, np.eye(4)), 2.0)
    assert bridge.silent_for(2.5) == 1.5
    bridge.answer(ARM, Q, 2.6)
    assert bridge.silent_for(2.7) == 0.0


def test_wrong_outputs(bridge: ServoBridge):
    bridge.look(Look(1.0, np.eye(4)), 1.0)
    with pytest.raises(UnknownNameError, match='panda_joint_7'):
        bridge.answer(ARM[:6], Q[:6], 1.0)
    with pytest.raises(NotFiniteError):
        bridge.answer(ARM, Q * np.nan, 1.0)
    with pytest.raises(ShapeError):
        bridge.answer(ARM, Q[:5], 1.0)
    with pytest.raises(UnknownNameError):
        bridge.fingers(['other'], np.array([0.0]))
    with pytest.raises(NotFiniteError):
        bridge.fingers(HAND, np.array([np.inf]))


def test_five_joints_are_too_few():
    with pytest.raises(ConfigError, match='arm of 6 joints or more, not 5'):
        ServoBridge(load_robot('so101', 'so101_gripper'))
