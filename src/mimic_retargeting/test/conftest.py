"""A human hand for the tests: the flat hand of a person, with fingers that bend and pinch."""

from collections.abc import Callable

import numpy as np
import pytest

from mimic_core.frames import look_at, transform
from mimic_core.hand import TrackedHand
from mimic_core.keypoints import INDEX, NUM_KEYPOINTS

# Right hand in its own frame (x palmar, y to the thumb, z to the fingers) [m]: place of the base
# of each finger, lengths of its bones, spread [rad].
_FINGERS = {
    'index': ((0.0, 0.027, 0.088), (0.043, 0.025, 0.022), 0.06),
    'middle': ((0.0, 0.004, 0.092), (0.046, 0.028, 0.024), 0.0),
    'ring': ((0.0, -0.016, 0.087), (0.042, 0.027, 0.023), -0.06),
    'little': ((0.0, -0.034, 0.077), (0.033, 0.021, 0.019), -0.14),
}
WORLD_T_CAMERA = look_at(
    np.array([1.3, 0.3, 0.6]), np.array([0.55, 0.0, 0.1]), np.array([0, 0, 1])
)


def right_hand(curl: float = 0.3, aperture: float | None = 0.06) -> np.ndarray:
    """Return (21, 3) keypoints in the hand frame [m].

    Args:
        curl: Bend of each joint of the fingers [rad].
        aperture: Thumb tip to index tip [m]; None leaves the index as bent as the others.
    """
    points = np.zeros((NUM_KEYPOINTS, 3))
    for name, (base, lengths, spread) in _FINGERS.items():
        place, angle = np.array(base), 0.0
        points[INDEX[f'{name}_mcp']] = place
        for joint, length in zip(('pip', 'dip', 'tip'), lengths, strict=True):
            angle += curl
            along = np.array([np.sin(angle), np.sin(spread), np.cos(angle)])
            place = place + length * along / np.linalg.norm(along)
            points[INDEX[f'{name}_{joint}']] = place
    points[INDEX['thumb_cmc']] = (0.012, 0.026, 0.022)
    points[INDEX['thumb_mcp']] = (0.030, 0.045, 0.045)
    if aperture is None:
        points[INDEX['thumb_ip']] = (0.034, 0.063, 0.072)
        points[INDEX['thumb_tip']] = (0.036, 0.074, 0.095)
        return points
    centre = np.array([0.065, 0.035, 0.105])
    apart = 0.5 * aperture * np.array([-0.5, -0.3, 0.81]) / np.linalg.norm([-0.5, -0.3, 0.81])
    points[INDEX['thumb_tip']] = centre - apart
    points[INDEX['index_tip']] = centre + apart
    points[INDEX['thumb_ip']] = centre - apart - (0.02, -0.012, 0.015)
    points[INDEX['index_pip']] = (0.030, 0.030, 0.122)
    points[INDEX['index_dip']] = centre + apart + (-0.018, -0.001, 0.012)
    return points


def tracked(
    points: np.ndarray,
    world_T_hand: np.ndarray,
    confidence: np.ndarray | float = 1.0,
    side: str = 'right',
) -> TrackedHand:
    """Return the hand as the camera WORLD_T_CAMERA sees it; a left one is mirrored."""
    local = points * (1.0, -1.0 if side == 'left' else 1.0, 1.0)
    world = local @ world_T_hand[:3, :3].T + world_T_hand[:3, 3]
    optical = (world - WORLD_T_CAMERA[:3, 3]) @ WORLD_T_CAMERA[:3, :3]
    return TrackedHand(
        track_id=1,
        side=side,
        method='depth',
        keypoints=optical,
        confidence=np.broadcast_to(np.asarray(confidence, dtype=float), (21,)).copy(),
        pixels=np.zeros((21, 2)),
        score=1.0,
    )


def reaching_down(position: tuple[float, float, float], yaw: float = 0.0) -> np.ndarray:
    """Return world_T_hand of a hand that reaches forward and down at 45°, wrist at `position`."""
    c, s = np.cos(yaw), np.sin(yaw)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    z = np.array([1, 0, -1]) / np.sqrt(2)
    x = np.array([-1, 0, -1]) / np.sqrt(2)
    return transform(turn @ np.stack([x, np.cross(z, x), z], axis=1), np.array(position))


@pytest.fixture
def make_points() -> Callable[..., np.ndarray]:
    return right_hand


@pytest.fixture
def make_hand() -> Callable[..., TrackedHand]:
    return tracked


@pytest.fixture
def make_reach() -> Callable[..., np.ndarray]:
    return reaching_down


@pytest.fixture
def world_T_camera() -> np.ndarray:
    return WORLD_T_CAMERA.copy()
