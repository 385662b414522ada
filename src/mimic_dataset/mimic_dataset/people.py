"""Videos of people: pictures → tracked hand → what a robot would do → one demonstration.

Only pictures (and depth, where a bag has it) go in; nothing is known of who or what is there.
"""

import contextlib
import itertools
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np
from scipy.spatial.transform import Rotation

from mimic_camera import BagSource, EndOfStreamError, Source, VideoSource
from mimic_core.arrays import BoolArray, FloatArray, Image
from mimic_core.camera import Frame, Intrinsics
from mimic_core.errors import MimicError, SourceError
from mimic_core.hand import TrackedHand
from mimic_core.statistics import without_numbers
from mimic_dataset import resample
from mimic_dataset.arrays import DatasetMeta, Frames
from mimic_dataset.bags import axis_angles, meta_of, smooth_sign
from mimic_dataset.errors import EpisodeError, WriteError
from mimic_dataset.grounding import distance_factor
from mimic_dataset.params import ConvertParams
from mimic_dataset.parts import PartInfo, part_folder, write_part
from mimic_dataset.video import resized, stored_size
from mimic_description import RobotModel, load_robot
from mimic_hand_tracking.params import TrackingParams
from mimic_hand_tracking.tracker import HandTracker
from mimic_retargeting import RetargetingParams, Shadow

SETTLE: Final = 0.2  # [s] after the clutch closed the target is still on its way to the hand
BRIDGE: Final = 1.0  # [s] a hand that was away for longer may have done anything meanwhile
BLOCK: Final = 8  # [pictures] that are tracked at once: saves time, see HandTracker.process_frames


@dataclass(frozen=True)
class View:
    """Where the camera is."""

    base_T_camera: FloatArray  # (4, 4) optical frame in base_link
    intrinsics: Intrinsics | None = None  # None: those of the bag, or of an ideal camera
    fovy: float = 0.75  # [rad] vertical, of that ideal camera
    # [m] in base_link to which the palm comes, for videos without depth: see `grounding`; None: a
    # hand is as far away as it looks.
    lowest_palm: float | None = None


@dataclass(frozen=True)
class Track:
    """What the pictures of one video led to; N pictures."""

    stamps: FloatArray  # (N,) [s]
    valid: BoolArray  # (N,) a hand led to a target
    position: FloatArray  # (N, 3) [m] of the palm in base_link, NaN where not valid
    quat_xyzw: FloatArray  # (N, 4)
    hand: FloatArray  # (N, J)
    reasons: Counter[str]  # why the others did not, with how many
    tracking_time: float  # [s] inside the detector
    factor: float = 1.0  # by which distances without depth were multiplied


def convert_human(
    path: Path, dataset: Path, params: ConvertParams, view: View, name: str, key: str = ''
) -> dict[str, Any]:
    """Make a part of a dataset from a video file or a bag; return notes about it.

    Pictures in which no hand leads to a target are dropped: at head and tail, and in gaps of at
    most `max_gap`, over which is interpolated. A longer gap splits the video, and the longest
    piece is kept. `notes['tracking_time']` [s] is not written, since it is never the same twice.

    Raises:
        SourceError: The file is missing or damaged.
        EpisodeError: The hand is seen too rarely, or moves too briefly or not at all.
        WriteError: The disk is full.
        OSError: Something cannot be read.
    """
    robot = load_robot(params.arm, params.hand)
    with _Spool(part_folder(dataset, 'human', name).parent, params) as spool:
        track = follow(path, robot, params, view, spool)
        frames, times = spool.result()
        return _finish(path, dataset, params, robot, track, frames, times, name, key)


def _finish(
    path: Path,
    dataset: Path,
    params: ConvertParams,
    robot: RobotModel,
    track: Track,
    frames: Frames,
    times: FloatArray,
    name: str,
    key: str,
) -> dict[str, Any]:
    begin, end = longest_piece(track.stamps[track.valid], params.max_gap)
    length = float(track.stamps[-1] - track.stamps[0])
    seen = int(track.valid.sum())
    needed = max(params.min_duration, params.min_share * length)
    if seen == 0 or end - begin < needed:
        why = ', '.join(f'{reason} ({n})' for reason, n in track.reasons.most_common(2))
        raise EpisodeError(
            f'{path}: a hand could be followed in {seen} of {len(track.stamps)} pictures, longest '
            f'without a gap for {max(end - begin, 0.0):.1f} of {length:.1f} s; needed are '
            f'{needed:.1f} s; {why}{gaps_of(track, params.max_gap, needed)}'
        )
    used = track.valid & (track.stamps >= begin) & (track.stamps <= end)
    stamps, position = track.stamps[used], track.position[used]
    quats, hand = smooth_sign(track.quat_xyzw[used]), track.hand[used]
    inside = np.flatnonzero((times >= begin - 1e-9) & (times <= end + 1e-9))
    at = times[inside]
    rotation = axis_angles(robot, resample.slerp(stamps, quats, at))
    pose = np.hstack([resample.linear(stamps, position, at), rotation])
    joints = resample.linear(stamps, hand, at)
    kept = resample.without_idle(at, pose, joints, params, f'{path}, action')
    inside = inside[kept]
    errors = {
        'position': resample.left_out_linear(stamps, position),
        'rotation': resample.left_out_slerp(stamps, quats),
        'joints': resample.left_out_linear(stamps, hand),
    }
    notes: dict[str, Any] = {
        'duration': float(at[kept][-1] - at[kept][0]),
        'pictures': len(track.stamps),
        'followed': seen,
        'interpolated': int(((track.stamps >= begin) & (track.stamps <= end)).sum() - used.sum()),
        'dropped': dict(sorted(track.reasons.items())),
        'head': float(at[kept][0] - track.stamps[0]),
        'tail': float(track.stamps[-1] - at[kept][-1]),
        'error': {'command': {k: e.as_map() for k, e in errors.items() if e is not None}},
        'distance_factor': track.factor,
    }
    sizes = {'agent': [frames.shape[1], frames.shape[2]]}
    meta = DatasetMeta.from_map(meta_of(robot, params).as_map() | {'cameras': sizes}, name)
    info = PartInfo(name, 'human', meta, None, path.name, key, notes, str(path.resolve()))
    action = np.hstack([pose, joints])[kept]
    pictures: Iterator[Image] = (frames[i] for i in inside)
    write_part(dataset, info, action, None, {'agent': pictures}, quality=params.quality)
    return notes | {'tracking_time': track.tracking_time}


def longest_piece(stamps: FloatArray, max_gap: float) -> tuple[float, float]:
    """Return begin and end [s] of the longest run of (N,) stamps without a gap; (0, 0) of none."""
    if len(stamps) == 0:
        return 0.0, 0.0
    cuts = np.flatnonzero(np.diff(stamps) > max_gap)
    begins = stamps[np.concatenate([[0], cuts + 1])]
    ends = stamps[np.concatenate([cuts, [len(stamps) - 1]])]
    best = int(np.argmax(ends - begins))
    return float(begins[best]), float(ends[best])


def gaps_of(track: Track, max_gap: float, needed: float) -> str:
    """Return what to say of the gaps that split a video: how long, and what would join its parts.

    Args:
        track: Of the video.
        max_gap: Longest gap that is bridged [s].
        needed: Shortest piece [s] that would do.
    """
    said = ''
    apart = np.diff(track.stamps)
    if apart.max() > max_gap:
        said = f'; its pictures are {np.median(apart):.2f} s apart, at most {apart.max():.2f} s'
    stamps = track.stamps[track.valid]
    for gap in np.unique(np.diff(stamps)):
        begin, end = longest_piece(stamps, gap)
        if max_gap < gap <= BRIDGE and end - begin >= needed:
            option = np.ceil(20.0 * gap + 0.1) / 20.0
            return f'{said}; gaps of {gap:.2f} s split it: --max-gap {option:.2f} bridges them'
    return said


class _Spool:
    """Keeps the pictures nearest to the times of frames, small, in a file: memory stays flat."""

    def __init__(self, folder: Path, params: ConvertParams) -> None:
        self._folder, self._fps, self._height = folder, params.fps, params.height
        with self._writing():
            folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._last: tuple[float, Image] | None = None
        self._start = 0.0
        self._size = (0, 0)
        self._count = 0

    def __enter__(self) -> '_Spool':
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):  # a full disk again: nothing of it is needed any more
            self._file.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise WriteError(f'{self._folder}: cannot be written: {error}') from error

    def add(self, stamp: float, image: Image) -> None:
        """Take the next picture."""
        if self._last is None:
            self._start = stamp
            self._size = stored_size(self._height, (image.shape[0], image.shape[1]))
        while self._last is not None and self._due <= stamp:
            near = self._due - self._last[0] <= stamp - self._due
            self._write(self._last[1] if near else image)
        self._last = (stamp, image)

    @property
    def _due(self) -> float:
        return self._start + self._count / self._fps

    def _write(self, image: Image) -> None:
        with self._writing():
            self._file.write(np.ascontiguousarray(resized(image, self._size)).data)
        self._count += 1

    def result(self) -> tuple[Frames, FloatArray]:
        """Return (T, H, W, 3) frames and their times (T,) [s]."""
        with self._writing():
            self._file.flush()
        times = self._start + np.arange(self._count) / self._fps
        shape = (self._count, *self._size, 3)
        if self._count == 0:
            return np.zeros(shape, np.uint8), times
        return np.memmap(self._file, np.uint8, 'r', shape=shape), times


def follow(
    path: Path, robot: RobotModel, params: ConvertParams, view: View, spool: _Spool | None = None
) -> Track:
    """Track the hand in every picture and retarget it.

    Raises:
        SourceError: The file is missing or damaged.
    """
    tracker = HandTracker(
        TrackingParams(
            detector=params.detector,
            use_depth=params.use_depth,
            hand_length=params.hand_length,
            max_hands=params.max_hands,
        )
    )
    # The target of the palm and the fingers count here; 'servo' leaves the arm's joints to others.
    shadow = Shadow(
        robot,
        RetargetingParams(
            side=params.side, arm_backend='servo', engage_time=0.0, engage_speed=5.0,
            max_finger_lead=10.0, max_squeeze=1.0, max_lead=10.0, lost_timeout=params.max_gap,
        ),
        view.base_T_camera,
    )  # fmt: skip
    count = len(robot.arm_joints)
    rows: list[FloatArray] = []
    stamps: list[float] = []
    reasons: Counter[str] = Counter()
    measured = False  # how far away the hand is, by depth, in any picture
    nothing = np.full(16 + len(robot.hand_joints), np.nan)
    q, engaged_at, seconds = robot.home.copy(), -np.inf, 0.0
    try:
        frames = _frames(_source(path, params, view), path)
        while block := tuple(itertools.islice(frames, BLOCK)):
            if spool is not None:
                for frame in block:
                    spool.add(frame.stamp, frame.color)
            seen = tracker.process_frames(block)
            seconds += tracker.timing.detector
            for frame, hands in zip(block, seen, strict=True):
                was_engaged = shadow.engaged
                hand = _wanted(hands, params.side)
                result = shadow.step(hand, q, frame.stamp)
                if result.engaged and not was_engaged:
                    engaged_at = frame.stamp
                row = nothing
                if result.q is None or result.target is None:
                    reasons[without_numbers(result.reason.split(':')[0])] += 1
                else:
                    q = result.q
                    if frame.stamp - engaged_at >= SETTLE:
                        row = np.concatenate([result.target.ravel(), q[count:]])
                    else:
                        reasons['the hand was just found'] += 1
                rows.append(row)
                stamps.append(frame.stamp)
                if hand is not None and hand.side == params.side:
                    measured |= hand.method == 'depth'
    finally:
        tracker.close()
    if len(stamps) < 2:
        raise EpisodeError(f'{path}: {len(stamps)} pictures are no demonstration')
    table = np.array(rows)
    valid: BoolArray = np.asarray(np.isfinite(table).all(axis=1))
    poses = table[:, :16].reshape(-1, 4, 4)
    quats = np.full((len(poses), 4), np.nan)
    if valid.any():
        quats[valid] = Rotation.from_matrix(poses[valid, :3, :3]).as_quat()
    track = Track(np.array(stamps), valid, poses[:, :3, 3], quats, table[:, 16:], reasons, seconds)
    # What depth says of some pictures is not moved, and does not show how low the others come.
    if view.lowest_palm is None or measured or not valid.any():
        return track
    try:
        return _grounded(track, view.base_T_camera[:3, 3], view.lowest_palm)
    except EpisodeError as error:
        raise EpisodeError(f'{path}: {error}') from None


def _grounded(track: Track, camera: FloatArray, lowest: float) -> Track:
    """Return the track of a video without depth, as far from the camera as it must be."""
    factor = distance_factor(track.position[track.valid], camera, lowest)
    return replace(track, position=camera + factor * (track.position - camera), factor=factor)


def _wanted(hands: tuple[TrackedHand, ...], side: str) -> TrackedHand | None:
    """Return the hand of a side, else the one that is there: its side is then the reason."""
    return next((hand for hand in hands if hand.side == side), hands[0] if hands else None)


def _source(path: Path, params: ConvertParams, view: View) -> Source:
    if path.is_dir() or path.suffix == '.mcap':
        return BagSource(path, _zero, 'camera', camera=params.bag_camera, real_time=False)
    return VideoSource(path, _zero, 'camera', view.intrinsics, fovy=view.fovy, real_time=False)


def _zero() -> float:
    return 0.0


def _frames(source: Source, path: Path) -> Iterator[Frame]:
    """Yield the pictures of a file, of each moment one."""
    source.open()
    size, last = None, -np.inf
    try:
        while True:
            frame = source.read()
            size = size or frame.color.shape
            if frame.color.shape != size:
                raise SourceError(
                    f'{path}: pictures change their size from {size[1]} x {size[0]} to '
                    f'{frame.color.shape[1]} x {frame.color.shape[0]}'
                )
            if frame.stamp < last:
                raise SourceError(
                    f'{path}: stamps go back from {last:.2f} to {frame.stamp:.2f} s after the '
                    'first; the clock was set while it was recorded'
                )
            if frame.stamp > last:
                last = frame.stamp
                yield frame
    except EndOfStreamError:
        return
    except SourceError:
        raise
    except MimicError as error:
        raise SourceError(f'{path}: {error}') from error
    finally:
        source.close()
