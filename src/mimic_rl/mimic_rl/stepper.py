"""What moves the physics of B twins: threads of MuJoCo on processors, or MuJoCo Warp on a GPU."""

from collections.abc import Sequence
from typing import Final, Protocol

import mujoco
import numpy as np
from mujoco import rollout

from mimic_core.arrays import FloatArray, IntArray
from mimic_core.errors import ConfigError, UnknownNameError

STEPPERS: Final = ('threads', 'warp')
CONTROL: Final = mujoco.mjtState.mjSTATE_CTRL | mujoco.mjtState.mjSTATE_QFRC_APPLIED
STATE: Final = mujoco.mjtState.mjSTATE_FULLPHYSICS


class Stepper(Protocol):
    """Moves B twins. Each has its own model, of which only numbers differ."""

    def redrawn(self, rows: IntArray) -> None:
        """Take the numbers of the models of rows (R,) again: they have changed."""

    def step(self, state: FloatArray, control: FloatArray) -> FloatArray:
        """Return the states (B, S) after N steps of the physics.

        Args:
            state: (B, S) before: time [s], positions, speeds, as MuJoCo's full physics.
            control: (B, N, nu + nv) in each step: set-points, and forces on degrees of freedom.
        """

    def close(self) -> None:
        """Free what it holds."""


def make_stepper(
    kind: str, models: Sequence[mujoco.MjModel], substeps: int, threads: int
) -> Stepper:
    """Return what moves these models.

    Args:
        kind: 'threads', or 'warp' (on the first GPU, or without one on the processor, slowly).
        models: (B,) equal but for numbers.
        substeps: N.
        threads: Of 'threads'.

    Raises:
        UnknownNameError: There is no such kind.
        ConfigError: MuJoCo Warp is not installed.
    """
    if kind not in STEPPERS:
        raise UnknownNameError('physics', kind, STEPPERS)
    if kind == 'threads':
        return ThreadStepper(models, substeps, threads)
    try:
        from mimic_rl.warp_stepper import WarpStepper
    except ModuleNotFoundError as error:
        raise ConfigError(
            f'physics = warp: {error.name} is not installed; pip install --no-deps -r '
            'requirements-warp.txt, or --physics threads'
        ) from error
    return WarpStepper(models, substeps)


class ThreadStepper:
    """MuJoCo itself, over threads. The same numbers bit for bit, whatever their number."""

    def __init__(self, models: Sequence[mujoco.MjModel], substeps: int, threads: int) -> None:
        """Args: models: (B,); substeps: N; threads: of the physics."""
        self._models: Final = models
        self._pool: Final = rollout.Rollout(nthread=threads if threads > 1 else 0)
        self._data: Final = [mujoco.MjData(models[0]) for _ in range(max(threads, 1))]
        size = mujoco.mj_stateSize(models[0], STATE)
        self._states: Final = np.zeros((len(models), substeps, size))
        self._sensors: Final = np.zeros((len(models), substeps, models[0].nsensordata))

    def redrawn(self, rows: IntArray) -> None:
        """Do nothing: models are used as they are."""

    def step(self, state: FloatArray, control: FloatArray) -> FloatArray:
        """Return the states after N steps: see Stepper."""
        self._pool.rollout(
            self._models, self._data, state, control, control_spec=int(CONTROL),
            state=self._states, sensordata=self._sensors, nstep=self._states.shape[1],
            skip_checks=True,
        )  # fmt: skip
        return self._states[:, -1]

    def close(self) -> None:
        """End the threads."""
        self._pool.close()
