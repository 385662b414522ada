"""Messages to arrays and back."""

import numpy as np
from std_msgs.msg import Header

from mimic_core import ros
from mimic_core.hand import TrackedHand
from mimic_interfaces.msg import Hand, HandArray, ObjectPose, ObjectPoseArray
from mimic_object_tracking.view import ObjectEstimate


def objects_to_msg(objects: tuple[ObjectEstimate, ...], header: Header) -> ObjectPoseArray:
    """Return the message of all objects that are seen in one picture."""
    return ObjectPoseArray(
        header=header,
        objects=[
            ObjectPose(
                name=estimate.name,
                pose=ros.pose_to_msg(estimate.camera_T_object),
                confidence=estimate.confidence,
            )
            for estimate in objects
        ],
    )


def hands_from_msg(msg: HandArray) -> tuple[TrackedHand, ...]:
    """Return the hands of a message; keypoints that are not known are NaN."""
    return tuple(
        TrackedHand(
            track_id=hand.track_id,
            side='left' if hand.side == Hand.LEFT else 'right',
            method='depth' if hand.method == Hand.METHOD_DEPTH else 'pnp',
            keypoints=np.array([(p.x, p.y, p.z) for p in hand.keypoints]),
            confidence=np.array(hand.confidence, np.float64),
            pixels=np.array(hand.pixels, np.float64).reshape(-1, 2),
            score=float(hand.score),
        )
        for hand in msg.hands
    )
