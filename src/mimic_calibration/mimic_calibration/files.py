"""Calibration files: what `mimic_camera.load_calibration` reads, and a record."""

import itertools
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from mimic_calibration.board import Board
from mimic_calibration.calibrate import HandEyeResult
from mimic_calibration.errors import CalibrationError
from mimic_calibration.hand_eye import MOUNTS, HandEye
from mimic_calibration.intrinsics import IntrinsicsResult
from mimic_calibration.verdict import Verdict
from mimic_camera import Calibration, load_calibration
from mimic_core.arrays import FloatArray
from mimic_core.camera import Intrinsics
from mimic_core.errors import ConfigError, MimicError
from mimic_core.frames import from_xyz_quat, to_quat_xyzw
from mimic_core.resources import share

FOLDER_VARIABLE: Final = 'MIMIC_CAMERA_PATH'
_NAME: Final = re.compile(r'[a-z0-9][a-z0-9_-]*')


def cameras_folder() -> Path:
    """Return config/cameras: that of MIMIC_CAMERA_PATH, else that of the workspace.

    Raises:
        ConfigError: There is none.
    """
    given = os.environ.get(FOLDER_VARIABLE)
    return Path(given) if given else share('mimic_bringup', 'config', 'cameras')


def calibration_path(name: str, folder: Path | None = None) -> Path:
    """Return the file of a camera by its name; raises ConfigError when it is no name."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"'{name}' is no name of a camera: use lower case letters, digits, '_' and '-'"
        )
    return (cameras_folder() if folder is None else folder) / f'{name}.yaml'


def write_calibration(path: Path, data: Mapping[str, Any]) -> Path | None:
    """Write a calibration file; return where the previous one went, if there was one.

    It is written beside and moved, so that nobody reads half of it.

    Raises:
        ConfigError: The folder is missing or cannot be written.
    """
    text = yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True, default_flow_style=None)
    fresh = path.with_suffix('.yaml.new')
    backup: Path | None = None
    try:
        fresh.write_text(text)
        load_calibration(fresh)
        if path.exists():
            names = (path.with_suffix(f'.yaml.bak{n}') for n in itertools.count(1))
            backup = next(name for name in names if not name.exists())
            backup.write_bytes(path.read_bytes())
        fresh.replace(path)
    except OSError as error:
        raise ConfigError(
            f'{path} cannot be written ({error.strerror}): check the folder and its permissions, '
            'or choose another with --config'
        ) from error
    return backup


def plain(value: Any, digits: int = 7) -> Any:
    """Return a value with numpy types and tuples made plain, floats rounded."""
    if isinstance(value, Mapping):
        return {str(k): plain(v, digits) for k, v in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(v, digits) for v in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return round(float(value), digits)
    return value


def pose_to_mapping(pose: FloatArray) -> dict[str, Any]:
    """Return xyz [m] and quat_xyzw of a (4, 4) transform."""
    return {'xyz': plain(pose[:3, 3]), 'quat_xyzw': plain(to_quat_xyzw(pose), 9)}


def pose_from_mapping(data: Mapping[str, Any]) -> FloatArray:
    """Return the (4, 4) transform; raises ConfigError."""
    try:
        return from_xyz_quat(np.asarray(data['xyz'], float), np.asarray(data['quat_xyzw'], float))
    except (KeyError, TypeError, ValueError, MimicError) as error:
        raise ConfigError(f'no pose: {error}') from error


def existing(path: Path) -> dict[str, Any]:
    """Return what a calibration file says, to be changed in part; empty where there is none.

    Raises:
        ConfigError: It is there and wrong.
    """
    if not path.exists():
        return {}
    load_calibration(path)
    data: dict[str, Any] = yaml.safe_load(path.read_text())
    return data


def with_intrinsics(
    before: Mapping[str, Any],
    result: IntrinsicsResult,
    verdict: Verdict,
    board: Board,
    when: str,
    camera: str,
) -> dict[str, Any]:
    """Return the content of a file with new intrinsics; when: ISO date and time."""
    data = dict(before)
    data.setdefault('description', f'{camera}, calibrated with mimic')
    data.setdefault('parent', 'world')
    data['intrinsics'] = plain(asdict(result.intrinsics))
    record = dict(data.get('record') or {})
    record['intrinsics'] = plain(
        {
            'when': when,
            'board': board.to_mapping(),
            'views': int(result.used.sum()),
            'rejected': int((~result.used).sum()),
            'deviation': result.deviation,
            'rms': result.rms,
            'held_out': result.held_out,
            'field_error': result.field_error,
            'verdict': verdict.sentence,
        }
    )
    data['record'] = record
    return data


@dataclass(frozen=True)
class Robot:
    """Which robot a calibration belongs to."""

    arm: str
    hand: str
    prefix: str = ''


def with_hand_eye(
    before: Mapping[str, Any],
    result: HandEyeResult,
    verdict: Verdict,
    board: Board,
    robot: Robot,
    intrinsics: Intrinsics,
    when: str,
) -> dict[str, Any]:
    """Return the content of a file with a new pose; when: ISO date and time.

    The intrinsics are those that were used, refined together with the pose.
    """
    refined = result.refined
    data = {k: v for k, v in before.items() if k not in ('look_at', 'xyz', 'quat_xyzw')}
    data.setdefault('description', f'camera of {robot.arm}, calibrated with mimic')
    data['parent'] = robot.prefix + refined.solution.reference
    data.update(pose_to_mapping(refined.solution.reference_T_camera))
    data['intrinsics'] = plain(asdict(refined.intrinsics))
    record = dict(data.get('record') or {})
    used = [r for r in refined.residuals if r.used]
    record['hand_eye'] = plain(
        {
            'when': when,
            'robot': asdict(robot),
            'mount': refined.solution.mount,
            'board': board.to_mapping(),
            'board_scale': refined.scale,
            'board_pose': {
                'parent': robot.prefix + refined.solution.carrier,
                **pose_to_mapping(refined.solution.carrier_T_board),
            },
            'joint_offsets': refined.joint_offsets,
            'intrinsics_before': asdict(intrinsics),
            'poses': len(used),
            'rejected': list(refined.rejected),
            'expected_shift': refined.shift_error,
            'expected_turn': refined.turn_error,
            'residual_pixels': float(np.median([r.pixels for r in used])),
            'residual_shift': float(np.median([r.shift for r in used])),
            'residual_turn': float(np.median([r.turn for r in used])),
            'held_out_shift': float(np.median([r.shift for r in refined.held_out])),
            'held_out_turn': float(np.median([r.turn for r in refined.held_out])),
            'verdict': verdict.sentence,
        }
    )
    data['record'] = record
    return data


@dataclass(frozen=True)
class StoredHandEye:
    """What the drift check needs of a file."""

    solution: HandEye
    board: Board
    scale: float  # [1]
    robot: Robot
    joint_offsets: FloatArray  # (A,) [rad]
    intrinsics: Intrinsics
    expected_shift: float  # [m]
    expected_turn: float  # [rad]
    when: str


def stored_hand_eye(path: Path) -> StoredHandEye:
    """Read the hand-eye calibration of a file.

    Raises:
        ConfigError: The file cannot be read, or its record is damaged.
        CalibrationError: It holds none.
    """
    calibration: Calibration = load_calibration(path)
    record = calibration.record.get('hand_eye')
    if record is None or calibration.parent_T_optical is None or calibration.intrinsics is None:
        raise CalibrationError(
            f"{path} holds no hand-eye calibration: run './mimic calibrate hand_eye' first"
        )
    try:
        mount = record['mount']
        if mount not in MOUNTS:
            raise ConfigError(f'mount {mount!r} is not one of {", ".join(MOUNTS)}')
        solution = HandEye(
            mount, calibration.parent_T_optical, pose_from_mapping(record['board_pose'])
        )
        return StoredHandEye(
            solution,
            Board.from_mapping(record['board']),
            float(record['board_scale']),
            Robot(**record['robot']),
            np.asarray(record['joint_offsets'], dtype=np.float64),
            calibration.intrinsics,
            float(record['expected_shift']),
            float(record['expected_turn']),
            str(record['when']),
        )
    except (KeyError, TypeError, ValueError, MimicError) as error:
        raise ConfigError(f'{path}: record of the hand-eye calibration: {error!r}') from error
