"""Postures of a hand: open, fist, point, power grasp, and a pinch of an exact aperture."""

from functools import lru_cache
from typing import Final

import numpy as np
from scipy.optimize import least_squares, newton

from mimic_core.arrays import FloatArray
from mimic_core.errors import LimitError, UnknownNameError
from mimic_sim.hand_model import (
    DIP_OF_PIP,
    INDEX_TIP,
    JOINT_INDEX,
    LOWER,
    MAX_PINCH,
    MIN_PINCH,
    NUM_JOINTS,
    THUMB_TIP,
    UPPER,
    HandModel,
    HandShape,
)

_J: Final = JOINT_INDEX
_FREE: Final = tuple(
    _J[name]
    for name in ('thumb_cmc_opposition', 'thumb_cmc_flexion', 'thumb_mcp', 'thumb_ip',
                 'index_abduction', 'index_mcp', 'index_pip')
)  # fmt: skip
# The pinch that a relaxed hand makes: where the search starts and what it stays near [rad].
_NATURAL: Final[FloatArray] = np.array([0.95, -0.05, 0.15, 0.30, 0.0, 0.75, 0.65])
_STEPS: Final = 12  # apertures at which the search is done beforehand


def fingers(
    thumb: tuple[float, float, float, float], *curls: tuple[float, float, float]
) -> FloatArray:
    """Return (20,) joints from four thumb angles and (abduction, MCP, PIP) of the four fingers."""
    q = np.zeros(NUM_JOINTS)
    q[:4] = thumb
    for f, (abduction, mcp, pip) in enumerate(curls):
        q[4 + 4 * f : 8 + 4 * f] = (abduction, mcp, pip, DIP_OF_PIP * pip)
    return q


_POSTURES: Final = {
    'open': fingers((0.25, 0.0, 0.05, 0.05), *[(0.0, 0.10, 0.15)] * 4),
    'rest': fingers((0.50, 0.05, 0.15, 0.20), (0.0, 0.35, 0.45), (0.0, 0.45, 0.5),
                    (0.0, 0.50, 0.55), (0.0, 0.50, 0.55)),
    'power': fingers((1.10, 0.1, 0.35, 0.45), *[(0.0, 0.75, 0.95)] * 4),
    'fist': fingers((1.05, 0.55, 0.65, 0.75), *[(0.0, 1.45, 1.65)] * 4),
    'point': fingers((1.0, 0.5, 0.6, 0.7), (0.0, 0.05, 0.08), *[(0.0, 1.40, 1.60)] * 3),
}  # fmt: skip


def posture(name: str) -> FloatArray:
    """Return the (20,) joints [rad] of open, rest, power, fist or point.

    Raises:
        UnknownNameError: There is no posture of that name.
    """
    if name not in _POSTURES:
        raise UnknownNameError('posture', name, _POSTURES)
    return _POSTURES[name].copy()


def pinch_range(shape: HandShape) -> tuple[float, float]:
    """Return the least and the greatest distance of thumb tip and index tip in a pinch [m]."""
    return MIN_PINCH * shape.scale, MAX_PINCH * shape.scale


def pinch(model: HandModel, aperture: float) -> FloatArray:
    """Return the (20,) joints [rad] whose thumb tip and index tip are `aperture` apart.

    The pads face each other, the middle finger accompanies the index finger, the others are
    bent a little. The distance is between the keypoints, which lie inside the flesh: an object
    between the pads is thinner by their two radii.

    Args:
        model: The hand.
        aperture: Wanted distance [m], exact to 1e-9.

    Raises:
        LimitError: Outside `pinch_range`.
    """
    low, high = pinch_range(model.shape)
    if not low - 1e-9 <= aperture <= high + 1e-9:
        raise LimitError(f'a pinch of {aperture} m is outside [{low:.3f}, {high:.3f}] m')
    apertures, angles = _table(model.shape)
    free = np.array([np.interp(aperture, apertures, column) for column in angles.T])
    # The table is linear between its rows: close the rest with thumb and index together.
    closing = np.zeros(len(_FREE))
    closing[1], closing[5] = 0.5, 1.0

    def error(step: float) -> float:
        points = model.keypoints(_expand(free + step * closing))
        return float(np.linalg.norm(points[THUMB_TIP] - points[INDEX_TIP])) - aperture

    step = newton(error, 0.0, x1=0.002, tol=1e-11)  # the secant method
    return _expand(free + step * closing)


def pinch_center(model: HandModel, joints: FloatArray) -> FloatArray:
    """Return the point (3,) [m] in the palm frame of a right hand where a pinched object is."""
    points = model.keypoints(joints)
    center: FloatArray = 0.5 * (points[THUMB_TIP] + points[INDEX_TIP])
    return center


def _expand(free: FloatArray) -> FloatArray:
    q = np.zeros(NUM_JOINTS)
    q[list(_FREE)] = free
    index_mcp, index_pip = free[5], free[6]
    q[_J['index_dip']] = DIP_OF_PIP * index_pip
    for finger, mcp, pip in (
        ('middle', 0.06, 0.05),
        ('ring', 0.02, 0.06),
        ('little', -0.05, 0.05),
    ):
        bend = index_mcp + mcp, index_pip + pip
        q[_J[f'{finger}_mcp']], q[_J[f'{finger}_pip']] = bend
        q[_J[f'{finger}_dip']] = DIP_OF_PIP * bend[1]
    return q


@lru_cache(maxsize=32)
def _table(shape: HandShape) -> tuple[FloatArray, FloatArray]:
    """Return apertures (N,) [m] and the free angles (N, 7) [rad] that make them."""
    model = HandModel(shape)
    apertures = np.linspace(*pinch_range(shape), _STEPS)
    free = list(_FREE)
    low, high = LOWER[free] + 0.05, UPPER[free] - 0.05
    rows = np.zeros((_STEPS, len(_FREE)))
    guess = _NATURAL
    for i in range(_STEPS):
        aperture = apertures[i]

        def residuals(
            v: FloatArray, aperture: float = aperture, last: FloatArray = guess
        ) -> FloatArray:
            q = _expand(v)
            points, pads = model.keypoints(q), model.pad_directions(q)
            gap = points[INDEX_TIP] - points[THUMB_TIP]
            distance = float(np.linalg.norm(gap))
            across = gap / distance
            return np.concatenate(
                [
                    [(distance - aperture) / model.shape.scale * 300.0],
                    0.5 * (pads[0] - across),
                    0.5 * (pads[1] + across),
                    0.35 * (v - _NATURAL),
                    0.5 * (v - last),
                ]
            )

        guess = least_squares(
            residuals, np.clip(guess, low, high), bounds=(low, high), xtol=1e-4, ftol=1e-4
        ).x
        rows[i] = guess
    return apertures, rows
