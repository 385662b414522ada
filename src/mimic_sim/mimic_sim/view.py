"""Pictures of a twin's state, in the thread of physics or in one beside it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import mujoco
import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.camera import Frame, Intrinsics
from mimic_core.frames import WRIST_CAMERA_OPTICAL
from mimic_sim.offscreen import Offscreen, intrinsics
from mimic_sim.scene import AGENT_CAMERA, AGENT_CAMERA_OPTICAL, WRIST_CAMERA
from mimic_sim.tasks import SceneObject
from mimic_sim.twin_params import TwinParams

CAMERA_FRAMES: Final = MappingProxyType(
    {AGENT_CAMERA: AGENT_CAMERA_OPTICAL, WRIST_CAMERA: WRIST_CAMERA_OPTICAL}
)


@dataclass(frozen=True)
class Snapshot:
    """What a picture shows."""

    qpos: FloatArray  # (nq,) of the MuJoCo model
    mocap_pos: FloatArray  # (nmocap, 3) [m]
    stamp: float  # [s]


class View:
    """The cameras of one model. Use and close it in one thread."""

    def __init__(
        self,
        model: mujoco.MjModel,
        objects: tuple[SceneObject, ...],
        params: TwinParams,
        prefix: str = '',
    ) -> None:
        """Args: objects: get soft shadows; prefix: of the robot's frames."""
        self._model, self._params, self._prefix = model, params, prefix
        self._objects = [(model.body(obj.name).id, obj) for obj in objects]
        self._offscreen: Offscreen | None = None
        self._data: mujoco.MjData | None = None  # of snapshots
        self._shown: Snapshot | None = None

    def intrinsics(self, camera: str) -> Intrinsics:
        """Return the pinhole model of a camera.

        Raises:
            UnknownNameError: There is no such camera.
        """
        return intrinsics(self._model, camera, self._params.width, self._params.height)

    def render(self, data: mujoco.MjData, camera: str, stamp: float) -> Frame:
        """Return what a camera sees. Depth is exact: no noise, 0 beyond 10 m.

        Args:
            data: State with kinematics up to date.
            camera: 'agent' or 'wrist'.
            stamp: Of the frame [s].

        Raises:
            UnknownNameError: There is no such camera.
        """
        optics = self.intrinsics(camera)
        if self._offscreen is None:
            size = (self._params.width, self._params.height)
            self._offscreen = Offscreen(self._model, *size)
        color, depth = self._offscreen.render(
            data, camera, self._shadows(data), depth=self._params.depth
        )
        return Frame(color, optics, stamp, camera_frame(camera, self._prefix), depth)

    def show(self, snapshot: Snapshot, camera: str) -> Frame:
        """Return what a camera saw at a moment.

        Raises:
            UnknownNameError: There is no such camera.
        """
        if self._data is None:
            self._data = mujoco.MjData(self._model)
        if snapshot is not self._shown:
            self._data.qpos[:] = snapshot.qpos
            self._data.mocap_pos[:] = snapshot.mocap_pos
            mujoco.mj_kinematics(self._model, self._data)
            mujoco.mj_camlight(self._model, self._data)
            self._shown = snapshot
        return self.render(self._data, camera, snapshot.stamp)

    def close(self) -> None:
        """Free the graphics memory; the next picture takes it again."""
        if self._offscreen is not None:
            self._offscreen.close()
            self._offscreen = None

    def _shadows(self, data: mujoco.MjData) -> FloatArray | None:
        """Return (N, 4) soft shadows: x, y, radius [m], strength [1]; None where real ones are."""
        if self._params.shadows:
            return None
        rows = []
        for body, obj in self._objects:
            x, y, z = data.xpos[body]
            lift = max(0.0, float(z) - obj.height)
            rows.append((x, y, obj.radius * (0.9 + 2.0 * lift), 1.0 / (1.0 + 12.0 * lift)))
        return np.array(rows).reshape(-1, 4)


class ViewThread:
    """Renders snapshots beside the physics; a snapshot that comes too early is dropped."""

    def __init__(self, view: View, on_frame: Callable[[str, Frame], None]) -> None:
        """Start the thread.

        Args:
            view: Used by this thread only, and closed by it.
            on_frame: Called in the thread with the name of a camera and its picture.
        """
        self._view, self._on_frame = view, on_frame
        self._wake = threading.Condition()
        self._waiting: dict[str, Snapshot] = {}  # camera -> what to show
        self._stopping = False
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name='view', daemon=True)
        self._thread.start()

    def request(self, camera: str, snapshot: Snapshot) -> None:
        """Ask for a picture; it replaces one of the same camera that was not begun."""
        with self._wake:
            self.dropped += camera in self._waiting
            self._waiting[camera] = snapshot
            self._wake.notify()

    def close(self) -> None:
        """Finish the present picture and end the thread."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._stopping or bool(self._waiting))
                if self._stopping:
                    break
                camera = next(iter(self._waiting))
                snapshot = self._waiting.pop(camera)
            self._on_frame(camera, self._view.show(snapshot, camera))
        self._view.close()


def camera_frame(camera: str, prefix: str = '') -> str:
    """Return the optical frame of a camera of the robot with that prefix."""
    return prefix + CAMERA_FRAMES.get(camera, f'{camera}_camera_color_optical_frame')
