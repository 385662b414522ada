"""A soft shadow of the hand on the table, painted into the picture.

MuJoCo's shadow maps cost more than the rest of the picture on a processor. Here the bones are
drawn as thick lines on a small map of the table, blurred, and laid over the table's pixels.
"""

from typing import Final

import cv2
import numpy as np

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
        for a, b in bones:  # the lowest and darkest last
            value = 255.0 * _DARKEST * 0.5 * (strength[a] + strength[b])
            thickness = max(1, round(1.1 * (radii[a] + radii[b]) / _CELL))
            ends = [np.clip(np.rint(cells[i]), -999, 999).astype(int).tolist() for i in (a, b)]
            cv2.line(shadow, ends[0], ends[1], (float(value),), thickness)
        palm = np.clip(np.rint(cells[[0, 1, 5, 9, 13, 17]]), -999, 999).astype(np.int32)
        dark = float(255.0 * _DARKEST * strength[[0, 5, 17]].mean())
        cv2.fillConvexPoly(shadow, cv2.convexHull(palm), (dark,))
        blur = 1.0 + 8.0 * float(height[[4, 8, 12, 16, 20]].mean()) / _FADE
        soft = cv2.GaussianBlur(shadow, (0, 0), min(blur, 6.0))
        seen = cv2.warpPerspective(soft, self._pixel_T_map, self._size, flags=cv2.INTER_LINEAR)
        seen[cv2.absdiff(depth, self._table) > _SAME] = 0
        shade = cv2.cvtColor(cv2.bitwise_not(seen), cv2.COLOR_GRAY2BGR)
        painted: Image = cv2.multiply(color, shade, scale=1.0 / 255.0)  # type: ignore[assignment]
        return painted
