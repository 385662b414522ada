"""The run folder: everything that practice needs of one demonstration, in files a person can read.

run.json            what stands below
object.obj          mesh of the object, if there is one
*.png               pictures for a person to check
training/, ...       what `train` adds
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from mimic_core.arrays import FloatArray, checked
from mimic_core.disk import removed_on_error, writing
from mimic_core.errors import ConfigError, MimicError
from mimic_core.frames import WORLD, from_xyz_quat
from mimic_core.primitives import Primitive, primitives_of
from mimic_description import RobotModel, load_robot
from mimic_object_tracking.symmetry import symmetry_of

RUN_FILE: Final = 'run.json'
FORMAT: Final = 'mimic practice run'
VERSION: Final = 1
_RUN_PART: Final = 'run.part'
_NONE: Final[Mapping[Path, Path]] = {}
ANCHOR: Final = 0.2  # [m], of the anchor points from the object's origin
_HIGHEST_RATE: Final = 1000.0  # [Hz]
_BASE_HEIGHT: Final = 0.01  # [m] by which a base may stand off the table
_BASE_TILT: Final = 0.02  # [rad] and tilt: a centimetre at the reach of an arm


class WrongRobotError(MimicError):
    """A run folder was made for another robot than the one that should use it."""


@dataclass(frozen=True)
class PracticeObject:
    """What is moved. Its frame is that of the tracked poses."""

    name: str
    parts: tuple[Primitive, ...]
    mass: float  # [kg]
    friction: float = 0.8  # [1]
    mesh: str = ''  # file in the run folder
    symmetry: str = 'auto'  # turns that look the same, as `symmetry_of` takes them; auto: by shape
    digest: str = ''  # SHA-256 of the mesh, once it was read

    def check(self) -> None:
        """Refuse numbers that no physics takes, and a symmetry that none is.

        Raises:
            ConfigError: Names the field.
        """
        if not 0.0 < self.mass < math.inf:
            raise ConfigError(f'object.mass = {self.mass} kg must be > 0')
        if not 0.0 <= self.friction < math.inf:
            raise ConfigError(f'object.friction = {self.friction} must be at least 0')
        if not self.parts:
            raise ConfigError('object.parts is empty')
        if self.symmetry != 'auto':
            try:
                symmetry_of(self.symmetry, np.zeros(3))
            except ConfigError as error:
                raise ConfigError(f'object.symmetry: {error}') from None


@dataclass(frozen=True)
class PracticeRun:
    """One demonstration, ready for practice.

    Poses are in `world`: the table is at z = 0, the robot's base_link at the origin.
    """

    arm: str
    hand: str
    task: str
    object: PracticeObject
    trajectory: FloatArray  # (T, 7) of the object: xyz [m], quaternion xyzw
    rate: float  # [Hz] of the trajectory
    start: FloatArray  # (J,) posture before the object is touched [rad]
    joint_names: tuple[str, ...]  # J
    anchors: FloatArray  # (A, 3) [m] in the object's frame; fewer than three if it is symmetric
    fixtures: tuple[Primitive, ...] = ()  # what stands still beside the table
    demonstration: FloatArray | None = None  # (T, J) the person's motion, retargeted [rad]
    start_box: tuple[float, float, float, float] | None = None  # [m] bounds of dx, dy at the start
    camera: Mapping[str, Any] | None = None  # world_T_camera (7,) and what is known of its lens

    def __post_init__(self) -> None:
        if not all(isinstance(name, str) for name in self.joint_names):
            raise ConfigError(f'joint_names = {list(self.joint_names)!r:.60} are no names')
        size = len(self.joint_names)
        trajectory = checked(self.trajectory, (None, 7), 'trajectory')
        if len(trajectory) < 2:
            raise ConfigError(f'trajectory has {len(trajectory)} poses, at least 2 are needed')
        for row, pose in enumerate(trajectory):
            if abs(np.linalg.norm(pose[3:]) - 1.0) > 1e-3:
                raise ConfigError(f'trajectory[{row}]: the quaternion is not of unit length')
        object.__setattr__(self, 'trajectory', trajectory)
        object.__setattr__(self, 'start', checked(self.start, (size,), 'start'))
        anchors = checked(self.anchors, (None, 3), 'anchors')
        if not 1 <= len(anchors) <= 3:
            raise ConfigError(f'anchors: 1 to 3 are needed, not {len(anchors)}')
        object.__setattr__(self, 'anchors', anchors)
        if self.demonstration is not None:
            shape = (len(trajectory), size)
            moved = checked(self.demonstration, shape, 'demonstration')
            object.__setattr__(self, 'demonstration', moved)
        if not 0.0 < self.rate <= _HIGHEST_RATE:
            raise ConfigError(f'rate = {self.rate} Hz must be > 0 and at most {_HIGHEST_RATE:g}')
        self.object.check()

    @property
    def poses(self) -> FloatArray:
        """(T, 4, 4) world_T_object."""
        return np.array([from_xyz_quat(p[:3], p[3:]) for p in self.trajectory])

    def robot(self) -> RobotModel:
        """Return the robot of the run.

        Raises:
            WrongRobotError: The registry's robot of these names has other joints or bounds.
        """
        robot = load_robot(self.arm, self.hand)
        if robot.joint_names != self.joint_names:
            raise WrongRobotError(
                f'the run was made with joints {", ".join(self.joint_names)}; '
                f'{self.arm} with {self.hand} has {", ".join(robot.joint_names)}'
            )
        if not robot.limits.contains(self.start, 1e-3):
            outside = (self.start < robot.limits.lower - 1e-3) | (
                self.start > robot.limits.upper + 1e-3
            )
            joint = robot.joint_names[int(np.argmax(outside))]
            raise WrongRobotError(f"start of joint '{joint}' is outside the bounds of {self.arm}")
        return robot

    def check_robot(self, arm: str, hand: str) -> None:
        """Refuse another robot.

        Raises:
            WrongRobotError: Arm or hand differ.
        """
        if (arm, hand) != (self.arm, self.hand):
            raise WrongRobotError(
                f'the run is of {self.arm} with {self.hand}, not of {arm} with {hand}'
            )


def check_base(world_T_base: FloatArray, name: str) -> None:
    """Refuse a base that does not stand on the table, as all do in practice.

    Where it stands there, and its turn, do not matter: what is practised is in its own frame.

    Args:
        world_T_base: (4, 4), the table is at z = 0.
        name: Of its frame.

    Raises:
        ConfigError: It stands higher or lower, or is tilted.
    """
    height, tilt = float(world_T_base[2, 3]), float(np.arccos(np.clip(world_T_base[2, 2], -1, 1)))
    if abs(height) > _BASE_HEIGHT or tilt > _BASE_TILT:
        raise ConfigError(
            f'{name} is {height:.3f} m above the table (z = 0 of {WORLD}) and tilted by '
            f'{tilt:.3f} rad: what is practised is for a robot that stands on the table, base_xyz '
            'and base_rpy without height and tilt'
        )


def axes_anchors(symmetry: Sequence[str] = ()) -> FloatArray:
    """Return anchor points on the axes, at 0.2 m.

    Args:
        symmetry: Axes ('x', 'y', 'z') about which any turn of the object looks alike. One: a
            point on that axis is left, with the origin; more: only the origin.
    """
    axes = np.eye(3) * ANCHOR
    if len(symmetry) == 0:
        return axes
    if len(symmetry) == 1:
        return np.array([np.zeros(3), axes['xyz'.index(symmetry[0])]])
    return np.zeros((1, 3))


def run_text(run: PracticeRun) -> str:
    """Return what stands in run.json."""
    document = {
        'format': FORMAT,
        'version': VERSION,
        'arm': run.arm,
        'hand': run.hand,
        'task': run.task,
        'object': {
            'name': run.object.name,
            'mass': run.object.mass,
            'friction': run.object.friction,
            'mesh': run.object.mesh,
            'symmetry': run.object.symmetry,
            **({'digest': run.object.digest} if run.object.digest else {}),
            'parts': [p.as_map() for p in run.object.parts],
        },
        'fixtures': [p.as_map() for p in run.fixtures],
        'rate': run.rate,
        'joint_names': list(run.joint_names),
        'start': run.start.tolist(),
        'anchors': run.anchors.tolist(),
        'start_box': None if run.start_box is None else list(run.start_box),
        'camera': None if run.camera is None else dict(run.camera),
        'trajectory': run.trajectory.round(6).tolist(),
        'demonstration': None
        if run.demonstration is None
        else run.demonstration.round(6).tolist(),
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + '\n'


def save_run(run: PracticeRun, folder: Path, parts: Mapping[Path, Path] = _NONE) -> Path:
    """Write run.json into a folder, which is made; return the path of the file.

    Args:
        run: What it holds.
        folder: Where.
        parts: Files that are there already, and the names in the folder that they get with it.

    Raises:
        ConfigError: The disk is full, or the folder cannot be written.
    """
    path = folder / RUN_FILE
    part = folder / _RUN_PART
    with writing(part, ConfigError), removed_on_error(part):
        folder.mkdir(parents=True, exist_ok=True)
        part.write_text(run_text(run))
        for half, whole in parts.items():
            half.replace(whole)
        part.replace(path)
    return path


def is_left_over(folder: Path) -> bool:
    """Tell whether a folder without a run.json holds only what a writer of one left.

    All files have their names without `.part` once the last of them is written, run.json last.
    """
    halves = all('.part' in path.suffixes for path in folder.iterdir())
    return halves or (folder / _RUN_PART).exists()


def load_run(folder: Path, files: Path | None = None) -> PracticeRun:
    """Read a run folder.

    Args:
        folder: That holds run.json.
        files: Folder of the files that it names; None: the same.

    Raises:
        ConfigError: It is no run folder, or a field is missing or wrong; names file and field.
    """
    path = folder / RUN_FILE
    try:
        document = json.loads(path.read_text())
    except FileNotFoundError:
        raise ConfigError(f'{folder} is no run folder: it has no {RUN_FILE}') from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f'{path}: no valid JSON: {error}') from error
    reader = _Reader(path, document)
    if reader.get('format', str) != FORMAT:
        raise ConfigError(f'{path}: format is not {FORMAT!r}')
    if reader.get('version', int) != VERSION:
        raise ConfigError(f'{path}: version {document["version"]} is not {VERSION}')
    thing = _Reader(path, reader.get('object', dict), 'object.')
    box = reader.optional('start_box', list)
    try:
        obj = PracticeObject(
            name=thing.get('name', str),
            parts=primitives_of(thing.get('parts', list), 'parts'),
            mass=float(thing.get('mass', (int, float))),
            friction=float(thing.get('friction', (int, float))),
            mesh=thing.get('mesh', str),
            symmetry=thing.optional('symmetry', str) or 'auto',
            digest=thing.optional('digest', str) or '',
        )
        if obj.mesh:
            obj = _with_digest(obj, (files or folder) / obj.mesh)
        return PracticeRun(
            arm=reader.get('arm', str),
            hand=reader.get('hand', str),
            task=reader.get('task', str),
            object=obj,
            trajectory=reader.get('trajectory', list),
            rate=float(reader.get('rate', (int, float))),
            start=reader.get('start', list),
            joint_names=tuple(reader.get('joint_names', list)),
            anchors=reader.get('anchors', list),
            fixtures=primitives_of(reader.get('fixtures', list), 'fixtures'),
            demonstration=reader.optional('demonstration', list),
            start_box=None if box is None else _four(box),
            camera=reader.optional('camera', dict),
        )
    except MimicError as error:
        raise ConfigError(f'{path}: {error}'.replace(f'{path}: {path}', str(path))) from error


def _with_digest(obj: PracticeObject, mesh: Path) -> PracticeObject:
    """Return the object with the digest of its mesh.

    Raises:
        ConfigError: There is no such file, or it is not the one that was practised.
    """
    if not mesh.is_file():
        raise ConfigError(f'object.mesh: there is no file {mesh.name} in the folder')
    digest = hashlib.sha256(mesh.read_bytes()).hexdigest()
    if obj.digest not in ('', digest):
        raise ConfigError(
            f'object.mesh: {mesh} is not the mesh that was practised: bring it back (./mimic '
            'practise prepare or draft as it was made), or train under another --name'
        )
    return replace(obj, digest=digest)


class _Reader:
    """Takes typed fields out of a JSON object and names the one that is wrong."""

    def __init__(self, path: Path, document: Any, prefix: str = '') -> None:
        if not isinstance(document, dict):
            raise ConfigError(f'{path}: {prefix or "the file"} is no JSON object')
        self._path, self._document, self._prefix = path, document, prefix

    def get(self, name: str, kind: Any) -> Any:
        if name not in self._document:
            raise ConfigError(f"{self._path}: field '{self._prefix}{name}' is missing")
        value = self._document[name]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ConfigError(f"{self._path}: field '{self._prefix}{name}' is {value!r:.40}")
        return value

    def optional(self, name: str, kind: Any) -> Any:
        return None if self._document.get(name) is None else self.get(name, kind)


def _four(values: list[Any]) -> tuple[float, float, float, float]:
    a, b, c, d = checked(values, (4,), 'start_box')
    if a > b or c > d:
        raise ConfigError('start_box must be [x low, x high, y low, y high]')
    return float(a), float(b), float(c), float(d)
