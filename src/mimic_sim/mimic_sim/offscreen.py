"""Colour and depth of a MuJoCo camera, both from one pass."""

import mujoco
import numpy as np

from mimic_core.arrays import DepthImage, FloatArray, Image
from mimic_core.camera import Intrinsics
from mimic_core.errors import UnknownNameError

_MAX_GEOMS = 2000
_FAR = 10.0  # [m], depth beyond is unknown, as with a real depth camera
_MILLIMETRES = 1000.0
_RINGS = (0.85, 0.95, 1.05, 1.15, 1.25)  # radii of the layers of a soft shadow [1]


class Offscreen:
    """Renders one model at one size. Use it in the thread that made it, and close it there."""

    def __init__(self, model: mujoco.MjModel, width: int, height: int) -> None:
        """Args: model: keeps its size of the offscreen buffer; width, height: [px]."""
        self._model = model
        self._size = (width, height)
        self._context = mujoco.GLContext(width, height)
        self._context.make_current()
        self._mjr = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._mjr)
        self._mjr.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR.value
        self._scene = mujoco.MjvScene(model, maxgeom=_MAX_GEOMS)
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = model.vis.quality.shadowsize > 0
        self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False
        self._option = mujoco.MjvOption()
        self._option.sitegroup[:] = 0
        self._rect = mujoco.MjrRect(0, 0, width, height)
        self._color = np.empty((height, width, 3), dtype=np.uint8)
        self._zbuffer = np.empty((height, width), dtype=np.float32)

    def render(
        self,
        data: mujoco.MjData,
        camera: str,
        shadows: FloatArray | None = None,
        *,
        depth: bool = True,
    ) -> tuple[Image, DepthImage | None]:
        """Return colour (H, W, 3) and depth (H, W) [mm], 0 where there is nothing within 10 m.

        Args:
            data: State with kinematics up to date.
            camera: Name of a camera of the model.
            shadows: (N, 4) x, y [m], radius [m], strength [1] of soft dark discs on the table,
                which tell the eye that things stand on it; None draws none.
            depth: Also read depth.

        Raises:
            UnknownNameError: There is no such camera.
        """
        view = mujoco.MjvCamera()
        view.type = mujoco.mjtCamera.mjCAMERA_FIXED
        view.fixedcamid = camera_id(self._model, camera)
        self._context.make_current()
        mujoco.mjv_updateScene(
            self._model,
            data,
            self._option,
            None,
            view,
            mujoco.mjtCatBit.mjCAT_ALL.value,
            self._scene,
        )
        if shadows is not None:
            self._add_discs(shadows)
        mujoco.mjr_render(self._rect, self._scene, self._mjr)
        mujoco.mjr_readPixels(self._color, self._zbuffer if depth else None, self._rect, self._mjr)
        return np.flipud(self._color).copy(), self._millimetres() if depth else None

    def close(self) -> None:
        """Free the graphics memory."""
        self._context.make_current()
        self._mjr.free()
        self._context.free()

    def _millimetres(self) -> DepthImage:
        """Turn the reversed z buffer (1 near, 0 far) into millimetres along the optical axis."""
        extent = self._model.stat.extent
        near = self._model.vis.map.znear * extent
        far = self._model.vis.map.zfar * extent
        # z_buffer = near (far - z) / (z (far - near))
        z = (near * far / (far - near)) / (self._zbuffer + np.float32(near / (far - near)))
        z[z > _FAR] = 0.0
        return np.flipud(np.rint(z * np.float32(_MILLIMETRES)).astype(np.uint16)).copy()

    def _add_discs(self, shadows: FloatArray) -> None:
        identity = np.eye(3).ravel()
        for x, y, radius, strength in shadows:
            for ring, grow in enumerate(_RINGS):
                if self._scene.ngeom >= self._scene.maxgeom:
                    return
                geom = self._scene.geoms[self._scene.ngeom]
                mujoco.mjv_initGeom(
                    geom,
                    mujoco.mjtGeom.mjGEOM_CYLINDER,
                    np.array([grow * radius, 1e-4, 0.0]),
                    np.array([x, y, 0.0012 + 5e-5 * ring]),
                    identity,
                    np.array([0.2, 0.17, 0.15, 0.07 * strength], dtype=np.float32),
                )
                self._scene.ngeom += 1


def camera_id(model: mujoco.MjModel, name: str) -> int:
    """Return the id of a camera.

    Raises:
        UnknownNameError: There is none of that name.
    """
    index = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, name)
    if index < 0:
        raise UnknownNameError('camera', name, (model.camera(i).name for i in range(model.ncam)))
    return int(index)


def intrinsics(model: mujoco.MjModel, camera: str, width: int, height: int) -> Intrinsics:
    """Return the pinhole model of a camera at a size [px]."""
    fovy = float(np.radians(model.cam_fovy[camera_id(model, camera)]))
    return Intrinsics.from_fov(width, height, fovy)
