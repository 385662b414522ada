"""The path of the object: smoothed, cut to its motion, sampled at the rate of practice."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.signal import savgol_filter
from scipy.spatial.transform import Rotation, Slerp

from mimic_core.arrays import BoolArray, FloatArray
from mimic_core.errors import MimicError
from mimic_object_tracking import SightParams
from mimic_rl.prepare.params import PrepareParams

_ORDER: Final = 2  # of the polynomial that smooths
_QUIET: Final = 0.5  # [1] of the threshold, below which the object is at rest
_LAST_LOOK: Final = 0.1  # [s] before it is lost for good, in which the object must come to rest


class NoMotionError(MimicError):
    """The object of a demonstration does not move."""


class ObjectNotSeenError(MimicError):
    """The object of a demonstration is not seen, or not for long enough."""


def within(sight: SightParams) -> str:
    """Return in words where an object must be: what is elsewhere is background."""
    return (
        f'nearer to the camera than farthest = {sight.farthest:g} m and higher above the table '
        f'than clearance = {1e3 * sight.clearance:g} mm'
    )


@dataclass(frozen=True)
class ObjectPath:
    """How an object moved, in world."""

    stamps: FloatArray  # (T,) [s] in the time of the video, evenly
    poses: FloatArray  # (T, 4, 4) world_T_object
    moved: float  # [s] when its sustained motion began
    ended: float  # [s] when it was over

    @property
    def start(self) -> float:
        """Moment before the manipulation [s]."""
        return float(self.stamps[0])


def smooth(stamps: FloatArray, values: FloatArray, window: float) -> FloatArray:
    """Return values (N, D) smoothed without delay by local polynomials over a window [s].

    Between stamps (N,) [s] may lie lost frames: an even grid is smoothed, values go there and
    back by straight lines.
    """
    even, length = _grid(stamps, window)
    if length <= _ORDER + 1:
        return values
    dense = np.stack([np.interp(even, stamps, column) for column in values.T], axis=1)
    dense = savgol_filter(dense, length, _ORDER, axis=0, mode='interp')
    return np.stack([np.interp(stamps, even, column) for column in dense.T], axis=1)


def smooth_poses(stamps: FloatArray, poses: FloatArray, window: float) -> FloatArray:
    """Return poses (N, 4, 4) smoothed likewise; turns by their matrices, made rotations again."""
    even, length = _grid(stamps, window)
    if length <= _ORDER + 1:
        return poses.copy()
    dense = poses_at(stamps, poses, even)
    rows = savgol_filter(dense[:, :3].reshape(-1, 12), length, _ORDER, axis=0, mode='interp')
    dense[:, :3] = rows.reshape(-1, 3, 4)
    left, _, right = np.linalg.svd(dense[:, :3, :3])
    left[:, :, 2] *= np.linalg.det(left @ right)[:, None]
    dense[:, :3, :3] = left @ right
    return poses_at(even, dense, stamps)


def _grid(stamps: FloatArray, window: float) -> tuple[FloatArray, int]:
    """Return even times (M,) [s] as dense as most stamps (N,), and how many fill a window.

    Where they fill none the count is 1: there is nothing to smooth.
    """
    span, period = float(stamps[-1] - stamps[0]), float(np.median(np.diff(stamps)))
    even = np.linspace(stamps[0], stamps[-1], round(span / period) + 1)
    length = 2 * int(0.5 * window / period) + 1
    return even, length if length <= len(even) else 1


def poses_at(stamps: FloatArray, poses: FloatArray, when: FloatArray) -> FloatArray:
    """Return poses (T, 4, 4) between poses (N, 4, 4) at stamps (N,), held at both ends."""
    when = np.clip(when, stamps[0], stamps[-1])
    result = np.tile(np.eye(4), (len(when), 1, 1))
    for axis in range(3):
        result[:, axis, 3] = np.interp(when, stamps, poses[:, axis, 3])
    result[:, :3, :3] = Slerp(stamps, Rotation.from_matrix(poses[:, :3, :3]))(when).as_matrix()
    return result


def point_speeds(stamps: FloatArray, poses: FloatArray, points: FloatArray) -> FloatArray:
    """Return (N,) [m/s] the speed of the fastest of points (P, 3) [m] in the object's frame."""
    places = np.einsum('nij,pj->npi', poses[:, :3, :3], points) + poses[:, None, :3, 3]
    speeds = np.linalg.norm(np.gradient(places, stamps, axis=0), axis=2)
    fastest: FloatArray = speeds.max(axis=1)
    return fastest


def object_path(
    stamps: FloatArray, poses: FloatArray, points: FloatArray, params: PrepareParams
) -> ObjectPath:
    """Return the path of an object from the moment before it is moved.

    Args:
        stamps: (N,) of the frames [s].
        poses: (N, 4, 4) world_T_object, NaN where it was not seen.
        points: (P, 3) [m] in the object's frame, whose speed counts; turns that look the same
            must not move them.
        params: Thresholds, lead, rate.

    Raises:
        ObjectNotSeenError: Hardly ever seen, hidden for too long while it moves, or it moves when
            it is first seen or lost for good.
        NoMotionError: No sustained motion.
    """
    seen: BoolArray = np.array([bool(np.isfinite(pose).all()) for pose in poses])
    if seen.sum() < 5:
        raise ObjectNotSeenError(
            f'the object is seen in {int(seen.sum())} of {len(stamps)} frames: it must be in the '
            f'picture, be that of the mesh, and {within(params)}'
        )
    # Between the first and the last look only: a pose that is held beyond them has no speed.
    looks = np.flatnonzero(seen)
    there = slice(int(looks[0]), int(looks[-1]) + 1)
    times = stamps[there]
    dense = smooth_poses(times, poses_at(stamps[seen], poses[seen], times), params.smoothing)
    speeds = point_speeds(times, dense, points)
    first = _sustained(times, speeds > params.speed_threshold, params.sustained)
    way = _way(dense, points)
    if first is None or way < params.least_motion:
        raise NoMotionError(
            f'the object never moves: its fastest point has {100 * speeds.max():.1f} cm/s, and '
            f'{100 * way:.1f} cm is the farthest it goes; the motion must be faster than '
            f'speed_threshold = {100 * params.speed_threshold:.1f} cm/s for '
            f'{params.sustained:.1f} s and longer than {100 * params.least_motion:.1f} cm'
        )
    moving = speeds > _QUIET * params.speed_threshold
    last = int(np.flatnonzero(moving)[-1])
    _check_ends(times, moving, first, float(stamps[-1]))
    _check_gaps(stamps[seen], float(times[first]), float(times[last]), params.object_gap)
    begin = stamps[max(there.start + first - params.lead, 0)]
    end = min(times[last] + params.tail, stamps[-1])
    count = max(round((end - begin) * params.rate), 1) + 1
    when = begin + np.arange(count) / params.rate
    return ObjectPath(when, poses_at(times, dense, when), float(times[first]), float(times[last]))


def _sustained(stamps: FloatArray, fast: BoolArray, least: float) -> int | None:
    """Return the first index from which it is fast for at least so long [s]."""
    begin: int | None = None
    for i, moving in enumerate(fast):
        if not moving:
            begin = None
            continue
        begin = i if begin is None else begin
        if stamps[i] - stamps[begin] >= least:
            return begin
    return None


def _way(poses: FloatArray, points: FloatArray) -> float:
    """Return how far any point gets from where it began [m]."""
    places = np.einsum('nij,pj->npi', poses[:, :3, :3], points) + poses[:, None, :3, 3]
    return float(np.linalg.norm(places - places[0], axis=2).max())


def _check_ends(times: FloatArray, moving: BoolArray, first: int, end: float) -> None:
    """Raise ObjectNotSeenError when an object moves at its first look, or at its last.

    Args:
        times: (N,) from the first look to the last [s].
        moving: (N,) it is not at rest.
        first: Index at which its sustained motion begins.
        end: Of the video [s]; what is seen until then has not left the picture.
    """
    if moving[:first].all():
        raise ObjectNotSeenError(
            f'the object is first seen at {times[0]:.2f} s, when it moves already: it must lie '
            'still and in the picture at the beginning'
        )
    if end - times[-1] > _LAST_LOOK and moving[times >= times[-1] - _LAST_LOOK].all():
        raise ObjectNotSeenError(
            f'the object is lost at {times[-1]:.2f} s while it moves: it must stay in the picture'
        )


def _check_gaps(looks: FloatArray, first: float, last: float, longest: float) -> None:
    """Raise ObjectNotSeenError when an object is hidden too long from one moment to another.

    Args:
        looks: (M,) times at which it is seen [s].
        first: When its motion begins [s], not before the first look.
        last: When it ends [s], not after the last look.
        longest: Time for which it may be hidden [s].
    """
    inside = looks[(looks >= looks[looks <= first][-1]) & (looks <= looks[looks >= last][0])]
    gaps = np.diff(inside)
    if len(gaps) and gaps.max() > longest:
        worst = int(np.argmax(gaps))
        raise ObjectNotSeenError(
            f'the object is not seen from {inside[worst]:.2f} s for {gaps[worst]:.2f} s while it '
            f'moves, object_gap = {longest:.2f} s: show it so that the hand hides less'
        )
