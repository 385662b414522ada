"""Pick and place among other things."""

import numpy as np

from mimic_sim.tasks.pick_place import CUBE, TARGET_RADIUS
from mimic_sim.tasks.task import (
    BLUE,
    PURPLE,
    TARGET_GREEN,
    YELLOW,
    Marker,
    SceneObject,
    Start,
    Task,
    TaskState,
    WorkArea,
    lies_within,
    pose_on_table,
    scattered,
)

OTHERS = (
    SceneObject('can', 'cylinder', (0.022, 0.07), 0.09, BLUE),
    SceneObject('brick', 'box', (0.07, 0.035, 0.03), 0.07, YELLOW),
    SceneObject('ball', 'sphere', (0.022,), 0.05, PURPLE),
    SceneObject('post', 'box', (0.03, 0.03, 0.08), 0.06, YELLOW),
)
CLEARANCE = 0.10  # [m], between the middles of two things
SMALL = 0.12  # [m], an area of a smaller radius gets two low things only
SPREAD = 1.4  # [1], the area of the other things over that of the cube


class Clutter(Task):
    """The cube, the target and four other things lie anywhere."""

    name = 'clutter'
    description = 'Pick the red cube up from among other things and put it on the green target.'

    @property
    def objects(self) -> tuple[SceneObject, ...]:
        """The cube and what is in the way."""
        return (CUBE, *self._others)

    @property
    def markers(self) -> tuple[Marker, ...]:
        """The target."""
        return (Marker('target', 'cylinder', (TARGET_RADIUS,), TARGET_GREEN),)

    def start(self, rng: np.random.Generator, trial: int) -> Start:
        """Return random places that keep apart."""
        clearance = min(CLEARANCE, 0.95 * self.area.radius)
        target, cube = scattered(rng, self.area, 2, clearance)
        wide = WorkArea(self.area.centre, SPREAD * self.area.radius)
        others = scattered(rng, wide, len(self._others), clearance, (target, cube))
        yaws = rng.uniform(-np.pi, np.pi, size=len(others))
        poses = {CUBE.name: pose_on_table(CUBE, cube, rng.uniform(-0.15, 0.15))}
        for obj, place, yaw in zip(self._others, others, yaws, strict=True):
            poses[obj.name] = pose_on_table(obj, place, yaw)
        return Start(poses, {'target': target})

    def success(self, state: TaskState) -> bool:
        """The cube lies on the target, free and at rest."""
        return lies_within(state.objects[CUBE.name], CUBE, state.markers['target'], TARGET_RADIUS)

    @property
    def _others(self) -> tuple[SceneObject, ...]:
        return OTHERS if self.area.radius >= SMALL else OTHERS[1:3]
