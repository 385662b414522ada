"""Take the mallet and drive the peg into its block."""

from collections.abc import Mapping

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.frames import transform
from mimic_sim.tasks.showing import Move
from mimic_sim.tasks.task import (
    BLUE,
    PALE_GREY,
    RED,
    YELLOW,
    Marker,
    Part,
    SceneObject,
    Slide,
    Start,
    Task,
    TaskState,
    pose_on_table,
)

# The frame of the mallet is in the middle of its handle, where it is taken.
# Its head slides easily, so that a finger that touches the handle does not tip it over.
MALLET = SceneObject(
    'mallet', 'box', (0.032, 0.032, 0.05), 0.04, YELLOW, stand=0.07,
    parts=(
        Part('cylinder', (0.012, 0.02), (0.0, 0.0, -0.035), 0.01, YELLOW),
        Part('cylinder', (0.04, 0.025), (0.0, 0.0, -0.0575), 0.15, RED, friction=0.3),
    ),
)  # fmt: skip
BLOCK = SceneObject('block', 'box', (0.08, 0.08, 0.045), 3.0, PALE_GREY)
TRAVEL = 0.022  # [m] of the peg
OUT = 0.027  # [m] by which the peg stands out of its block at first
PEG_LENGTH = 0.04  # [m]
PEG = SceneObject(
    'peg', 'cylinder', (0.016, PEG_LENGTH), 0.02, BLUE,
    slide=Slide(BLOCK.name, (0.0, 0.0, 0.5 * BLOCK.size[2] + OUT - 0.5 * PEG_LENGTH), TRAVEL, 4.0),
)  # fmt: skip
PEG_TOP = BLOCK.size[2] + OUT  # [m] over the table at first
DRIVEN = 0.018  # [m] down, enough
TOUCHED = 0.02  # [N s], more from the hand itself does not count as hammering
SPREAD = 0.2  # of the radius of the area, how far a start is from its middle
RAISED = 0.055  # [m] of the mallet over the peg before a blow
THROUGH = 0.001  # [m] by which a blow aims deeper than the peg can go
BLOWS = 2  # before a person looks at what they did


class Hammer(Task):
    """The mallet stands on the left, the block with the peg on the right."""

    name = 'hammer'
    description = 'Take the mallet and drive the blue peg into its block.'

    @property
    def objects(self) -> tuple[SceneObject, ...]:
        """The mallet, the block and the peg in it."""
        return (MALLET, BLOCK, PEG)

    @property
    def markers(self) -> tuple[Marker, ...]:
        """Nothing is painted; 'target' says where the mallet first touches the peg."""
        return (Marker('target', 'cylinder', (0.008,), PALE_GREY, height=PEG_TOP),)

    def start(self, rng: np.random.Generator, trial: int) -> Start:
        """Return a mallet left of the middle and a block right of it."""
        dx, dy, bx, by = rng.uniform(-SPREAD, SPREAD, size=4)
        mallet = self.area.at(float(dx), 0.6 + float(dy))
        place = self.area.at(float(bx), -0.5 + float(by))
        block = pose_on_table(BLOCK, place, rng.uniform(-0.3, 0.3))
        assert PEG.slide is not None  # written above
        poses = {
            MALLET.name: pose_on_table(MALLET, mallet, rng.uniform(-0.15, 0.15)),
            BLOCK.name: block,
            PEG.name: block @ transform(np.eye(3), np.array(PEG.slide.at)),
        }
        return Start(poses, {'target': place})

    def success(self, state: TaskState) -> bool:
        """The peg was driven in, and not by the hand itself."""
        peg = state.objects[PEG.name]
        depth = self._depth(state.start.objects, {n: o.pose for n, o in state.objects.items()})
        return depth >= DRIVEN and peg.robot_impulse <= TOUCHED

    def show(self, places: Mapping[str, FloatArray]) -> tuple[Move, ...]:
        """Return the mallet taken, carried over the peg, and blows until the peg is down."""
        mallet, struck = places[MALLET.name], places['target']
        up, raised = np.array([0.0, 0.0, 0.13]), np.array([0.0, 0.0, RAISED])
        deep = np.array([0.0, 0.0, -TRAVEL - THROUGH])
        gone = ('peg', PEG_TOP - 0.5 * PEG_LENGTH - DRIVEN)
        blow = Move('strike', struck + deep, 'grip', speed=0.45, carries=True)
        raise_ = Move('strike', struck + raised, 'grip', carries=True)
        last = Move('strike', struck + raised, 'grip', 'lowered', carries=True, lower=gone)
        return (
            Move('reach', mallet + up, 'wide', 'above', arch=0.03),
            Move('reach', mallet, 'wide', 'around', speed=0.2),
            Move('grasp', mallet, 'grip', 'closed'),
            Move('lift', mallet + up, 'grip', 'held', speed=0.2, carries=True),
            Move('carry', struck + raised, 'grip', 'poised', carries=True),
            *(blow, raise_) * (BLOWS - 1),
            blow,
            last,
        )

    @staticmethod
    def _depth(before: Mapping[str, FloatArray], now: Mapping[str, FloatArray]) -> float:
        """Return how far the peg went into its block [m]."""
        out = [
            float(poses[BLOCK.name][:3, 2] @ (poses[PEG.name] - poses[BLOCK.name])[:3, 3])
            for poses in (before, now)
        ]
        return out[0] - out[1]
