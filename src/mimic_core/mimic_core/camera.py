"""What a camera delivers: intrinsics and frames."""

from dataclasses import dataclass

import numpy as np

from mimic_core.arrays import DepthImage, FloatArray, Image, checked
from mimic_core.errors import ConfigError, ShapeError


@dataclass(frozen=True)
class Intrinsics:
    """Pinhole camera with the plumb_bob distortion of OpenCV."""

    width: int  # [px]
    height: int  # [px]
    fx: float  # [px]
    fy: float  # [px]
    cx: float  # [px]
    cy: float  # [px]
    distortion: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0)  # k1 k2 p1 p2 k3

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0 or not (self.fx > 0 and self.fy > 0):
            raise ConfigError(f'intrinsics are not those of a camera: {self}')
        if len(self.distortion) != 5:
            raise ConfigError(f'distortion has {len(self.distortion)} values, not 5')

    @classmethod
    def from_fov(cls, width: int, height: int, fovy: float) -> 'Intrinsics':
        """Return an ideal camera with a vertical field of view [rad]."""
        f = 0.5 * height / np.tan(0.5 * fovy)
        return cls(width, height, f, f, 0.5 * (width - 1), 0.5 * (height - 1))

    @property
    def matrix(self) -> FloatArray:
        """The (3, 3) camera matrix [px]."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def project(self, points: FloatArray) -> FloatArray:
        """Return pixels (..., 2) of points (..., 3) [m] in the optical frame, undistorted.

        Points at or behind the camera give NaN.
        """
        z = np.where(points[..., 2:] > 1e-6, points[..., 2:], np.nan)
        uv: FloatArray = points[..., :2] / z * (self.fx, self.fy) + (self.cx, self.cy)
        return uv

    def deproject(self, pixels: FloatArray, depth: FloatArray) -> FloatArray:
        """Return points (..., 3) [m] of pixels (..., 2) at depth (...) [m], undistorted."""
        xy = (pixels - (self.cx, self.cy)) / (self.fx, self.fy) * depth[..., None]
        return np.concatenate([xy, depth[..., None]], axis=-1)


@dataclass(frozen=True)
class Frame:
    """One picture: colour, aligned depth where there is one, and when it was taken."""

    color: Image  # (H, W, 3) rgb
    intrinsics: Intrinsics
    stamp: float  # [s] capture
    frame_id: str
    depth: DepthImage | None = None  # (H, W) [mm], 0 where unknown

    def __post_init__(self) -> None:
        size = (self.intrinsics.height, self.intrinsics.width)
        if self.color.shape != (*size, 3) or self.color.dtype != np.uint8:
            raise ShapeError(
                f'colour image is {self.color.shape} {self.color.dtype}, not {(*size, 3)} uint8'
            )
        if self.depth is not None and (self.depth.shape != size or self.depth.dtype != np.uint16):
            raise ShapeError(
                f'depth image is {self.depth.shape} {self.depth.dtype}, not {size} uint16'
            )
        checked(self.stamp, (), 'stamp')
