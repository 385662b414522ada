"""Between the recorder and ROS: types, QoS, status messages."""

import importlib
from collections.abc import Container, Iterator, Sequence
from typing import Any

from builtin_interfaces.msg import Time as TimeMsg
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from mimic_core.arrays import FloatArray
from mimic_core.errors import UnknownNameError
from mimic_core.ros import ERROR, OK, to_stamp
from mimic_interfaces.msg import EpisodeStatus
from mimic_recording.qos import OfferedQos, to_request
from mimic_recording.recorder import Status

_SMALL_DEPTH, _IMAGE_DEPTH = 400, 60  # two seconds or more of each


def message_class(kind: str) -> Any:
    """Return the class of a type `pkg/msg/Type`.

    Raises:
        UnknownNameError: It is not installed.
    """
    package, _, name = kind.split('/')
    try:
        return getattr(importlib.import_module(f'{package}.msg'), name)
    except (ImportError, AttributeError) as error:
        raise UnknownNameError('message type', kind, ()) from error


def recordable(
    node: Node, wanted: Container[str], known: Container[str]
) -> Iterator[tuple[str, str, tuple[OfferedQos, ...]]]:
    """Yield name, type and offered QoS of each wanted topic that has a publisher and is new."""
    for topic, kinds in node.get_topic_names_and_types():
        if topic not in wanted or topic in known:
            continue
        publishers = node.get_publishers_info_by_topic(topic)
        if publishers:
            yield topic, kinds[0], offered_qos(publishers)


def offered_qos(publishers: Sequence[TopicEndpointInfo]) -> tuple[OfferedQos, ...]:
    """Return what the publishers of a topic offer."""
    return tuple(
        OfferedQos(
            reliability=ReliabilityPolicy(p.qos_profile.reliability).name.lower(),
            durability=DurabilityPolicy(p.qos_profile.durability).name.lower(),
        )
        for p in publishers
    )


def subscription_qos(offered: Sequence[OfferedQos], kind: str) -> QoSProfile:
    """Return the strictest QoS that all publishers satisfy, two seconds of data deep."""
    reliable, latched = to_request(offered)
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=_IMAGE_DEPTH if kind == 'sensor_msgs/msg/Image' else _SMALL_DEPTH,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


def status_to_msg(status: Status, stamp: TimeMsg) -> EpisodeStatus:
    """Return the message of what the recorder does."""
    msg = EpisodeStatus(
        state=int(status.state),
        path='' if status.path is None else str(status.path),
        reason=status.reason,
        messages=status.progress.messages,
        dropped=status.progress.dropped,
        bytes=status.progress.bytes,
        duration=status.progress.duration,
    )
    msg.header.stamp = stamp
    return msg


def status_to_diagnostics(status: Status) -> tuple[bytes, str, dict[str, object]]:
    """Return level, sentence and values of what the recorder does."""
    values = {'path': status.path or '', **vars(status.progress)}
    level = ERROR if status.problem else OK
    return level, status.problem or status.state.name.lower(), values


def command_to_msg(names: Sequence[str], position: FloatArray, stamp: float) -> JointTrajectory:
    """Return the message of one command: (J,) positions [rad] or [m] of named joints."""
    msg = JointTrajectory(joint_names=list(names))
    msg.points = [JointTrajectoryPoint(positions=position.tolist())]
    msg.header.stamp = to_stamp(stamp)
    return msg
