"""MuJoCo Warp moves B twins side by side on a GPU: single precision, all steps in one launch."""

import copy
from collections.abc import Sequence
from typing import Any, Final

import mujoco
import mujoco_warp
import numpy as np
import warp

from mimic_core.arrays import FloatArray, IntArray
from mimic_core.errors import ConfigError
from mimic_rl.stepper import CONTROL, STATE

# What differs between models: see Physics.apply.
_NUMBERS: Final = (
    'body_mass', 'body_subtreemass', 'body_inertia', 'body_invweight0', 'dof_invweight0',
    'geom_friction', 'dof_damping', 'actuator_gainprm', 'actuator_biasprm',
)  # fmt: skip
warp.config.quiet = True  # else it tells each kernel that it loads
_CONTACTS: Final = 64  # of a twin
_ROWS: Final = 320  # of constraints of a twin: four or six a contact, and limits of joints


class WarpStepper:
    """MuJoCo Warp. Equal to MuJoCo but for rounding and the order in which sums are taken."""

    def __init__(self, models: Sequence[mujoco.MjModel], substeps: int) -> None:
        """Args: models: (B,); substeps: N.

        Raises:
            ConfigError: Models have states or settings that Warp has not.
        """
        model, count = models[0], len(models)
        if mujoco.mj_stateSize(model, STATE) != 1 + model.nq + model.nv:
            raise ConfigError(
                'physics = warp: actuators and plugins with states are not supported'
            )
        self._models: Final = models
        self._positions: Final = model.nq
        self._duration: Final = substeps * model.opt.timestep
        alike = copy.copy(model)  # boxes touch as in MuJoCo, along the normals of their faces
        alike.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_NATIVECCD
        alike.opt.jacobian = mujoco.mjtJacobian.mjJAC_DENSE  # sparse is for processors
        try:
            self._model: Final[Any] = mujoco_warp.put_model(alike)
        except NotImplementedError as error:
            raise ConfigError(f'physics = warp: {error}') from error
        self._data: Final[Any] = mujoco_warp.put_data(
            alike, mujoco.MjData(alike), nworld=count, nconmax=_CONTACTS, njmax=_ROWS
        )
        self._numbers: Final[dict[str, FloatArray]] = {}
        for name in _NUMBERS:
            values = np.repeat(np.asarray(getattr(model, name))[None], count, axis=0)
            self._numbers[name] = values.astype(np.float32)
            kind = getattr(self._model, name).dtype
            setattr(self._model, name, warp.array(self._numbers[name], dtype=kind))
        self._gravity: Final = np.repeat(model.opt.gravity[None], count, axis=0)
        self._model.opt.gravity = warp.array(self._gravity, dtype=warp.vec3)
        shape = (substeps, count)
        self._control: Final = warp.zeros((*shape, model.nu), dtype=float)
        self._force: Final = warp.zeros((*shape, model.nv), dtype=float)
        self._graph: Any = None
        self._stale = True
        assert mujoco.mj_stateSize(model, int(CONTROL)) == model.nu + model.nv
        self.redrawn(np.arange(count))

    def redrawn(self, rows: IntArray) -> None:
        """Take the numbers of the models of rows (R,) again."""
        for row in rows:
            model = self._models[row]
            for name, values in self._numbers.items():
                values[row] = getattr(model, name)
            self._gravity[row] = model.opt.gravity
        self._stale = self._stale or len(rows) > 0

    def step(self, state: FloatArray, control: FloatArray) -> FloatArray:
        """Return the states after N steps: see Stepper."""
        if self._stale:
            for name, values in self._numbers.items():
                getattr(self._model, name).assign(values)
            self._model.opt.gravity.assign(self._gravity)
            self._stale = False
        steps = np.moveaxis(control, 1, 0).astype(np.float32)
        drives = self._control.shape[2]
        self._control.assign(np.ascontiguousarray(steps[:, :, :drives]))
        self._force.assign(np.ascontiguousarray(steps[:, :, drives:]))
        if self._graph is None and warp.get_device().is_cuda:
            self._load(state)
            self._advance()  # compiles; a capture must not
            with warp.ScopedCapture() as capture:
                self._advance()
            self._graph = capture.graph
        self._load(state)
        if self._graph is None:
            self._advance()
        else:
            warp.capture_launch(self._graph)
        time = state[:, :1] + self._duration
        return np.concatenate([time, self._data.qpos.numpy(), self._data.qvel.numpy()], axis=1)

    def close(self) -> None:
        """Forget the graph."""
        self._graph = None

    def _load(self, state: FloatArray) -> None:
        first = 1 + self._positions
        self._data.qpos.assign(np.ascontiguousarray(state[:, 1:first], dtype=np.float32))
        self._data.qvel.assign(np.ascontiguousarray(state[:, first:], dtype=np.float32))
        self._data.qacc_warmstart.zero_()  # nothing is remembered beside the state

    def _advance(self) -> None:
        for place in range(self._control.shape[0]):
            warp.copy(self._data.ctrl, self._control[place])
            warp.copy(self._data.qfrc_applied, self._force[place])
            mujoco_warp.step(self._model, self._data)
