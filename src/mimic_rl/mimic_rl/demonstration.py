"""A virtual person who shows a task with a bare hand, and the bag of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import trimesh
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from mimic_core.arrays import FloatArray
from mimic_core.camera import Frame
from mimic_core.errors import ConfigError
from mimic_core.frames import WORLD, apply, inverse, to_quat_xyzw
from mimic_core.params import param
from mimic_description import load_robot
from mimic_rl.shapes import object_mesh, part_mesh
from mimic_rl.shown import RATE, Shown, shown_task
from mimic_sim.demonstrator import Plan
from mimic_sim.demonstrator_params import DemonstratorParams
from mimic_sim.handling import Grip, Handling
from mimic_sim.handling_stream import HandlingStream
from mimic_sim.studio import Prop
from mimic_sim.twin import work_area

COLOR: Final = '/camera/color/image_raw'
DEPTH: Final = '/camera/aligned_depth_to_color/image_raw'
INFO: Final = '/camera/color/camera_info'
TF: Final = '/tf_static'
_FIRST_STAMP: Final = 1.0  # [s] of a bag without a clock
_TIP: Final = 0.012  # [m] from the point between the tips to the face that they push
_SPREAD: Final = 0.075  # [m] of thumb and index while they push
_BACK: Final = 0.06  # [m] behind the face before the last way
_UP: Final = 0.05  # [m] above it
_PADS: Final = 0.016  # [m] of flesh between the tips' points and a thing that they hold
_OPENED: Final = 0.025  # [m] by which they open before and after
_CLEAR: Final = 0.12  # [m] behind the thing before the last way, when it is held
_ELEVATION: Final = 0.9  # [rad] of the hand over the table
_OBJECT_RGB: Final = (0.86, 0.33, 0.28)
_FIXTURE_RGB: Final = (0.58, 0.62, 0.68)


@dataclass(frozen=True, kw_only=True)
class ShowingParams(DemonstratorParams):
    """Who shows a task with a bare hand, before which camera.

    The camera looks more from the front and from above than that of a teleoperator: there finger
    tips are seen that the thing would hide.
    """

    task: str = param('A task that can be shown: box_push, box_pivot, …', 'box_push')
    camera_azimuth: float = param(
        'Of the camera about the workspace, from world x to y [rad].', 0.4, low=-3.15, high=3.15
    )
    camera_elevation: float = param('Of the camera over the table [rad].', 0.9, low=0.05, high=1.5)


def handling_of(shown: Shown) -> Handling:
    """Return how a person does a shown task."""
    first, push = shown.path[0], np.array([*shown.direction, 0.0])
    up = np.array([0.0, 0.0, _UP])
    point, aperture, wide, away = np.array(shown.contact), _SPREAD, _SPREAD, up - _BACK * push
    if shown.grasp:
        # Thumb and index come from both sides of the thing and close on it.
        mesh = object_mesh(shown.object)
        side = np.cross(push, [0.0, 0.0, 1.0]) @ first[:3, :3]
        aperture = float(np.ptp(np.asarray(mesh.vertices) @ side)) + _PADS
        wide, away = aperture + _OPENED, -_CLEAR * push
    else:
        point = point - _TIP * push
    grip = Grip(
        contact=apply(inverse(first), point),
        azimuth=float(np.arctan2(-push[0], push[1])),
        elevation=_ELEVATION,
        aperture=aperture,
        wide=wide,
        before=away,
        after=away,
        follows=shown.turn_share,
        keeps=shown.grasp,
    )
    times = np.arange(len(shown.path)) / RATE
    return Handling(shown.object.name, times, shown.path, grip)


def make_stream(params: DemonstratorParams) -> HandlingStream:
    """Return the pictures of the task that the parameters name.

    Raises:
        UnknownNameError: There is no such task, or no such arm.
        ConfigError: The person's hand does not fit the task.
    """
    shown = shown_task(params.task)
    if params.side == 'left':
        raise ConfigError(f'{params.task} is shown with the right hand: side must be right')
    area = work_area(load_robot(params.arm, 'none'))
    place = np.array([*area.centre, 0.0])
    plan = Plan(place, area.radius, shown.path[0][:3, 3], shown.path[-1][:3, 3])
    mesh = object_mesh(shown.object)
    props = [_mesh_prop(shown.object.name, mesh, _OBJECT_RGB)]
    standing: dict[str, FloatArray] = {}
    for row, part in enumerate(shown.fixtures):
        name = f'fixture {row}'
        props.append(_mesh_prop(name, part_mesh(part), _FIXTURE_RGB))
        standing[name] = np.eye(4)
    return HandlingStream(params, handling_of(shown), tuple(props), plan=plan, standing=standing)


def _mesh_prop(name: str, mesh: trimesh.Trimesh, rgb: tuple[float, float, float]) -> Prop:
    return Prop(
        name, 'mesh', rgb=rgb, vertices=np.asarray(mesh.vertices, np.float64),
        faces=np.asarray(mesh.faces, np.int64),
    )  # fmt: skip


class BagWriter:
    """Writes frames as a camera's topics, with the pose of the camera. Needs no ROS."""

    def __init__(self, path: Path, world_T_camera: FloatArray | None) -> None:
        """Args: path: folder, which must not be there; world_T_camera: None: it is not told."""
        if path.exists():
            raise ConfigError(f'{path} is there already')
        path.parent.mkdir(parents=True, exist_ok=True)
        self._store: Any = get_typestore(Stores.ROS2_JAZZY)
        self._types: Any = self._store.types
        self._writer: Any = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
        self._connections: dict[str, Any] = {}
        self._world_T_camera = world_T_camera

    def __enter__(self) -> 'BagWriter':
        self._writer.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def write(self, frame: Frame) -> None:
        """Write a frame; stamps grow."""
        stamp = frame.stamp + _FIRST_STAMP
        if self._world_T_camera is not None:
            self._write(TF, 'tf2_msgs/msg/TFMessage', self._pose(frame.frame_id, stamp), stamp)
            self._world_T_camera = None
        self._write(INFO, 'sensor_msgs/msg/CameraInfo', self._info(frame, stamp), stamp)
        color = self._image(frame, frame.color, 'rgb8', stamp)
        self._write(COLOR, 'sensor_msgs/msg/Image', color, stamp)
        if frame.depth is not None:
            depth = self._image(frame, frame.depth, '16UC1', stamp)
            self._write(DEPTH, 'sensor_msgs/msg/Image', depth, stamp)

    def _write(self, topic: str, kind: str, msg: Any, stamp: float) -> None:
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, kind, typestore=self._store
            )
        data = self._store.serialize_cdr(msg, kind)
        self._writer.write(self._connections[topic], round(stamp * 1e9), data)

    def _header(self, frame_id: str, stamp: float) -> Any:
        whole = int(stamp)
        time = self._types['builtin_interfaces/msg/Time'](whole, round((stamp - whole) * 1e9))
        return self._types['std_msgs/msg/Header'](time, frame_id)

    def _image(self, frame: Frame, pixels: np.ndarray, encoding: str, stamp: float) -> Any:
        height, width = pixels.shape[:2]
        step = pixels.strides[0]
        return self._types['sensor_msgs/msg/Image'](
            self._header(frame.frame_id, stamp), height, width, encoding, 0, step,
            np.ascontiguousarray(pixels).view(np.uint8).ravel(),
        )  # fmt: skip

    def _info(self, frame: Frame, stamp: float) -> Any:
        optics = frame.intrinsics
        k = optics.matrix.ravel()
        p = np.column_stack([optics.matrix, np.zeros(3)]).ravel()
        roi = self._types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False)
        return self._types['sensor_msgs/msg/CameraInfo'](
            self._header(frame.frame_id, stamp), optics.height, optics.width, 'plumb_bob',
            np.array(optics.distortion), k, np.eye(3).ravel(), p, 0, 0, roi,
        )  # fmt: skip

    def _pose(self, frame_id: str, stamp: float) -> Any:
        assert self._world_T_camera is not None  # the caller looked
        vector = self._types['geometry_msgs/msg/Vector3'](*self._world_T_camera[:3, 3].tolist())
        quat = self._types['geometry_msgs/msg/Quaternion'](
            *to_quat_xyzw(self._world_T_camera).tolist()
        )
        place = self._types['geometry_msgs/msg/Transform'](vector, quat)
        item = self._types['geometry_msgs/msg/TransformStamped'](
            self._header(WORLD, stamp), frame_id, place
        )
        return self._types['tf2_msgs/msg/TFMessage']([item])


def record(stream: HandlingStream, path: Path) -> None:
    """Write the whole demonstration into a bag, as fast as it is drawn."""
    with BagWriter(path, stream.world_T_camera) as bag:
        for frame, _ in stream.frames():
            bag.write(frame)
