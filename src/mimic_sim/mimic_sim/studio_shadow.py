"""A soft shadow of the hand on the table, painted into the picture.

MuJoCo's shadow maps cost more than the rest of the picture on a processor. Here the bones are
drawn as thick lines on a small map of the table, blurred, and laid over the table's pixels.
"""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from mimic_core.arrays import DepthImage, FloatArray, Image
from mimic_core.camera import Intrinsics
from mimic_core.frames import inverse
from mimic_core.keypoints import BONES

_CELL: Final = 0.005  # [m] of the map
_CELLS: Final = 200  # along an edge of the map
_SAME: Final = 5  # [mm] that a pixel may differ from the table and still show it
_DARKEST: Final = 0.45  # [1]
_FADE: Final = 0.16  # [m] height at which a shadow has lost most of its strength


class SoftShadow:
    """Shadows of one room seen from one camera."""

    def __init__(
        self,
        intrinsics: Intrinsics,
        world_T_camera: FloatArray,
        centre: FloatArray,
        toward_light: FloatArray,
    ) -> None:
        """Prepare the map.

        Args:
            intrinsics: Of the camera, undistorted.
            world_T_camera: (4, 4) optical frame.
            centre: (2,) [m] of the map on the table z = 0.
            toward_light: (3,) direction.
        """
        self._corner = centre - 0.5 * _CELL * _CELLS
        self._slope = toward_light[:2] / max(float(toward_light[2]), 0.4)
        camera_T_world = inverse(world_T_camera)
        table = np.column_stack(
            [
                camera_T_world[:3, 0] * _CELL,
                camera_T_world[:3, 1] * _CELL,
                camera_T_world[:3, :3] @ [*self._corner, 0.0] + camera_T_world[:3, 3],
            ]
        )
        self._pixel_T_map = intrinsics.matrix @ table  # homography
        self._size = (intrinsics.width, intrinsics.height)
        u, v = np.meshgrid(np.arange(intrinsics.width), np.arange(intrinsics.height))
        rays = intrinsics.deproject(np.stack([u, v], axis=-1), np.ones(u.shape))
        slant = rays @ world_T_camera[2, :3]
        with np.errstate(divide='ignore'):
            z = np.where(slant < -1e-3, -world_T_camera[2, 3] / slant, 0.0)
        self._table: DepthImage = np.clip(np.rint(z * 1000.0), 0, 65535).astype(np.uint16)

    def paint(
        self, color: Image, depth: DepthImage, points: FloatArray, radii: FloatArray
    ) -> Image:
        """Return the picture (H, W, 3) with the shadow of a hand.

        Args:
            color: (H, W, 3).
            depth: (H, W) [mm], without noise.
            points: (22, 3) [m] in world: the 21 keypoints and the elbow.
            radii: (22,) [m].
        """
        height = np.maximum(points[:, 2], 0.0)
        xy = points[:, :2] - height[:, None] * self._slope
        cells = (xy - self._corner) / _CELL
        strength = np.exp(-height / _FADE)
        shadow = np.zeros((_CELLS, _CELLS), np.uint8)
        bones = sorted([*BONES, (21, 0)], key=lambda bone: -height[bone[0]] - height[bone[1]])
        ends = np.clip(np.rint(cells), -999, 999).astype(np.int32)
        for a, b in bones:  # the lowest and darkest last
            value = 255.0 * _DARKEST * 0.5 * (strength[a] + strength[b])
            thickness = max(1, round(1.1 * (radii[a] + radii[b]) / _CELL))
            cv2.line(shadow, ends[a].tolist(), ends[b].tolist(), (float(value),), thickness)
        palm = ends[[0, 1, 5, 9, 13, 17]]
        dark = float(255.0 * _DARKEST * strength[[0, 5, 17]].mean())
        cv2.fillConvexPoly(shadow, cv2.convexHull(palm), (dark,))
        blur = 1.0 + 8.0 * float(height[[4, 8, 12, 16, 20]].mean()) / _FADE
        blurred = cv2.GaussianBlur(shadow, (0, 0), min(blur, 6.0))
        soft = blurred.astype(np.uint8, copy=False)
        around = self._around(soft)
        if around is None:
            return color
        top, left, bottom, right = around
        part = slice(top, bottom), slice(left, right)
        moved = _shift(-left, -top) @ self._pixel_T_map
        size = (right - left, bottom - top)
        seen = cv2.warpPerspective(soft, moved, size, flags=cv2.INTER_LINEAR)
        seen[cv2.absdiff(depth[part], self._table[part]) > _SAME] = 0
        shade = cv2.cvtColor(cv2.bitwise_not(seen), cv2.COLOR_GRAY2BGR)
        painted = color.copy()
        painted[part] = cv2.multiply(color[part], shade, scale=1.0 / 255.0)
        return painted

    def _around(self, shadow: npt.NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
        """Return top, left, bottom, right [px] around a shadow on the map; None: out of sight."""
        x, y, width, height = cv2.boundingRect(shadow)
        if width == 0:
            return None
        # A cell beyond the last one that is dark, to which interpolation reaches.
        x0, y0, x1, y1 = x - 1, y - 1, x + width, y + height
        corners = self._pixel_T_map @ np.array([[x0, x1, x1, x0], [y0, y0, y1, y1], [1.0] * 4])
        columns, rows = self._size
        if (corners[2] <= 0.0).any():  # it reaches behind the camera
            return 0, 0, rows, columns
        pixels = corners[:2] / corners[2]
        left, top = np.maximum(np.floor(pixels.min(axis=1)).astype(int) - 1, 0)
        right, bottom = np.ceil(pixels.max(axis=1)).astype(int) + 2
        right, bottom = min(int(right), columns), min(int(bottom), rows)
        if right <= left or bottom <= top:
            return None
        return int(top), int(left), bottom, right


def _shift(x: float, y: float) -> FloatArray:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])
