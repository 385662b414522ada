"""How a person does a task with a bare hand on the thing itself: the thing's path and the hand's.

The motion is kinematic: while the hand works, the thing goes along its path and the hand stays
where it touches it. Everything follows from the seed.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import ConfigError
from mimic_core.frames import apply, transform
from mimic_core.hand import Side
from mimic_sim.demonstrator import DemoState, elbow_of
from mimic_sim.demonstrator_motion import Tremor, grasp_rotation, minimum_jerk, rest_position
from mimic_sim.hand_model import INDEX_TIP, THUMB_TIP, HandModel, HandState, mirrored
from mimic_sim.hand_postures import pinch, pinch_center, pinch_range

_SPEED: Final = 0.30  # [m/s] peak of a free stroke
_SHORTEST: Final = 0.6  # [s]
_TOUCH: Final = 0.7  # [s] of the last way to the thing
_CLOSING: Final = 0.5  # [s]
_PAUSE: Final = 0.25  # [s] before and after the hand works
_KEPT: Final = 1.0  # [s] for which a thing is held on at the end
_REST_ELEVATION: Final = 1.05  # [rad]


@dataclass(frozen=True)
class Grip:
    """How the hand is on the thing. Points are those between thumb tip and index tip."""

    contact: FloatArray  # (3,) [m] in the thing's frame, while the hand works
    azimuth: float  # [rad] of the line from thumb to index about world z, right hand
    elevation: float  # [rad] of the approach over the table
    aperture: float  # [m] of the tips while it works
    wide: float  # [m] before and after
    before: FloatArray  # (3,) [m] from the contact to where the last way begins, in world
    after: FloatArray  # (3,) [m] from the last contact to where the hand lets go, in world
    follows: float = 1.0  # [1] share of the thing's turn that the hand goes along with
    keeps: bool = False  # at the end the hand still holds the thing


@dataclass(frozen=True)
class Handling:
    """The path of a thing from the moment when the hand begins to move it, and the grip."""

    name: str  # of the thing
    times: FloatArray  # (T,) [s] from 0, growing
    poses: FloatArray  # (T, 4, 4) world_T_thing
    grip: Grip

    def __post_init__(self) -> None:
        times = checked(self.times, (None,), 'times')
        checked(self.poses, (len(times), 4, 4), 'poses')
        if len(times) < 2 or times[0] != 0.0 or (np.diff(times) <= 0.0).any():
            raise ConfigError(f'times of {self.name} must grow from 0')

    @property
    def duration(self) -> float:
        """Of the path [s]."""
        return float(self.times[-1])

    def at(self, time: float) -> FloatArray:
        """Return world_T_thing (4, 4) at a time [s]; before and after it stands still."""
        moment = float(np.clip(time, 0.0, self.times[-1]))
        place = [np.interp(moment, self.times, self.poses[:, i, 3]) for i in range(3)]
        turns = Slerp(self.times, Rotation.from_matrix(self.poses[:, :3, :3]))
        return transform(turns(moment).as_matrix(), np.array(place))


def path_of(
    start: FloatArray, moves: list[tuple[FloatArray, FloatArray, FloatArray, float]]
) -> tuple[FloatArray, FloatArray]:
    """Return times (T,) [s] and poses (T, 4, 4) of a thing that is moved in minimum-jerk strokes.

    Args:
        start: (4, 4) world_T_thing.
        moves: Each a shift (3,) [m] in world, a turn (3,) as rotation vector [rad] in world, the
            point (3,) [m] in world about which it turns, and how long it takes [s].
    """
    times, poses = [0.0], [start]
    for shift, turn, about, duration in moves:
        begin, base = times[-1], poses[-1]
        for step in range(1, (count := max(int(np.ceil(60.0 * duration)), 2)) + 1):
            share = minimum_jerk(step / count)
            rotation = Rotation.from_rotvec(share * turn).as_matrix()
            place = about + rotation @ (base[:3, 3] - about) + share * shift
            poses.append(transform(rotation @ base[:3, :3], place))
            times.append(begin + duration * step / count)
    return np.array(times), np.array(poses)


@dataclass(frozen=True)
class _Pose:
    """The hand at a key moment."""

    point: FloatArray  # (3,) [m] between the tips, in world
    rotation: FloatArray  # (3, 3) world_R_palm
    aperture: float  # [m]


class Handler:
    """The motion of one person who handles one thing; a pure function of time."""

    def __init__(
        self,
        handling: Handling,
        model: HandModel,
        *,
        workspace: FloatArray,
        radius: float,
        side: Side,
        rng: np.random.Generator,
        start_delay: float = 1.0,
        speed: float = 1.0,
        tremor: float = 1.0,
    ) -> None:
        """Lay out the key moments.

        Args:
            handling: What is done.
            model: The hand.
            workspace: (3,) [m] in world, middle of the table.
            radius: Of the workspace [m].
            side: Of the hand.
            rng: Chance: speed and tremor.
            start_delay: Rest before the first motion [s].
            speed: Over a usual one [1].
            tremor: Over a usual one [1].
        """
        self.handling, self.model, self.side = handling, model, side
        self._workspace, self._tremor = workspace, Tremor(rng, tremor)
        self._pace = speed * rng.uniform(0.9, 1.1)
        grip, low_high = handling.grip, pinch_range(model.shape)
        self._first = self._on_thing(0.0)
        self._last = self._on_thing(handling.duration)
        wide = float(np.clip(grip.wide, *low_high))
        rest = _Pose(
            rest_position(workspace, radius, side) - 0.06 * workspace / np.linalg.norm(workspace),
            self._orientation(grip.azimuth, _REST_ELEVATION),
            wide,
        )
        begin = _Pose(self._first.point + grip.before, self._first.rotation, wide)
        touching = _Pose(self._first.point, self._first.rotation, wide)
        free = _Pose(self._last.point, self._last.rotation, wide)
        away = _Pose(self._last.point + grip.after, self._last.rotation, wide)
        closing = _CLOSING if abs(wide - self._first.aperture) > 1e-3 else 0.0
        self._before = [
            (start_delay * self._pace, rest, rest, 'rest'),
            (self._way(rest, begin), rest, begin, 'reach'),
            (_TOUCH, begin, touching, 'reach'),
            (closing, touching, self._first, 'grasp'),
            (_PAUSE, self._first, self._first, 'grasp'),
        ]
        self._after = (
            [(_KEPT, self._last, self._last, 'carry')]
            if grip.keeps
            else [
                (_PAUSE, self._last, self._last, 'release'),
                (closing, self._last, free, 'release'),
                (_TOUCH, free, away, 'retreat'),
                (self._way(away, rest), away, rest, 'retreat'),
            ]
        )

    @property
    def begin(self) -> float:
        """When the thing begins to move [s]."""
        return sum(part[0] for part in self._before) / self._pace

    @property
    def duration(self) -> float:
        """Of the whole motion [s]."""
        after = sum(part[0] for part in self._after) / self._pace
        return self.begin + self.handling.duration + after

    def state(self, time: float) -> DemoState:
        """Return the person and the thing at a time [s]."""
        since = time - self.begin
        if 0.0 <= since < self.handling.duration:
            pose, phase = self._on_thing(since), 'carry'
        elif since < 0.0:
            pose, phase = self._among(self._before, time)
        else:
            pose, phase = self._among(self._after, since - self.handling.duration)
        joints = pinch(self.model, pose.aperture)
        point = pose.point + self._tremor.at(time)
        wrist = point - pose.rotation @ mirrored(pinch_center(self.model, joints), self.side)
        elbow = elbow_of(wrist, pose.rotation, self._workspace, self.side, self.model.shape.scale)
        hand = HandState(transform(pose.rotation, wrist), joints, elbow, self.side)
        tips = self.model.world_keypoints(hand)[[THUMB_TIP, INDEX_TIP]]
        return DemoState(
            hand,
            tips.mean(axis=0),
            float(np.linalg.norm(tips[1] - tips[0])),
            phase,
            {self.handling.name: self.handling.at(since)},
        )

    def _among(
        self, parts: list[tuple[float, _Pose, _Pose, str]], time: float
    ) -> tuple[_Pose, str]:
        left = time * self._pace
        for duration, a, b, phase in parts:
            if left < duration:
                return _between(a, b, minimum_jerk(max(left / duration, 0.0))), phase
            left -= duration
        return parts[-1][2], 'done' if parts is self._after else 'grasp'

    def _on_thing(self, since: float) -> _Pose:
        grip, pose = self.handling.grip, self.handling.at(since)
        turn = Rotation.from_matrix(pose[:3, :3] @ self.handling.poses[0, :3, :3].T).as_rotvec()
        turned = Rotation.from_rotvec(grip.follows * turn).as_matrix()
        aperture = float(np.clip(grip.aperture, *pinch_range(self.model.shape)))
        rotation = turned @ self._orientation(grip.azimuth, grip.elevation)
        return _Pose(apply(pose, grip.contact), rotation, aperture)

    def _orientation(self, azimuth: float, elevation: float) -> FloatArray:
        return grasp_rotation(self.model, self.side, azimuth, elevation)

    def _way(self, a: _Pose, b: _Pose) -> float:
        length = float(np.linalg.norm(b.point - a.point))
        return max(1.875 * length / _SPEED, _SHORTEST)  # 1.875: peak over mean speed


def _between(a: _Pose, b: _Pose, share: float) -> _Pose:
    turn = Rotation.from_matrix(b.rotation @ a.rotation.T).as_rotvec()
    return _Pose(
        a.point + share * (b.point - a.point),
        Rotation.from_rotvec(share * turn).as_matrix() @ a.rotation,
        a.aperture + share * (b.aperture - a.aperture),
    )
