"""Names of frames, rigid transforms as (4, 4) matrices, and the frame of a human hand.

A transform is named `to_T_from`: it takes the coordinates of a point in `from` to those in `to`.
Quaternions are xyzw. Rotations come from scipy, which is vectorised and well kept.
"""

import math
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import NotFiniteError, ShapeError
from mimic_core.keypoints import INDEX, NUM_KEYPOINTS, WRIST

_ROUNDING: Final = 1e-9  # [1]

WORLD: Final = 'world'
BASE: Final = 'base_link'
FLANGE: Final = 'flange'
PALM: Final = 'palm'
GRASP_CENTER: Final = 'grasp_center'
CAMERA_OPTICAL: Final = 'camera_color_optical_frame'
WRIST_CAMERA_OPTICAL: Final = 'wrist_camera_color_optical_frame'


def transform(rotation: FloatArray, translation: FloatArray) -> FloatArray:
    """Return the (4, 4) transform of a (3, 3) rotation and a (3,) translation [m]."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = translation
    return matrix


def inverse(to_T_from: FloatArray) -> FloatArray:
    """Return `from_T_to`, by transposition of the rotation."""
    rotation = to_T_from[:3, :3].T
    return transform(rotation, -rotation @ to_T_from[:3, 3])


def apply(to_T_from: FloatArray, points: FloatArray) -> FloatArray:
    """Return points (..., 3) [m] in `to` of points (..., 3) [m] in `from`."""
    moved: FloatArray = points @ to_T_from[:3, :3].T + to_T_from[:3, 3]
    return moved


def cross(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the cross product (3,) of two vectors (3,); numpy's takes many times as long."""
    (u, v, w), (x, y, z) = a.tolist(), b.tolist()
    return np.array([v * z - w * y, w * x - u * z, u * y - v * x])


def from_xyz_quat(xyz: FloatArray, quat_xyzw: FloatArray) -> FloatArray:
    """Return the transform of a position (3,) [m] and a quaternion (4,) xyzw.

    Raises:
        NotFiniteError: NaN, infinity, or a quaternion whose length is not 1 within 1e-3.
    """
    quat = checked(quat_xyzw, (4,), 'quaternion')
    if abs(float(np.linalg.norm(quat)) - 1.0) > 1e-3:
        raise NotFiniteError(f'quaternion {quat.tolist()} is not of unit length')
    return transform(Rotation.from_quat(quat).as_matrix(), checked(xyz, (3,), 'position'))


def from_xyz_rpy(xyz: FloatArray, rpy: FloatArray) -> FloatArray:
    """Return the transform of a position (3,) [m] and fixed-axis roll, pitch, yaw (3,) [rad]."""
    rotation = Rotation.from_euler('xyz', checked(rpy, (3,), 'rpy')).as_matrix()
    return transform(rotation, checked(xyz, (3,), 'position'))


def to_quat_xyzw(to_T_from: FloatArray) -> FloatArray:
    """Return the rotation as a quaternion (4,) xyzw with w >= 0.

    Scipy takes many times as long; a matrix that is no rotation is left to it.
    Source: S. W. Shepperd, "Quaternion from rotation matrix", 1978.
    """
    (a, b, c), (d, e, f), (g, h, i) = to_T_from[:3, :3].tolist()
    largest = max(a, e, i, a + e + i)
    if largest == a:
        x, y, z, w = 1.0 + a - e - i, b + d, c + g, h - f
    elif largest == e:
        x, y, z, w = b + d, 1.0 - a + e - i, f + h, c - g
    elif largest == i:
        x, y, z, w = c + g, f + h, 1.0 - a - e + i, d - b
    else:
        x, y, z, w = h - f, c - g, d - b, 1.0 + a + e + i
    length = math.sqrt(x * x + y * y + z * z + w * w)
    # Of a rotation, these are four times the quaternion times its largest component.
    if not abs(length * length - 4.0 * max(x, y, z, w)) <= _ROUNDING:
        quat: FloatArray = Rotation.from_matrix(to_T_from[:3, :3]).as_quat(canonical=True)
        return quat
    first = next(value for value in (w, x, y, z) if value != 0.0)
    return np.array([x, y, z, w]) / math.copysign(length, first)


def rotation_angle(a: FloatArray, b: FloatArray) -> float:
    """Return the angle [rad] between two (3, 3) rotations."""
    return float(Rotation.from_matrix(a.T @ b).magnitude())


def axes_angle(actual: FloatArray, wanted: FloatArray, axes: FloatArray) -> FloatArray:
    """Return (E,) the angle [rad] of rotations (E, 3, 3) to a wanted one (3, 3).

    Args:
        actual: Rotations of a thing.
        wanted: How it is to be turned.
        axes: (A, 3) in its frame, whose direction counts; zeros are none. Two or more: the angle
            is that of the rotation, one: between where the axis points, none: 0.
    """
    lengths = np.linalg.norm(axes, axis=1)
    count = int((lengths > 0).sum())
    if count == 0:
        return np.zeros(len(actual))
    if count >= 2:
        cosine = 0.5 * (np.einsum('eij,ij->e', actual, wanted) - 1.0)
    else:
        axis = axes[np.argmax(lengths)] / lengths.max()
        cosine = (actual @ axis) @ (wanted @ axis)
    angle: FloatArray = np.arccos(np.clip(cosine, -1.0, 1.0))
    return angle


def look_at(eye: FloatArray, target: FloatArray, up: FloatArray) -> FloatArray:
    """Return `world_T_optical` of a camera at `eye` that looks at `target`, all (3,) [m] in world.

    The optical frame is that of ROS: z forward, x right, y down.
    """
    forward = np.asarray(target, dtype=np.float64) - np.asarray(eye, dtype=np.float64)
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, up)
    if np.linalg.norm(right) < 1e-9:
        raise ShapeError('the direction of view is parallel to up')
    right = right / np.linalg.norm(right)
    down = np.cross(forward, right)
    return transform(np.stack([right, down, forward], axis=1), np.asarray(eye, dtype=np.float64))


def hand_frame(keypoints: FloatArray, *, left: bool = False) -> FloatArray:
    """Return `camera_T_hand` (4, 4), the palm frame of a hand from its keypoints.

    Origin at the wrist; z from the wrist to the middle knuckle; x out of the palm (palmar side);
    y = z × x, which for a right hand points to the thumb. The robots' `palm` links use the same
    convention. The palm plane is that of wrist, index knuckle and little knuckle.

    Args:
        keypoints: (21, 3) [m] in any frame.
        left: The hand is a left one.

    Raises:
        ShapeError: Not (21, 3), or the palm is degenerate (its points lie on a line).
        NotFiniteError: A palm keypoint is NaN.
    """
    points = checked(keypoints, (NUM_KEYPOINTS, 3), 'keypoints', finite=False)
    palm = points[[WRIST, INDEX['index_mcp'], INDEX['middle_mcp'], INDEX['little_mcp']]]
    wrist, index, middle, little = checked(palm, (4, 3), 'palm keypoints')
    z = middle - wrist
    across = (little - index) if left else (index - little)  # towards the thumb of a right hand
    x = cross(across, z)
    if np.linalg.norm(z) < 1e-3 or np.linalg.norm(x) < 1e-6:
        raise ShapeError('the palm keypoints are degenerate')
    z = z / np.linalg.norm(z)
    x = x / np.linalg.norm(x)
    return transform(np.stack([x, cross(z, x), z], axis=1), wrist)
