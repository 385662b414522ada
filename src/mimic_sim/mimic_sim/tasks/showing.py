"""How a person shows a task: a row of moves of the point between thumb tip and index tip.

A person adds curves, pauses, tremor and a speed of their own, and one who watches the robot waits
at the gates and corrects.
"""

from dataclasses import dataclass
from typing import Literal

from mimic_core.arrays import FloatArray

Phase = Literal[
    'rest', 'reach', 'grasp', 'lift', 'carry', 'place', 'release', 'push', 'strike', 'retreat',
    'done', 'free',
]  # fmt: skip
# What a person who watches the robot waits for at the end of a move:
# above    the grasp point is over or beside where it should be
# around   it is there
# closed   the fingers had time to close; open: to open
# held     the first object rose
# over     the first object is over where it should be; poised: also as high as it should be
# down     it is at the target
# pushed   it is at the target as far as the way of the move goes
# lowered  some object is below a height, else all since the last 'above' or 'poised' is done again
Gate = Literal[
    '', 'above', 'around', 'closed', 'held', 'over', 'poised', 'down', 'open', 'pushed', 'lowered'
]
# Of thumb and index: relaxed; wider than the first object; spread to push; pressed on the object.
Fingers = Literal['relaxed', 'wide', 'spread', 'grip']


@dataclass(frozen=True)
class Move:
    """One stroke of the hand. A person keeps the heading of the first move throughout."""

    phase: Phase
    to: FloatArray  # (3,) [m] in world
    fingers: Fingers  # at its end
    gate: Gate = ''
    speed: float = 0.3  # [m/s] at its peak, of a usual person
    arch: float = 0.0  # [m] by which it rises on the way
    short: float = 0.0  # [m] before its end, where one who watches the robot goes on by sight
    carries: bool = False  # the first object is in the hand
    # [rad] from thumb to index finger about z; None: by a square box's sides, else as it comes
    heading: float | None = None
    lower: tuple[str, float] = ('', 0.0)  # of the gate 'lowered': object, height of centre [m]
