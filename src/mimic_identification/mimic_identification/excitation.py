"""Test motions of one joint: slow for gain and backlash, faster and faster, then quick moves."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.limits import JointLimits

PERIOD: Final = 0.01  # [s] between two points
MAX_AMPLITUDE: Final = 0.15  # [rad] or [m] to each side
RANGE_SHARE: Final = 0.2  # of the joint's range, to each side
SLOW_CYCLE: Final = 3.0  # [s]
SLOW_CYCLES: Final = 2
SWEEP: Final = 7.0  # [s]
SWEEP_LOW: Final = 0.4  # [Hz]
SWEEP_HIGH: Final = 10.0  # [Hz]
SWEEP_SHARE: Final = 0.6  # [1] of the amplitude, where the rates allow it
MOVES: Final = (1.0, -1.0, 0.6, -0.6, 0.0)  # [1] of the amplitude
MOVE_HOLD: Final = 0.3  # [s] after each quick move
RAMP: Final = 0.1  # of a part, in which it grows, and shrinks at the end
REST: Final = 0.3  # [s] at both ends
APPROACH_SPEED: Final = 0.3  # [1] of the speed used, from the posture to the middle of the motion


@dataclass(frozen=True)
class Excitation:
    """The motion of one joint; it begins and ends at rest where the joint was."""

    joint: int  # index
    centre: float  # [rad] or [m]
    amplitude: float  # [rad] or [m] to each side of the centre
    times: FloatArray  # (T,) [s] from 0, each `PERIOD` one
    positions: FloatArray  # (T,) [rad] or [m]

    @property
    def duration(self) -> float:
        """Length [s]."""
        return float(self.times[-1])

    def at(self, time: float) -> float:
        """Return the position [rad] or [m] at a time [s], held at the ends."""
        return float(np.interp(time, self.times, self.positions))


def room(limits: JointLimits, joint: int, q: float) -> tuple[float, float]:
    """Return centre and amplitude [rad] or [m] of a motion near q that stays within the bounds."""
    low, high = float(limits.lower[joint]), float(limits.upper[joint])
    amplitude = min(MAX_AMPLITUDE, RANGE_SHARE * (high - low))
    margin = 0.1 * amplitude
    centre = float(np.clip(q, low + amplitude + margin, high - amplitude - margin))
    return centre, amplitude


def excite(
    limits: JointLimits, joint: int, start: float, centre: float, amplitude: float
) -> Excitation:
    """Return the motion of one joint.

    Args:
        limits: Of all joints; speeds and accelerations stay below.
        joint: Index of the joint.
        start: Where it is [rad] or [m].
        centre: Of the motion [rad] or [m].
        amplitude: Of the motion, to each side [rad] or [m], > 0.
    """
    speed = float(limits.max_speed[joint])
    acceleration = float(limits.max_acceleration[joint])
    parts = [np.zeros(round(REST / PERIOD))]
    parts.append(_move(start - centre, 0.0, APPROACH_SPEED * speed, acceleration))
    parts.append(amplitude * _slow(speed / amplitude, acceleration / amplitude))
    parts.append(_sweep(amplitude, speed, acceleration))
    at = 0.0
    for share in MOVES:
        parts.append(_move(at, share * amplitude, speed, acceleration))
        at = share * amplitude
        parts.append(np.full(round(MOVE_HOLD / PERIOD), at))
    parts.append(_move(0.0, start - centre, APPROACH_SPEED * speed, acceleration))
    parts.append(np.full(round(REST / PERIOD), start - centre))
    parts[0][:] = start - centre
    positions = np.clip(centre + np.concatenate(parts), limits.lower[joint], limits.upper[joint])
    times: FloatArray = PERIOD * np.arange(float(len(positions)))
    return Excitation(joint, centre, amplitude, times, positions)


def _move(begin: float, end: float, speed: float, acceleration: float) -> FloatArray:
    """Return the smoothest move between two points at rest that keeps half of both rates."""
    distance = abs(end - begin)
    # Largest speed and acceleration of the quintic: 15/8 d/T and 10/sqrt(3) d/T^2
    duration = max(
        1.875 * distance / (0.5 * speed), np.sqrt(5.774 * distance / (0.5 * acceleration)), PERIOD
    )
    s = np.arange(1, int(np.ceil(duration / PERIOD)) + 1) * PERIOD / duration
    s = np.minimum(s, 1.0)
    curve: FloatArray = begin + (end - begin) * s**3 * (10.0 - 15.0 * s + 6.0 * s * s)
    return curve


def _slow(speed: float, acceleration: float) -> FloatArray:
    """Return cycles of a triangle of amplitude 1 with round tips; rates are in amplitudes."""
    cycle = max(SLOW_CYCLE, 4.0 / (0.3 * speed), 2.0 * np.pi / np.sqrt(0.3 * acceleration))
    t = np.arange(1.0, round(SLOW_CYCLES * cycle / PERIOD) + 1) * PERIOD
    return _faded(t) * np.arcsin(0.98 * np.sin(2.0 * np.pi * t / cycle)) / np.arcsin(0.98)


def _sweep(amplitude: float, speed: float, acceleration: float) -> FloatArray:
    """Return a sine of rising frequency that keeps half of both rates; it ends at 0."""
    t = np.arange(1.0, round(SWEEP / PERIOD) + 1) * PERIOD
    ratio = SWEEP_HIGH / SWEEP_LOW
    frequency = SWEEP_LOW * ratio ** (t / SWEEP)
    phase = 2.0 * np.pi * SWEEP_LOW * SWEEP / np.log(ratio) * (ratio ** (t / SWEEP) - 1.0)
    omega = 2.0 * np.pi * frequency
    # A smooth minimum of what the amplitude, the speed and the acceleration allow
    bounds = (SWEEP_SHARE * amplitude, 0.5 * speed / omega, 0.5 * acceleration / omega**2)
    size = sum(bound**-4.0 for bound in bounds) ** -0.25
    return np.asarray(size * _faded(t) * np.sin(phase))


def _faded(t: FloatArray) -> FloatArray:
    """Return (T,) factors [1] that rise from 0 and fall to 0, smoothly, over times (T,)."""
    s = np.clip(np.minimum(t - t[0], t[-1] - t) / (RAMP * (t[-1] - t[0])), 0.0, 1.0)
    return s * s * (3.0 - 2.0 * s)
