"""The skeleton of a human hand: joints with limits, forward kinematics to the 21 keypoints.

Everything is told of a right hand in its own `palm` frame (`mimic_core.frames.hand_frame`: origin
at the wrist, z to the middle knuckle, x out of the palm, y to the thumb). A left hand is its
mirror image in the plane y = 0 and takes the same joint angles.

Each of the five chains has three bones and four joint angles. At the thumb these are opposition
and flexion of the saddle joint, MCP and IP; at a finger abduction (towards the thumb is positive)
and flexion of the MCP, PIP and DIP. Zero is the flat, spread hand; flexion is positive.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray, IntArray, checked
from mimic_core.errors import ConfigError, LimitError
from mimic_core.frames import apply, hand_frame, inverse
from mimic_core.hand import Side
from mimic_core.keypoints import CHAINS, FINGERS, INDEX, NUM_KEYPOINTS

_THUMB_JOINTS: Final = ('cmc_opposition', 'cmc_flexion', 'mcp', 'ip')
_FINGER_JOINTS: Final = ('abduction', 'mcp', 'pip', 'dip')
JOINTS: Final = tuple(
    f'{finger}_{joint}'
    for finger in FINGERS
    for joint in (_THUMB_JOINTS if finger == 'thumb' else _FINGER_JOINTS)
)
NUM_JOINTS: Final = len(JOINTS)  # 20
JOINT_INDEX: Final = {name: i for i, name in enumerate(JOINTS)}
_FINGER_LOWER: Final = (-0.35, -0.35, 0.0, -0.05)
_FINGER_UPPER: Final = (0.35, 1.57, 1.85, 1.25)
LOWER: Final[FloatArray] = np.array([-0.2, -0.6, -0.2, -0.25, *_FINGER_LOWER * 4])  # [rad]
UPPER: Final[FloatArray] = np.array([1.45, 0.9, 0.95, 1.35, *_FINGER_UPPER * 4])  # [rad]
DIP_OF_PIP: Final = 0.6  # a finger's last joint follows the middle one

# Bones: the palm, then three a finger. Bone k of a finger begins at its keypoint k.
NUM_BONES: Final = 1 + 3 * len(FINGERS)
_NO_TURN: Final[FloatArray] = np.tile(np.eye(4), (NUM_BONES, 1, 1))
_CHAINS: Final[IntArray] = np.array(CHAINS)  # (5, 4) keypoints

# Joint centres of an adult's flat hand, 190 mm from wrist to middle tip [m].
# Columns: palmar (x), to the thumb (y), to the fingers (z).
_REST: Final[FloatArray] = np.array(
    [
        [0.000, 0.000, 0.000],
        [0.012, 0.026, 0.022], [0.020, 0.047, 0.047], [0.022, 0.063, 0.072], [0.022, 0.074, 0.095],
        [0.000, 0.027, 0.088], [0.000, 0.032, 0.131], [0.000, 0.035, 0.156], [0.000, 0.037, 0.178],
        [0.000, 0.004, 0.092], [0.000, 0.005, 0.138], [0.000, 0.006, 0.166], [0.000, 0.006, 0.190],
        [0.000, -0.016, 0.087], [0.000, -0.021, 0.129], [0.000, -0.024, 0.156],
        [0.000, -0.026, 0.179],
        [0.000, -0.034, 0.077], [0.000, -0.044, 0.110], [0.000, -0.050, 0.131],
        [0.000, -0.054, 0.150],
    ]
)  # fmt: skip
_REST_LENGTH: Final = 0.190
# Half thickness of the flesh around each keypoint [m], same hand.
_RADII: Final[FloatArray] = np.array(
    [
        0.0190,
        0.0175, 0.0135, 0.0108, 0.0088,
        0.0118, 0.0097, 0.0087, 0.0077,
        0.0120, 0.0100, 0.0090, 0.0080,
        0.0115, 0.0094, 0.0085, 0.0075,
        0.0105, 0.0084, 0.0075, 0.0067,
    ]
)  # fmt: skip
_THUMB_BEND: Final = (0.45, -0.90, 0.0)  # where the flexing tip of the thumb goes at rest

MIN_PINCH: Final = 0.016  # [m] the pads touch, for a hand of 190 mm
MAX_PINCH: Final = 0.115  # [m] same hand


@dataclass(frozen=True)
class HandShape:
    """The build of a hand."""

    length: float = 0.190  # [m] wrist to tip of the middle finger
    finger_ratio: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0)  # [1] of the usual, thumb first
    breadth: float = 1.0  # [1] of the palm
    thickness: float = 1.0  # [1] of the flesh

    def __post_init__(self) -> None:
        if not 0.13 <= self.length <= 0.23:
            raise ConfigError(f'a hand of {self.length} m is outside [0.13, 0.23] m')
        ratios = (*self.finger_ratio, self.breadth, self.thickness)
        if len(self.finger_ratio) != len(FINGERS) or not all(0.7 <= r <= 1.35 for r in ratios):
            raise ConfigError(f'five finger ratios, breadth and thickness in [0.7, 1.35]: {self}')

    @property
    def scale(self) -> float:
        """Size against the hand of the tables above [1]."""
        return self.length / _REST_LENGTH


@dataclass(frozen=True)
class HandState:
    """Where a hand is and how it is bent."""

    world_T_palm: FloatArray  # (4, 4) palm frame of that side
    joints: FloatArray  # (20,) [rad], order of JOINTS
    elbow: FloatArray  # (3,) [m] in world
    side: Side = 'right'


class HandModel:
    """Skeleton of one build of hand."""

    def __init__(self, shape: HandShape | None = None) -> None:
        self.shape = shape or HandShape()
        rest = _rest_keypoints(self.shape)
        self.rest: FloatArray = apply(inverse(hand_frame(rest)), rest)  # (21, 3) [m] palm frame
        self.radii: FloatArray = _RADII * self.shape.scale * self.shape.thickness  # (21,) [m]
        self._axes = _joint_axes(self.rest)  # (5, 4, 3)
        self._skew = _skew(self._axes)  # (5, 4, 3, 3)
        self._skew_squared = self._skew @ self._skew
        chains = self.rest[_CHAINS]  # (5, 4, 3) [m]
        self._first, self._steps = chains[:, 0], np.diff(chains, axis=1)

    def bones(self, joints: FloatArray, fraction: float = 1.0) -> FloatArray:
        """Return `palm_T_bone` of every bone, (16, 4, 4); at rest they are pure translations.

        Args:
            joints: (20,) joint angles [rad], order of JOINTS.
            fraction: Share of its own rotation that each bone takes relative to its parent [1];
                parents always take all of theirs. Half-turned bones keep skin from collapsing.
        """
        q = checked(joints, (NUM_JOINTS,), 'hand joints').reshape(5, 4)
        turns = self._turns(q)
        own = turns if fraction == 1.0 else self._turns(q * fraction)
        frames, origins = self._chains(turns)
        out = _NO_TURN.copy()
        for level in range(3):
            turn = own[0] if level == 0 else frames[level - 1] @ own[level]
            out[1 + level :: 3, :3, :3] = turn
            out[1 + level :: 3, :3, 3] = origins[level]
        return out

    def keypoints(self, joints: FloatArray) -> FloatArray:
        """Return the 21 keypoints (21, 3) [m] in the palm frame of a right hand."""
        q = checked(joints, (NUM_JOINTS,), 'hand joints').reshape(5, 4)
        points = np.zeros((NUM_KEYPOINTS, 3))
        points[_CHAINS.T] = self._chains(self._turns(q))[1]
        return points

    def world_keypoints(self, state: HandState) -> FloatArray:
        """Return the 21 keypoints (21, 3) [m] in world, of either side."""
        return apply(state.world_T_palm, mirrored(self.keypoints(state.joints), state.side))

    def pad_directions(self, joints: FloatArray) -> FloatArray:
        """Return where the pads of the five tips face, (5, 3) unit vectors in the palm frame."""
        bones = self.bones(joints)[3::3, :3, :3]
        flex, along = self._axes[:, 3], _unit(self._last_bones)
        return np.einsum('cij,cj->ci', bones, np.cross(flex, along))

    @cached_property
    def _last_bones(self) -> FloatArray:
        return self.rest[[c[3] for c in CHAINS]] - self.rest[[c[2] for c in CHAINS]]

    def _turns(self, q: FloatArray) -> list[FloatArray]:
        """Return how the bones of the three levels turn, (5, 3, 3) each, by q (5, 4) [rad]."""
        sin, cos = np.sin(q)[..., None, None], np.cos(q)[..., None, None]
        by_joint = np.eye(3) + sin * self._skew + (1.0 - cos) * self._skew_squared
        return [by_joint[:, 0] @ by_joint[:, 1], by_joint[:, 2], by_joint[:, 3]]

    def _chains(self, turns: list[FloatArray]) -> tuple[list[FloatArray], list[FloatArray]]:
        """Return `palm_R_bone` (5, 3, 3) of three levels, and four origins (5, 3) [m]."""
        frames, origins = [turns[0]], [self._first]
        for level in range(3):
            if level > 0:
                frames.append(frames[-1] @ turns[level])
            step = np.einsum('cij,cj->ci', frames[-1], self._steps[:, level])
            origins.append(origins[-1] + step)
        return frames, origins


def check_limits(joints: FloatArray) -> FloatArray:
    """Return the (20,) joints, or raise LimitError with the first one outside its limits."""
    q = checked(joints, (NUM_JOINTS,), 'hand joints')
    bad = np.flatnonzero((q < LOWER - 1e-9) | (q > UPPER + 1e-9))
    if bad.size:
        i = int(bad[0])
        raise LimitError(f'{JOINTS[i]} = {q[i]:.3f} rad is outside [{LOWER[i]}, {UPPER[i]}]')
    return q


def mirrored(points: FloatArray, side: Side) -> FloatArray:
    """Return points (..., 3) of a right hand's palm frame in that of a hand of `side`."""
    return points * (1.0, -1.0, 1.0) if side == 'left' else points


def _rest_keypoints(shape: HandShape) -> FloatArray:
    rest = _REST.copy()
    rest[:, 1] *= shape.breadth
    for ratio, chain in zip(shape.finger_ratio, CHAINS, strict=True):
        base = rest[chain[0]].copy()
        rest[list(chain)] = base + (rest[list(chain)] - base) * ratio
    return rest * shape.scale


def _joint_axes(rest: FloatArray) -> FloatArray:
    """Return the axis of each of the four joints of the five chains, (5, 4, 3) unit vectors."""
    axes = np.zeros((5, 4, 3))
    for f, chain in enumerate(CHAINS):
        along = _unit(rest[chain[3]] - rest[chain[0]])
        if f == 0:
            along = _unit(rest[chain[3]] - rest[chain[1]])
            bend = np.array(_THUMB_BEND)
            axes[f, 0] = (0.0, 0.0, -1.0)
        else:
            bend = np.array([1.0, 0.0, 0.0])
            axes[f, 0] = (-1.0, 0.0, 0.0)
        axes[f, 1:] = _unit(np.cross(along, bend))
    return axes


def _unit(vectors: FloatArray) -> FloatArray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _skew(axes: FloatArray) -> FloatArray:
    """Return the matrices (..., 3, 3) of the cross products with vectors (..., 3)."""
    x, y, z = np.moveaxis(axes, -1, 0)
    zero = np.zeros_like(x)
    rows = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1)
    matrices: FloatArray = rows.reshape(*axes.shape[:-1], 3, 3)
    return matrices


THUMB_TIP: Final = INDEX['thumb_tip']
INDEX_TIP: Final = INDEX['index_tip']
