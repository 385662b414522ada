"""A task that is a JSON file: one thing, what stands beside it, where it starts and is to end.

`./mimic practise prepare` writes one into its run folder, so that the twin has on its table what
the person's video showed.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import ConfigError, MimicError
from mimic_core.frames import axes_angle, from_xyz_quat
from mimic_core.primitives import Primitive, primitives_of
from mimic_sim.tasks.task import (
    TARGET_GREEN,
    YELLOW,
    Marker,
    Part,
    SceneObject,
    Start,
    Task,
    TaskState,
)

SUFFIX: Final = '.json'
FORMAT: Final = 'mimic task'
VERSION: Final = 1
_TARGET_RADIUS: Final = 0.03  # [m] of the mark under the last place


@dataclass(frozen=True)
class TaskFile:
    """What stands in the file. Poses are in world: xyz [m], quaternion xyzw."""

    name: str
    thing: str  # its name
    parts: tuple[Primitive, ...]  # of the thing, in its frame
    mass: float  # [kg] of the thing, spread over its parts by volume
    friction: float  # [1]
    fixtures: tuple[Primitive, ...]  # what stands still, in world
    starts: FloatArray  # (N, 7) of the thing: one of them is drawn
    target: FloatArray  # (7,) of the thing in the end
    axes: FloatArray  # (A, 3) axes of the thing whose direction counts; A = 0: none does
    near: float  # [m] from the target that is a success
    turned: float  # [rad]

    def __post_init__(self) -> None:
        object.__setattr__(self, 'starts', _poses(self.starts, (None, 7), 'starts'))
        object.__setattr__(self, 'target', _poses(self.target, (7,), 'target'))
        axes = self.axes if len(self.axes) else np.zeros((0, 3))
        object.__setattr__(self, 'axes', checked(axes, (None, 3), 'axes'))
        if not len(self.starts):
            raise ConfigError('starts is empty')
        if not self.parts:
            raise ConfigError('parts is empty')
        for name in ('mass', 'near', 'turned'):
            if not getattr(self, name) > 0:
                raise ConfigError(f'{name} = {getattr(self, name)} must be > 0')
        if not self.friction >= 0:
            raise ConfigError(f'friction = {self.friction} must be >= 0')

    @property
    def scene_object(self) -> SceneObject:
        """The thing as the twin builds it."""
        volume = sum(part.volume for part in self.parts)
        first, *rest = (
            Part(p.form, p.size, p.xyz, self.mass * p.volume / volume, YELLOW, None, p.quat_xyzw)
            for p in self.parts
        )
        return SceneObject(
            self.thing, first.form, first.size, first.mass, YELLOW, self.friction, tuple(rest),
            stand=float(self.starts[0, 2]), position=first.position, quat_xyzw=first.quat_xyzw,
        )  # fmt: skip


class FileTask(Task):
    """The thing is somewhere among its starts; it is done when it rests at its target."""

    content: TaskFile

    @property
    def objects(self) -> tuple[SceneObject, ...]:
        """The thing."""
        return (self.content.scene_object,)

    @property
    def fixtures(self) -> tuple[Primitive, ...]:
        """What stands beside it."""
        return self.content.fixtures

    @property
    def markers(self) -> tuple[Marker, ...]:
        """Below the place where it is to end."""
        x, y, z = self.content.target[:3].tolist()
        height = z - self.content.scene_object.height
        return (Marker('target', 'cylinder', (_TARGET_RADIUS,), TARGET_GREEN, (x, y), height),)

    def start(self, rng: np.random.Generator, trial: int) -> Start:
        """Return one of the starts of the file."""
        pose = self.content.starts[rng.integers(len(self.content.starts))]
        return Start({self.content.thing: from_xyz_quat(pose[:3], pose[3:])})

    def success(self, state: TaskState) -> bool:
        """The thing rests at its target, turned as it is to be."""
        task, thing = self.content, state.objects[self.content.thing]
        target = from_xyz_quat(task.target[:3], task.target[3:])
        off = float(np.linalg.norm(thing.pose[:3, 3] - target[:3, 3]))
        angle = float(axes_angle(thing.pose[None, :3, :3], target[:3, :3], task.axes)[0])
        return off <= task.near and angle <= task.turned and thing.at_rest


def file_task(path: Path) -> type[FileTask]:
    """Return the task of a file.

    Raises:
        ConfigError: It cannot be read; names the file and the field.
    """
    read = load_task_file(path)

    class Loaded(FileTask):
        name = read.name
        description = f'Bring {read.thing} where {path} says.'
        content = read

    return Loaded


def save_task_file(task: TaskFile, path: Path) -> None:
    """Write the file; it is whole or not there."""
    document = {
        'format': FORMAT,
        'version': VERSION,
        'name': task.name,
        'thing': task.thing,
        'parts': [part.as_map() for part in task.parts],
        'mass': task.mass,
        'friction': task.friction,
        'fixtures': [part.as_map() for part in task.fixtures],
        'target': task.target.round(6).tolist(),
        'axes': task.axes.tolist(),
        'near': task.near,
        'turned': task.turned,
        'starts': task.starts.round(6).tolist(),
    }
    part = path.with_suffix('.part')
    part.write_text(json.dumps(document, indent=1, ensure_ascii=False) + '\n')
    part.replace(path)


def load_task_file(path: Path) -> TaskFile:
    """Read a file.

    Raises:
        ConfigError: There is none, or a field is missing or wrong; names the file and the field.
    """
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f'task file {path} cannot be read: {error}') from error
    if not isinstance(document, dict) or document.get('format') != FORMAT:
        raise ConfigError(f'task file {path}: format is not {FORMAT!r}')
    version = document.get('version')
    if version != VERSION:
        raise ConfigError(f'task file {path}: version {version!r} is not {VERSION}')

    def get(name: str, kind: Any) -> Any:
        value = document.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ConfigError(f'{name} is {value!r:.40}')
        return value

    number = (int, float)
    try:
        return TaskFile(
            name=get('name', str),
            thing=get('thing', str),
            parts=primitives_of(get('parts', list), 'parts'),
            mass=float(get('mass', number)),
            friction=float(get('friction', number)),
            fixtures=primitives_of(get('fixtures', list), 'fixtures'),
            starts=get('starts', list),
            target=get('target', list),
            axes=get('axes', list),
            near=float(get('near', number)),
            turned=float(get('turned', number)),
        )
    except MimicError as error:
        raise ConfigError(f'task file {path}: {error}') from error


def _poses(values: Any, shape: tuple[int | None, ...], name: str) -> FloatArray:
    poses = checked(values, shape, name)
    length = np.linalg.norm(poses[..., 3:], axis=-1)
    if not (np.abs(length - 1.0) < 1e-3).all():
        raise ConfigError(f'{name}: a quaternion is not of unit length')
    return poses
