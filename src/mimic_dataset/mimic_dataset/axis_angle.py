"""Rotations as axis-angle vectors without jumps, so that they can be interpolated and learned.

An axis-angle vector jumps at pi from one end of its axis to the other, and a palm that points
down turns near pi all the time. Every vector v has others that mean the same rotation,
v + 2 pi k v / |v|: each trajectory takes the ones that follow each other closely.
"""

from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray, checked

_TURN: Final = 2.0 * np.pi  # [rad]


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


def continuous(axis_angle: FloatArray, reference: FloatArray | None = None) -> FloatArray:
    """Return the same rotations (T, 3) [rad] without jumps.

    Args:
        axis_angle: (T, 3) [rad].
        reference: (3,) [rad] whose branch the first one takes; None: it stays as it is.

    Raises:
        ShapeError: Not (T, 3).
        NotFiniteError: NaN.
    """
    vectors = checked(axis_angle, (None, 3), 'axis_angle')
    result = vectors.copy()
    last = None if reference is None else checked(reference, (3,), 'reference')
    for i, vector in enumerate(vectors):
        if last is not None:
            result[i] = nearest_branch(vector, last)
        last = result[i]
    return result
