"""The 21 keypoints of a hand, in the one order used everywhere (that of MediaPipe Hands)."""

from typing import Final

FINGERS: Final = ('thumb', 'index', 'middle', 'ring', 'little')
KEYPOINTS: Final = (
    'wrist',
    'thumb_cmc', 'thumb_mcp', 'thumb_ip', 'thumb_tip',
    'index_mcp', 'index_pip', 'index_dip', 'index_tip',
    'middle_mcp', 'middle_pip', 'middle_dip', 'middle_tip',
    'ring_mcp', 'ring_pip', 'ring_dip', 'ring_tip',
    'little_mcp', 'little_pip', 'little_dip', 'little_tip',
)  # fmt: skip
NUM_KEYPOINTS: Final = len(KEYPOINTS)
INDEX: Final = {name: i for i, name in enumerate(KEYPOINTS)}
WRIST: Final = 0
TIPS: Final = tuple(INDEX[f'{finger}_tip'] for finger in FINGERS)
# Each finger from its base to its tip, without the wrist.
CHAINS: Final = tuple(tuple(range(1 + 4 * f, 5 + 4 * f)) for f in range(len(FINGERS)))
# Bones as (parent, child) pairs: a tree rooted at the wrist, parents before children.
BONES: Final = tuple(
    (WRIST if i == 0 else chain[i - 1], joint) for chain in CHAINS for i, joint in enumerate(chain)
)
