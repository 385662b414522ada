"""Push a plate along the table to where it belongs."""

import numpy as np

from mimic_sim.tasks.task import (
    BLUE,
    TARGET_GREEN,
    Marker,
    SceneObject,
    Start,
    Task,
    TaskState,
    pose_on_table,
)

PLATE = SceneObject('plate', 'cylinder', (0.09, 0.02), 0.35, BLUE, friction=0.8)
START, TARGET = (0.0, -0.55), (0.0, 0.67)  # radii: x, y
SPREAD = 0.1  # [m]: the published range of starts
NEAR = 0.04  # [m] from the target


class PlatePush(Task):
    """The plate starts on the right."""

    name = 'plate_push'
    description = 'Push the blue plate to the green mark.'

    @property
    def objects(self) -> tuple[SceneObject, ...]:
        """The plate."""
        return (PLATE,)

    @property
    def markers(self) -> tuple[Marker, ...]:
        """Where the plate goes."""
        return (Marker('target', 'cylinder', PLATE.size[:1], TARGET_GREEN, self.area.at(*TARGET)),)

    def start(self, rng: np.random.Generator, trial: int) -> Start:
        """Return a plate anywhere near its usual start."""
        dx, dy = rng.uniform(-SPREAD, SPREAD, size=2)
        x, y = self.area.at(*START)
        return Start({PLATE.name: pose_on_table(PLATE, (x + float(dx), y + float(dy)), 0.0)})

    def success(self, state: TaskState) -> bool:
        """The plate rests on the mark, flat."""
        plate = state.objects[PLATE.name]
        offset = np.hypot(*(plate.pose[:2, 3] - state.markers['target']))
        flat = plate.pose[2, 2] > 0.97 and plate.pose[2, 3] < 2.0 * PLATE.height
        return bool(offset <= NEAR and flat and plate.at_rest)
