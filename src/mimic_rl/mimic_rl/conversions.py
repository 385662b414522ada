"""Messages of running a practised policy."""

from collections.abc import Collection

from mimic_core import ros
from mimic_core.arrays import FloatArray
from mimic_interfaces.msg import ObjectPoseArray


def pose_of(msg: ObjectPoseArray, names: Collection[str]) -> FloatArray | None:
    """Return the pose (4, 4) of the surest object of these names in the frame of the message.

    Raises:
        NotFiniteError: It is none.
    """
    fitting = [thing for thing in msg.objects if thing.name in names]
    if not fitting:
        return None
    return ros.pose_from_msg(max(fitting, key=lambda thing: thing.confidence).pose)
