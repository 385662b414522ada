"""Sets of pictures with joint states: in a folder, so that each calibration can be run again.

A folder holds pictures and `samples.yaml`:

    robot: {arm: iiwa14, hand: robotiq_2f85}
    samples:
      - {image: 000.png, stamp: 12.30, joint_stamp: 12.31, joints: {iiwa_joint_1: 0.1, ...}}

For a calibration of the camera alone pictures are enough.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml
from PIL import Image as Pictures
from PIL import UnidentifiedImageError

from mimic_calibration.detection import Detection, Detector
from mimic_calibration.errors import CalibrationError
from mimic_calibration.hand_eye import MIN_POSES, Sample
from mimic_calibration.kinematics import Arm
from mimic_core.arrays import Image
from mimic_core.errors import ConfigError, MimicError, SourceError

INDEX: Final = 'samples.yaml'
MAX_SKEW: Final = 0.05  # [s] between picture and joints
_SUFFIXES: Final = ('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff')


@dataclass(frozen=True)
class RawSample:
    """One picture, as taken."""

    name: str
    image: Image  # (H, W, 3) rgb
    joints: Mapping[str, float] | None  # [rad] or [m]; None: pictures alone
    stamp: float  # [s] of the picture
    joint_stamp: float  # [s]


@dataclass(frozen=True)
class Folder:
    """What a folder holds."""

    samples: tuple[RawSample, ...]
    arm: str  # '' where unknown
    hand: str


def read_picture(path: Path) -> Image:
    """Return (H, W, 3) rgb; raises SourceError."""
    try:
        with Pictures.open(path) as picture:
            return np.asarray(picture.convert('RGB'), np.uint8)
    except (OSError, UnidentifiedImageError) as error:
        raise SourceError(f'{path} cannot be read as a picture: {error}') from error


def load_folder(path: Path) -> Folder:
    """Read a folder of pictures, with or without samples.yaml.

    Raises:
        SourceError: It is not there, holds no pictures, or one cannot be read.
        ConfigError: samples.yaml is wrong; says where.
    """
    if not path.is_dir():
        raise SourceError(f'there is no folder {path}')
    index = path / INDEX
    if index.exists():
        return _with_index(path, index)
    files = sorted(p for p in path.iterdir() if p.suffix.lower() in _SUFFIXES)
    if not files:
        raise SourceError(f'{path} holds no pictures ({", ".join(_SUFFIXES)})')
    samples = (RawSample(p.name, read_picture(p), None, np.nan, np.nan) for p in files)
    return Folder(tuple(samples), '', '')


def _with_index(path: Path, index: Path) -> Folder:
    try:
        data = yaml.safe_load(index.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f'{index} cannot be read: {error}') from error
    if not isinstance(data, dict) or not isinstance(data.get('samples'), list):
        raise ConfigError(f"{index} has no list 'samples'")
    robot = data.get('robot') or {}
    samples = []
    for number, row in enumerate(data['samples']):
        try:
            joints = row.get('joints')
            samples.append(
                RawSample(
                    str(row['image']),
                    read_picture(path / str(row['image'])),
                    None if joints is None else {str(k): float(v) for k, v in joints.items()},
                    float(row.get('stamp', np.nan)),
                    float(row.get('joint_stamp', np.nan)),
                )
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigError(f'{index}: sample {number}: {error!r}') from error
    if not samples:
        raise ConfigError(f'{index} lists no samples')
    return Folder(tuple(samples), str(robot.get('arm', '')), str(robot.get('hand', '')))


class FolderWriter:
    """Writes samples as they come; the index is complete after each."""

    def __init__(self, path: Path, arm: str = '', hand: str = '') -> None:
        """Args: path: made where it is not there; it must not hold samples yet."""
        if (path / INDEX).exists():
            raise ConfigError(f'{path} holds samples already: choose another folder')
        self._path, self._rows = path, list[dict[str, Any]]()
        self._robot = {'arm': arm, 'hand': hand}
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f'{path} cannot be made: {error}') from error

    def add(self, sample: RawSample) -> str:
        """Write a sample; return the name of its file."""
        name = f'{len(self._rows):03d}.png'
        row: dict[str, Any] = {'image': name}
        if sample.joints is not None:
            row['joints'] = {k: round(float(v), 7) for k, v in sample.joints.items()}
        for key in ('stamp', 'joint_stamp'):
            if np.isfinite(getattr(sample, key)):
                row[key] = float(getattr(sample, key))
        self._rows.append(row)
        try:
            Pictures.fromarray(sample.image).save(self._path / name)
            text = yaml.safe_dump({'robot': self._robot, 'samples': self._rows}, sort_keys=False)
            (self._path / INDEX).write_text(text)
        except OSError as error:
            raise ConfigError(f'{self._path} cannot be written: {error}') from error
        return name


def detect_all(
    samples: Iterable[RawSample], detector: Detector
) -> tuple[list[tuple[str, Detection]], dict[str, str]]:
    """Return the detections by name, and why others have none.

    Raises:
        CalibrationError: There is none at all; says the usual reason.
    """
    found: list[tuple[str, Detection]] = []
    refused: dict[str, str] = {}
    for sample in samples:
        try:
            found.append((sample.name, detector.detect(sample.image)))
        except MimicError as error:
            refused[sample.name] = str(error)
    if not found:
        raise CalibrationError(f'no usable picture: {_usual(refused)}')
    return found, refused


def hand_eye_samples(
    samples: Iterable[RawSample], detector: Detector, arm: Arm, *, least: int = MIN_POSES
) -> tuple[list[Sample], dict[str, str]]:
    """Return the usable samples, and why others are not.

    Args:
        samples: As taken.
        detector: Of the board.
        arm: Whose joints they are.
        least: How many must be usable.

    Raises:
        CalibrationError: Too few are usable; says the usual reason.
    """
    found: list[Sample] = []
    refused: dict[str, str] = {}
    for sample in samples:
        try:
            found.append(hand_eye_sample(sample, detector, arm))
        except MimicError as error:
            refused[sample.name] = str(error)
    sizes = {s.detection.size for s in found}
    if len(sizes) > 1:
        named = ', '.join(f'{w}x{h}' for w, h in sorted(sizes))
        raise CalibrationError(f'the pictures have different sizes: {named}; take them anew')
    if len(found) < least:
        why = f': {_usual(refused)}' if refused else ''
        raise CalibrationError(
            f'{len(found)} usable poses of {len(found) + len(refused)}, at least {least} '
            f'needed{why}'
        )
    return found, refused


def hand_eye_sample(sample: RawSample, detector: Detector, arm: Arm) -> Sample:
    """Return one sample.

    Raises:
        CalibrationError: It has no joints, joints of another robot, or of another moment.
        DetectionError: It shows no usable board.
        NotFiniteError: A joint or a stamp is NaN.
    """
    if sample.joints is None:
        raise CalibrationError(f'{sample.name} has no joint states')
    q = arm.positions(sample.joints, f'joint state of {sample.name}')
    skew = abs(sample.stamp - sample.joint_stamp)
    if np.isfinite(sample.stamp) != np.isfinite(sample.joint_stamp):
        raise CalibrationError(f'{sample.name}: only one of stamp and joint_stamp is a time')
    if skew > MAX_SKEW:
        raise CalibrationError(
            f'{sample.name}: picture and joint state are {skew:.2f} s apart: '
            'are the clocks the same?'
        )
    return Sample(sample.name, q, detector.detect(sample.image))


def _usual(refused: Mapping[str, str]) -> str:
    reasons = [reason.replace(name, 'a picture') for name, reason in refused.items()]
    usual = max(reasons, key=reasons.count)
    return f'{usual} ({reasons.count(usual)} times)'
