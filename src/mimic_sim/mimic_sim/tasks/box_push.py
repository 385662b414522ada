"""Push a box along the table to where it belongs."""

import numpy as np
from scipy.spatial.transform import Rotation

from mimic_core.frames import rotation_angle
from mimic_sim.tasks.task import (
    RED,
    TARGET_GREEN,
    Marker,
    SceneObject,
    Start,
    Task,
    TaskState,
    pose_on_table,
)

BOX = SceneObject('box', 'box', (0.14, 0.07, 0.10), 0.3, RED, friction=0.8)
START, TARGET = (0.0, -0.55), (0.0, 0.67)  # radii: x, y
SPREAD, TURN = 0.1, 0.349  # [m], [rad]: the published range of starts
NEAR, STRAIGHT = 0.04, 0.262  # [m], [rad] from the target


class BoxPush(Task):
    """The box starts on the right, turned a little."""

    name = 'box_push'
    description = 'Push the red box to the green mark, without turning it.'

    @property
    def objects(self) -> tuple[SceneObject, ...]:
        """The box."""
        return (BOX,)

    @property
    def markers(self) -> tuple[Marker, ...]:
        """Where the box goes."""
        return (Marker('target', 'box', BOX.size[:2], TARGET_GREEN, self.area.at(*TARGET)),)

    def start(self, rng: np.random.Generator, trial: int) -> Start:
        """Return a box anywhere near its usual start."""
        dx, dy = rng.uniform(-SPREAD, SPREAD, size=2)
        x, y = self.area.at(*START)
        yaw = float(rng.uniform(-TURN, TURN))
        return Start({BOX.name: pose_on_table(BOX, (x + float(dx), y + float(dy)), yaw)})

    def success(self, state: TaskState) -> bool:
        """The box rests on the mark, straight."""
        box = state.objects[BOX.name]
        offset = np.hypot(*(box.pose[:2, 3] - state.markers['target']))
        turn = rotation_angle(box.pose[:3, :3], Rotation.identity().as_matrix())
        return bool(offset <= NEAR and turn <= STRAIGHT and box.at_rest)
