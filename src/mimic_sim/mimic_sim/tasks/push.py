"""Push a block into the marked square."""

from collections.abc import Mapping

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_sim.tasks.showing import Move
from mimic_sim.tasks.task import (
    PALE_GREEN,
    YELLOW,
    Marker,
    SceneObject,
    Start,
    Task,
    TaskState,
    lies_within,
    pose_on_table,
)

BLOCK = SceneObject('block', 'box', (0.08, 0.08, 0.035), 0.15, YELLOW, friction=0.6)
GOAL_EDGE = 0.13  # [m]
GOAL_RADIUS = 0.035  # [m] of the block's middle from that of the square
SPREAD = 0.2  # of the radius of the area, how far a start is from its middle
TURN = 0.12  # of that radius, how far the square may be to the side of the way
HEIGHT = 0.02  # [m] of the finger tips that push
BEHIND = 0.035  # [m] between finger tips and block before they touch it
FINGER = 0.012  # [m] between pinch point and the face that the finger tips touch


class Push(Task):
    """The block starts on the right, the square is on the left."""

    name = 'push'
    description = 'Push the yellow block into the green square.'

    @property
    def objects(self) -> tuple[SceneObject, ...]:
        """The block."""
        return (BLOCK,)

    @property
    def markers(self) -> tuple[Marker, ...]:
        """The square."""
        return (Marker('target', 'box', (GOAL_EDGE, GOAL_EDGE), PALE_GREEN),)

    def start(self, rng: np.random.Generator, trial: int) -> Start:
        """Return a block right of the middle and a square left of it."""
        dx, dy, ty = rng.uniform(-SPREAD, SPREAD, size=3)
        tx = rng.uniform(-TURN, TURN)
        yaw = rng.uniform(-0.1, 0.1)
        block = self.area.at(float(dx), -0.45 + float(dy))
        target = self.area.at(float(dx + tx), 0.65 + float(ty))
        return Start({BLOCK.name: pose_on_table(BLOCK, block, yaw)}, {'target': target})

    def success(self, state: TaskState) -> bool:
        """The block lies in the square, free and at rest."""
        return lies_within(state.objects[BLOCK.name], BLOCK, state.markers['target'], GOAL_RADIUS)

    def show(self, places: Mapping[str, FloatArray]) -> tuple[Move, ...]:
        """Return thumb and index finger side by side behind the block, and on to the square."""
        block, target = places[BLOCK.name], places['target']
        way = (target - block) * (1.0, 1.0, 0.0)
        way = way / max(float(np.linalg.norm(way)), 1e-9)
        half = 0.5 * BLOCK.size[1]
        across = float(np.arctan2(-way[0], way[1]))  # both tips touch the face at once
        low, up = np.array([0.0, 0.0, HEIGHT - BLOCK.height]), np.array([0.0, 0.0, 0.09])
        behind = block - (half + FINGER + BEHIND) * way + low
        there = target - (half + FINGER) * way + low
        back = there - BEHIND * way
        return (
            Move('reach', behind + up, 'spread', 'above', arch=0.03, heading=across),
            Move('reach', behind, 'spread', 'around', speed=0.2),
            Move('push', there, 'spread', 'pushed', speed=0.2),
            Move('retreat', back, 'spread', speed=0.2),
            Move('retreat', back + up, 'relaxed', speed=0.2),
        )
