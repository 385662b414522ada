"""How a person moves a hand: minimum-jerk strokes along curved paths, with pauses and tremor.

A script is a row of stages. Each moves the pinch point (the middle between thumb tip and index
tip) along a cubic Bézier curve and opens or closes the pinch. Everything follows from the seed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.hand import Side
from mimic_sim.hand_model import INDEX_TIP, THUMB_TIP, HandModel, mirrored
from mimic_sim.hand_postures import pinch, pinch_center, pinch_range
from mimic_sim.tasks.showing import Fingers, Gate, Move, Phase

_PEAK_SPEED: Final = 0.30  # [m/s] of a usual stroke
_SHORTEST: Final = 0.55  # [s]
_BLOW: Final = 0.25  # [s] at least, of a stroke with a tool
_STILL: Final = 1e-6  # [m]
_PEAK_OVER_MEAN: Final = 1.875  # [1] of the speed of a stroke
_LONG: Final = 0.06  # [m] of a way on which a person may wander
_WIDE: Final = 0.100  # [m] between the tips before they close
_SPREAD: Final = 0.045  # [m] between the tips that push
_HOVER: Final = 0.075  # [m] above the object before the last stroke down
_CLOSING: Final = 0.55  # [s]
_OPENING: Final = 0.45  # [s]
_REST_OFFSET: Final = (-0.10, -0.07, 0.20)  # [m] from the workspace, right hand
_GRASP_AZIMUTH: Final = -0.26  # [rad] of thumb to index about world z, right hand
_GRASP_ELEVATION: Final = 1.05  # [rad] of the approach over the table
_CARE: Final = 0.4  # [1] of the usual spread of the heading where it matters
_USUAL_APERTURE: Final = 0.045  # [m] at which the orientation of the hand is worked out


@dataclass(frozen=True)
class Stage:
    """One stroke."""

    phase: Phase
    duration: float  # [s]
    path: FloatArray  # (4, 3) [m] control points of the pinch point in world
    aperture: tuple[float, float]  # [m] from, to
    gate: Gate = ''
    carries: bool = False  # the person's object moves along
    lower: tuple[str, float] = ('', 0.0)  # of the gate 'lowered': object, height of centre [m]


@dataclass(frozen=True)
class Moment:
    """Where a script is at some time."""

    stage: int
    position: FloatArray  # (3,) [m] of the pinch point in world
    aperture: float  # [m]


@dataclass(frozen=True)
class Script:
    """Stages in a row; before the first it holds the start, after the last the end."""

    stages: tuple[Stage, ...]

    @property
    def duration(self) -> float:
        """Of all stages [s]."""
        return sum(stage.duration for stage in self.stages)

    def begin_of(self, index: int) -> float:
        """Return when a stage begins [s]."""
        return sum(stage.duration for stage in self.stages[:index])

    def at(self, time: float) -> Moment:
        """Return the moment at a time [s] of the script."""
        begin = 0.0
        for index, stage in enumerate(self.stages):
            last = index == len(self.stages) - 1
            if time < begin + stage.duration or last:
                share = min(max((time - begin) / stage.duration, 0.0), 1.0)
                done = minimum_jerk(share)
                a, b = stage.aperture
                return Moment(index, bezier(stage.path, done), a + (b - a) * done)
            begin += stage.duration
        raise AssertionError('a script has a last stage')


def minimum_jerk(share: float) -> float:
    """Return the covered part [1] of a stroke after a share [1] of its time.

    Source: T. Flash, N. Hogan, 1985, the coordination of arm movements, equation 3.
    """
    return share**3 * (10.0 - 15.0 * share + 6.0 * share**2)


def bezier(points: FloatArray, share: float) -> FloatArray:
    """Return the point (3,) of a cubic curve (4, 3) at a share [1] of its parameter."""
    a, b = 1.0 - share, share
    weights = np.array([a**3, 3.0 * a * a * b, 3.0 * a * b * b, b**3])
    point: FloatArray = weights @ points
    return point


def grasp_rotation(model: HandModel, side: Side, azimuth: float, elevation: float) -> FloatArray:
    """Return `world_R_palm` (3, 3) of a hand that pinches something on the table.

    Args:
        model: The hand.
        side: A left hand mirrors a right one in the plane y = 0.
        azimuth: Of the horizontal line from thumb tip to index tip, right hand [rad].
        elevation: Of the approach above the table [rad]; pi/2: from straight above.
    """
    joints = pinch(model, _USUAL_APERTURE * model.shape.scale)
    points = model.keypoints(joints)
    across = _unit(points[INDEX_TIP] - points[THUMB_TIP])
    reach = pinch_center(model, joints)
    reach = _unit(reach - (reach @ across) * across)
    world_across = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    sideways = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    world_reach = np.cos(elevation) * sideways - np.array([0.0, 0.0, np.sin(elevation)])
    palm = np.stack([across, reach, np.cross(across, reach)], axis=1)
    world = np.stack([world_across, world_reach, np.cross(world_across, world_reach)], axis=1)
    rotation: FloatArray = world @ palm.T
    mirror = np.diag([1.0, -1.0, 1.0])
    return mirror @ rotation @ mirror if side == 'left' else rotation


def usual_grasp(
    model: HandModel,
    side: Side,
    rng: np.random.Generator,
    heading: float | None = None,
    faces: float | None = None,
) -> FloatArray:
    """Return a `world_R_palm` (3, 3) near the usual one.

    Args:
        model: The hand.
        side: Which hand.
        rng: Chance.
        heading: Of the line from thumb tip to index tip about world z, if it matters [rad].
        faces: Heading of the sides of a square box [rad]. Where heading does not matter it is
            taken by those two of them that are nearest to the usual heading.
    """
    azimuth = _GRASP_AZIMUTH + rng.uniform(-0.12, 0.12)
    if heading is None and faces is not None:
        usual = -_GRASP_AZIMUTH if side == 'left' else _GRASP_AZIMUTH
        heading = usual + math.remainder(faces - usual, 0.5 * math.pi)
    if heading is not None:
        meant = -heading if side == 'left' else heading
        azimuth = meant + _CARE * (azimuth - _GRASP_AZIMUTH)
    return grasp_rotation(model, side, azimuth, _GRASP_ELEVATION + rng.uniform(-0.10, 0.10))


def rest_position(workspace: FloatArray, radius: float, side: Side) -> FloatArray:
    """Return where the pinch point (3,) [m] waits, beside and above the workspace."""
    scale = min(max(radius / 0.18, 0.6), 1.0)
    offset: FloatArray = mirrored(scale * np.array(_REST_OFFSET), side)
    return workspace * (1.0, 1.0, 0.0) + offset


def pick_and_place(
    model: HandModel,
    side: Side,
    rest: FloatArray,
    start: FloatArray,
    target: FloatArray,
    rng: np.random.Generator,
    *,
    grip: float,
    speed: float = 1.0,
) -> Script:
    """Return the script of carrying something from one place to another.

    Args:
        model: The hand.
        side: Which hand.
        rest: (3,) [m] in world, where the pinch point waits before and after.
        start: (3,) [m] centre of the object.
        target: (3,) [m] where its centre is to be.
        rng: Chance: pauses, curvature, speed.
        grip: Distance of the tips around the object [m].
        speed: Over a usual one [1].
    """
    apertures = _apertures(model, grip)
    grip, wide, relaxed = apertures['grip'], apertures['wide'], apertures['relaxed']
    pace = speed * rng.uniform(0.88, 1.12)
    bow = mirrored(np.array([rng.uniform(-0.02, 0.02), rng.uniform(-0.03, 0.01), 0.0]), side)
    lean = mirrored(np.array([rng.uniform(-0.02, 0.0), rng.uniform(-0.02, 0.0), 0.0]), side)
    up = np.array([0.0, 0.0, _HOVER])
    above, over = start + up + lean, target + up + lean
    arch = np.array([0.0, 0.0, rng.uniform(0.03, 0.06)])

    def stroke(a: FloatArray, b: FloatArray, lift: FloatArray) -> FloatArray:
        return np.stack([a, a + (b - a) / 3.0 + lift, b - (b - a) / 3.0 + lift, b])

    def seconds(path: FloatArray, most: float = _PEAK_SPEED) -> float:
        length = float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())
        return max(_PEAK_OVER_MEAN * length / most, _SHORTEST) / pace

    def pause(at: FloatArray, aperture: float, phase: Phase) -> Stage:
        return Stage(phase, rng.uniform(0.08, 0.35) / pace, np.tile(at, (4, 1)), (aperture,) * 2)

    still = np.zeros(3)
    reach = stroke(rest, above, arch + bow)
    down = stroke(above, start, still)
    lift = stroke(start, above, still)
    carry = stroke(above, over, arch - bow)
    lower = stroke(over, target, still)
    leave = stroke(target, over, still)
    home = stroke(over, rest, arch + bow)
    stages = (
        Stage('reach', seconds(reach), reach, (relaxed, wide)),
        pause(above, wide, 'reach'),
        Stage('reach', 0.05, np.tile(above, (4, 1)), (wide, wide), 'above'),
        Stage('reach', seconds(down, 0.2), down, (wide, wide), 'around'),
        Stage('grasp', _CLOSING / pace, np.tile(start, (4, 1)), (wide, grip), 'closed'),
        Stage('lift', seconds(lift, 0.2), lift, (grip, grip), 'held', carries=True),
        Stage('carry', seconds(carry), carry, (grip, grip), 'over', carries=True),
        Stage('place', seconds(lower, 0.2), lower, (grip, grip), 'down', carries=True),
        Stage('release', _OPENING / pace, np.tile(target, (4, 1)), (grip, wide), 'open'),
        pause(target, wide, 'release'),
        Stage('retreat', seconds(leave, 0.2), leave, (wide, wide)),
        Stage('retreat', seconds(home), home, (wide, relaxed)),
    )
    return Script(stages)


def shown(
    model: HandModel,
    side: Side,
    rest: FloatArray,
    moves: Sequence[Move],
    rng: np.random.Generator,
    *,
    grip: float,
    speed: float = 1.0,
    watches: bool = False,
) -> Script:
    """Return the script of a task's own moves.

    Args:
        model: The hand.
        side: Which hand.
        rest: (3,) [m] in world, where the pinch point waits before; and after, with empty fingers.
        moves: From the task.
        rng: Chance: pauses, curvature, speed.
        grip: Distance of the tips around the object [m].
        speed: Over a usual one [1].
        watches: The person will see the robot, and goes the last of some ways by sight.
    """
    apertures = _apertures(model, grip)
    pace = speed * rng.uniform(0.88, 1.12)
    bow = mirrored(np.array([rng.uniform(-0.02, 0.02), rng.uniform(-0.03, 0.01), 0.0]), side)
    grown = rng.uniform(0.8, 1.3)
    stages: list[Stage] = []
    at, aperture = rest, apertures['relaxed']

    def add(move: Move, lean: FloatArray) -> None:
        nonlocal at, aperture
        wanted = apertures[move.fingers]
        lift = np.array([0.0, 0.0, grown * move.arch]) + lean
        to = move.to
        if watches and move.short > 0.0:
            way = to - at
            to = to - min(move.short / max(float(np.linalg.norm(way)), 1e-9), 1.0) * way
        path = np.stack([at, at + (to - at) / 3.0 + lift, to - (to - at) / 3.0 + lift, to])
        length = float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())
        least = _BLOW if move.phase == 'strike' else _SHORTEST
        seconds = max(_PEAK_OVER_MEAN * length / move.speed, least) / pace
        if wanted != aperture and length < _STILL:
            seconds = (_CLOSING if wanted < aperture else _OPENING) / pace
        stages.append(
            Stage(
                move.phase, seconds, path, (aperture, wanted), move.gate, move.carries, move.lower
            )
        )
        at, aperture = to, wanted

    for number, move in enumerate(moves):
        add(move, bow if number == 0 else np.zeros(3))
        if move.gate == 'above':  # people look before they go down
            stages[-1] = replace(stages[-1], gate='')
            pause, still = rng.uniform(0.08, 0.35) / pace, np.tile(at, (4, 1))
            stages.append(Stage(move.phase, pause, still, (aperture, aperture), 'above'))
    if stages[-1].carries:  # what is in the hand stays there
        add(Move('retreat', at, moves[-1].fingers, carries=True), np.zeros(3))
    else:
        add(Move('retreat', rest, 'relaxed', arch=0.03), bow)
    return Script(tuple(stages))


def with_detours(script: Script, share: float, rng: np.random.Generator) -> Script:
    """Return a script whose long ways through the air bend aside and take longer.

    Args:
        script: Any.
        share: Of its length by which a way bends aside at most [1].
        rng: Chance.
    """
    stages = []
    for stage in script.stages:
        a, b = stage.path[0], stage.path[-1]
        length = float(np.linalg.norm(b - a))
        if length > _LONG and stage.phase in ('reach', 'carry', 'retreat'):
            across = np.array([a[1] - b[1], b[0] - a[0], 0.0])
            across = across / max(float(np.linalg.norm(across)), 1e-12)
            aside, rise = rng.uniform(-1.0, 1.0, 2), rng.uniform(0.0, 1.0, 2)
            bend = np.outer(aside, across) + np.outer(rise, (0.0, 0.0, 1.0))
            path = stage.path.copy()
            path[1:3] += share * length * bend
            longer = float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum()) / length
            stage = replace(stage, path=path, duration=max(longer, 1.0) * stage.duration)
        stages.append(stage)
    return Script(tuple(stages))


def _apertures(model: HandModel, grip: float) -> dict[Fingers, float]:
    """Return the distances of thumb tip and index tip [m], for an object of a grip [m]."""
    low, high = pinch_range(model.shape)
    grip = min(max(grip, low), high)
    wide = min(max(grip + 0.045, _WIDE), 0.95 * high)
    spread = min(max(_SPREAD, low), 0.95 * high)
    return {'relaxed': 0.5 * (grip + wide), 'wide': wide, 'spread': spread, 'grip': grip}


class Tremor:
    """Small involuntary motion of a hand: a slow drift and a physiological tremor."""

    def __init__(self, rng: np.random.Generator, amount: float) -> None:
        """Args: rng: of frequencies and phases; amount: over a usual one [1]."""
        slow, fast = rng.uniform(0.15, 0.7, (3, 3)), rng.uniform(7.0, 11.0, (3, 2))
        self._frequency = np.concatenate([slow, fast], axis=1)  # (3, 5) [Hz]
        self._phase = rng.uniform(0.0, 2.0 * np.pi, (3, 5))
        self._amplitude = amount * np.array([0.0008, 0.0008, 0.0008, 0.00012, 0.00012])  # [m]

    def at(self, time: float) -> FloatArray:
        """Return the displacement (3,) [m] at a time [s]."""
        waves = np.sin(2.0 * np.pi * self._frequency * time + self._phase)
        moved: FloatArray = waves @ self._amplitude
        return moved


def _unit(vector: FloatArray) -> FloatArray:
    return vector / np.linalg.norm(vector)
