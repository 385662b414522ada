"""Where the camera was that looked at a person: from a calibration file, or from the bag."""

import os
from pathlib import Path
from typing import Final

import numpy as np

from mimic_camera import CAMERA_FILE, load_calibration
from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError, MimicError
from mimic_core.frames import BASE, WORLD, from_xyz_quat, inverse
from mimic_dataset.people import View
from mimic_description import RobotModel
from mimic_recording import Episode

FOLDER_VARIABLE: Final = 'MIMIC_CAMERA_PATH'
AGENT: Final = 'agent.yaml'
COLOR: Final = 'color/image_raw'


def view_of_file(path: Path, robot: RobotModel, fovy: float = 0.75) -> View:
    """Return the view of a calibration file.

    Args:
        path: As `mimic_camera.load_calibration` reads it; its parent is world or base_link.
        robot: Whose base_link.
        fovy: Vertical field of view [rad] where the file holds no intrinsics.

    Raises:
        ConfigError: It holds no pose, or one in another frame.
    """
    calibration = load_calibration(path)
    if calibration.parent_T_optical is None or calibration.parent not in (WORLD, BASE):
        raise ConfigError(f'{path}: needs the pose of the camera in {WORLD} or {BASE}')
    base_T_camera = calibration.parent_T_optical
    if calibration.parent == WORLD:
        base_T_camera = inverse(robot.fk(robot.home, BASE)) @ base_T_camera
    return View(base_T_camera, calibration.intrinsics, fovy)


def default_file() -> Path:
    """Return the calibration of the agent camera: in MIMIC_CAMERA_PATH, else config/cameras."""
    return Path(os.environ.get(FOLDER_VARIABLE, 'config/cameras')) / AGENT


def file_of_video(path: Path, arm: str) -> Path:
    """Return the calibration of the camera that took a video: beside it, else the default one.

    Args:
        path: The video.
        arm: For which it is; the default may be that of the twin of another.

    Raises:
        ConfigError: There is neither, or the default is where the twin of another arm has it.
    """
    beside, default = path.parent / CAMERA_FILE, default_file()
    if beside.exists():
        return beside
    if not default.exists():
        raise ConfigError(
            f'{path}: where was its camera? Give --camera FILE (there is neither {beside} nor '
            f'{default})'
        )
    record = load_calibration(default).record
    twin = record.get('twin', arm)
    if twin != arm and 'hand_eye' not in record:
        raise ConfigError(
            f'{path}: where was its camera? {default}, record.twin: it is where the twin of '
            f'{twin} has it, not that of {arm}. Give --camera FILE, or write {beside}, as '
            './mimic film does'
        )
    return default


def view_of_bag(path: Path, robot: RobotModel, camera: str) -> View | None:
    """Return the view of a camera by the bag's /tf_static; None when that does not tell.

    Args:
        path: The bag.
        robot: Whose base_link, where the bag knows the camera in world only.
        camera: Prefix of its topics.

    Raises:
        BagError: The bag cannot be read.
    """
    with Episode(path) as episode:
        image = episode.find(f'{camera}/{COLOR}')
        tf = episode.find('tf_static')
        if image is None or tf is None:
            return None
        first = next(episode.messages([image]), None)
        if first is None:
            return None
        frame = str(episode.decode(first).header.frame_id).lstrip('/')
        edges: dict[str, tuple[str, FloatArray]] = {}
        for _, message in episode.read([tf]):
            for item in message.transforms:
                t, r = item.transform.translation, item.transform.rotation
                parent_T_child = from_xyz_quat(
                    np.array([t.x, t.y, t.z]), np.array([r.x, r.y, r.z, r.w])
                )
                child = str(item.child_frame_id).lstrip('/')
                edges[child] = (str(item.header.frame_id).lstrip('/'), parent_T_child)
    root, root_T_camera = _climb(edges, frame)
    base_root, root_T_base = _climb(edges, BASE)
    if frame not in edges:
        return None
    if root == base_root:
        return View(inverse(root_T_base) @ root_T_camera)
    if root == WORLD:
        return View(inverse(robot.fk(robot.home, BASE)) @ root_T_camera)
    return None


def missing_camera(path: Path, camera: str) -> str:
    """Return that a bag has pictures of other cameras only, and how to ask for those, or nothing.

    Args:
        path: The bag; of one that cannot be read here nothing is said.
        camera: Prefix of the topics that are asked for.
    """
    try:
        with Episode(path) as episode:
            found = [name for name in episode.topics if name.endswith(f'/{COLOR}')]
            there = episode.find(f'{camera}/{COLOR}') is not None
    except MimicError:
        return ''
    if there or not found:
        return ''
    options = [f'--bag-camera {name.removesuffix(COLOR).strip("/")}' for name in sorted(found)]
    return f'{path}: has no {camera}/{COLOR}; it has what {" or ".join(options)} names'


def _climb(edges: dict[str, tuple[str, FloatArray]], frame: str) -> tuple[str, FloatArray]:
    """Return the root above a frame and `root_T_frame` (4, 4)."""
    root_T_frame: FloatArray = np.eye(4)
    seen = {frame}
    while frame in edges:
        parent, parent_T_frame = edges[frame]
        root_T_frame = parent_T_frame @ root_T_frame
        if parent in seen:
            break
        seen.add(parent)
        frame = parent
    return frame, root_T_frame
