"""Where a camera is and how it projects: one YAML file for each camera, in config/cameras/."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from mimic_core import frames
from mimic_core.arrays import FloatArray
from mimic_core.camera import Intrinsics
from mimic_core.errors import ConfigError, MimicError

CAMERA_FILE: Final = 'camera.yaml'  # beside videos: of the camera that took them
_KEYS = {'parent', 'xyz', 'quat_xyzw', 'look_at', 'intrinsics', 'description', 'record'}


@dataclass(frozen=True)
class Calibration:
    """What a calibration file says."""

    parent: str  # frame in which the camera is fixed
    parent_T_optical: FloatArray | None  # (4, 4); None: unknown
    intrinsics: Intrinsics | None  # None: the device's own, or those of a field of view
    description: str = ''
    record: Mapping[str, Any] = field(default_factory=dict)  # how it was measured, if it was


def load_calibration(path: Path) -> Calibration:
    """Read a calibration file.

    Keys: `parent`; either `xyz` [m] with `quat_xyzw`, or `xyz` with `look_at` [m], both in parent,
    z up; `intrinsics` with the fields of `Intrinsics`; `description`; `record`, what
    mimic_calibration writes about its measurement. All but parent may be absent.

    Raises:
        ConfigError: Names the file and the key that is wrong.
    """
    try:
        data = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f'{path} cannot be read: {error}') from error
    if not isinstance(data, dict):
        raise ConfigError(f'{path} is not a mapping')
    unknown = set(data) - _KEYS
    if unknown:
        raise ConfigError(
            f'{path}: unknown keys {", ".join(sorted(unknown))}; known: {", ".join(sorted(_KEYS))}'
        )
    try:
        record = data.get('record') or {}
        if not isinstance(record, dict):
            raise ConfigError(f'record is {record!r}, not a mapping')
        return Calibration(
            str(data.get('parent', frames.WORLD)),
            _pose(data),
            _intrinsics(data.get('intrinsics')),
            str(data.get('description', '')),
            record,
        )
    except (TypeError, ValueError, MimicError) as error:
        raise ConfigError(f'{path}: {error}') from error


def _pose(data: dict[str, Any]) -> FloatArray | None:
    if 'xyz' not in data:
        return None
    xyz = np.asarray(data['xyz'], dtype=np.float64)
    if 'look_at' in data:
        return frames.look_at(xyz, np.asarray(data['look_at']), np.array([0.0, 0.0, 1.0]))
    return frames.from_xyz_quat(xyz, np.asarray(data['quat_xyzw'], dtype=np.float64))


def _intrinsics(data: dict[str, Any] | None) -> Intrinsics | None:
    if data is None:
        return None
    return Intrinsics(**{**data, 'distortion': tuple(data.get('distortion', (0.0,) * 5))})
