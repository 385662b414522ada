"""Structured pick and place: five marked tiles, one target."""

import numpy as np

from mimic_sim.tasks.pick_place import CUBE, TARGET_RADIUS
from mimic_sim.tasks.task import (
    PALE_GREY,
    TARGET_GREEN,
    Marker,
    SceneObject,
    Start,
    Task,
    TaskState,
    lies_within,
    pose_on_table,
)

TILE = 0.07  # [m], edge
TILE_SHARE = 0.6  # [1], largest edge over the radius of the area
PLACES = ((0.8, 0.5), (0.75, -0.15), (0.1, 0.2), (0.15, 0.9), (-0.5, 0.65))  # radii: x, y
OFFSET = 0.006  # [m], how far the cube is from the middle of its tile
TARGET = (-0.15, -0.75)  # radii: x, y


class Tiles(Task):
    """Trial n starts on tile n modulo 5; the target stays."""

    name = 'tiles'
    description = (
        'Five tiles in turn: pick the cube up from its tile and put it on the green target.'
    )

    @property
    def objects(self) -> tuple[SceneObject, ...]:
        """The cube."""
        return (CUBE,)

    @property
    def markers(self) -> tuple[Marker, ...]:
        """Five tiles and the target."""
        edge = min(TILE, TILE_SHARE * self.area.radius)
        tiles = tuple(
            Marker(f'tile_{i}', 'box', (edge, edge), PALE_GREY, self.area.at(*place))
            for i, place in enumerate(PLACES)
        )
        place = self.area.at(*TARGET)
        target = Marker('target', 'cylinder', (TARGET_RADIUS,), TARGET_GREEN, place)
        return (*tiles, target)

    def start(self, rng: np.random.Generator, trial: int) -> Start:
        """Return a cube on tile `trial` modulo 5, a little off its middle and turned a little."""
        x, y = self.area.at(*PLACES[trial % len(PLACES)])
        dx, dy = rng.uniform(-OFFSET, OFFSET, size=2)
        yaw = rng.uniform(-0.15, 0.15)
        return Start({CUBE.name: pose_on_table(CUBE, (x + float(dx), y + float(dy)), yaw)})

    def success(self, state: TaskState) -> bool:
        """The cube lies on the target, free and at rest."""
        return lies_within(state.objects[CUBE.name], CUBE, state.markers['target'], TARGET_RADIUS)
