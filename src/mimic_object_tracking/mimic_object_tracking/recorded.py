"""Objects in a recorded RGB-D bag: a path for each, as a table that people can read."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from mimic_camera import BagSource, EndOfStreamError
from mimic_core.arrays import FloatArray, checked
from mimic_core.camera import Frame
from mimic_core.errors import ConfigError, SourceError
from mimic_core.frames import from_xyz_quat, to_quat_xyzw
from mimic_hand_tracking import HandTracker, TrackingParams
from mimic_object_tracking.lens import Rectifier
from mimic_object_tracking.tracker import ObjectTracker
from mimic_object_tracking.view import ObjectEstimate

COLUMNS: Final = ('stamp', 'object', 'x', 'y', 'z', 'qx', 'qy', 'qz', 'qw', 'confidence')
LEAST_DEPTH: Final = 0.1  # [1] share of a video's pictures that must have depth
MOVES: Final = 0.01  # [m] by which an object must move at least, to have moved
_TURNS: Final = 0.10  # [rad] or turn


@dataclass(frozen=True)
class ObjectPath:
    """Where one object is in N pictures of one video."""

    name: str
    stamps: FloatArray  # (N,) [s]
    poses: FloatArray  # (N, 4, 4) camera_T_object, NaN where it is not seen
    confidence: FloatArray  # (N,) [1], 0 where it is not seen
    left_out: int = 0  # pictures of the video that are not among the N: they have no depth

    @property
    def seen(self) -> float:
        """Share of the pictures in which it is seen [1]."""
        return float(np.mean(self.confidence > 0.0)) if len(self.stamps) else 0.0

    def travel(self) -> tuple[float, float]:
        """Return how far it gets from where it is first, [m] and [rad]; medians against noise."""
        known = self.poses[self.confidence > 0.0]
        if len(known) < 3:
            return 0.0, 0.0
        places = _median_of_three(known[:, :3, 3])
        apart = np.linalg.norm(places - places[0], axis=1)
        cosines = 0.5 * (np.einsum('nij,ij->n', known[:, :3, :3], known[0, :3, :3]) - 1.0)
        turned = _median_of_three(np.arccos(np.clip(cosines, -1.0, 1.0))[:, None])
        return float(apart.max()), float(turned.max())

    @property
    def moves(self) -> bool:
        """It is seen, and gets away from where it is first."""
        moved, turned = self.travel()
        return self.seen > 0.0 and (moved >= MOVES or turned >= _TURNS)

    def summary(self) -> str:
        """Return one line for people; says so when it never moves or is never seen."""
        note = f'; {self.left_out} more have no depth and are left out' if self.left_out else ''
        if self.seen == 0.0:
            return f'{self.name} is never seen in {len(self.stamps)} pictures{note}'
        moved, turned = self.travel()
        share = f'seen in {100.0 * self.seen:.0f} % of {len(self.stamps)} pictures{note}'
        if not self.moves:
            return (
                f'{self.name} never moves: {1e3 * moved:.1f} mm and '
                f'{np.degrees(turned):.1f} degrees at most ({share})'
            )
        return (
            f'{self.name} moves up to {1e3 * moved:.0f} mm and {np.degrees(turned):.0f} degrees '
            f'from its start ({share})'
        )


def bag_frames(path: Path, camera: str) -> Iterator[Frame]:
    """Yield the pictures of a bag without the lens's distortion, with stamps that begin at 0.

    Raises:
        SourceError: There is no such bag or camera in it, or it is damaged.
    """
    source = BagSource(path, lambda: 0.0, 'camera', camera=camera, real_time=False)
    rectifier = Rectifier()
    source.open()
    try:
        while True:
            try:
                frame = source.read()
            except EndOfStreamError:
                return
            yield rectifier.rectified(frame)
    finally:
        source.close()


def follow(
    frames: Iterator[Frame],
    tracker: ObjectTracker,
    on_picture: Callable[[Frame, tuple[ObjectEstimate, ...]], None] = lambda frame, found: None,
) -> tuple[ObjectPath, ...]:
    """Return the path of each object through a video; the hands in it are tracked too.

    A picture whose depth is lost is left out, unless every object has markers.

    Raises:
        SourceError: There is no picture, or hardly any has depth.
    """
    hands = HandTracker(TrackingParams(filter_cutoff=0.0, confirm_frames=1))
    stamps: list[float] = []
    found: list[tuple[ObjectEstimate, ...]] = []
    left_out = 0
    try:
        for frame in frames:
            if frame.depth is None and tracker.unmarked:
                left_out += 1
                continue
            estimates = tracker.process(frame, hands.process_frame(frame))
            stamps.append(frame.stamp)
            found.append(estimates)
            on_picture(frame, estimates)
    finally:
        hands.close()
    if not stamps and not left_out:
        raise SourceError('the video has no pictures')
    if len(stamps) < LEAST_DEPTH * (len(stamps) + left_out):
        raise SourceError(
            f'{left_out} of {len(stamps) + left_out} pictures have no depth, in which the shape '
            f'of {", ".join(tracker.unmarked)} is followed: record aligned depth with the '
            'stamps of the colour, or put markers on the object'
        )
    return tuple(_path(track.model.name, stamps, found, left_out) for track in tracker.tracks)


def write_paths(paths: tuple[ObjectPath, ...], file: Path) -> None:
    """Write a table of `COLUMNS`, a row for each object in each picture in which it is seen."""
    with file.open('w', newline='') as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for path in paths:
            for stamp, pose, confidence in zip(
                path.stamps, path.poses, path.confidence, strict=True
            ):
                if confidence > 0.0:
                    values = [*pose[:3, 3], *to_quat_xyzw(pose)]
                    row = [f'{stamp:.6f}', path.name, *(f'{v:.7f}' for v in values)]
                    writer.writerow([*row, f'{confidence:.4f}'])


def read_paths(file: Path) -> tuple[ObjectPath, ...]:
    """Return the paths of a table; pictures without a row are not known to it.

    Raises:
        ConfigError: It is no such table; names the line.
    """
    rows: dict[str, list[list[float]]] = {}
    try:
        with file.open(newline='') as stream:
            reader = csv.reader(stream)
            if tuple(next(reader, ())) != COLUMNS:
                raise ConfigError(f'{file}: its first line is not {",".join(COLUMNS)}')
            for number, row in enumerate(reader, 2):
                try:
                    values = [float(row[0]), *map(float, row[2:])]
                except (ValueError, IndexError) as error:
                    raise ConfigError(f'{file}, line {number}: {error}') from error
                if len(values) != len(COLUMNS) - 1:
                    raise ConfigError(f'{file}, line {number}: {len(row)} columns')
                rows.setdefault(row[1], []).append(values)
    except OSError as error:
        raise ConfigError(f'{file} cannot be read: {error}') from error
    paths = []
    for name, found in rows.items():
        table = checked(found, (None, len(COLUMNS) - 1), f'{file}: {name}')
        poses = np.stack([from_xyz_quat(row[1:4], row[4:8]) for row in table])
        paths.append(ObjectPath(name, table[:, 0], poses, table[:, 8]))
    return tuple(paths)


def _path(
    name: str, stamps: list[float], found: list[tuple[ObjectEstimate, ...]], left_out: int
) -> ObjectPath:
    poses, confidence = np.full((len(stamps), 4, 4), np.nan), np.zeros(len(stamps))
    for row, estimates in enumerate(found):
        for estimate in estimates:
            if estimate.name == name:
                poses[row], confidence[row] = estimate.camera_T_object, estimate.confidence
    return ObjectPath(name, np.array(stamps), poses, confidence, left_out)


def _median_of_three(values: FloatArray) -> FloatArray:
    """Return (N - 2, D) medians of neighbours."""
    middle: FloatArray = np.median(np.stack([values[:-2], values[1:-1], values[2:]]), axis=0)
    return middle
