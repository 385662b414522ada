"""What is known of every hand: its edges, their usual lengths, how thick it is.

Lengths and radii are fractions of the hand length: wrist to tip of the straight middle finger.
"""

from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray, IntArray
from mimic_core.keypoints import BONES, INDEX

AVERAGE_HAND_LENGTH: Final = 0.185  # [m], adults

_PALM: Final = (
    (INDEX['thumb_cmc'], INDEX['index_mcp']),
    (INDEX['index_mcp'], INDEX['middle_mcp']),
    (INDEX['middle_mcp'], INDEX['ring_mcp']),
    (INDEX['ring_mcp'], INDEX['little_mcp']),
    (INDEX['index_mcp'], INDEX['little_mcp']),
)
# (E, 2): the 20 bones in the order of mimic_core.keypoints.BONES, then what keeps the palm rigid.
EDGES: Final[IntArray] = np.array(BONES + _PALM, dtype=np.int64)
NUM_BONES: Final = len(BONES)
# Those that make the hand length.
MIDDLE_FINGER: Final[IntArray] = np.array(
    [i for i, (_, child) in enumerate(BONES) if child in range(9, 13)], dtype=np.int64
)

_MM = np.array(
    [
        [36, 45, 32, 25],  # thumb: wrist to CMC, metacarpal, phalanges
        [92, 41, 24, 20],  # index: wrist to MCP over carpus and metacarpal, phalanges
        [90, 45, 27, 22],
        [86, 42, 26, 21],
        [80, 33, 19, 19],
    ],
    dtype=np.float64,
)
_PALM_MM = np.array([64, 22, 20, 20, 60], dtype=np.float64)
# (E,) [1] Phalanges and metacarpals of adults after Buryanov and Kotiuk 2010, table 2, with the
# carpus (25 mm) added and the tips taken at the middle of the finger pad.
LENGTHS: Final[FloatArray] = np.concatenate([_MM.ravel(), _PALM_MM]) / _MM[2].sum()

# (21,) [1] from the joint to the skin of the back or the palm: caliper values of an adult hand.
RADII: Final[FloatArray] = (
    np.array(
        [
            20.0,
            17.0, 14.0, 10.5, 8.5,
            12.5, 9.5, 8.5, 7.5,
            12.5, 9.7, 8.7, 7.7,
            12.0, 9.2, 8.2, 7.3,
            11.5, 8.2, 7.2, 6.5,
        ]
    )
    / _MM[2].sum()
)  # fmt: skip
