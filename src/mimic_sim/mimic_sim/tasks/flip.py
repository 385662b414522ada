"""Turn the panel over that leans on its stand."""

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
    Hinge,
    Marker,
    Part,
    SceneObject,
    Start,
    Task,
    TaskState,
    pose_on_table,
)

STAND = SceneObject('stand', 'box', (0.12, 0.05, 0.03), 3.0, PALE_GREY)
WIDTH, THICKNESS, LENGTH = 0.085, 0.014, 0.10  # [m]
PIVOT = 0.04  # [m] over the table
LEAN, OVER = 0.45, 1.70  # [rad] out of the upright: to the right at first, to the left at the end
# Upright, its yellow side looks to the left; its frame is in its middle.
PANEL = SceneObject(
    'panel', 'box', (WIDTH, THICKNESS, LENGTH), 0.08, YELLOW,
    parts=(
        Part(
            'box', (WIDTH + 0.001, 0.5 * THICKNESS, LENGTH + 0.001),
            (0.0, -0.25 * THICKNESS - 0.0005, 0.0), 0.0, GREEN,
        ),
    ),
    hinge=Hinge(
        STAND.name, at=(0.0, 0.0, PIVOT - STAND.height + 0.5 * LENGTH),
        pivot=(0.0, 0.0, -0.5 * LENGTH), low=-OVER, high=LEAN, friction=0.004,
    ),
)  # fmt: skip
TURNED = 0.96  # [1] cosine between the green side's normal and up, when it lies
SPREAD = 0.35  # of the radius of the area, how far a start is from its usual place
HEIGHT = 0.105  # [m] of the finger tips that push
BEHIND, BEYOND = 0.085, 0.055  # [m] of the finger tips from the panel's middle, before and after
LYING = 0.055  # [m] of the panel's middle over the table, at most when it is over


class Flip(Task):
    """The panel leans to the right, its yellow side up; it is to lie with its green side up."""

    name = 'flip'
    description = 'Turn the panel over: its yellow side is up, the green one shall be.'

    @property
    def objects(self) -> tuple[SceneObject, ...]:
        """The panel and the stand that it is hinged to."""
        return (PANEL, STAND)

    @property
    def markers(self) -> tuple[Marker, ...]:
        """None."""
        return ()

    def start(self, rng: np.random.Generator, trial: int) -> Start:
        """Return a stand somewhere near the middle, the panel at its right stop."""
        dx, dy = rng.uniform(-SPREAD, SPREAD, size=2)
        yaw = rng.uniform(-0.08, 0.08)
        stand = pose_on_table(STAND, self.area.at(float(dx), -0.1 + float(dy)), yaw)
        assert PANEL.hinge is not None  # written above
        upright = transform(np.eye(3), np.array(PANEL.hinge.at))
        pivot = transform(np.eye(3), np.array(PANEL.hinge.pivot))
        lean = transform(Rotation.from_euler('x', LEAN).as_matrix(), np.zeros(3))
        panel = stand @ upright @ pivot @ lean @ np.linalg.inv(pivot)
        return Start({PANEL.name: panel, STAND.name: stand})

    def success(self, state: TaskState) -> bool:
        """The panel lies with its green side up, free and at rest."""
        panel = state.objects[PANEL.name]
        return bool(-panel.pose[2, 1] > TURNED and panel.released and panel.at_rest)

    def show(self, places: Mapping[str, FloatArray]) -> tuple[Move, ...]:
        """Return thumb and index finger side by side behind the panel, pushing its top over."""
        panel = places[PANEL.name]
        at = np.array([panel[0], panel[1], HEIGHT])
        up, left = np.array([0.0, 0.0, 0.08]), np.array([0.0, 1.0, 0.0])
        behind, beyond = at - BEHIND * left, at + BEYOND * left
        return (
            Move('reach', behind + up, 'spread', 'above', arch=0.03, heading=0.0),
            Move('reach', behind, 'spread', 'around', speed=0.2),
            Move('push', beyond, 'spread', 'lowered', speed=0.2, lower=(PANEL.name, LYING)),
            Move('retreat', beyond + up, 'relaxed', speed=0.2),
        )
