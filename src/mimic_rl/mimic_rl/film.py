"""Films of practice: one environment, seen from beside the table."""

from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import mujoco
import numpy as np

from mimic_core.arrays import Image
from mimic_core.errors import ConfigError
from mimic_rl.environment import Practice

# What MuJoCo raises, by what of OpenGL is missing.
_NO_GRAPHICS: Final = (
    ImportError, AttributeError, RuntimeError, OSError, ValueError, mujoco.FatalError,
)  # fmt: skip
_SIZE: Final = (320, 240)  # [px] width, height
_GHOST: Final = (0.30, 0.62, 0.35, 0.35)  # [1] rgba, where the object should be


def make_renderer(model: mujoco.MjModel, size: tuple[int, int]) -> mujoco.Renderer:
    """Return what draws a model; size: width and height [px].

    Raises:
        ConfigError: Nothing can be drawn on this machine.
    """
    try:
        return mujoco.Renderer(model, size[1], size[0])
    except _NO_GRAPHICS as error:
        raise ConfigError(f'nothing can be drawn on this machine: {error}') from error


class Camera:
    """Draws an environment of a Practice."""

    def __init__(self, practice: Practice, size: tuple[int, int] = _SIZE) -> None:
        """Args: practice: whose twins; size: of the pictures [px], width and height.

        Raises:
            ConfigError: Nothing can be drawn on this machine.
        """
        self._practice = practice
        self._model = practice.world.model
        self._renderer = make_renderer(self._model, size)
        self._data = mujoco.MjData(self._model)
        self._view = mujoco.MjvCamera()
        self._view.lookat[:] = [*practice.run.trajectory[:, :2].mean(axis=0), 0.08]
        self._view.distance, self._view.azimuth, self._view.elevation = 0.85, 155.0, -28.0

    def draw(self, row: int = 0) -> Image:
        """Return (H, W, 3) an environment as it is, with a shade where its object should be."""
        practice = self._practice
        kind = int(mujoco.mjtState.mjSTATE_FULLPHYSICS)
        mujoco.mj_setState(self._model, self._data, practice.state[row], kind)
        mujoco.mj_forward(self._model, self._data)
        self._renderer.update_scene(self._data, self._view)
        self._shade(practice.targets[practice.target()[row]])
        picture: Image = self._renderer.render().copy()
        return picture

    def close(self) -> None:
        """Free the graphics memory."""
        self._renderer.close()

    def _shade(self, pose: Any) -> None:
        scene, model = self._renderer.scene, self._model
        turn = np.empty(9)
        mujoco.mju_quat2Mat(turn, np.roll(pose[3:], 1))
        rotation = turn.reshape(3, 3)
        for geom in self._practice.world.object_geoms:
            if scene.ngeom >= scene.maxgeom:
                return
            own = np.empty(9)
            mujoco.mju_quat2Mat(own, model.geom_quat[geom])
            mujoco.mjv_initGeom(
                scene.geoms[scene.ngeom], model.geom_type[geom], model.geom_size[geom],
                pose[:3] + rotation @ model.geom_pos[geom],
                (rotation @ own.reshape(3, 3)).ravel(), np.array(_GHOST, dtype=np.float32),
            )  # fmt: skip
            scene.ngeom += 1


def write_film(pictures: list[Image], path: Path, rate: float) -> None:
    """Write pictures (H, W, 3) to an MP4 file that appears when it is whole."""
    part = path.with_name(f'{path.name}.part')
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(part), 'w', format='mp4') as container:
        stream: Any = container.add_stream('libx264', rate=Fraction(rate).limit_denominator(1000))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = 'yuv420p'
        stream.options = {'crf': '26', 'preset': 'veryfast', 'threads': '1'}
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='rgb24')))
        container.mux(stream.encode())
    part.replace(path)
