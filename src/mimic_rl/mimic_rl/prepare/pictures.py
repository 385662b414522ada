"""Pictures for a person who checks a run: is this what was shown, and can it be practised?"""

from itertools import pairwise
from typing import Final

import cv2
import mujoco
import numpy as np

from mimic_core.arrays import FloatArray, Image
from mimic_core.camera import Frame
from mimic_core.frames import apply, inverse
from mimic_core.hand import TrackedHand
from mimic_description import RobotModel
from mimic_hand_tracking import draw_hand
from mimic_object_tracking import ObjectModel
from mimic_object_tracking.drawing import draw_object
from mimic_rl.film import make_renderer
from mimic_rl.run_folder import PracticeRun
from mimic_rl.world import build_world

OBJECT_TRACK: Final = 'object_track.png'
HAND_AT_START: Final = 'hand_at_start.png'
ROBOT_AT_START: Final = 'robot_at_start.png'
_PATH: Final = (255, 220, 40)  # rgb
_TEXT: Final = (255, 255, 255)  # rgb
_OTHER_VIEW: Final = (150.0, -25.0)  # [deg] azimuth, elevation
_DISTANCE: Final = 0.95  # [m]
_FOVY: Final = 45.0  # [deg]
_FAR: Final = 4.0  # [m]
_SKY: Final = (236, 238, 241)  # rgb
_STEP: Final = 1.0 / 120.0  # [s]


def object_track(
    frames: list[Frame],
    poses: FloatArray,
    path: FloatArray,
    model: ObjectModel,
    world_T_camera: FloatArray,
) -> Image:
    """Return frames side by side with the object's edges, and the path of its centre.

    Args:
        frames: Some of the video.
        poses: (F, 4, 4) world_T_object in them.
        path: (T, 4, 4) world_T_object of the whole trajectory.
        model: The object.
        world_T_camera: (4, 4).
    """
    camera_T_world = inverse(world_T_camera)
    centres = apply(camera_T_world, path[:, :3, :3] @ model.centre + path[:, :3, 3])
    tiles = []
    for frame, pose in zip(frames, poses, strict=True):
        picture = frame.color.copy()
        pixels = frame.intrinsics.project(centres)
        for a, b in pairwise(pixels):
            if np.isfinite([a, b]).all() and max(np.abs(a).max(), np.abs(b).max()) < 1e4:
                (u0, v0), (u1, v1) = np.rint([a, b]).astype(int).tolist()
                cv2.line(picture, (u0, v0), (u1, v1), _PATH, 2, cv2.LINE_AA)
        picture = draw_object(picture, model, camera_T_world @ pose, frame.intrinsics)
        _write(picture, f'{frame.stamp:.2f} s')
        tiles.append(picture)
    return _grid(tiles, 3)


def hand_at_start(frame: Frame, hand: TrackedHand, notes: str) -> Image:
    """Return the picture of the moment before the manipulation with the hand as it was seen."""
    pixels = frame.intrinsics.project(hand.keypoints)
    shown = TrackedHand(
        hand.track_id, hand.side, hand.method, hand.keypoints, hand.confidence, pixels, hand.score
    )
    picture = draw_hand(frame.color, shown)
    _write(picture, notes)
    return picture


def robot_at_start(
    run: PracticeRun, robot: RobotModel, size: tuple[int, int] = (800, 600)
) -> Image:
    """Return the twin of a run: as the person's camera sees it, and from the other side.

    The robot is where it is before the manipulation; dots are the path of the object.

    Raises:
        ConfigError: Nothing can be drawn on this machine.
    """
    world = build_world(run, robot, _STEP)
    model = world.model
    model.vis.global_.offwidth, model.vis.global_.offheight = size
    model.vis.global_.fovy = _FOVY
    data = mujoco.MjData(model)
    pose = run.trajectory[0]
    at = world.object_qpos
    data.qpos[at : at + 7] = [*pose[:3], pose[6], *pose[3:6]]
    world.robot.place(robot, data, run.start)
    mujoco.mj_forward(model, data)
    views = []
    middle = run.trajectory[:, :3].mean(axis=0) + np.array([0.0, 0.0, 0.05])
    angles = [_OTHER_VIEW]
    if run.camera is not None:
        way = middle - np.array(run.camera['world_T_camera'][:3])
        flat = float(np.hypot(way[0], way[1]))
        angles.insert(
            0, (np.degrees(np.arctan2(way[1], way[0])), np.degrees(np.arctan2(way[2], flat)))
        )
    renderer = make_renderer(model, size)
    try:
        for azimuth, elevation in angles:
            camera = mujoco.MjvCamera()
            camera.lookat[:] = middle
            camera.distance, camera.azimuth, camera.elevation = _DISTANCE, azimuth, elevation
            renderer.update_scene(data, camera)
            for place in run.trajectory[::2, :3]:
                _add_dot(renderer.scene, place)
            picture = renderer.render().copy()
            renderer.enable_depth_rendering()
            picture[renderer.render() > _FAR] = _SKY
            renderer.disable_depth_rendering()
            views.append(picture)
    finally:
        renderer.close()
    return np.hstack(views)


def _add_dot(scene: mujoco.MjvScene, place: FloatArray) -> None:
    if scene.ngeom >= scene.maxgeom:
        return
    mujoco.mjv_initGeom(
        scene.geoms[scene.ngeom], mujoco.mjtGeom.mjGEOM_SPHERE, np.array([0.004, 0.0, 0.0]),
        np.asarray(place, np.float64), np.eye(3).ravel(), np.array([1.0, 0.86, 0.16, 1.0]),
    )  # fmt: skip
    scene.ngeom += 1


def _write(picture: Image, text: str) -> None:
    for row, line in enumerate(text.split('\n')):
        at = (10, 24 + 22 * row)
        cv2.putText(picture, line, at, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 4, cv2.LINE_AA)
        cv2.putText(picture, line, at, cv2.FONT_HERSHEY_SIMPLEX, 0.6, _TEXT, 1, cv2.LINE_AA)


def _grid(tiles: list[Image], columns: int) -> Image:
    blank = np.zeros_like(tiles[0])
    while len(tiles) % columns:
        tiles.append(blank)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    picture: Image = np.vstack(rows)
    return picture
