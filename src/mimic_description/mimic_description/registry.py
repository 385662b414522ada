"""The registry of devices: what no URDF holds, read from `robots/<device>.yaml`.

A robot folder holds `robots/*.yaml` and `urdf/arms/*.urdf.xacro`, `urdf/hands/*.urdf.xacro`.
Folders are those of the environment variable MIMIC_ROBOT_PATH (separated by colons), then our own.
"""

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import yaml

from mimic_core.errors import ConfigError, UnknownNameError
from mimic_core.keypoints import FINGERS, KEYPOINTS
from mimic_core.resources import share
from mimic_description.fields import Fields

Kind = Literal['arm', 'hand']
Postures = Mapping[str, Mapping[str, float]]

ROBOT_PATH_VARIABLE: Final = 'MIMIC_ROBOT_PATH'
NONE: Final = 'none'  # the name that stands for no arm or no hand
_PACKAGE: Final = 'mimic_description'


class UnknownDeviceError(UnknownNameError):
    """No registry entry has this name; the message lists those that exist."""


@dataclass(frozen=True)
class VectorPair:
    """One vector of the retargeting objective: human keypoints and the robot links they map to."""

    from_keypoint: str
    to_keypoint: str
    from_link: str
    to_link: str
    weight: float  # [1], >= 0


@dataclass(frozen=True)
class Retargeting:
    """How a human hand maps to this hand. Links are named without prefix."""

    keypoints: Mapping[str, str]  # human keypoint -> robot link, for the position objective
    vectors: tuple[VectorPair, ...]
    scale: float  # [1], robot length over human length
    regularisation: float  # [1], beta: weight of the squared change of the joints
    pinch: tuple[tuple[str, str], ...]  # pairs of fingers that pinch
    turn: float | None  # [rad], heading of the closing line, counted from the person's
    aperture_open: float | None  # [m], human thumb-index distance that opens the gripper fully
    aperture_closed: float | None  # [m], and that closes it


@dataclass(frozen=True)
class Workspace:
    """Where an arm works on a table, in base_link."""

    centre: tuple[float, float, float]  # [m], middle of a table task
    box_min: tuple[float, float, float]  # [m], corner of the box that the gate allows
    box_max: tuple[float, float, float]  # [m]
    min_height: float  # [m], lowest z of the grasp centre


@dataclass(frozen=True)
class Driver:
    """What drives the device: `driver.launch.xml` of a package starts it."""

    package: str
    rate: float  # [Hz]


@dataclass(frozen=True)
class Grasp:
    """How a hand grasps."""

    kind: Literal['parallel', 'dexterous']
    aperture_max: float  # [m] between the thumb and what it meets, for a person's open pinch


@dataclass(frozen=True)
class Device:
    """One arm or hand. Joints and links are named without prefix; mappings are read only."""

    name: str
    kind: Kind
    description: str
    joints: tuple[str, ...]  # actuated, in the order used everywhere
    tip_frames: Mapping[str, str]  # finger -> link
    postures: Postures  # home (always), open, closed (hands) and others: joint -> [rad] or [m]
    max_acceleration: tuple[float, ...]  # (J,) [rad/s^2] or [m/s^2]
    max_jerk: tuple[float, ...]  # (J,) [rad/s^3] or [m/s^3]
    self_collision_ignore: tuple[tuple[str, str], ...]  # pairs of links
    driver: Driver
    retargeting: Retargeting | None  # hands
    grasp: Grasp | None  # hands
    workspace: Workspace | None  # arms
    default_hand: str | None  # arms
    urdf_file: Path
    file: Path

    def posture(self, name: str) -> tuple[float, ...]:
        """Return the joint values of a posture in the order of `joints`.

        Raises:
            UnknownNameError: There is no such posture.
        """
        if name not in self.postures:
            raise UnknownNameError(f'posture of {self.name}', name, self.postures)
        return tuple(self.postures[name][joint] for joint in self.joints)


def robot_folders() -> tuple[Path, ...]:
    """Return the robot folders, in the order in which they are searched.

    Raises:
        ConfigError: MIMIC_ROBOT_PATH names a folder that is not there.
    """
    extra = [Path(p) for p in os.environ.get(ROBOT_PATH_VARIABLE, '').split(':') if p]
    for folder in extra:
        if not (folder / 'robots').is_dir():
            raise ConfigError(f'{ROBOT_PATH_VARIABLE} names {folder}, which has no robots/ folder')
    return (*extra, own_folder())


@functools.cache
def own_folder() -> Path:
    """Return the folder of our own robots: the source package, or its share where it is installed.

    Raises:
        ConfigError: Neither is there.
    """
    source = Path(__file__).resolve().parents[1]
    if (source / 'urdf' / 'system.urdf.xacro').is_file() and (source / 'robots').is_dir():
        return source
    return share(_PACKAGE, 'urdf', 'system.urdf.xacro').parent.parent


def known_devices(kind: Kind | None = None) -> list[str]:
    """Return the names of all devices, or of one kind, sorted."""
    return sorted(
        name
        for name, file in _files(robot_folders()).items()
        if kind is None or _load(file).kind == kind
    )


def load_device(name: str, kind: Kind | None = None) -> Device:
    """Return a device.

    Args:
        name: Stem of a file in a `robots/` folder.
        kind: Accept only this kind.

    Raises:
        UnknownDeviceError: There is none of that name (and kind); lists the known ones.
        ConfigError: Its file is wrong; says which key.
    """
    file = _files(robot_folders()).get(name)
    if file is None or (kind is not None and _load(file).kind != kind):
        raise UnknownDeviceError(kind or 'device', name, known_devices(kind))
    return _load(file)


def _files(folders: tuple[Path, ...]) -> dict[str, Path]:
    """Return the registry file of each device; the first folder wins."""
    files: dict[str, Path] = {}
    for folder in folders:
        for file in sorted((folder / 'robots').glob('*.yaml')):
            files.setdefault(file.stem, file)
    return files


def _load(file: Path) -> Device:
    return _load_cached(file, file.stat().st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _load_cached(file: Path, _mtime_ns: int) -> Device:
    try:
        data = yaml.safe_load(file.read_text())
    except yaml.YAMLError as error:
        raise ConfigError(f'{file}: not valid YAML: {error}') from error
    return parse_device(data, file)


def parse_device(data: Any, file: Path) -> Device:
    """Return the device that a parsed registry file describes.

    Args:
        data: What the YAML file holds.
        file: Its path; the stem is the name of the device.

    Raises:
        ConfigError: A key is missing, unknown, or has a wrong value.
    """
    fields = Fields(data, str(file))
    kind = fields.choice('kind', ('arm', 'hand'))
    joints = fields.strings('joints')
    if len(set(joints)) != len(joints) or not joints:
        raise ConfigError(f'{file}: joints must be a list of different names')
    postures = fields.mapping('postures')
    required = ('home',) if kind == 'arm' else ('home', 'open', 'closed')
    for name in required:
        if name not in postures:
            raise ConfigError(f'{file}: postures.{name} is missing')
    tips = fields.names('tip_frames', {})
    for finger in tips:
        if finger not in FINGERS:
            raise UnknownNameError(f'finger in {file}: tip_frames', finger, FINGERS)
    pairs = fields.pairs('self_collision_ignore', ())
    retargeting, grasp, workspace, default_hand = None, None, None, None
    if kind == 'hand':
        retargeting = _parse_retargeting(fields.child('retargeting'))
        grasp = _parse_grasp(fields.child('grasp'))
        for finger in ('thumb', 'index'):
            if finger not in tips:
                raise ConfigError(f'{file}: tip_frames.{finger} is missing')
    else:
        workspace = _parse_workspace(fields.child('workspace'))
        default_hand = fields.string('default_hand')
    folder = file.parent.parent
    device = Device(
        name=file.stem,
        kind='arm' if kind == 'arm' else 'hand',
        description=fields.string('description'),
        joints=joints,
        tip_frames=tips,
        postures=MappingProxyType(
            {
                name: _parse_posture(values, joints, f'{file}: postures.{name}')
                for name, values in postures.items()
            }
        ),
        max_acceleration=fields.per_joint('max_acceleration', joints),
        max_jerk=fields.per_joint('max_jerk', joints),
        self_collision_ignore=pairs,
        driver=_parse_driver(fields.child('driver')),
        retargeting=retargeting,
        grasp=grasp,
        workspace=workspace,
        default_hand=default_hand,
        urdf_file=folder / 'urdf' / f'{kind}s' / f'{file.stem}.urdf.xacro',
        file=file,
    )
    fields.done()
    return device


def _parse_posture(values: Any, joints: tuple[str, ...], where: str) -> Mapping[str, float]:
    fields = Fields(values, where)
    posture = {joint: fields.number(joint) for joint in joints}
    fields.done()
    return MappingProxyType(posture)


def _parse_retargeting(fields: Fields) -> Retargeting:
    vectors = []
    for from_keypoint, to_keypoint, from_link, to_link, weight in fields.rows('vectors', 5):
        names = (str(from_keypoint), str(to_keypoint), str(from_link), str(to_link))
        vectors.append(VectorPair(*names, weight=fields.checked_number('vectors', weight)))
    keypoints = fields.names('keypoints', {})
    pinch = fields.pairs('pinch', ())
    for keypoint in [*keypoints, *(k for p in vectors for k in (p.from_keypoint, p.to_keypoint))]:
        if keypoint not in KEYPOINTS:
            raise UnknownNameError(f'keypoint in {fields.where}', keypoint, KEYPOINTS)
    for finger in (f for pair in pinch for f in pair):
        if finger not in FINGERS:
            raise UnknownNameError(f'finger in {fields.where}: pinch', finger, FINGERS)
    turn = fields.number('turn') if 'turn' in fields else None
    aperture_open, aperture_closed = None, None
    if 'aperture' in fields:
        aperture = fields.child('aperture')
        aperture_open, aperture_closed = aperture.number('open'), aperture.number('closed')
        aperture.done()
        if not 0 <= aperture_closed < aperture_open:
            raise ConfigError(f'{aperture.where}: needs 0 <= closed < open')
    retargeting = Retargeting(
        keypoints=keypoints,
        vectors=tuple(vectors),
        scale=fields.number('scale', 1.0),
        regularisation=fields.number('regularisation', 0.0),
        pinch=pinch,
        turn=turn,
        aperture_open=aperture_open,
        aperture_closed=aperture_closed,
    )
    fields.done()
    if not keypoints and aperture_open is None:
        raise ConfigError(f'{fields.where}: needs keypoints (dexterous) or aperture (gripper)')
    return retargeting


def _parse_workspace(fields: Fields) -> Workspace:
    workspace = Workspace(
        centre=fields.point('centre'),
        box_min=fields.point('box_min'),
        box_max=fields.point('box_max'),
        min_height=fields.number('min_height'),
    )
    fields.done()
    if any(low >= high for low, high in zip(workspace.box_min, workspace.box_max, strict=True)):
        raise ConfigError(f'{fields.where}: box_min must be below box_max')
    return workspace


def _parse_driver(fields: Fields) -> Driver:
    driver = Driver(package=fields.string('package'), rate=fields.number('rate'))
    fields.done()
    return driver


def _parse_grasp(fields: Fields) -> Grasp:
    kind = fields.choice('kind', ('parallel', 'dexterous'))
    grasp = Grasp(
        kind='parallel' if kind == 'parallel' else 'dexterous',
        aperture_max=fields.number('aperture_max'),
    )
    fields.done()
    return grasp
