"""The first guess of a hand's position: closed-form PnP, then the depth most sites agree on."""

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.keypoints import BONES, NUM_KEYPOINTS
from mimic_hand_tracking.surface import SITE_A, SITE_B, SITE_T, Surface

SITE_KERNEL = 0.015  # [m] sites agree on a depth within this
PRIOR_VOTES = 8.0  # [1] sites that the size of the hand, or its motion, are worth
REAR_SHARE = 0.33  # [1] of the sites must vote for a distance behind the most voted one
MOTION_SIGMA = 0.05  # [m] of the predicted distance


def towards(ray: FloatArray) -> FloatArray:
    """Return the (3, 3) rotation that takes the optical axis to the ray (2,), without a roll."""
    axis = np.array([ray[0], ray[1], 1.0])
    axis /= np.linalg.norm(axis)
    # Rodrigues for the rotation from z to `axis`.
    v = np.array([-axis[1], axis[0], 0.0])
    skew = np.array([[0.0, -v[2], v[1]], [v[2], 0.0, -v[0]], [-v[1], v[0], 0.0]])
    rotation: FloatArray = np.eye(3) + skew + skew @ skew / (1.0 + axis[2])
    return rotation


def built(directions: FloatArray, lengths: FloatArray) -> FloatArray:
    """Return the joints (21, 3) [m] about their mean, bone by bone.

    Args:
        directions: (E, 3) [1] of the edges, the bones first.
        lengths: (E,) [m].
    """
    joints = np.zeros((NUM_KEYPOINTS, 3))
    steps = directions * lengths[:, None]
    for bone, (parent, child) in enumerate(BONES):
        joints[child] = joints[parent] + steps[bone]
    return joints - joints.mean(axis=0)


def pnp_translation(shape: FloatArray, rays: FloatArray) -> FloatArray:
    """Return the translation (3,) [m] that best projects a shape of known orientation.

    x/z = u is linear in the translation: t_x − u t_z = u s_z − s_x, likewise for y.

    Args:
        shape: (21, 3) [m] in the axes of the camera.
        rays: (21, 2) [1] normalised image coordinates.
    """
    u, v = rays[:, 0], rays[:, 1]
    n = float(len(rays))
    su, sv = u.sum(), v.sum()
    normal = np.array([[n, 0.0, -su], [0.0, n, -sv], [-su, -sv, (u * u + v * v).sum()]])
    bu = u * shape[:, 2] - shape[:, 0]
    bv = v * shape[:, 2] - shape[:, 1]
    translation: FloatArray = np.linalg.solve(
        normal, np.array([bu.sum(), bv.sum(), -(u * bu + v * bv).sum()])
    )
    return translation


def translation_at(shape: FloatArray, rays: FloatArray, z: float) -> FloatArray:
    """Return the translation (3,) [m] that best projects the shape at a given distance [m]."""
    lateral = (rays * (shape[:, 2:] + z) - shape[:, :2]).mean(axis=0)
    return np.array([lateral[0], lateral[1], z])


def agreed_distance(
    shape: FloatArray, surface: Surface, size_z: float, size_sigma: float, motion_z: float | None
) -> tuple[float, float]:
    """Return the distance on which the depth samples agree, and how many sites do.

    Each site proposes a distance; the one with most votes wins. The size of the hand and its
    motion vote too, so that a large occluder in front of most of the hand does not win.

    Args:
        shape: (21, 3) [m] in the axes of the camera, about any origin.
        surface: What the depth image says.
        size_z: Distance of the origin by the size of the hand [m].
        size_sigma: Its uncertainty [m].
        motion_z: Distance of the origin by the motion of the hand so far [m].
    """
    usable = surface.valid > 0.2
    if not usable.any():
        return (size_z if motion_z is None else motion_z), 0.0
    shape_z = (1.0 - SITE_T) * shape[SITE_A, 2] + SITE_T * shape[SITE_B, 2]
    middle = np.nanmedian(surface.z[usable], axis=1) - shape_z[usable]  # (N,) proposals
    apart = (middle[:, None] - middle) / SITE_KERNEL
    votes = (1.0 / (1.0 + apart**2)).sum(axis=1)
    score = votes + PRIOR_VOTES / (1.0 + ((middle - size_z) / size_sigma) ** 2)
    if motion_z is not None:
        score += PRIOR_VOTES / (1.0 + ((middle - motion_z) / MOTION_SIGMA) ** 2)
    best = int(score.argmax())
    if motion_z is None:
        # What hides a hand is in front of it, and landmarks seldom fall beside the hand: of two
        # distances with many votes, both good for its size, the farther one is the hand.
        behind = (
            (votes > REAR_SHARE * len(middle))
            & (middle > middle[best] + 2.0 * SITE_KERNEL)
            & (np.abs(middle - size_z) < 2.0 * size_sigma)
        )
        if behind.any():
            best = int(np.where(behind, score, -np.inf).argmax())
    near = np.abs(middle - middle[best]) < SITE_KERNEL
    return float(middle[near].mean()), float(near.sum())
