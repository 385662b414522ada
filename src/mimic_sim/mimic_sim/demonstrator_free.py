"""Hand gymnastics: a hand that wanders, turns and goes from one posture to the next."""

from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from mimic_core.arrays import FloatArray
from mimic_core.hand import Side
from mimic_sim.demonstrator_motion import grasp_rotation, minimum_jerk
from mimic_sim.hand_model import HandModel, mirrored
from mimic_sim.hand_postures import pinch, posture

_CHANGE, _HOLD = 0.9, 0.5  # [s] between two postures, and in one
_MIDDLE: Final = (-0.08, -0.04, 0.17)  # [m] of the motion from the workspace, right hand
_AMPLITUDE: Final = (0.07, 0.09, 0.05)  # [m]
_TURN: Final = (0.30, 0.35, 0.30)  # [rad]
_AZIMUTH, _ELEVATION = -0.2, 0.75  # [rad] of the usual posture
_PINCHES: Final = (0.022, 0.05, 0.085)  # [m]


class FreeMotion:
    """A pure function of time."""

    def __init__(
        self, model: HandModel, side: Side, workspace: FloatArray, rng: np.random.Generator
    ) -> None:
        """Args: model: the hand; side; workspace: (3,) [m]; rng: of order and frequencies."""
        scale = model.shape.scale
        poses = [posture(name) for name in ('open', 'rest', 'power', 'point')]
        poses += [pinch(model, aperture * scale) for aperture in _PINCHES]
        order = np.concatenate([rng.permutation(len(poses)) for _ in range(4)])
        self._poses = [poses[i] for i in order]
        self._centre = workspace * (1, 1, 0) + mirrored(np.array(_MIDDLE), side)
        self._rotation = grasp_rotation(model, side, _AZIMUTH, _ELEVATION)
        self._frequency = rng.uniform(0.12, 0.35, 6)  # [Hz]
        self._phase = rng.uniform(0.0, 2.0 * np.pi, 6)

    def at(self, time: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the middle of the hand (3,) [m] in world, world_R_palm (3, 3), joints (20,)."""
        wave = np.sin(2.0 * np.pi * self._frequency * time + self._phase)
        position = self._centre + wave[:3] * _AMPLITUDE
        turn = Rotation.from_rotvec(wave[3:] * _TURN).as_matrix()
        step, within = divmod(max(time, 0.0), _CHANGE + _HOLD)
        share = minimum_jerk(min(within / _CHANGE, 1.0))
        last = self._poses[int(step) % len(self._poses)]
        following = self._poses[(int(step) + 1) % len(self._poses)]
        rotation: FloatArray = turn @ self._rotation
        return position, rotation, last + (following - last) * share
