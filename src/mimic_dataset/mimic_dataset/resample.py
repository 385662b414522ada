"""From streams of different rates to frames at one rate, by their stamps, and what that costs."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from mimic_core.arrays import BoolArray, FloatArray, IntArray, checked
from mimic_dataset.errors import EpisodeError
from mimic_dataset.params import ConvertParams


def grid(start: float, end: float, fps: float) -> FloatArray:
    """Return (T,) times of frames from `start` to at most `end` [s]."""
    count = int(np.floor((end - start) * fps + 1e-6)) + 1 if end >= start else 0
    times: FloatArray = start + np.arange(count) / fps
    return times


def nearest(stamps: FloatArray, at: FloatArray, limit: float, what: str) -> IntArray:
    """Return (T,) for each time the index of the nearest stamp.

    Args:
        stamps: (N,) [s], increasing.
        at: (T,) [s].
        limit: Farthest that a stamp may be [s].
        what: Whose stamps, for the message.

    Raises:
        EpisodeError: There is none within the limit; says when.
    """
    if len(stamps) == 0:
        raise EpisodeError(f'{what}: empty')
    right = np.clip(np.searchsorted(stamps, at), 1, max(len(stamps) - 1, 1))
    left = right - 1
    right = np.minimum(right, len(stamps) - 1)
    chosen = np.where(np.abs(at - stamps[left]) <= np.abs(at - stamps[right]), left, right)
    away = np.abs(stamps[chosen] - at)
    if len(at) and away.max() > limit:
        worst = int(away.argmax())
        raise EpisodeError(
            f'{what}: nothing within {limit:g} s (max_offset) of {at[worst] - at[0]:.2f} s; '
            f'the nearest is {away[worst]:.3f} s away'
        )
    return chosen.astype(np.int64)


def linear(times: FloatArray, values: FloatArray, at: FloatArray) -> FloatArray:
    """Return (T, D) values at (T,) times, straight between (N, D) samples, held at the ends.

    Raises:
        ShapeError: The samples have other shapes.
        NotFiniteError: A sample is NaN or infinite.
    """
    stamps = checked(times, (None,), 'times')
    samples = checked(values, (len(stamps), None), 'values')
    if len(stamps) == 1:
        return np.repeat(samples, len(at), axis=0)
    right = np.clip(np.searchsorted(stamps, at), 1, len(stamps) - 1)
    t0, t1 = stamps[right - 1], stamps[right]
    share = np.clip((at - t0) / (t1 - t0), 0.0, 1.0)[:, None]
    mixed: FloatArray = (1.0 - share) * samples[right - 1] + share * samples[right]
    return mixed


def slerp(times: FloatArray, quats_xyzw: FloatArray, at: FloatArray) -> FloatArray:
    """Return (T, 4) unit quaternions at (T,) times between (N, 4) samples, held at the ends."""
    if len(times) == 1:
        return np.repeat(quats_xyzw, len(at), axis=0)
    inside = np.clip(at, times[0], times[-1])
    quats: FloatArray = Slerp(times, Rotation.from_quat(quats_xyzw))(inside).as_quat()
    return quats


@dataclass(frozen=True)
class Spread:
    """Median, 95th percentile and largest error of resampling."""

    median: float
    p95: float
    largest: float

    def as_map(self) -> dict[str, float]:
        """Return what is written as JSON."""
        return {'median': self.median, 'p95': self.p95, 'largest': self.largest}


def left_out_linear(times: FloatArray, values: FloatArray) -> Spread | None:
    """Return the error of every second sample, interpolated from the others.

    That is at twice the spacing of the samples: four times the error of what is smooth between
    them, so a bound. None with fewer than five samples.

    Args:
        times: (N,) [s].
        values: (N, D); the error is the largest of the D.
    """
    if len(times) < 5:
        return None
    kept, left = slice(0, None, 2), slice(1, len(times) - 1, 2)
    error = np.abs(linear(times[kept], values[kept], times[left]) - values[left])
    return spread(error.max(axis=1))


def left_out_slerp(times: FloatArray, quats_xyzw: FloatArray) -> Spread | None:
    """Return the error [rad] of every second rotation (N, 4), as `left_out_linear`."""
    if len(times) < 5:
        return None
    kept, left = slice(0, None, 2), slice(1, len(times) - 1, 2)
    guess = Rotation.from_quat(slerp(times[kept], quats_xyzw[kept], times[left]))
    return spread((guess.inv() * Rotation.from_quat(quats_xyzw[left])).magnitude())


def spread(error: FloatArray) -> Spread:
    """Return the spread of (N,) errors."""
    return Spread(float(np.median(error)), float(np.percentile(error, 95)), float(error.max()))


def moving(times: FloatArray, pose: FloatArray, joints: FloatArray) -> tuple[float, float] | None:
    """Return when something begins and ends to move [s], None when nothing does.

    Moved is what is farther from where it was at the start (or will be at the end) than 5 mm, 3°
    or 5 % of the joint's own way. What is far from its end for the last time before it is far from
    its start drifts, and does not move.

    Args:
        times: (N,) [s].
        pose: (N, 6) position [m] and axis-angle [rad] without steps.
        joints: (N, J).
    """
    span = np.ptp(joints, axis=0)
    scale = np.concatenate(
        [np.full(3, 0.005), np.full(3, np.radians(3.0)), np.maximum(0.05 * span, 0.01)]
    )
    scale[6:] = np.where(span < 2e-3, np.inf, scale[6:])
    values = np.hstack([pose, joints])
    begun = (np.abs(values - values[0]) > scale).any(axis=1)
    going = (np.abs(values - values[-1]) > scale).any(axis=1)
    if not begun.any() or not going.any():
        return None
    first = max(int(np.argmax(begun)) - 1, 0)
    last = min(len(times) - int(np.argmax(going[::-1])), len(times) - 1)
    return (float(times[first]), float(times[last])) if first < last else None


def without_idle(
    times: FloatArray, pose: FloatArray, joints: FloatArray, params: ConvertParams, what: str
) -> BoolArray:
    """Return (N,) which samples lie at most `max_idle` before or after motion.

    Args:
        times: (N,) [s].
        pose: (N, 6) as of `moving`.
        joints: (N, J).
        params: With `max_idle` and `min_duration` [s].
        what: Whose motion, for the message.

    Raises:
        EpisodeError: Nothing moves, or what is left is shorter than `min_duration`.
    """
    span = moving(times, pose, joints)
    if span is None:
        raise EpisodeError(f'{what}: constant, nothing moves')
    first, last = span[0] - params.max_idle - 1e-9, span[1] + params.max_idle + 1e-9
    kept: BoolArray = (times >= first) & (times <= last)
    begin, end = times[kept][[0, -1]]
    if end - begin < params.min_duration - 1e-9:
        raise EpisodeError(
            f'{what}: {end - begin:.2f} s are left when {begin - times[0]:.2f} s of standing '
            f'still are cut off before and {times[-1] - end:.2f} s after the motion; '
            f'{params.min_duration:g} s (min_duration) are needed'
        )
    return kept
