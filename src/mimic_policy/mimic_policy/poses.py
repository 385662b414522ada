"""Rotations as numbers that a network can learn: without jumps.

An axis-angle vector jumps at pi from one end of its axis to the other, and a palm that points
down turns near pi all the time. Every vector v has others that mean the same rotation,
v + 2 pi k v / |v|: each trajectory takes the ones that follow each other closely, beginning with
the one nearest to a reference that the whole dataset shares.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from mimic_core.arrays import FloatArray, checked

_TURN = 2.0 * np.pi  # [rad]


def nearest_branch(axis_angle: FloatArray, reference: FloatArray) -> FloatArray:
    """Return the vector of the same rotation that is nearest to a reference.

    Args:
        axis_angle: (3,) [rad].
        reference: (3,) [rad].

    Returns:
        (3,) [rad], possibly longer than pi.
    """
    angle = float(np.linalg.norm(axis_angle))
    length = float(np.linalg.norm(reference))
    if angle < 1e-9:  # no rotation: any axis does, so the one of the reference
        turns = round(length / _TURN)
        return reference * (turns * _TURN / length) if turns else np.zeros(3)
    axis = axis_angle / angle
    turns = round((float(axis @ reference) - angle) / _TURN)
    nearest: FloatArray = axis * (angle + turns * _TURN)
    return nearest


def continuous(axis_angle: FloatArray, reference: FloatArray) -> FloatArray:
    """Return the same rotations (T, 3) [rad] without jumps, from the branch of a reference (3,).

    Raises:
        ShapeError: Not (T, 3).
        NotFiniteError: NaN.
    """
    vectors = checked(axis_angle, (None, 3), 'axis_angle')
    result = np.empty_like(vectors)
    last = checked(reference, (3,), 'reference')
    for i, vector in enumerate(vectors):
        last = result[i] = nearest_branch(vector, last)
    return result


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
