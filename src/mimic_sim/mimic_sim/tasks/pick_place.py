"""Pick a cube up and put it on the target."""

import numpy as np

from mimic_sim.tasks.task import (
    RED,
    TARGET_GREEN,
    Marker,
    SceneObject,
    Start,
    Task,
    TaskState,
    lies_within,
    pose_on_table,
)

CUBE = SceneObject('cube', 'box', (0.045, 0.045, 0.045), 0.08, RED)
TARGET_RADIUS = 0.055  # [m]
SPREAD = 0.25  # of the radius of the area, how far a start is from its middle


class PickPlace(Task):
    """The cube starts on the left, the target is on the right."""

    name = 'pick_place'
    description = 'Pick the cube up and put it on the green target.'

    @property
    def objects(self) -> tuple[SceneObject, ...]:
        """The cube."""
        return (CUBE,)

    @property
    def markers(self) -> tuple[Marker, ...]:
        """The target."""
        return (Marker('target', 'cylinder', (TARGET_RADIUS,), TARGET_GREEN),)

    def start(self, rng: np.random.Generator, trial: int) -> Start:
        """Return a cube left of the middle and a target right of it, both anywhere near."""
        dx, dy, tx, ty = rng.uniform(-SPREAD, SPREAD, size=4)
        yaw = rng.uniform(-0.15, 0.15)
        cube = self.area.at(float(dx), 0.6 + float(dy))
        target = self.area.at(float(tx), -0.6 + float(ty))
        return Start({CUBE.name: pose_on_table(CUBE, cube, yaw)}, {'target': target})

    def success(self, state: TaskState) -> bool:
        """The cube lies on the target, free and at rest."""
        return lies_within(state.objects[CUBE.name], CUBE, state.markers['target'], TARGET_RADIUS)
