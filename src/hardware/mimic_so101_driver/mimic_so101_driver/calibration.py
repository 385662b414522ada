"""The calibration file of an SO-ARM101, which LeRobot reads and writes as well.

JSON: for each motor id, drive_mode, homing_offset, range_min, range_max, all in counts. LeRobot
keeps it as <calibration>/robots/so_follower/<id of the robot>.json.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError
from mimic_core.limits import JointLimits
from mimic_so101_driver.protocol import COUNTS, RADIANS_PER_COUNT, Counts

MOTORS: Final = (  # LeRobot's names, in the order of the joints in the registry
    'shoulder_pan',
    'shoulder_lift',
    'elbow_flex',
    'wrist_flex',
    'wrist_roll',
    'gripper',
)
GRIPPER: Final = 'gripper'
FULL_TURN: Final = 'wrist_roll'  # turns without end: its range is not recorded
OFFSET_MAX: Final = 2047  # [counts] of a sign and 11 bits
MIDDLE: Final = 2047  # [counts] where LeRobot puts the middle pose
_BOUNDS: Final = {
    'id': (0, 253),
    'drive_mode': (0, 1),
    'homing_offset': (-OFFSET_MAX, OFFSET_MAX),
    'range_min': (0, COUNTS - 1),
    'range_max': (0, COUNTS - 1),
}


@dataclass(frozen=True)
class MotorCalibration:
    """One motor; positions are what it measures, its offset taken off [counts]."""

    id: int
    drive_mode: int  # 1: the gripper opens towards smaller counts
    homing_offset: int  # [counts]
    range_min: int  # [counts]
    range_max: int  # [counts]


Calibration = Mapping[str, MotorCalibration]


def load(path: Path) -> dict[str, MotorCalibration]:
    """Return the calibration of an arm, in the order of its motors.

    Raises:
        ConfigError: There is none, it is damaged, or it is of another robot; says what is wrong.
    """
    if not path.is_file():
        raise ConfigError(
            f'there is no calibration file {path}; write one: '
            f'./mimic run mimic_so101_driver calibrate --file {path}'
        )
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f'calibration file {path} cannot be read: {error}') from error
    except json.JSONDecodeError as error:
        raise ConfigError(f'calibration file {path} is damaged: {error}') from error
    if not isinstance(content, dict):
        raise ConfigError(f'calibration file {path} is damaged: not a list of motors')
    if set(content) != set(MOTORS):
        raise ConfigError(
            f'calibration file {path} is of another robot: it has {", ".join(content) or "none"}; '
            f'the motors of an SO-ARM101 are {", ".join(MOTORS)}'
        )
    calibration = {name: _motor(content[name], name, path) for name in MOTORS}
    ids = [motor.id for motor in calibration.values()]
    if len(set(ids)) < len(ids):
        raise ConfigError(f'calibration file {path}: an id comes twice: {ids}')
    return calibration


def _motor(values: Any, name: str, path: Path) -> MotorCalibration:
    where = f'calibration file {path} is damaged: {name}'
    wanted = [field.name for field in fields(MotorCalibration)]
    if not isinstance(values, dict) or sorted(values) != sorted(wanted):
        raise ConfigError(f'{where} must have {", ".join(wanted)}')
    for key, (low, high) in _BOUNDS.items():
        value = values[key]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ConfigError(f'{where}.{key} must be a whole number in [{low}, {high}]: {value}')
    motor = MotorCalibration(**values)
    if motor.range_min >= motor.range_max:
        raise ConfigError(f'{where}: range_min {motor.range_min} >= range_max {motor.range_max}')
    if motor.drive_mode and name != GRIPPER:
        raise ConfigError(
            f'{where}.drive_mode is 1: LeRobot turns such a joint around in one of its modes and '
            'not in another; calibrate again'
        )
    return motor


def save(calibration: Calibration, path: Path) -> None:
    """Write a calibration file; an old one is replaced in one step.

    Raises:
        ConfigError: It cannot be written.
    """
    content = {name: asdict(calibration[name]) for name in MOTORS}
    draft = path.with_name(path.name + '.new')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(content, indent=4) + '\n', encoding='utf-8')
        draft.replace(path)
    except OSError as error:
        raise ConfigError(f'calibration file {path} cannot be written: {error}') from error


class Scale:
    """Counts of motors <-> positions of joints.

    An arm joint is at 0 rad in the middle of its range, as in LeRobot's degrees. The gripper is
    at its lower limit where its jaws touch.
    """

    def __init__(
        self, calibration: Calibration, names: tuple[str, ...], lower: FloatArray
    ) -> None:
        """Make the scale of J motors.

        Args:
            calibration: Has all of `names`.
            names: Motors in their order.
            lower: (J,) lower limits of the joints in the registry [rad].
        """
        low = np.array([calibration[name].range_min for name in names], float)
        high = np.array([calibration[name].range_max for name in names], float)
        grips = np.array([name == GRIPPER for name in names])
        inverted = np.array([calibration[name].drive_mode == 1 for name in names])
        self._sign = np.where(inverted, -1.0, 1.0)
        closed = np.where(inverted, high, low)
        self._zero = np.where(grips, closed, 0.5 * (low + high))  # (J,) [counts] at `_at_zero`
        self._at_zero = np.where(grips, lower, 0.0)  # (J,) [rad]
        half = 0.5 * (high - low) * RADIANS_PER_COUNT
        self.lower = np.where(grips, lower, -half)  # (J,) ends of the calibrated range [rad]
        self.upper = np.where(grips, lower + 2.0 * half, half)

    def to_radians(self, counts: Counts) -> FloatArray:
        """Return (J,) positions [rad]."""
        turned = self._sign * (counts.astype(float) - self._zero)
        return turned * RADIANS_PER_COUNT + self._at_zero

    def to_counts(self, position: FloatArray) -> Counts:
        """Return (J,) counts, within one turn."""
        exact = self._sign * (position - self._at_zero) / RADIANS_PER_COUNT + self._zero
        return np.clip(np.rint(exact), 0, COUNTS - 1).astype(np.int32)

    def turned(self, rate: FloatArray) -> FloatArray:
        """Return (J,) velocities or efforts in the direction of the joints."""
        return self._sign * rate

    def within(self, limits: JointLimits) -> JointLimits:
        """Return limits of J joints that also keep to the calibrated range."""
        return JointLimits(
            np.maximum(limits.lower, self.lower),
            np.minimum(limits.upper, self.upper),
            limits.max_speed,
            limits.max_acceleration,
            limits.max_jerk,
        )
