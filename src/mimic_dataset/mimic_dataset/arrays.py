"""Episodes as arrays: what training reads, whatever file they came from."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

import numpy as np
import numpy.typing as npt

from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import ConfigError, MimicError, ShapeError
from mimic_dataset.errors import EpisodeError
from mimic_dataset.video import WHOLE, Region

Domain = Literal['robot', 'human']
Frames = npt.NDArray[np.uint8]  # (T, H, W, 3) rgb; an array or a memory map

DOMAINS: Final[tuple[Domain, ...]] = ('robot', 'human')
POSITION: Final = slice(0, 3)  # of state and action [m]
QUATERNION: Final = slice(3, 7)  # of state, xyzw
STATE_POSE: Final = 7  # numbers of the pose in a state
AXIS_ANGLE: Final = slice(3, 6)  # of action [rad]
ACTION_POSE: Final = 6  # numbers of the pose in an action
LARGEST_SIDE: Final = 2**14  # [px] of a picture
ASPECT_SLACK: Final = 0.02  # [1] of height over width: sizes are whole and even numbers


@dataclass(frozen=True)
class EpisodeArrays:
    """T frames of one demonstration with a hand of J joints.

    The pose is that of `DatasetMeta.frame` (palm; flange without a hand) in base_link.
    """

    name: str
    task: str
    arm: str
    hand: str
    domain: Domain
    fps: float  # [Hz]
    stamps: FloatArray  # (T,) [s] from the start of the episode, strictly increasing
    agent: Frames  # (T, H, W, 3) rgb
    action: FloatArray  # (T, 6 + J) wanted position 3 [m], axis-angle 3 [rad], hand joints J
    joint_names: tuple[str, ...]  # J, in the order of the registry
    wrist: Frames | None = None  # (T, H, W, 3) rgb; robot only
    state: FloatArray | None = (
        None  # (T, 7 + J) measured position, quaternion xyzw, hand; robot only
    )
    success: bool | None = None  # None: unknown

    def __post_init__(self) -> None:
        if self.domain not in DOMAINS:
            raise self._wrong('domain', f"'{self.domain}' is not one of {', '.join(DOMAINS)}")
        if not np.isfinite(self.fps) or self.fps <= 0.0:
            raise self._wrong('fps', f'{self.fps} is not > 0')
        stamps = self._checked('stamps', (None,))
        size, joints = len(stamps), len(self.joint_names)
        if size < 2:
            raise self._wrong('stamps', f'{size} frames are no demonstration')
        if (np.diff(stamps) <= 0.0).any():
            at = int(np.argmax(np.diff(stamps) <= 0.0))
            raise self._wrong('stamps', f'go back after frame {at}')
        if len(set(self.joint_names)) != joints:
            raise self._wrong('joint_names', f'{list(self.joint_names)} holds a name twice')
        object.__setattr__(self, 'stamps', stamps)
        action = self._checked('action', (size, ACTION_POSE + joints))
        object.__setattr__(self, 'action', action)
        if self.domain == 'human' and not (self.state is None and self.wrist is None):
            raise self._wrong('state', 'a human has neither state nor wrist camera')
        if self.state is not None:
            state = self._checked('state', (size, STATE_POSE + joints))
            norm = np.linalg.norm(state[:, QUATERNION], axis=1)
            if (np.abs(norm - 1.0) > 1e-3).any():
                at = int(np.argmax(np.abs(norm - 1.0)))
                raise self._wrong(
                    'state', f'the quaternion of frame {at} has length {norm[at]:.4f}'
                )
            object.__setattr__(self, 'state', state)
        self._check_frames('agent', self.agent, size)
        if self.wrist is not None:
            self._check_frames('wrist', self.wrist, size)

    def __len__(self) -> int:
        return len(self.stamps)

    def _wrong(self, what: str, why: str) -> EpisodeError:
        return EpisodeError(f'episode {self.name}, {what}: {why}')

    def _checked(self, what: str, shape: tuple[int | None, ...]) -> FloatArray:
        try:
            return checked(getattr(self, what), shape, what)
        except MimicError as error:
            raise self._wrong(what, str(error)) from error

    def _check_frames(self, what: str, frames: Frames, size: int) -> None:
        shape: tuple[int, ...] = getattr(frames, 'shape', ())
        kind = getattr(frames, 'dtype', None)
        if len(shape) != 4 or shape[0] != size or shape[3] != 3 or kind != np.uint8:
            raise self._wrong(what, f'{shape} {kind} is not ({size}, H, W, 3) uint8')


@dataclass(frozen=True)
class DatasetMeta:
    """What one dataset (a task with a hand) says about itself."""

    task: str
    arm: str
    hand: str
    joint_names: tuple[str, ...]  # J joints of the hand, in the order of the registry
    lower: tuple[float, ...]  # J [rad] or [m]
    upper: tuple[float, ...]  # J [rad] or [m]
    cameras: Mapping[str, tuple[int, int]]  # 'agent', 'wrist' -> (height, width) [px] as stored
    fps: float  # [Hz]
    frame: str = 'palm'  # whose pose in base_link states and actions hold

    def __post_init__(self) -> None:
        if not len(self.joint_names) == len(self.lower) == len(self.upper):
            raise ShapeError(
                f'dataset of {self.hand}: {len(self.joint_names)} joint_names, '
                f'{len(self.lower)} lower, {len(self.upper)} upper'
            )

    def as_map(self) -> dict[str, Any]:
        """Return what is written as JSON."""
        return {
            'task': self.task,
            'arm': self.arm,
            'hand': self.hand,
            'frame': self.frame,
            'fps': self.fps,
            'joint_names': list(self.joint_names),
            'lower': list(self.lower),
            'upper': list(self.upper),
            'cameras': {name: list(size) for name, size in self.cameras.items()},
        }

    @classmethod
    def from_map(cls, values: Any, where: str) -> 'DatasetMeta':
        """Return it from JSON.

        Args:
            values: What the JSON holds.
            where: Its file, for messages.

        Raises:
            ConfigError: A field is missing or wrong; names file and field.
        """
        if not isinstance(values, Mapping):
            raise ConfigError(f'{where}: not a map')
        name = ''
        try:
            texts = {}
            for name in ('task', 'arm', 'hand', 'frame'):
                texts[name] = values[name]
                if not isinstance(texts[name], str):
                    raise TypeError('not a text')
            name = 'fps'
            fps = float(values[name])
            if not 0.0 < fps < math.inf:
                raise ValueError(f'{fps} is not > 0')
            name = 'joint_names'
            joints = tuple(str(joint) for joint in values[name])
            numbers = {}
            for name in ('lower', 'upper'):
                numbers[name] = tuple(float(value) for value in values[name])
                if len(numbers[name]) != len(joints):
                    raise ValueError(f'{len(numbers[name])} values for {len(joints)} joints')
            name = 'cameras'
            cameras = {str(k): (int(v[0]), int(v[1])) for k, v in values[name].items()}
            for camera, size in cameras.items():
                if not all(1 <= side <= LARGEST_SIDE for side in size):
                    raise ValueError(f'{camera} has {size[0]} rows and {size[1]} columns')
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            reason = 'missing' if isinstance(error, KeyError) else error
            raise ConfigError(f'{where}, {name}: {reason}') from error
        return cls(
            joint_names=joints,
            cameras=cameras,
            fps=fps,
            lower=numbers['lower'],
            upper=numbers['upper'],
            **cast(Any, texts),
        )

    def difference(self, other: 'DatasetMeta') -> str:
        """Return the first field in which another robot or task differs, or nothing.

        Cameras may differ: human videos have one view, robots two.
        """
        for name in ('task', 'arm', 'hand', 'frame', 'fps', 'joint_names', 'lower', 'upper'):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                return f'{name}: {mine} is not {theirs}'
        return ''

    def squeezed(self, other: 'DatasetMeta') -> str:
        """Return why pictures of this and another domain are no views of one kind, or nothing.

        Training brings all to one size: those of another shape would be squeezed.
        """
        mine, theirs = self.cameras.get('agent'), other.cameras.get('agent')
        if mine is None or theirs is None:
            return ''
        if abs(mine[0] / mine[1] - theirs[0] / theirs[1]) <= ASPECT_SLACK:
            return ''
        return (
            f'agent: {mine[1]} x {mine[0]} and {theirs[1]} x {theirs[0]} are pictures of two '
            'shapes, and training would squeeze one of them; crop the videos, or record the robot '
            'with picture_width and picture_height of their shape'
        )


@dataclass(frozen=True)
class Dataset:
    """Episodes of one task with one hand."""

    meta: DatasetMeta
    episodes: Sequence[EpisodeArrays] = field(default_factory=tuple)
    region: Region = WHOLE  # of the agent view that the pictures show

    def __post_init__(self) -> None:
        for episode in self.episodes:
            for name in ('task', 'arm', 'hand', 'joint_names', 'fps'):
                mine, theirs = getattr(self.meta, name), getattr(episode, name)
                if mine != theirs:
                    raise EpisodeError(
                        f'episode {episode.name}, {name}: {theirs} in a dataset of {mine}'
                    )

    def of(self, domain: Domain) -> tuple[EpisodeArrays, ...]:
        """Return the episodes of a domain."""
        return tuple(e for e in self.episodes if e.domain == domain)
