"""ArUco and AprilTag markers on objects: poses without depth, and sure starts with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import yaml

from mimic_core.arrays import FloatArray, Image, checked
from mimic_core.camera import Intrinsics
from mimic_core.errors import ConfigError, UnknownNameError
from mimic_core.frames import apply, from_xyz_rpy, transform

_PIXELS: Final = 1.0  # [px] of reprojection error at which confidence has fallen to 0.6
_WORST: Final = 4.0  # [px] beyond which it is no pose
_ALIKE: Final = 0.5  # [px] by which the other solution of one marker may be worse and count too
# Corners of a marker in its own frame, x to the right and y up on the print, in half edges.
_CORNERS: Final = np.array(
    [[-1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [1.0, -1.0, 0.0], [-1.0, -1.0, 0.0]]
)
_KEYS: Final = {'id', 'size', 'xyz', 'rpy'}


@dataclass(frozen=True)
class Marker:
    """One marker on an object: x to the right, y up, z out of the print."""

    id: int
    size: float  # [m] edge of the black square
    object_T_marker: FloatArray  # (4, 4)

    @property
    def corners(self) -> FloatArray:
        """(4, 3) [m] in the object frame, in the order in which OpenCV finds them."""
        return apply(self.object_T_marker, 0.5 * self.size * _CORNERS)


@dataclass(frozen=True)
class MarkerPose:
    """Where the markers of an object say that it is."""

    camera_T_object: FloatArray  # (4, 4)
    confidence: float  # [1] 0..1
    ids: tuple[int, ...]
    other: FloatArray | None = None  # (4, 4) of one marker, tilted the other way: as good


class MarkerFinder:
    """Finds the markers of known objects."""

    def __init__(self, dictionary: str, markers: Mapping[str, Sequence[Marker]]) -> None:
        """Take the markers of each object.

        Args:
            dictionary: Such as '4x4_50' or 'apriltag_36h11'.
            markers: Name of an object -> its markers.

        Raises:
            UnknownNameError: No such dictionary.
            ConfigError: Two markers with one id, or one that the dictionary does not have.
        """
        known = {
            name.removeprefix('DICT_').lower(): int(getattr(cv2.aruco, name))
            for name in dir(cv2.aruco)
            if name.startswith('DICT_')
        }
        if dictionary not in known:
            raise UnknownNameError('dictionary of markers', dictionary, known)
        ids = [marker.id for group in markers.values() for marker in group]
        if len(set(ids)) != len(ids):
            raise ConfigError(f'markers share an id: {sorted(ids)}')
        printed = cv2.aruco.getPredefinedDictionary(known[dictionary])
        count = len(printed.bytesList)
        if ids and max(ids) >= count:
            raise ConfigError(f'marker {max(ids)}: {dictionary} has ids 0 to {count - 1} only')
        self._markers = {name: {m.id: m for m in group} for name, group in markers.items()}
        parameters = cv2.aruco.DetectorParameters()
        parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
        self._detector = cv2.aruco.ArucoDetector(printed, parameters)

    @property
    def objects(self) -> frozenset[str]:
        """Names of the objects that have markers."""
        return frozenset(self._markers)

    def find(self, color: Image, intrinsics: Intrinsics) -> dict[str, MarkerPose]:
        """Return the objects whose markers are seen in a picture (H, W, 3), undistorted."""
        gray = cv2.cvtColor(np.ascontiguousarray(color), cv2.COLOR_RGB2GRAY)
        quads, numbers, _ = self._detector.detectMarkers(gray)
        if numbers is None:
            return {}
        seen = {int(n): np.asarray(q, np.float64).reshape(4, 2)
                for n, q in zip(numbers.ravel(), quads, strict=True)}  # fmt: skip
        found = {}
        for name, markers in self._markers.items():
            ids = tuple(sorted(set(markers) & set(seen)))
            if ids:
                points = np.concatenate([markers[i].corners for i in ids])
                pixels = np.concatenate([seen[i] for i in ids])
                poses = _solve(points, pixels, markers[ids[0]], len(ids), intrinsics)
                errors = [_error(pose, points, pixels, intrinsics) for pose in poses]
                if errors and errors[0] < _WORST:
                    confidence = float(np.exp(-0.5 * (errors[0] / _PIXELS) ** 2))
                    alike = len(errors) > 1 and errors[1] < errors[0] + _ALIKE
                    other = poses[1] if alike else None
                    found[name] = MarkerPose(poses[0], confidence, ids, other)
        return found


def load_markers(path: Path, objects: Sequence[str]) -> MarkerFinder:
    """Return the finder of a file.

    The file names a `dictionary` and, under `objects`, a list of markers for each object, each
    with `id`, `size` [m] and where it is on the object: `xyz` [m] and `rpy` [rad].

    Raises:
        ConfigError: No file, or it is not of this form; says where.
        UnknownNameError: An object, a key or the dictionary is not known.
    """
    try:
        data = yaml.safe_load(Path(path).read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f'{path} cannot be read: {error}') from error
    if not isinstance(data, dict) or not isinstance(data.get('objects'), dict):
        raise ConfigError(f"{path}: needs 'dictionary' and 'objects'")
    markers: dict[str, list[Marker]] = {}
    for name, items in data['objects'].items():
        if name not in objects:
            raise UnknownNameError(f'object in {path}', str(name), objects)
        if not isinstance(items, list) or not items:
            raise ConfigError(f"{path}: '{name}' needs a list of markers")
        markers[name] = [_marker(item, f'{path}: {name}[{i}]') for i, item in enumerate(items)]
    return MarkerFinder(str(data.get('dictionary', '')), markers)


def _marker(item: Any, where: str) -> Marker:
    if not isinstance(item, dict):
        raise ConfigError(f'{where} is not a mapping of {", ".join(sorted(_KEYS))}')
    for key in item:
        if key not in _KEYS:
            raise UnknownNameError(f'key of {where}', str(key), _KEYS)
    number, size = item.get('id'), item.get('size')
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise ConfigError(f'{where}: id is {number!r}, not a number of the dictionary')
    if not isinstance(size, int | float) or not 0.003 <= size <= 1.0:
        raise ConfigError(f'{where}: size is {size!r}, not an edge in metres (0.003 to 1)')
    pose = from_xyz_rpy(
        checked(item.get('xyz', (0.0, 0.0, 0.0)), (3,), f'{where}: xyz'),
        checked(item.get('rpy', (0.0, 0.0, 0.0)), (3,), f'{where}: rpy'),
    )
    return Marker(number, float(size), pose)


def _solve(
    points: FloatArray, pixels: FloatArray, first: Marker, count: int, optics: Intrinsics
) -> list[FloatArray]:
    """Return the poses (4, 4) of an object with corners (N, 3) [m] seen at pixels (N, 2).

    None; or one; or of one marker two, the one that projects better first.
    """
    none = np.zeros(5)
    if count == 1:
        square = 0.5 * first.size * _CORNERS
        done, turns, shifts, _ = cv2.solvePnPGeneric(
            square, pixels, optics.matrix, none, flags=cv2.SOLVEPNP_IPPE_SQUARE
        )
        if not done:
            return []
        inverse = np.linalg.inv(first.object_T_marker)
        return [_matrix(turn, shift) @ inverse for turn, shift in zip(turns, shifts, strict=True)]
    ok, turn, shift = cv2.solvePnP(points, pixels, optics.matrix, none,
                                   flags=cv2.SOLVEPNP_SQPNP)  # fmt: skip
    if not ok:
        return []
    turn, shift = cv2.solvePnPRefineLM(points, pixels, optics.matrix, none, turn, shift)
    return [_matrix(turn, shift)]


def _matrix(turn: Any, shift: Any) -> FloatArray:
    rotation, _ = cv2.Rodrigues(turn)
    return transform(np.asarray(rotation, np.float64), np.asarray(shift, np.float64).ravel())


def _error(pose: FloatArray, points: FloatArray, pixels: FloatArray, optics: Intrinsics) -> float:
    """Return the root mean square of the reprojection [px]; infinite behind the camera."""
    apart = optics.project(apply(pose, points)) - pixels
    return float(np.sqrt(np.mean(apart**2))) if np.isfinite(apart).all() else float('inf')
