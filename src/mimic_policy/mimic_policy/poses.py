"""States as numbers that a network can learn: without jumps (`mimic_dataset.axis_angle`)."""

import numpy as np
from scipy.spatial.transform import Rotation

from mimic_core.arrays import FloatArray
from mimic_dataset.arrays import ACTION_POSE, STATE_POSE


def mean_rotation(axis_angle: FloatArray) -> FloatArray:
    """Return the mean (3,) [rad] of rotations (N, 3) [rad], N > 0."""
    mean: FloatArray = Rotation.from_rotvec(axis_angle).mean().as_rotvec()
    return mean


def encode_state(state: FloatArray) -> FloatArray:
    """Return states with their rotation as two columns of its matrix: no sign, no jump.

    Args:
        state: (T, 7 + J) position [m], quaternion xyzw, hand joints.

    Returns:
        (T, 9 + J) position [m], first and second column, hand joints.
    """
    columns = Rotation.from_quat(state[:, 3:7]).as_matrix()[:, :, :2]
    return np.concatenate(
        [state[:, :3], columns.transpose(0, 2, 1).reshape(-1, 6), state[:, 7:]], 1
    )


def known_states(state: FloatArray, action: FloatArray) -> FloatArray:
    """Return (T, 9 + J) what a robot knew of itself, encoded.

    The palm is where it was measured, the hand where it was sent: a hand that holds a thing stands
    still while its command moves, and only the command tells whether it is about to let go.

    Args:
        state: (T, 7 + J) measured.
        action: (T, 6 + J) sent.
    """
    return encode_state(np.concatenate([state[:, :STATE_POSE], action[:, ACTION_POSE:]], 1))
