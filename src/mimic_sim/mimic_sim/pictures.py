"""Good-looking pictures of the twin, for documents and videos of what was recorded."""

from collections.abc import Mapping
from typing import Final

import mujoco
import numpy as np

from mimic_core.arrays import FloatArray, Image
from mimic_description import RobotModel
from mimic_sim.scene import OVERVIEW_CAMERA
from mimic_sim.twin import Twin
from mimic_sim.twin_params import TwinParams

_LIGHT_SIZE: Final = 0.16  # [rad], half of the key light as seen from the table
_GOLDEN_ANGLE: Final = 2.39996  # [rad]


def render_scene(
    robot: RobotModel,
    q: FloatArray,
    objects: Mapping[str, FloatArray] | None = None,
    camera: str = OVERVIEW_CAMERA,
    size: tuple[int, int] = (1280, 960),
    task: str = 'pick_place',
    samples: int = 16,
) -> Image:
    """Return one picture (H, W, 3) of a robot at a task, with soft shadows.

    Args:
        robot: From `mimic_description.load_robot`.
        q: (J,) joint positions [rad] or [m].
        objects: name -> world_T_object (4, 4); what is not named stands at its start for seed 0.
        camera: 'overview', 'agent' or 'wrist'.
        size: Width and height [px].
        task: Name of a task.
        samples: Pictures that are averaged, each with the light elsewhere; time grows with it.
    """
    params = TwinParams(width=size[0], height=size[1], samples=4, shadows=True, depth=False)
    twin = Twin(robot, task, 0, params)
    try:
        twin.set_state(q, objects)
        return photograph(twin, camera, samples)
    finally:
        twin.close()


def photograph(twin: Twin, camera: str, samples: int = 16) -> Image:
    """Return a picture (H, W, 3) of a twin as it is, with soft shadows if it draws shadows."""
    key = twin.model.light('key').id
    direction = twin.model.light_dir[key].copy()
    side = np.cross(direction, (0.0, 0.0, 1.0))
    up = np.cross(side, direction)
    total = np.zeros((twin.params.height, twin.params.width, 3))
    for i in range(samples):  # points of a sunflower: an even disc
        radius, angle = _LIGHT_SIZE * np.sqrt((i + 0.5) / samples), _GOLDEN_ANGLE * i
        moved = direction + radius * (np.cos(angle) * side + np.sin(angle) * up)
        twin.model.light_dir[key] = moved / np.linalg.norm(moved)
        mujoco.mj_camlight(twin.model, twin.data)
        total += twin.render(camera).color
    twin.model.light_dir[key] = direction
    mujoco.mj_camlight(twin.model, twin.data)
    return np.rint(total / samples).astype(np.uint8)
