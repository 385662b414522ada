"""Episodes without ROS: what a recorder would have written of a trial or of a camera.

The bags are those of mimic_recording, with the topics of `mimic_core/topics.py`, so whatever
reads real episodes reads these. They are written when all is over: a failed trial leaves none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from mimic_control import GateOutput
from mimic_core.arrays import DepthImage, FloatArray, Image
from mimic_core.camera import Frame, Intrinsics
from mimic_core.frames import BASE, inverse, to_quat_xyzw
from mimic_core.topics import TOPICS
from mimic_description import RobotModel
from mimic_recording import (
    Definitions,
    EpisodeInfo,
    EpisodeWriter,
    Outcome,
    RecordingError,
    Topic,
    WriterOptions,
)
from mimic_sim.scene import AGENT_CAMERA, AGENT_CAMERA_OPTICAL, WRIST_CAMERA
from mimic_sim.twin import Twin

EPOCH: Final = 1_800_000_000  # [s] stamp of the beginning: bags know no time zero
NANOSECONDS: Final = 1_000_000_000
_SLACK: Final = 1e-6  # [s] by which a clock of floats may be off
_STAMPED: Final = 'std_msgs/msg/Header'


@dataclass(frozen=True)
class _Item:
    topic: str
    stamp: int  # [ns]
    data: bytes


@cache
def _store() -> Any:
    """Return a serializer of every type that is written here."""
    store = get_typestore(Stores.EMPTY)
    types: dict[str, Any] = {}
    for topic in (
        'agent_camera/color/image_raw', 'agent_camera/color/camera_info', 'joint_states',
        'arm_controller/joint_trajectory', '/tf_static',
    ):  # fmt: skip
        kind = TOPICS[topic].type
        types.update(get_types_from_msg(_definitions().find(kind).text, kind))
    store.register(types)
    return store


@cache
def _definitions() -> Definitions:
    return Definitions()


def _make(kind: str, **fields: Any) -> Any:
    return _store().types[kind](**fields)


def _header(stamp: int, frame: str = '') -> Any:
    time = _make(
        'builtin_interfaces/msg/Time', sec=stamp // NANOSECONDS, nanosec=stamp % NANOSECONDS
    )
    return _make(_STAMPED, stamp=time, frame_id=frame)


@dataclass
class Bag:
    """Messages in memory, until they are written as an episode."""

    items: list[_Item] = field(default_factory=list)

    def add(self, topic: str, stamp: int, message: Any) -> None:
        """Take a message of a topic of the table at a time [ns]."""
        data = bytes(_store().serialize_cdr(message, TOPICS[topic].type))
        self.items.append(_Item(topic, stamp, data))

    def add_frame(self, camera: str, frame: Frame, stamp: int) -> None:
        """Take a picture of a camera (`agent_camera`, `wrist_camera`), with depth if it has it."""
        header = _header(stamp, frame.frame_id)
        pictures: list[tuple[str, str, Image | DepthImage]] = [
            (f'{camera}/color/image_raw', 'rgb8', frame.color)
        ]
        if frame.depth is not None:
            pictures.append((f'{camera}/aligned_depth_to_color/image_raw', '16UC1', frame.depth))
        for topic, encoding, picture in pictures:
            data = np.ascontiguousarray(picture)
            self.add(
                topic, stamp,
                _make(
                    'sensor_msgs/msg/Image', header=header, height=data.shape[0],
                    width=data.shape[1], encoding=encoding, is_bigendian=0,
                    step=data.strides[0], data=data.reshape(-1).view(np.uint8),
                ),
            )  # fmt: skip
        self.add(f'{camera}/color/camera_info', stamp, _camera_info(frame.intrinsics, header))

    def add_joints(self, names: Sequence[str], values: tuple[FloatArray, ...], stamp: int) -> None:
        """Take (J,) positions, velocities and efforts."""
        position, velocity, effort = values
        self.add(
            'joint_states', stamp,
            _make(
                'sensor_msgs/msg/JointState', header=_header(stamp), name=list(names),
                position=position, velocity=velocity, effort=effort,
            ),
        )  # fmt: skip

    def add_command(
        self, part: str, names: Sequence[str], q: FloatArray, v: FloatArray, stamp: int, ahead: int
    ) -> None:
        """Take an output of the gate to a part (`arm`, `hand`), to be reached `ahead` [ns]."""
        point = _make(
            'trajectory_msgs/msg/JointTrajectoryPoint', positions=q, velocities=v,
            accelerations=np.zeros(0), effort=np.zeros(0),
            time_from_start=_make('builtin_interfaces/msg/Duration', sec=0, nanosec=ahead),
        )  # fmt: skip
        self.add(
            f'{part}_controller/joint_trajectory', stamp,
            _make(
                'trajectory_msgs/msg/JointTrajectory', header=_header(0),
                joint_names=list(names), points=[point],
            ),
        )  # fmt: skip

    def add_static(self, frame: str, base_T_frame: FloatArray, stamp: int) -> None:
        """Take the pose of a camera's optical frame in base_link."""
        x, y, z, w = (float(value) for value in to_quat_xyzw(base_T_frame))
        at = dict(zip('xyz', map(float, base_T_frame[:3, 3]), strict=True))
        transform = _make(
            'geometry_msgs/msg/Transform', translation=_make('geometry_msgs/msg/Vector3', **at),
            rotation=_make('geometry_msgs/msg/Quaternion', x=x, y=y, z=z, w=w),
        )  # fmt: skip
        stamped = _make(
            'geometry_msgs/msg/TransformStamped', header=_header(stamp, BASE),
            child_frame_id=frame, transform=transform,
        )  # fmt: skip
        self.add('/tf_static', stamp, _make('tf2_msgs/msg/TFMessage', transforms=[stamped]))

    def write(self, directory: Path, info: EpisodeInfo, compression: str = 'zstd') -> Outcome:
        """Write the episode.

        Raises:
            RecordingError: It cannot be written.
        """
        total = sum(len(item.data) for item in self.items)
        options = WriterOptions(compression=compression, max_queue_bytes=2 * total + 1)  # type: ignore[arg-type]
        writer = EpisodeWriter(directory, info, options)
        try:
            channels = dict(self._channels(writer))
            for item in sorted(self.items, key=lambda one: one.stamp):
                writer.write(channels[item.topic], item.stamp, item.stamp, item.data)
        finally:
            writer.close()
        outcome = writer.wait()
        if outcome.state != 'saved':
            raise RecordingError(f'{outcome.path}: {outcome.reason}')
        return outcome

    def _channels(self, writer: EpisodeWriter) -> Iterator[tuple[str, int]]:
        for name in dict.fromkeys(item.topic for item in self.items):
            row = TOPICS[name]
            absolute = name if name.startswith('/') else f'/{name}'
            yield name, writer.add_topic(Topic(absolute, _definitions().find(row.type)))


def _camera_info(intrinsics: Intrinsics, header: Any) -> Any:
    i = intrinsics
    k = np.array([i.fx, 0.0, i.cx, 0.0, i.fy, i.cy, 0.0, 0.0, 1.0])
    p = np.array([i.fx, 0.0, i.cx, 0.0, 0.0, i.fy, i.cy, 0.0, 0.0, 0.0, 1.0, 0.0])
    region = _make(
        'sensor_msgs/msg/RegionOfInterest', x_offset=0, y_offset=0, height=0, width=0,
        do_rectify=False,
    )  # fmt: skip
    return _make(
        'sensor_msgs/msg/CameraInfo', header=header, height=i.height, width=i.width,
        distortion_model='plumb_bob', d=np.array(i.distortion, dtype=np.float64), k=k,
        r=np.eye(3).reshape(-1), p=p, binning_x=0, binning_y=0, roi=region,
    )  # fmt: skip


class TrialRecorder:
    """A witness of `run_trial` that keeps what the recorder of a real robot would keep."""

    def __init__(self, robot: RobotModel, rate: float = 15.0) -> None:
        """Args: robot: with an arm and a hand; rate: pictures of each camera in a second [Hz]."""
        self.bag = Bag()
        self._names, self._arm = robot.joint_names, len(robot.arm_joints)
        self._base_T_world = inverse(robot.fk(robot.home, BASE))
        self._period = 1.0 / rate
        self._pictures = 0
        self._last_tick = 0.0  # [s]

    def tick(self, twin: Twin, output: GateOutput, q: FloatArray) -> None:
        """Take one period of the gate."""
        stamp = EPOCH * NANOSECONDS + round(twin.time * NANOSECONDS)
        if not self.bag.items:
            pose = self._base_T_world @ twin.camera_pose(AGENT_CAMERA)
            self.bag.add_static(AGENT_CAMERA_OPTICAL, pose, stamp)
        self.bag.add_joints(self._names, twin.joint_state(), stamp)
        if output.publish:
            ahead = round((twin.time - self._last_tick) * NANOSECONDS)
            n = self._arm
            for part, chosen in (('arm', slice(0, n)), ('hand', slice(n, None))):
                names = self._names[chosen]
                self.bag.add_command(part, names, output.q[chosen], output.v[chosen], stamp, ahead)
        self._last_tick = twin.time
        if twin.time >= self._pictures * self._period - _SLACK:
            self._pictures += 1
            for camera, name in ((AGENT_CAMERA, 'agent_camera'), (WRIST_CAMERA, 'wrist_camera')):
                if camera in twin.cameras():
                    self.bag.add_frame(name, twin.render(camera), stamp)
