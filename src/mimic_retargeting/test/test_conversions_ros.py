"""Messages to core types and back."""

from collections.abc import Callable

import numpy as np
import pytest

from mimic_core.errors import ShapeError

pytestmark = pytest.mark.ros


def test_hand_message(make_points: Callable) -> None:
    from geometry_msgs.msg import Point

    from mimic_interfaces.msg import Hand, HandArray
    from mimic_retargeting.conversions import hand_from_msg, select_hand

    points = make_points()
    points[3] = np.nan
    msg = Hand(track_id=7, side=Hand.LEFT, method=Hand.METHOD_PNP, score=0.5, filter_delay=0.01)
    msg.keypoints = [Point(x=x, y=y, z=z) for x, y, z in points]
    msg.confidence = np.linspace(0, 1, 21).astype(np.float32)
    hand = hand_from_msg(msg)
    np.testing.assert_array_equal(hand.keypoints, points)
    assert (hand.track_id, hand.side, hand.method) == (7, 'left', 'pnp')
    assert hand.pixels.shape == (21, 2)
    better = Hand(track_id=8, side=Hand.LEFT, score=0.9)
    other = Hand(track_id=9, side=Hand.RIGHT, score=1.0)
    array = HandArray(hands=[msg, better, other])
    assert select_hand(array, 'left').track_id == 8
    assert select_hand(array, 'right').track_id == 9
    assert select_hand(HandArray(), 'right') is None


def test_joint_states_and_commands_are_read_by_name() -> None:
    from sensor_msgs.msg import JointState
    from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

    from mimic_retargeting.conversions import positions_from_msg

    msg = JointState(name=['c', 'a', 'x'], position=[3.0, 1.0, 9.0])
    known = np.array([np.nan, 2.0, np.nan])
    np.testing.assert_array_equal(positions_from_msg(msg, ('a', 'b', 'c'), known), [1, 2, 3])
    msg.position = [3.0]
    with pytest.raises(ShapeError, match='3 names, 1 positions'):
        positions_from_msg(msg, ('a',), known)
    sent = JointTrajectory(joint_names=['c', 'a'])
    with pytest.raises(ShapeError, match='joint_trajectory has 2 names, 0 positions'):
        positions_from_msg(sent, ('a',), known)
    sent.points.append(JointTrajectoryPoint(positions=[3.0, 1.0]))
    np.testing.assert_array_equal(positions_from_msg(sent, ('a', 'b', 'c'), known), [1, 2, 3])


def test_command_and_status() -> None:
    from std_msgs.msg import Header

    from mimic_core.ros import pose_from_msg, to_stamp
    from mimic_retargeting.conversions import command_to_msg, status_to_msg
    from mimic_retargeting.shadow import ShadowResult

    header = Header(stamp=to_stamp(12.5), frame_id='base_link')
    msg = command_to_msg(np.array([1.0, 2.0]), ('a', 'b'), header)
    assert msg.joint_names == ['a', 'b']
    assert list(msg.points[0].positions) == [1.0, 2.0]
    assert msg.header.stamp.nanosec == 500_000_000
    target = np.eye(4)
    target[:3, 3] = [0.1, 0.2, 0.3]
    status = status_to_msg(ShadowResult(None, 'why', False, True, target), header, 0.001)
    assert (status.reason, status.engaged, status.tracking) == ('why', False, True)
    np.testing.assert_allclose(pose_from_msg(status.target), target)
    assert np.isnan(status.tip_error)
