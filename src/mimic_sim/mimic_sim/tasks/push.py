"""Push a block onto the marked field."""

from collections.abc import Mapping

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_sim.tasks.showing import Move
from mimic_sim.tasks.task import (
    TARGET_GREEN,
    YELLOW,
    Marker,
    SceneObject,
    Start,
    Task,
    TaskState,
    lies_within,
    pose_on_table,
)

BLOCK = SceneObject('block', 'box', (0.13, 0.05, 0.04), 0.20, YELLOW, friction=0.6)
GOAL = (0.18, 0.10)  # [m], edges
GOAL_RADIUS = 0.04  # [m] of the block's middle from that of the goal
SPREAD = 0.15  # of the radius of the area, how far things are from their usual places, to the left
ASIDE = 0.3  # of that radius, how far to the front or back
TURN = 0.1  # of that radius, how far the goal may be to the side of the way
HEIGHT = 0.022  # [m] of the finger tips that push
BEHIND = 0.07  # [m] between finger tips and block before they touch it
FINGER = 0.012  # [m] between pinch point and the face that the finger tips touch
SHORT = 0.035  # [m] before the goal, where one who watches goes on by sight


class Push(Task):
    """The block starts right of the middle, the field is left of it."""

    name = 'push'
    description = 'Push the yellow block onto the green field.'

    @property
    def objects(self) -> tuple[SceneObject, ...]:
        """The block."""
        return (BLOCK,)

    @property
    def markers(self) -> tuple[Marker, ...]:
        """The field."""
        return (Marker('target', 'box', GOAL, TARGET_GREEN),)

    def start(self, rng: np.random.Generator, trial: int) -> Start:
        """Return a block right of the middle and a field left of it."""
        dy, ty = rng.uniform(-SPREAD, SPREAD, size=2)
        dx, tx = rng.uniform(-ASIDE, ASIDE), rng.uniform(-TURN, TURN)
        yaw = rng.uniform(-0.1, 0.1)
        block = self.area.at(float(dx), -0.3 + float(dy))
        target = self.area.at(float(dx + tx), 0.5 + float(ty))
        return Start({BLOCK.name: pose_on_table(BLOCK, block, yaw)}, {'target': target})

    def success(self, state: TaskState) -> bool:
        """The block lies on the field, free and at rest."""
        return lies_within(state.objects[BLOCK.name], BLOCK, state.markers['target'], GOAL_RADIUS)

    def show(self, places: Mapping[str, FloatArray]) -> tuple[Move, ...]:
        """Return thumb and index finger side by side behind the block, and on to the field."""
        block, target = places[BLOCK.name], places['target']
        way = (target - block) * (1.0, 1.0, 0.0)
        way = way / max(float(np.linalg.norm(way)), 1e-9)
        half = 0.5 * BLOCK.size[1]
        across = float(np.arctan2(-way[0], way[1]))  # both tips touch the face at once
        low, up = np.array([0.0, 0.0, HEIGHT - BLOCK.height]), np.array([0.0, 0.0, 0.09])
        behind = block - (half + FINGER + BEHIND) * way + low
        there = target - (half + FINGER) * way + low
        back = there - (SHORT + BEHIND) * way
        return (
            Move('reach', behind + up, 'spread', 'above', arch=0.03, heading=across),
            Move('reach', behind, 'spread', 'around', speed=0.2),
            Move('push', there, 'spread', 'pushed', speed=0.2, short=SHORT),
            Move('retreat', back, 'spread', speed=0.2),
            Move('retreat', back + up, 'relaxed', speed=0.2),
        )
