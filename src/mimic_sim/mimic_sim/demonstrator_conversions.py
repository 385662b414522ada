"""Messages of the demonstrator."""

from typing import Final

from geometry_msgs.msg import Point
from sensor_msgs.msg import CameraInfo, Image

from mimic_core.camera import Frame
from mimic_core.ros import image_to_msg, intrinsics_to_msg, pose_from_msg, pose_to_msg, to_stamp
from mimic_interfaces.msg import DemonstratorStatus, Hand, ObjectPose, TwinStatus
from mimic_sim.demonstrator import Sight
from mimic_sim.studio import GroundTruth

COLOR: Final = 'camera/color/image_raw'
DEPTH: Final = 'camera/aligned_depth_to_color/image_raw'
INFO: Final = 'camera/color/camera_info'
STATUS: Final = 'demonstrator/status'
_TARGET: Final = 'target'  # name under which the twin tells where its object should go
_SIDES: Final = {'left': Hand.LEFT, 'right': Hand.RIGHT}

Picture = Image | CameraInfo | DemonstratorStatus


def picture_to_msgs(frame: Frame, truth: GroundTruth) -> dict[str, Picture]:
    """Return the messages of a picture and its truth by topic; all carry its stamp."""
    stamp, frame_id = to_stamp(frame.stamp), frame.frame_id
    msgs: dict[str, Picture] = {
        INFO: intrinsics_to_msg(frame.intrinsics, stamp, frame_id),
        COLOR: image_to_msg(frame.color, stamp, frame_id),
    }
    if frame.depth is not None:
        msgs[DEPTH] = image_to_msg(frame.depth, stamp, frame_id)
    status = DemonstratorStatus(
        side=_SIDES[truth.side],
        keypoints=[Point(x=x, y=y, z=z) for x, y, z in truth.keypoints.tolist()],
        visible=truth.visible.tolist(),
        phase=truth.phase,
        objects=[
            ObjectPose(name=name, pose=pose_to_msg(pose), confidence=1.0)
            for name, pose in truth.objects.items()
        ],
    )
    status.header.stamp, status.header.frame_id = stamp, frame_id
    msgs[STATUS] = status
    return msgs


def sight_from_msg(msg: TwinStatus) -> Sight | None:
    """Return what the person sees of the twin's robot; None if there is nothing to move.

    Raises:
        NotFiniteError: A pose is none.
    """
    poses = {item.name: pose_from_msg(item.pose) for item in msg.objects}
    mark = poses.pop(_TARGET, None)
    if not poses:
        return None
    first = next(iter(poses))  # the task's own object comes first
    target = None if mark is None else mark[:3, 3]
    return Sight.of(pose_from_msg(msg.grasp_center), poses, first, target)
