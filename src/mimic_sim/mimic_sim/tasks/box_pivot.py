"""Push a box against a wall and tip it up there, until it stands."""

import numpy as np

from mimic_sim.tasks.task import (
    PALE_GREY,
    TARGET_GREEN,
    YELLOW,
    Marker,
    SceneObject,
    Start,
    Task,
    TaskState,
    pose_on_table,
)

BOX = SceneObject('box', 'box', (0.12, 0.16, 0.05), 0.25, YELLOW, friction=0.8)
WALL = SceneObject('wall', 'box', (0.5, 0.10, 0.16), 20.0, PALE_GREY)  # too heavy to move
FACE = 0.78  # radii: y of the wall's face
GAP = 0.06  # [m] between box and wall at the usual start
SPREAD, TURN = 0.1, 0.349  # [m], [rad]: the published range of starts
BACK, FORTH = -0.08, 0.03  # [m], of that range along y: the wall is in the way
NEAR, UPRIGHT = 0.04, 0.262  # [m], [rad] from the end


class BoxPivot(Task):
    """The box lies before the wall."""

    name = 'box_pivot'
    description = 'Push the yellow box against the wall and tip it up, until it stands on its end.'

    @property
    def objects(self) -> tuple[SceneObject, ...]:
        """The box and the wall."""
        return (BOX, WALL)

    @property
    def markers(self) -> tuple[Marker, ...]:
        """Where the box stands in the end."""
        x, y = self.area.at(0.0, FACE)
        size = (BOX.size[0], BOX.size[2])
        place = (x, y - 0.5 * BOX.size[2])
        height = 0.5 * (BOX.size[1] - BOX.size[2])  # its centre is so much higher than as it lies
        return (Marker('target', 'box', size, TARGET_GREEN, place, height),)

    def start(self, rng: np.random.Generator, trial: int) -> Start:
        """Return a box anywhere near its usual start."""
        dx, dy = rng.uniform(-SPREAD, SPREAD, size=2)
        yaw = float(rng.uniform(-TURN, TURN))
        x, y = self.area.at(0.0, FACE)
        place = (
            x + float(dx),
            y - GAP - 0.5 * BOX.size[1] + float(np.clip(dy, BACK, FORTH)),
        )
        wall = pose_on_table(WALL, (x, y + 0.5 * WALL.size[1]), 0.0)
        return Start({BOX.name: pose_on_table(BOX, place, yaw), WALL.name: wall})

    def success(self, state: TaskState) -> bool:
        """The box stands on the end that was at the wall, beside it."""
        box = state.objects[BOX.name]
        offset = np.hypot(*(box.pose[:2, 3] - state.markers['target']))
        up = float(-box.pose[2, 1])  # its y axis points down
        return bool(offset <= NEAR and up >= np.cos(UPRIGHT) and box.at_rest)
