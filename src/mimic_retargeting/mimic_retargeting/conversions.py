"""Messages to and from the types of the core: the one place for joint order and units."""

from collections.abc import Sequence

import numpy as np
from sensor_msgs.msg import JointState
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from mimic_core.arrays import FloatArray
from mimic_core.errors import ShapeError
from mimic_core.hand import TrackedHand
from mimic_core.ros import pose_to_msg
from mimic_interfaces.msg import Hand, HandArray, ShadowStatus
from mimic_retargeting.shadow import ShadowResult


def hand_from_msg(msg: Hand) -> TrackedHand:
    """Return the hand of a message.

    Raises:
        ShapeError: An array of the message has the wrong length.
        NotFiniteError: A confidence is not finite.
    """
    return TrackedHand(
        track_id=int(msg.track_id),
        side='left' if msg.side == Hand.LEFT else 'right',
        method='depth' if msg.method == Hand.METHOD_DEPTH else 'pnp',
        keypoints=np.array([(p.x, p.y, p.z) for p in msg.keypoints]),
        confidence=np.asarray(msg.confidence, dtype=np.float64),
        pixels=np.asarray(msg.pixels, dtype=np.float64).reshape(-1, 2),
        score=float(msg.score),
        filter_delay=float(msg.filter_delay),
    )


def select_hand(msg: HandArray, side: str) -> TrackedHand | None:
    """Return the surest hand of a side ('left' or 'right'); None if there is none."""
    wanted = Hand.LEFT if side == 'left' else Hand.RIGHT
    hands = [hand for hand in msg.hands if hand.side == wanted]
    return hand_from_msg(max(hands, key=lambda hand: hand.score)) if hands else None


def positions_from_msg(
    msg: JointState | JointTrajectory, joints: Sequence[str], known: FloatArray
) -> FloatArray:
    """Return (J,) positions in the order of `joints`.

    Drivers of arm and hand may publish apart, so a message may hold some of the joints only.

    Args:
        msg: Positions by name, of a trajectory at its first point; other joints are ignored.
        joints: J names.
        known: (J,) what was known before; NaN where nothing was.

    Raises:
        ShapeError: The message has not one position for each name.
    """
    if isinstance(msg, JointState):
        topic, names, positions = 'joint_states', msg.name, msg.position
    else:
        topic, names = 'joint_trajectory', msg.joint_names
        positions = msg.points[0].positions if msg.points else ()
    if len(names) != len(positions):
        raise ShapeError(f'{topic} has {len(names)} names, {len(positions)} positions')
    values = dict(zip(names, positions, strict=True))
    return np.array([values.get(name, old) for name, old in zip(joints, known, strict=True)])


def command_to_msg(q: FloatArray, joints: Sequence[str], header: Header) -> JointTrajectory:
    """Return the command of (J,) positions; the stamp of the header is the capture time."""
    msg = JointTrajectory(header=header, joint_names=list(joints))
    msg.points.append(JointTrajectoryPoint(positions=[float(v) for v in q]))
    return msg


def status_to_msg(result: ShadowResult, header: Header, solve_time: float) -> ShadowStatus:
    """Return the status of one look; `solve_time` in seconds."""
    msg = ShadowStatus(
        header=header,
        engaged=result.engaged,
        tracking=result.tracking,
        reason=result.reason,
        position_error=result.position_error,
        orientation_error=result.orientation_error,
        tip_error=result.tip_error,
        aperture=result.aperture,
        solve_time=solve_time,
    )
    if result.target is not None:
        msg.target = pose_to_msg(result.target)
    return msg
