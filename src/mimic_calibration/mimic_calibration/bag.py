"""Samples out of a recorded bag: pictures at the moments in which the robot stood still."""

from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.typesys import Stores, get_typestore

from mimic_calibration.errors import CalibrationError
from mimic_calibration.joints import JointHistory
from mimic_calibration.samples import MAX_SKEW, RawSample
from mimic_camera import BagSource, EndOfStreamError
from mimic_camera.bag import COLOR
from mimic_core.camera import Intrinsics
from mimic_core.errors import SourceError

STILL: Final = 0.01  # [rad/s]
_WINDOW: Final = 0.15  # [s]
_NEW_POSE: Final = 0.03  # [rad] a joint must have moved for another sample
_MAX_SAMPLES: Final = 60
_HISTORY: Final = 10**7


def bag_samples(path: Path, camera: str) -> tuple[list[RawSample], Intrinsics]:
    """Return one sample for each pose in which the robot stood, and the camera's intrinsics.

    Args:
        path: The bag: a folder or an MCAP file.
        camera: Prefix of the camera's topics, such as 'camera' or 'agent_camera'.

    Raises:
        SourceError: It cannot be read, or lacks the camera or joint_states.
        CalibrationError: The robot never stood still.
    """
    history, start = _read(path, camera)
    # A source moves stamps to its clock; this one begins with the bag, so they stay.
    source = BagSource(path, lambda: start, 'camera', camera=camera, real_time=False)
    source.open()
    samples: list[RawSample] = []
    optics: Intrinsics | None = None
    last: np.ndarray[Any, Any] | None = None
    frames = 0
    try:
        while len(samples) < _MAX_SAMPLES:
            try:
                frame = source.read()
            except EndOfStreamError:
                break
            frames, optics = frames + 1, frame.intrinsics
            if history.speed(frame.stamp, _WINDOW) > STILL:
                continue
            joints, stamp = history.at(frame.stamp, MAX_SKEW)
            q = np.array(list(joints.values()))
            if last is not None and np.abs(q - last).max() < _NEW_POSE:
                continue
            last = q
            samples.append(
                RawSample(f'frame {frames:05d}', frame.color, joints, frame.stamp, stamp)
            )
    finally:
        source.close()
    if optics is None or not samples:
        raise CalibrationError(
            f'in {path} the robot never stands still with a picture ({frames} pictures): record '
            'with a second of rest at each pose'
        )
    return samples, optics


def _read(path: Path, camera: str) -> tuple[JointHistory, float]:
    """Return the joint states, and the stamp of the first picture [s]."""
    try:
        reader = AnyReader([path], default_typestore=get_typestore(Stores.ROS2_JAZZY))
        reader.open()
    except (AnyReaderError, OSError, ValueError, KeyError) as error:
        raise SourceError(f'{path} cannot be read as a bag: {error}') from error
    history = JointHistory(_HISTORY)
    try:
        wanted = [c for c in reader.connections if f'/{c.topic}'.endswith('/joint_states')]
        if not wanted:
            raise SourceError(f'{path} has no joint_states')
        topic = f'/{camera.strip("/")}/{COLOR}'
        pictures = [c for c in reader.connections if f'/{c.topic}'.endswith(topic)]
        first = [_stamp(reader, *item[::2]) for item in islice(reader.messages(pictures), 1)]
        if not pictures or not first:
            raise SourceError(f"{path} has no picture of camera '{camera}'")
        for connection, _, raw in reader.messages(wanted):
            msg: Any = reader.deserialize(raw, connection.msgtype)
            history.add(
                msg.header.stamp.sec + msg.header.stamp.nanosec * 1e-9,
                dict(zip(msg.name, map(float, msg.position), strict=True)),
            )
    finally:
        reader.close()
    return history, first[0]


def _stamp(reader: AnyReader, connection: Any, raw: bytes) -> float:
    stamp: Any = reader.deserialize(raw, connection.msgtype).header.stamp  # type: ignore[attr-defined]
    return float(stamp.sec + stamp.nanosec * 1e-9)
