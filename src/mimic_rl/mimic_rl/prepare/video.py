"""An RGB-D demonstration in a bag: frames, and where the camera stands."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.typesys import Stores, get_typestore

from mimic_camera.bag import DEPTH
from mimic_core.arrays import FloatArray
from mimic_core.camera import Frame, Intrinsics
from mimic_core.errors import ConfigError, SourceError
from mimic_core.frames import BASE, WORLD, from_xyz_quat, inverse
from mimic_object_tracking.recorded import bag_frames
from mimic_recording import BagError, Episode
from mimic_rl.run_folder import check_base

TF: Final = 'tf_static'
_SEED: Final = 'tag.seed'  # of the virtual person's start, kept with each of its bags


def recorded_task(path: Path) -> str:
    """Return the task that the recorder kept with a bag; '' when there is none.

    Whether the bag can be read at all is found by who looks at its pictures.
    """
    try:
        with Episode(path) as episode:
            return episode.task
    except BagError:
        return ''


def recorded_of_person(path: Path) -> bool:
    """Tell whether the recorder kept a bag of somebody else than the virtual person."""
    try:
        with Episode(path) as episode:
            return 'task' in episode.custom and _SEED not in episode.custom
    except BagError:
        return False


class DemonstrationVideo:
    """Reads a bag again and again. Stamps count from about 0."""

    def __init__(
        self, path: Path, camera: str = 'camera', world_T_camera: FloatArray | None = None
    ) -> None:
        """Look at the first frame, for depth and at the fixed transforms.

        Args:
            path: Folder of the bag.
            camera: Prefix of the camera's topics.
            world_T_camera: (4, 4); None: from `tf_static` of the bag.

        Raises:
            SourceError: There is no bag, or no such camera in it.
            ConfigError: It has no depth, or does not tell where the camera is.
        """
        self.path, self._camera = Path(path), camera.strip('/')
        self.intrinsics: Intrinsics
        first = next(self.frames(), None)
        if first is None:
            raise ConfigError(f"{path}: topic '{self._camera}/color/image_raw' has no pictures")
        topic = f'{self._camera}/{DEPTH}'
        if next(_messages(self.path, topic), None) is None:
            raise ConfigError(
                f"{path}: there is no depth, topic '{topic}' is missing or empty: record with a "
                'depth camera (with depth:=true)'
            )
        self.intrinsics = first.intrinsics
        if world_T_camera is None:
            world_T_camera = camera_pose(self.path, _frame_id(self.path, self._camera))
        self.world_T_camera: FloatArray = world_T_camera

    def frames(self) -> Iterator[Frame]:
        """Yield the frames from the beginning, without the distortion of the lens.

        One whose depth was lost comes without it.

        Raises:
            SourceError: The bag is damaged.
        """
        return bag_frames(self.path, self._camera)

    def frames_at(self, stamps: FloatArray) -> list[Frame]:
        """Return the frames nearest to stamps (N,) [s]."""
        wanted = np.asarray(stamps, dtype=np.float64)
        best: list[Frame | None] = [None] * len(wanted)
        for frame in self.frames():
            for i, stamp in enumerate(wanted):
                held = best[i]
                if held is None or abs(frame.stamp - stamp) < abs(held.stamp - stamp):
                    best[i] = frame
        return [frame for frame in best if frame is not None]


def camera_pose(path: Path, frame_id: str) -> FloatArray:
    """Return world_T_camera (4, 4) that the fixed transforms of a bag say.

    The `world` of a run is the base of its robot: where they know the camera in base_link, as
    after a hand-eye calibration, or know where base_link is, it is taken from there.

    Raises:
        ConfigError: They lead from neither to the camera, or the base is not on the table.
    """
    parents: dict[str, tuple[str, FloatArray]] = {}
    for msg in _messages(path, TF):
        for item in msg.transforms:
            t, r = item.transform.translation, item.transform.rotation
            pose = from_xyz_quat(np.array([t.x, t.y, t.z]), np.array([r.x, r.y, r.z, r.w]))
            parents[item.child_frame_id] = (item.header.frame_id, pose)
    above = _above(parents, frame_id)
    base = next((name for name in above if name.endswith(BASE)), BASE)  # a prefix comes before it
    world_T_base = _above(parents, base).get(WORLD)
    if world_T_base is not None:
        check_base(world_T_base, f"{path}: topic '{TF}': {base}")
    if base in above:
        return above[base]
    if WORLD not in above:
        raise ConfigError(
            f"{path}: topic '{TF}' does not lead from '{WORLD}' or '{BASE}' to '{frame_id}': "
            'calibrate the camera (./mimic calibrate hand_eye --name NAME) and record again with '
            'calibration:=NAME, or give --camera-pose'
        )
    return above[WORLD] if world_T_base is None else inverse(world_T_base) @ above[WORLD]


def _above(parents: Mapping[str, tuple[str, FloatArray]], frame: str) -> dict[str, FloatArray]:
    """Return the pose (4, 4) of a frame in itself and in each one above it, nearest first."""
    found = {frame: np.eye(4)}
    name = frame
    while name in parents and parents[name][0] not in found:
        parent, pose = parents[name]
        found[parent] = pose @ found[name]
        name = parent
    return found


def _frame_id(path: Path, camera: str) -> str:
    msg = next(_messages(path, f'{camera}/color/camera_info'), None)
    return '' if msg is None else str(msg.header.frame_id)


def _messages(path: Path, ending: str) -> Iterator[Any]:
    try:
        with AnyReader([path], default_typestore=get_typestore(Stores.ROS2_JAZZY)) as reader:
            found = [c for c in reader.connections if f'/{c.topic}'.endswith(f'/{ending}')]
            if not found:
                return
            for connection, _, raw in reader.messages(found):
                yield reader.deserialize(raw, connection.msgtype)
    except (AnyReaderError, OSError, ValueError, KeyError) as error:
        raise SourceError(f'{path} cannot be read as a bag: {error}') from error
