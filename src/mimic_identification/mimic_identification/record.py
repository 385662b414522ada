"""Commands and measured positions of one joint, checked before anything is fitted."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import NotFiniteError, ShapeError
from mimic_identification.errors import IdentificationError

MIN_SAMPLES: Final = 100  # positions
MIN_DURATION: Final = 2.0  # [s]
MAX_GAP: Final = 0.5  # [s] between two commands or two positions
MAX_APART: Final = 5.0  # [s] between the ends of commands and positions: else the clocks differ


@dataclass(frozen=True)
class JointRecord:
    """K commands and N positions of one joint."""

    name: str
    knots: FloatArray  # (K,) [s] when each target is to be reached: receipt + time_from_start
    targets: FloatArray  # (K,) [rad] or [m]
    stamps: FloatArray  # (N,) [s] when each position was measured
    positions: FloatArray  # (N,) [rad] or [m]

    @property
    def excursion(self) -> float:
        """Difference of the highest and the lowest target [rad] or [m]."""
        return float(np.ptp(self.targets))

    @property
    def moved(self) -> float:
        """Difference of the highest and the lowest position, one in fifty aside."""
        low, high = np.percentile(self.positions, (1.0, 99.0))
        return float(high - low)


def make_record(
    name: str, knots: FloatArray, targets: FloatArray, stamps: FloatArray, positions: FloatArray
) -> JointRecord:
    """Return a record whose times and numbers make sense, cut to where both parts are.

    Args:
        name: Of the joint.
        knots: (K,) [s].
        targets: (K,) [rad] or [m].
        stamps: (N,) [s]; a position that repeats a stamp is left out.
        positions: (N,) [rad] or [m].

    Raises:
        IdentificationError: A clock jumped, there is a gap, or it is too short.
        NotFiniteError: A number is NaN or infinite.
        ShapeError: Lengths differ.
    """
    try:
        knots = checked(knots, (None,), 'command times')
        targets = checked(targets, (len(knots),), 'commands')
        stamps = checked(stamps, (None,), 'stamps')
        positions = checked(positions, (len(stamps),), 'positions')
    except (NotFiniteError, ShapeError) as error:
        raise type(error)(f'{name}: {error}') from error
    knots, targets = _ordered(name, 'command', knots, targets)
    stamps, positions = _ordered(name, 'position', stamps, positions)
    for what, times in (('commands', knots), ('positions', stamps)):
        if len(times) < MIN_SAMPLES or times[-1] - times[0] < MIN_DURATION:
            span = float(times[-1] - times[0]) if len(times) else 0.0
            raise IdentificationError(
                f'{name}: {len(times)} {what} in {span:.1f} s are too few: '
                f'at least {MIN_SAMPLES} in {MIN_DURATION:g} s are needed'
            )
    apart = max(abs(float(knots[0] - stamps[0])), abs(float(knots[-1] - stamps[-1])))
    if apart > MAX_APART:
        raise IdentificationError(
            f'{name}: commands and joint states are {apart:.1f} s apart: '
            'their clocks differ, or one part is missing'
        )
    inside = (stamps >= knots[0]) & (stamps <= knots[-1] + MAX_GAP)
    stamps, positions = stamps[inside], positions[inside]
    if len(stamps) < MIN_SAMPLES:
        raise IdentificationError(f'{name}: only {len(stamps)} positions while it was commanded')
    return JointRecord(name, knots, targets, stamps, positions)


def _ordered(
    name: str, what: str, times: FloatArray, values: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return times without repetitions, or say where they jump."""
    if len(times) < 2:
        return times, values
    steps = np.diff(times)
    if (steps < 0.0).any():
        i = int(np.argmin(steps))
        raise IdentificationError(
            f'{name}: the clock jumped back by {-steps[i]:.3f} s at {what} {i + 1}'
        )
    if (steps > MAX_GAP).any():
        i = int(np.argmax(steps))
        raise IdentificationError(
            f'{name}: no {what} for {steps[i]:.2f} s after {what} {i} (bound {MAX_GAP:g} s): '
            'the clock jumped, or the stream broke'
        )
    new = np.concatenate([[True], steps > 0.0])
    return times[new], values[new]
