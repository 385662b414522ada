"""A person who watches the robot: waits for it, corrects the hand, tries a missed grasp again.

The person sees the robot's grasp point and its objects, and moves the own hand until the robot is
where it should be. The correction is an integral of what is seen while the own hand is still, no
faster than people correct.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_sim.demonstrator_motion import Script, Stage, minimum_jerk
from mimic_sim.tasks.showing import Gate

_GAIN: Final = 1.6  # [1/s] of the correction
_FASTEST: Final = 0.10  # [m/s] of the correction
_FARTHEST: Final = 0.12  # [m] of the correction along the table
_HIGHEST: Final = 0.03  # [m] of the correction upwards
_LOWEST: Final = 0.014  # [m] of the pinch point over the person's own table
_PINCH_SPEED: Final = 0.25  # [m/s] at which the pinch opens for another try
_ROSE: Final = 0.02  # [m] that a held object has risen after the lift
_IN_HAND: Final = 0.08  # [m] at most between the robot's grasp point and an object that it holds
_RETRIES: Final = 2
_RETURN_SPEED: Final = 0.30  # [m/s] at most, of the way back to a lost object
_INSTANT: Final = 1e-9  # [s]
# Per gate: least and most that the person waits [s], and the error that is good enough [m].
_WAITS: Final[dict[Gate, tuple[float, float, float]]] = {
    '': (0.0, 0.0, 0.0),
    'above': (0.4, 3.5, 0.008),
    'around': (0.3, 2.0, 0.010),
    'closed': (0.7, 0.7, 0.0),
    'held': (0.3, 0.3, 0.0),
    'over': (0.4, 3.0, 0.012),
    'poised': (0.4, 3.0, 0.008),
    'down': (0.3, 1.8, 0.010),
    'open': (0.5, 0.5, 0.0),
    'pushed': (0.3, 5.0, 0.012),
    'lowered': (0.5, 0.5, 0.0),
}


@dataclass(frozen=True)
class Sight:
    """What the person sees of the robot, in world."""

    grasp_center: FloatArray  # (3,) [m]
    object: FloatArray  # (3,) [m] centre of the robot's object
    target: FloatArray | None = None  # (3,) [m] where its centre is to be
    things: Mapping[str, FloatArray] = field(default_factory=dict)  # (3,) [m] of all, by name
    faces: float | None = None  # [rad] heading of the object's sides, were it a box

    @classmethod
    def of(
        cls,
        grasp_center: FloatArray,
        objects: Mapping[str, FloatArray],
        name: str,
        target: FloatArray | None = None,
    ) -> 'Sight':
        """Return what is to be seen of poses.

        Args:
            grasp_center: (4, 4) of the robot in world.
            objects: (4, 4) in world by name.
            name: Of the robot's object.
            target: (3,) [m] where its centre is to be.
        """
        things = {thing: pose[:3, 3] for thing, pose in objects.items()}
        faces = faces_of(objects[name])
        return cls(grasp_center[:3, 3], things[name], target, things, faces)


def faces_of(pose: FloatArray) -> float:
    """Return how the sides of a cube head about z [rad]: its most level edge; pose: (4, 4)."""
    level = np.hypot(pose[0, :3], pose[1, :3])
    edge = pose[:2, int(np.argmax(level))]
    return math.atan2(edge[1], edge[0])


class Operator:
    """Goes through a script at the robot's pace."""

    def __init__(self, script: Script, start: FloatArray, target: FloatArray) -> None:
        """Args: script; start, target: (3,) [m] of the object's centre, in world."""
        self._script, self._start, self._target = script, start, target
        self.time = 0.0  # [s] of the script
        self.correction = np.zeros(3)  # [m] added to the script's positions
        self.retries = 0
        self._stage, self._waited = 0, 0.0
        self._aperture = script.at(0.0).aperture
        self._way_back, self._back = np.zeros(3), 1.0  # [m]; [1] of it that is behind

    @property
    def done(self) -> bool:
        """The script is over."""
        return self.time >= self._script.duration

    @property
    def displacement(self) -> FloatArray:
        """How far (3,) [m] the pinch point is from where the script has it."""
        moved: FloatArray = self.correction + (1.0 - minimum_jerk(self._back)) * self._way_back
        return moved

    @property
    def aperture(self) -> float:
        """Of the pinch [m]."""
        return self._aperture

    def advance(self, dt: float, sight: Sight | None) -> None:
        """Go on by a time [s], with what is seen now; None: nothing, so nothing is waited for."""
        if self._back < 1.0:  # on the way back to the object
            length = float(np.linalg.norm(self._way_back))
            self._back = min(1.0, self._back + dt / max(1.875 * length / _RETURN_SPEED, dt))
            self._open_or_close(dt)
            return
        stage = self._stage
        end = self._script.begin_of(stage + 1)
        self.time += dt
        if self.time >= end and stage < len(self._script.stages) - 1:
            if sight is None or self._may_pass(self._script.stages[stage], sight, dt):
                self._stage, self._waited = stage + 1, 0.0
            elif self._stage == stage:  # not sent back to try again
                self.time = end - _INSTANT
        self._open_or_close(dt)

    def _open_or_close(self, dt: float) -> None:
        wanted = self._script.at(self.time).aperture
        step = _PINCH_SPEED * dt
        self._aperture += min(max(wanted - self._aperture, -step), step)

    def _may_pass(self, stage: Stage, sight: Sight, dt: float) -> bool:
        least, most, tolerance = _WAITS[stage.gate]
        self._waited += dt
        if self._waited >= least and self._failed(stage, sight):
            if self.retries >= _RETRIES:
                return True
            self._try_again(('above', 'poised') if stage.gate == 'lowered' else ('above',))
            return False
        error = self._error(stage, sight)
        if error is None or self._waited < least:
            return self._waited >= least
        if np.linalg.norm(error) <= tolerance or self._waited >= most:
            return True
        step = _GAIN * dt * error
        fastest = _FASTEST * dt
        step *= min(1.0, fastest / max(float(np.linalg.norm(step)), 1e-12))
        self.correction = self._bounded(self.correction + step)
        return False

    def _bounded(self, correction: FloatArray) -> FloatArray:
        """Return the correction (3,) [m] that a person at a table of the same height can make."""
        lowest = _LOWEST - min(self._start[2], self._target[2])
        along = correction[:2]
        along = along * min(1.0, _FARTHEST / max(float(np.linalg.norm(along)), 1e-12))
        return np.array([*along, min(max(correction[2], lowest), _HIGHEST)])

    def _failed(self, stage: Stage, sight: Sight) -> bool:
        """What the stage was for did not come about."""
        if stage.gate in ('held', 'over', 'poised'):
            return self._lost(sight)
        name, height = stage.lower
        return stage.gate == 'lowered' and name in sight.things and sight.things[name][2] > height

    def _error(self, stage: Stage, sight: Sight) -> FloatArray | None:
        """Return how far the robot should still go (3,) [m], or None if that does not matter."""
        gate, horizontal = stage.gate, np.array([1.0, 1.0, 0.0])
        offset = self._script.at(self.time).position - self._start  # of the hand from the object
        if gate == 'above':
            return (sight.object + offset - sight.grasp_center) * horizontal
        if gate == 'around':
            return sight.object + offset - sight.grasp_center
        if gate == 'pushed':
            way = (stage.path[-1] - stage.path[0]) * horizontal
            way = way / max(float(np.linalg.norm(way)), 1e-12)
            return max(float((self._target - sight.object) @ way), 0.0) * way
        if self._beside(sight):
            return None  # it has slipped away: nothing to be put right
        if gate in ('over', 'poised'):
            offset = self._script.at(self.time).position - self._target
            error = self._target + offset - sight.object
            return error if gate == 'poised' else error * horizontal
        if gate == 'down':
            return self._target - sight.object
        return None

    @staticmethod
    def _beside(sight: Sight) -> bool:
        """The object is not in the robot's hand."""
        return float(np.linalg.norm(sight.object - sight.grasp_center)) > _IN_HAND

    def _lost(self, sight: Sight) -> bool:
        """The robot does not hold its object, though the hand is up."""
        rose = sight.object[2] - self._start[2] > _ROSE
        return not rose or self._beside(sight)

    def _try_again(self, since: tuple[Gate, ...]) -> None:
        """Go back to the last of the gates."""
        self.retries += 1
        before = enumerate(self._script.stages[: self._stage])
        self._stage = max((i for i, stage in before if stage.gate in since), default=0)
        self._waited = 0.0
        begin = self._script.begin_of(self._stage)
        self._way_back = self._script.at(self.time).position - self._script.at(begin).position
        self._back = 0.0
        self.time = begin
