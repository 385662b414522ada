"""A hand of capsules, its depth image and what a detector would say of it: for tests.

The hand is that of a person: flat, with fingers that curl; its depth image is exact geometry.
"""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from scipy.spatial.transform import Rotation

from mimic_core.arrays import DepthImage, FloatArray
from mimic_core.camera import Intrinsics
from mimic_core.keypoints import BONES, CHAINS
from mimic_hand_tracking.detector import Detection
from mimic_hand_tracking.start import towards

CAMERA = Intrinsics(640, 480, 600.0, 600.0, 319.5, 239.5)

# (21, 3) [m] right hand, flat: x to the thumb, y to the fingers, z out of the back.
FLAT = np.array(
    [
        (0, 0, 0),
        (0.026, 0.022, -0.012), (0.047, 0.047, -0.020), (0.063, 0.072, -0.022),
        (0.074, 0.095, -0.022),
        (0.027, 0.088, 0), (0.032, 0.131, 0), (0.035, 0.156, 0), (0.037, 0.178, 0),
        (0.004, 0.092, 0), (0.005, 0.138, 0), (0.006, 0.166, 0), (0.006, 0.190, 0),
        (-0.016, 0.087, 0), (-0.021, 0.129, 0), (-0.024, 0.156, 0), (-0.026, 0.179, 0),
        (-0.034, 0.077, 0), (-0.044, 0.110, 0), (-0.050, 0.131, 0), (-0.054, 0.150, 0),
    ]
)  # fmt: skip
RADII = np.array(
    [
        0.020,
        0.017, 0.0125, 0.0105, 0.0085,
        0.0125, 0.0095, 0.0088, 0.008,
        0.0125, 0.0095, 0.0088, 0.008,
        0.0125, 0.009, 0.0083, 0.0077,
        0.0120, 0.008, 0.0074, 0.007,
    ]
)  # fmt: skip


def hand(
    position: FloatArray | tuple[float, ...],
    turn: Rotation | None = None,
    curl: FloatArray | float = 0.2,
    *,
    scale: float = 1.0,
    left: bool = False,
) -> FloatArray:
    """Return (21, 3) [m] joints in the optical frame, the palm's middle at `position` [m].

    Without a turn the fingers point up in the image and the palm looks at the camera.

    Args:
        position: (3,) [m].
        turn: Of the hand about its middle.
        curl: (5,) or one [rad] at each joint of each finger.
        scale: Size of the hand [1].
        left: A left hand.
    """
    joints = FLAT.copy()
    for f, chain in enumerate(CHAINS):
        angle = np.broadcast_to(curl, 5)[f] * (0.5 if f == 0 else 1.0)
        axis = np.array([1.0, 0.0, 0.0]) if f else np.array([0.6, 0.5, 0.6])
        for k in range(3):
            bend = Rotation.from_rotvec(-angle * axis)
            tail = list(chain[k + 1 :])
            joints[tail] = joints[chain[k]] + bend.apply(joints[tail] - joints[chain[k]])
    if left:
        joints[:, 0] *= -1
    joints = (joints - (0.0, 0.07, 0.0)) * scale
    # Hand axes to optical: fingers up (-y), back of the hand away (+z); thumb to the image's
    # right for a right hand whose palm is seen.
    optical = joints * (1.0, -1.0, 1.0)
    if turn is not None:
        optical = turn.apply(optical)
    return optical + np.asarray(position, dtype=np.float64)


def depth_of(
    joints: FloatArray, *, background: float = 1.2, scale: float = 1.0, camera: Intrinsics = CAMERA
) -> DepthImage:
    """Return the depth image (H, W) [mm] of a hand of capsules before a wall at `background`."""
    depth = np.full((camera.height, camera.width), float(background))
    fractions = np.linspace(0, 1, 10)[:, None]
    ray_x, ray_y = _rays(camera)
    for a, b in BONES:
        ra = RADII[b] if a == 0 and b > 1 else RADII[a]
        centers = (1 - fractions) * joints[a] + fractions * joints[b]
        radii = scale * ((1 - fractions) * ra + fractions * RADII[b])[:, 0]
        for center, r in zip(centers, radii, strict=True):
            _sphere(depth, center, r, ray_x, ray_y, camera)
    _sphere(depth, joints[0], scale * RADII[0], ray_x, ray_y, camera)
    return np.rint(depth * 1e3).astype(np.uint16)


@lru_cache(maxsize=4)
def _rays(camera):
    rows, columns = np.mgrid[0 : camera.height, 0 : camera.width]
    return (columns - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy


def _sphere(depth, center, r, ray_x, ray_y, camera):
    u, v = camera.project(center)
    half = 1.2 * camera.fx * r / center[2] + 2
    top, bottom = max(0, int(v - half)), min(camera.height, int(v + half) + 1)
    first, last = max(0, int(u - half)), min(camera.width, int(u + half) + 1)
    if top >= bottom or first >= last:
        return
    part = (slice(top, bottom), slice(first, last))
    dx, dy = ray_x[part], ray_y[part]
    a = dx * dx + dy * dy + 1.0
    b = dx * center[0] + dy * center[1] + center[2]
    root = b * b - a * (center @ center - r * r)
    z = np.where(root > 0, (b - np.sqrt(np.maximum(root, 0))) / a, np.inf)
    depth[part] = np.minimum(depth[part], z)


def spoil(
    depth: DepthImage,
    rng: np.random.Generator,
    *,
    noise: float = 0.0015,
    holes: float = 0.0,
    flying: float = 0.0,
) -> DepthImage:
    """Return a depth image [mm] as a real sensor gives it.

    Args:
        depth: (H, W) [mm].
        rng: Of every random choice.
        noise: Standard deviation [m].
        holes: Share of the image that is missing, in patches [1].
        flying: Share of the pixels at edges that lie between front and back [1].
    """
    out = depth * 1e-3 + rng.normal(0, noise, depth.shape)
    if flying:
        near = np.minimum(np.roll(depth, 2, 0), np.roll(depth, 2, 1)) * 1e-3
        far = np.maximum(np.roll(depth, -2, 0), np.roll(depth, -2, 1)) * 1e-3
        edge = (np.abs(far - near) > 0.02) & (rng.random(depth.shape) < flying)
        mix = rng.random(depth.shape)
        out = np.where(edge, mix * near + (1 - mix) * far, out)
    if holes:
        coarse = rng.random((depth.shape[0] // 10, depth.shape[1] // 10)) < holes
        out = np.where(np.kron(coarse, np.ones((10, 10))).astype(bool), 0.0, out)
    return np.rint(np.clip(out, 0, 60) * 1e3).astype(np.uint16)


def occlude(depth: DepthImage, columns: slice, rows: slice, z: float) -> DepthImage:
    """Return a depth image with a flat object in front at a distance [m]."""
    out = depth.copy()
    out[rows, columns] = np.minimum(out[rows, columns], round(z * 1e3))
    return out


def detect(
    joints: FloatArray,
    rng: np.random.Generator,
    *,
    right: float = 0.95,
    pixel_noise: float = 1.5,
    world_noise: float = 0.003,
    world_scale: float = 0.95,
    score: float = 0.95,
    camera: Intrinsics = CAMERA,
) -> Detection:
    """Return what a detector would say of a hand: noise in pixels [px] and shape [m]."""
    center = joints.mean(axis=0)
    shape = (joints - center) @ towards(center[:2] / center[2]) * world_scale
    return Detection(
        pixels=camera.project(joints) + rng.normal(0, pixel_noise, (21, 2)),
        world=shape + rng.normal(0, world_noise, (21, 3)),
        right_probability=right,
        score=score,
    )


@dataclass
class ScriptedDetector:
    """Says for each image what the script holds for it; an image beyond its end has no hand."""

    script: list[list[Detection]]
    asked: int = 0
    resets: int = field(default=0)

    def detect(self, color, stamp):
        found = self.script[self.asked] if self.asked < len(self.script) else []
        self.asked += 1
        return found

    def reset(self):
        self.resets += 1

    def close(self):
        pass
