"""Scenes with moving objects whose pose is known: rendered RGB-D of the virtual studio."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from mimic_core.arrays import FloatArray
from mimic_core.camera import Frame, Intrinsics
from mimic_core.frames import inverse, look_at, transform
from mimic_object_tracking import ObjectModel, make_object
from mimic_sim.hand_model import HandState
from mimic_sim.hand_postures import posture
from mimic_sim.studio import GroundTruth, Prop, Studio, Variation

OPTICS: Final = Intrinsics(640, 480, 600.0, 600.0, 319.5, 239.5)
EYE: Final = np.array([0.45, -0.38, 0.52])  # [m]
RATE: Final = 30.0  # [Hz]
_RGB: Final = {
    'box': (0.83, 0.30, 0.22),
    'can': (0.20, 0.42, 0.70),
    'plate': (0.93, 0.90, 0.80),
    'pitcher': (0.35, 0.62, 0.45),
}


def box() -> trimesh.Trimesh:
    """Return a box of 14 x 9 x 6 cm."""
    return trimesh.creation.box((0.14, 0.09, 0.06))


def can() -> trimesh.Trimesh:
    """Return a can, 7 cm wide and 10 cm high."""
    return trimesh.creation.cylinder(0.035, 0.10, sections=64)


def plate() -> trimesh.Trimesh:
    """Return a plate with a raised rim, 20 cm wide and 2.4 cm high."""
    outline = np.array(
        [[0.0, 0.0], [0.060, 0.0], [0.100, 0.020], [0.100, 0.024], [0.097, 0.024],
         [0.060, 0.006], [0.0, 0.006]]
    )  # fmt: skip
    return _centred(trimesh.creation.revolve(outline, sections=72))


def pitcher() -> trimesh.Trimesh:
    """Return a pitcher with a handle, 16 cm high."""
    outline = np.array(
        [[0.0, 0.0], [0.044, 0.0], [0.052, 0.04], [0.050, 0.09], [0.038, 0.13], [0.044, 0.16],
         [0.040, 0.16], [0.034, 0.13], [0.045, 0.09], [0.047, 0.04], [0.038, 0.006], [0.0, 0.006]]
    )  # fmt: skip
    body = trimesh.creation.revolve(outline, sections=64)
    angles = np.linspace(-0.45 * np.pi, 0.45 * np.pi, 12)
    path = np.stack(
        [0.043 + 0.038 * np.cos(angles), np.zeros(12), 0.08 + 0.05 * np.sin(angles)], axis=1
    )
    rings = [trimesh.creation.cylinder(0.007, segment=pair, sections=16)
             for pair in pairwise(path)]  # fmt: skip
    whole = trimesh.util.concatenate([body, *rings])
    assert isinstance(whole, trimesh.Trimesh)
    return _centred(whole)


def _centred(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    mesh.apply_translation(-0.5 * (mesh.bounds[0] + mesh.bounds[1]))
    return mesh


SHAPES: Final[dict[str, Callable[[], trimesh.Trimesh]]] = {
    'box': box,
    'can': can,
    'plate': plate,
    'pitcher': pitcher,
}


def model_of(name: str) -> ObjectModel:
    """Return the object of one of SHAPES."""
    mesh = SHAPES[name]()
    return make_object(name, mesh.vertices, mesh.faces)


@dataclass(frozen=True)
class Motion:
    """How an object moves, and what the hand does about it."""

    name: str
    pose: Callable[[float, float], FloatArray]  # time [s], half height [m] -> world_T_object
    hand: Callable[[float, FloatArray], HandState | None]  # time [s], world_T_object
    duration: float  # [s]


def _pushed(time: float, half: float) -> FloatArray:
    s = 0.5 - 0.5 * np.cos(np.pi * np.clip((time - 0.5) / 1.6, 0.0, 1.0))
    t = 0.5 - 0.5 * np.cos(np.pi * np.clip((time - 2.4) / 1.2, 0.0, 1.0))
    at = np.array([-0.10 + 0.20 * s, -0.08 + 0.10 * s + 0.10 * t, half])
    return transform(Rotation.from_euler('z', 0.3 + 0.9 * s - 0.7 * t).as_matrix(), at)


def _lifted(time: float, half: float) -> FloatArray:
    s = 0.5 - 0.5 * np.cos(np.pi * np.clip((time - 0.5) / 1.2, 0.0, 1.0))
    t = 0.5 - 0.5 * np.cos(np.pi * np.clip((time - 1.7) / 1.2, 0.0, 1.0))
    at = np.array([-0.05 + 0.05 * t, -0.05 + 0.08 * s, half + 0.10 * s])
    return transform(Rotation.from_euler('zx', [0.4, 0.9 * t]).as_matrix(), at)


def _pushing(time: float, world_T_object: FloatArray) -> HandState | None:
    """Hold the finger tips at the far side of the object and bend over it."""
    return _hand(world_T_object[:3, 3] + np.array([-0.10, -0.035, 0.06]), 'rest')


def _holding(time: float, world_T_object: FloatArray) -> HandState | None:
    """Grasp it from the side of the camera: the hand covers a part of it."""
    away = 0.30 * max(0.0, 1.0 - time / 0.4)
    return _hand(world_T_object[:3, 3] + np.array([-0.04 - away, -0.06, 0.04 + away]), 'power')


def _passing(time: float, world_T_object: FloatArray) -> HandState | None:
    """Pass between camera and object, so that it is out of sight for a while."""
    middle = 0.70 * world_T_object[:3, 3] + 0.30 * EYE
    return _hand(middle + np.array([-0.10, 0.60 * (1.8 - time), 0.02]), 'open')


def _hand(wrist: FloatArray, name: str) -> HandState:
    turned = np.array(
        [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]
    )  # fingers +x, palm down
    tilt = Rotation.from_euler('yz', [0.35, -0.3]).as_matrix()
    return HandState(
        transform(tilt @ turned, wrist), posture(name), wrist + np.array([-0.24, 0.05, 0.12])
    )


def _nobody(time: float, world_T_object: FloatArray) -> HandState | None:
    return None


MOTIONS: Final = {
    'push': Motion('push', _pushed, _nobody, 4.0),
    'lift': Motion('lift', _lifted, _nobody, 3.4),
    'pushed by a hand': Motion('pushed by a hand', _pushed, _pushing, 4.0),
    'lifted by a hand': Motion('lifted by a hand', _lifted, _holding, 3.4),
    'hand passes before it': Motion('hand passes before it', _pushed, _passing, 4.0),
}


class ObjectStage:
    """A studio with one object in it; close it after use."""

    def __init__(
        self, name: str, variation: Variation | None = None, optics: Intrinsics = OPTICS
    ) -> None:
        """Build the studio around one of SHAPES; takes about a second."""
        self.mesh = SHAPES[name]()
        self.name, self.half = name, float(-self.mesh.bounds[0, 2])
        prop = Prop(name, 'mesh', rgb=_RGB[name], vertices=np.asarray(self.mesh.vertices),
                    faces=np.asarray(self.mesh.faces))  # fmt: skip
        world_T_camera = look_at(EYE, np.array([0.0, 0.0, 0.07]), np.array([0.0, 0.0, 1.0]))
        self.studio = Studio(variation or Variation(), optics, world_T_camera, props=(prop,))

    def at(self, motion: Motion, time: float) -> tuple[Frame, GroundTruth]:
        """Return the picture and the truth at a time [s]."""
        pose = motion.pose(time, self.half)
        return self.studio.render(motion.hand(time, pose), {self.name: pose}, time)

    def still(self, world_T_object: FloatArray | None, time: float = 0.0,
              hand: HandState | None = None) -> tuple[Frame, GroundTruth]:  # fmt: skip
        """Return the picture of the object at a pose, or of the table without it."""
        objects = {} if world_T_object is None else {self.name: world_T_object}
        return self.studio.render(hand, objects, time)

    def frames(self, motion: Motion) -> Iterator[tuple[Frame, GroundTruth]]:
        """Yield the pictures of a motion at the rate of a camera."""
        for index in range(int(motion.duration * RATE)):
            yield self.at(motion, index / RATE)

    @property
    def camera_T_world(self) -> FloatArray:  # noqa: N802
        """(4, 4)."""
        return inverse(self.studio.world_T_camera)

    def close(self) -> None:
        """Free the graphics memory."""
        self.studio.close()
