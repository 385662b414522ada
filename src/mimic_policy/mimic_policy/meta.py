"""What a policy says about itself: for which robot it is, what it sees, how numbers are scaled."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mimic_core.arrays import FloatArray, Image
from mimic_core.errors import ConfigError, MimicError
from mimic_dataset.video import WHOLE, Region, resized
from mimic_description import RobotModel

AGENT: Final = 'agent'
WRIST: Final = 'wrist'
CAMERAS: Final = (AGENT, WRIST)
_LIMIT_SLACK: Final = 1e-6  # [rad] or [m], rounding of a text file
_ASPECT_SLACK: Final = 0.02  # [1], of height over width
_SMALLEST_HALF: Final = 1e-3  # [m] or [rad]; what varies less is noise, not to be blown up

Size = tuple[int, int]  # height, width [pixels]


class WrongRobotError(MimicError):
    """A policy does not fit this robot or these cameras; says in which field."""


@dataclass(frozen=True)
class Range:
    """Smallest and largest value of each of D numbers; maps them to -1..1 and back."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.low) != len(self.high):
            raise ConfigError(f'{len(self.low)} low values, {len(self.high)} high ones')
        low, high = np.array(self.low), np.array(self.high)
        if not (np.isfinite(low).all() and np.isfinite(high).all() and (low <= high).all()):
            raise ConfigError('a range must be finite, with low <= high')

    def __len__(self) -> int:
        return len(self.low)

    @property
    def centre(self) -> FloatArray:
        """(D,) what becomes 0."""
        centre: FloatArray = (np.array(self.low) + np.array(self.high)) / 2.0
        return centre

    @property
    def half(self) -> FloatArray:
        """(D,) how far from the centre 1 is."""
        half: FloatArray = (np.array(self.high) - np.array(self.low)) / 2.0
        return np.maximum(half, _SMALLEST_HALF)

    def scale(self, values: FloatArray) -> FloatArray:
        """Return (..., D) scaled to -1..1; what never changed becomes 0."""
        scaled: FloatArray = (values - self.centre) / self.half
        return scaled

    def unscale(self, scaled: FloatArray) -> FloatArray:
        """Return what `scale` was given."""
        values: FloatArray = scaled * self.half + self.centre
        return values

    @classmethod
    def of(cls, rows: FloatArray) -> 'Range':
        """Return the range of (N, D) rows."""
        return cls(tuple(rows.min(0).tolist()), tuple(rows.max(0).tolist()))


@dataclass(frozen=True, kw_only=True)
class PolicyMeta:
    """Facts about a trained policy; stands as JSON in its checkpoint."""

    task: str
    arm: str  # registry names
    hand: str
    joint_names: tuple[str, ...]  # J hand joints in the order of state and action, no prefix
    joint_lower: tuple[float, ...]  # (J,) [rad] or [m]
    joint_upper: tuple[float, ...]
    frame: str  # whose pose in base_link states and actions hold
    cameras: Mapping[str, Size]  # what the network sees: 'agent', and 'wrist' where it uses it
    recorded: Mapping[str, Size]  # of the pictures that were scaled to that
    region: Region = WHOLE  # of the agent view that was
    fps: float  # [Hz] of observations and of the rows of a chunk
    observation_steps: int
    horizon: int  # rows of a chunk
    action: Range  # (6 + J,)
    state: Range  # (9 + J,) position, two columns of the rotation matrix, hand joints
    rotation_reference: tuple[float, float, float]  # [rad] axis-angle whose branch actions take
    method: str

    def __post_init__(self) -> None:
        joints = len(self.joint_names)
        wanted = {
            'joint_lower': joints,
            'joint_upper': joints,
            'action': 6 + joints,
            'state': 9 + joints,
            'rotation_reference': 3,
        }
        for name, size in wanted.items():
            if len(getattr(self, name)) != size:
                raise ConfigError(f'{name} has {len(getattr(self, name))} values, not {size}')
        if AGENT not in self.cameras or set(self.cameras) - set(CAMERAS):
            raise ConfigError(f'cameras are {sorted(self.cameras)}: agent, and perhaps wrist')
        if set(self.recorded) != set(self.cameras):
            raise ConfigError(f'recorded names {sorted(self.recorded)}, cameras others')
        for name, low in (('fps', 0.0), ('observation_steps', 0), ('horizon', 0)):
            if not getattr(self, name) > low:
                raise ConfigError(f'{name} = {getattr(self, name)} must be > 0')

    def check(self, robot: RobotModel, cameras: Mapping[str, Size]) -> None:
        """Refuse a robot or cameras for which this policy was not trained.

        Args:
            robot: The robot to drive.
            cameras: Height and width of the pictures that its cameras give.

        Raises:
            WrongRobotError: Names the field, what the policy has and what the robot has.
        """
        self.check_robot(robot)
        for name in self.recorded:
            if name not in cameras:
                raise WrongRobotError(
                    f"cameras: no '{name}' camera among {', '.join(cameras) or 'none'}"
                )
            self.check_picture(name, cameras[name])

    def check_robot(self, robot: RobotModel) -> None:
        """Refuse a robot for which this policy was not trained.

        Its bounds may be tighter than those of training, since a site may tighten them and the
        gate enforces them; they may not be wider.

        Raises:
            WrongRobotError: Names the field, what the policy has and what the robot has.
        """
        for field, device in (('arm', robot.arm), ('hand', robot.hand)):
            have = device.name if device else 'none'
            if getattr(self, field) != have:
                raise WrongRobotError(
                    f"{field}: the policy is for '{getattr(self, field)}', the robot has '{have}'"
                )
        names = tuple(name.removeprefix(robot.prefix) for name in robot.hand_joints)
        if names != self.joint_names:
            what = 'order' if sorted(names) == sorted(self.joint_names) else 'names'
            raise WrongRobotError(
                f'joint_names: other {what}: the policy has {", ".join(self.joint_names)}; '
                f'the robot has {", ".join(names)}'
            )
        first = len(robot.arm_joints)
        for i, name in enumerate(names):
            lower, upper = robot.limits.lower[first + i], robot.limits.upper[first + i]
            if lower < self.joint_lower[i] - _LIMIT_SLACK:
                raise WrongRobotError(
                    f'joint_lower: {name} has {lower:g}, the policy knew {self.joint_lower[i]:g}'
                )
            if upper > self.joint_upper[i] + _LIMIT_SLACK:
                raise WrongRobotError(
                    f'joint_upper: {name} has {upper:g}, the policy knew {self.joint_upper[i]:g}'
                )

    def check_picture(self, camera: str, size: Size) -> None:
        """Refuse pictures of another shape than those of training; their size may be any.

        They are scaled, as those of training were, so the height of one over its width must be
        the same, and nothing else.

        Raises:
            WrongRobotError: It is not; names the camera and both sizes.
        """
        height, width = self.recorded[camera]
        if not self.has_shape(camera, size):
            raise WrongRobotError(
                f'cameras: {camera} gives pictures of {size[1]} × {size[0]}, those of training '
                f'were {width} × {height}: another shape'
            )

    def has_shape(self, camera: str, size: Size) -> bool:
        """Return whether pictures of this size have the shape of those of training."""
        height, width = self.recorded[camera]
        return abs(size[0] / size[1] - height / width) <= _ASPECT_SLACK

    def scaled(self, camera: str, image: Image) -> Image:
        """Return what the network sees of an (H, W, 3) picture.

        Raises:
            WrongRobotError: See `check_picture`.
        """
        height, width, _ = image.shape
        self.check_picture(camera, (height, width))
        region = self.region if camera == AGENT else WHOLE
        return resized(image, self.cameras[camera], region)

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Any, where: str) -> 'PolicyMeta':
        """Read a meta.

        Args:
            data: What JSON gave.
            where: The file, for messages.

        Raises:
            ConfigError: A field is missing, unknown or wrong; names it.
        """
        if not isinstance(data, dict):
            raise ConfigError(f'{where}: meta: not a mapping')
        data = {'region': dataclasses.asdict(WHOLE)} | data  # checkpoints of before saw all of it
        fields = {field.name for field in dataclasses.fields(cls)}
        for name in sorted(fields ^ set(data)):
            what = 'is missing' if name in fields else 'is unknown'
            raise ConfigError(f'{where}: meta.{name} {what}')
        values: dict[str, Any] = {}
        for name in sorted(fields):
            try:
                values[name] = _READ[name](data[name])
            except (TypeError, ValueError, KeyError, ConfigError) as error:
                raise ConfigError(f'{where}: meta.{name} = {data[name]!r}: {error}') from error
        try:
            return cls(**values)
        except ConfigError as error:
            raise ConfigError(f'{where}: meta.{error}') from error


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError('not a name')
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise ConfigError('not a number')
    return float(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError('not a count')
    return value


def _numbers(value: Any) -> tuple[float, ...]:
    if not isinstance(value, list | tuple):
        raise ConfigError('not a list')
    return tuple(_number(item) for item in value)


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise ConfigError('not a list')
    return tuple(_text(item) for item in value)


def _range(value: Any) -> Range:
    return Range(_numbers(value['low']), _numbers(value['high']))


def _sizes(value: Any) -> dict[str, Size]:
    sizes = {}
    for name, size in dict(value).items():
        height, width = size
        sizes[_text(name)] = (_count(height), _count(width))
    return sizes


def _region(value: Any) -> Region:
    return Region(**{str(edge): _number(share) for edge, share in dict(value).items()})


_READ: Final = {
    'task': _text,
    'arm': _text,
    'hand': _text,
    'joint_names': _names,
    'joint_lower': _numbers,
    'joint_upper': _numbers,
    'frame': _text,
    'cameras': _sizes,
    'recorded': _sizes,
    'region': _region,
    'fps': _number,
    'observation_steps': _count,
    'horizon': _count,
    'action': _range,
    'state': _range,
    'rotation_reference': _numbers,
    'method': _text,
}
