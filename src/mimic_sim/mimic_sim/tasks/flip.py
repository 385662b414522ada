"""Turn the slice over that leans on a bar."""

from collections.abc import Mapping

import numpy as np
from scipy.spatial.transform import Rotation

from mimic_core.arrays import FloatArray
from mimic_core.frames import transform
from mimic_sim.tasks.showing import Move
from mimic_sim.tasks.task import (
    GREEN,
    PALE_GREY,
    YELLOW,
    Marker,
    Part,
    SceneObject,
    Start,
    Task,
    TaskState,
    pose_on_table,
)

WIDTH, LENGTH, THICKNESS = 0.085, 0.11, 0.02  # [m]
# Lying with its frame's z up it shows its green side.
SLICE = SceneObject(
    'slice', 'box', (WIDTH, LENGTH, THICKNESS), 0.10, YELLOW, friction=0.9,
    parts=(Part('box', (WIDTH + 0.001, LENGTH + 0.001, 0.006), (0.0, 0.0, 0.0076), 0.0, GREEN),),
)  # fmt: skip
BAR = SceneObject('bar', 'box', (0.12, 0.04, 0.055), 2.0, PALE_GREY)
LEAN = 1.13  # [rad] of the slice over the table
GAP = 0.0005  # [m] between slice and bar at first
TURNED = 0.97  # [1] cosine between the green side's normal and up, when it lies
LYING = 0.02  # [m] of the slice's middle over the table, when it lies
SPREAD = 0.3  # of the radius of the area, how far a start is from its middle
HEIGHT = 0.085  # [m] of the finger tips that push
BEHIND, BEYOND = 0.075, 0.06  # [m] of the finger tips from the slice's middle, before and after


class Flip(Task):
    """The slice leans to the right, its yellow side up; it is to lie with its green side up."""

    name = 'flip'
    description = 'Turn the slice over: it leans with its yellow side up, the green one shall be.'

    @property
    def objects(self) -> tuple[SceneObject, ...]:
        """The slice and the bar on which it leans."""
        return (SLICE, BAR)

    @property
    def markers(self) -> tuple[Marker, ...]:
        """None."""
        return ()

    def start(self, rng: np.random.Generator, trial: int) -> Start:
        """Return a slice that leans on its bar, somewhere near the middle."""
        dx, dy = rng.uniform(-SPREAD, SPREAD, size=2)
        x, y = self.area.at(float(dx), -0.25 + float(dy))
        along = np.array([0.0, -np.cos(LEAN), np.sin(LEAN)])  # of the slice, upwards
        under = np.array([0.0, -np.sin(LEAN), -np.cos(LEAN)])  # out of its green side
        half = 0.5 * THICKNESS
        height = 0.5 * LENGTH * along[2] - half * under[2]
        middle = np.array([x, y, height])
        touching = (BAR.size[2] - (middle + half * under)[2]) / along[2] * along  # on the bar
        face = (middle + half * under + touching)[1]
        bar = (x, float(face) - 0.5 * BAR.size[1] - GAP)
        turn = Rotation.from_matrix(np.stack([[1.0, 0.0, 0.0], along, under], axis=1))
        poses = {
            SLICE.name: transform(turn.as_matrix(), middle),
            BAR.name: pose_on_table(BAR, bar, 0.0),
        }
        return Start(poses)

    def success(self, state: TaskState) -> bool:
        """The slice lies on the table with its green side up, free and at rest."""
        thing = state.objects[SLICE.name]
        lies = thing.pose[2, 2] > TURNED and thing.pose[2, 3] < LYING
        return bool(lies and thing.released and thing.at_rest)

    def show(self, places: Mapping[str, FloatArray]) -> tuple[Move, ...]:
        """Return thumb and index finger side by side behind the slice, pushing its top over."""
        slice_ = places[SLICE.name]
        at = np.array([slice_[0], slice_[1], HEIGHT])
        up = np.array([0.0, 0.0, 0.08])
        left = np.array([0.0, 1.0, 0.0])
        behind, beyond = at - BEHIND * left, at + BEYOND * left
        return (
            Move('reach', behind + up, 'spread', 'above', arch=0.03, heading=0.0),
            Move('reach', behind, 'spread', 'around', speed=0.2),
            Move('push', beyond, 'spread', 'lowered', speed=0.22, lower=(SLICE.name, LYING)),
            Move('retreat', beyond + up, 'relaxed', speed=0.2),
        )
