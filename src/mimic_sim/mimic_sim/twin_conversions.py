"""Messages of the twin."""

from array import array
from collections.abc import Mapping

from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, Image, JointState

from mimic_core.arrays import FloatArray
from mimic_core.camera import Frame
from mimic_core.frames import WORLD
from mimic_core.ros import image_to_msg, intrinsics_to_msg, pose_to_msg, to_stamp
from mimic_interfaces.msg import (
    ObjectPose,
    ObjectPoseArray,
    TactileArray,
    TactilePad,
    TwinStatus,
)
from mimic_sim.twin import Twin

TARGET = 'target'  # name under which the status carries the place for the task's first object


def joint_state_to_msg(twin: Twin, stamp: Time) -> JointState:
    """Return positions, velocities and efforts of the actuated joints."""
    msg = JointState(name=list(twin.robot.joint_names))
    msg.header.stamp = stamp
    # Arrays of numbers are taken as they are; a list would be checked number by number.
    msg.position, msg.velocity, msg.effort = (array('d', v.tobytes()) for v in twin.joint_state())
    return msg


def tactile_to_msg(twin: Twin, stamp: Time) -> TactileArray:
    """Return one cell for each fingertip: the sum of its contact forces [N]."""
    msg = TactileArray()
    msg.header.stamp = stamp
    msg.pads = [TactilePad(name=link, force=[f]) for link, f in twin.tactile().items()]
    return msg


def objects_to_msgs(objects: Mapping[str, FloatArray]) -> list[ObjectPose]:
    """Return true poses, sure of themselves."""
    return [
        ObjectPose(name=name, pose=pose_to_msg(pose), confidence=1.0)
        for name, pose in objects.items()
    ]


def object_poses_to_msg(twin: Twin, stamp: Time) -> ObjectPoseArray:
    """Return all objects in world, as a perfect tracker would see them."""
    msg = ObjectPoseArray(objects=objects_to_msgs(twin.objects()))
    msg.header.stamp, msg.header.frame_id = stamp, WORLD
    return msg


def status_to_msg(twin: Twin, stamp: Time, real_time_factor: float) -> TwinStatus:
    """Return the physical state. Its objects include the place for the first one as 'target'."""
    msg = TwinStatus(
        task=twin.task.name,
        success=twin.success(),
        ever_success=twin.ever_success,
        objects=objects_to_msgs({**twin.objects(), TARGET: twin.target()}),
        contact_force=twin.contact_force(),
        real_time_factor=real_time_factor,
    )
    msg.header.stamp, msg.header.frame_id = stamp, WORLD
    if twin.robot.hand is not None:
        msg.grasp_center = pose_to_msg(twin.grasp_center())
    return msg


def camera_topics(camera: str) -> dict[str, type]:
    """Return topics and types of colour, depth and camera info of a camera, in this order."""
    name = f'{camera}_camera'
    return {
        f'{name}/color/image_raw': Image,
        f'{name}/aligned_depth_to_color/image_raw': Image,
        f'{name}/color/camera_info': CameraInfo,
    }


def camera_to_msgs(camera: str, frame: Frame) -> dict[str, Image | CameraInfo]:
    """Return the messages of a picture by topic; all carry its stamp."""
    color, depth, info = camera_topics(camera)
    stamp, frame_id = to_stamp(frame.stamp), frame.frame_id
    msgs = {color: image_to_msg(frame.color, stamp, frame_id)}
    if frame.depth is not None:
        msgs[depth] = image_to_msg(frame.depth, stamp, frame_id)
    msgs[info] = intrinsics_to_msg(frame.intrinsics, stamp, frame_id)
    return msgs
