"""What episodes are worth for training: findings, each with its time, and what to drop."""

import base64
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from mimic_core.arrays import BoolArray, FloatArray, Image
from mimic_core.errors import ConfigError, MimicError
from mimic_dataset import resample
from mimic_dataset.arrays import (
    ACTION_POSE,
    AXIS_ANGLE,
    POSITION,
    QUATERNION,
    DatasetMeta,
    Domain,
    EpisodeArrays,
    Frames,
)
from mimic_dataset.bags import (
    CAMERAS,
    STATES,
    action_of,
    commands,
    early_end,
    image_stamps,
    images,
    is_of_bare_hand,
    losses,
    states,
    success_of,
)
from mimic_dataset.convert import VIDEOS, find_sources
from mimic_dataset.errors import DatasetError
from mimic_dataset.lerobot import ACTION, STATE, domain_meta, names_of
from mimic_dataset.read import Look, look, roots_of
from mimic_dataset.robots import as_recorded, robot_of
from mimic_description import RobotModel
from mimic_recording import Episode, check_track, load_track, make_report
from mimic_recording.reader import NANOSECONDS
from mimic_recording.replay import GATE_TOPICS

Kind = Literal[
    'damaged', 'interrupted', 'lost', 'gap', 'frozen', 'sync', 'jump', 'limit', 'idle', 'still',
    'person', 'unchecked',
]  # fmt: skip
Verdict = Literal['drop', 'keep', 'not checked']

GAP: Final = 0.2  # [s] in which a stream is silent: nothing is near the frames of its middle
FROZEN: Final = 0.5  # [s] that a picture stays the same while the robot moves
FROZEN_WAY: Final = 0.05  # [m] or [rad] that is moved meanwhile
SAME: Final = 0.15  # [0..255] mean difference of pictures that are the same, after H.264 too
OFFSET: Final = 0.1  # [s] median latency of a sensor beyond which its clock is doubted
ALONE: Final = 0.05  # [1] share of pictures without a partner
FASTEST: Final = 3.0  # [m/s] of a palm
UNIT: Final = 1e-3  # [1] by which the length of a quaternion may differ from 1
TURNING: Final = 15.0  # [rad/s] of a palm
JUMP: Final = 1.5  # [1] of its largest speed: a late gate sends two commands of the limit at once
BARE_HAND: Final = 'camera/color/image_raw'  # of a bag without commands
AT_LIMIT: Final = 0.005  # [1] of its range that a joint is near its bound
TOUCHED: Final = 0.2  # [1] of the time at a bound of the arm that makes an episode useless
IDLE: Final = 1.0  # [s] standing still at head or tail
INTERPOLATED: Final = 0.2  # [1] of a person's pictures
THUMBNAILS, THUMBNAIL_WIDTH = 8, 120  # [px]


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be."""

    kind: Kind
    stream: str  # of what
    text: str
    begin: float = 0.0  # [s] from the start
    end: float = 0.0  # [s]
    drop: bool = False  # the episode is better left out

    def __str__(self) -> str:
        when = f' at {self.begin:.2f} to {self.end:.2f} s' if self.end > self.begin else ''
        return f'{self.kind}: {self.stream}: {self.text}{when}'


@dataclass(frozen=True)
class Quality:
    """What is known of one episode."""

    name: str
    path: str
    domain: Domain
    duration: float  # [s]
    findings: tuple[Finding, ...]
    streams: dict[str, FloatArray]  # (N,) times of samples [s] from the start
    motion: FloatArray  # (M, 2) time [s] and speed of the palm [m/s]
    thumbnails: tuple[tuple[float, str], ...]  # time [s], JPEG as base64


Motion = tuple[FloatArray, FloatArray, FloatArray]  # (M,), (M, 6), (M, J)
Result = TypeVar('Result')
_UNKNOWN: Final[Motion] = (np.zeros(0), np.zeros((0, 6)), np.zeros((0, 0)))


def drop_reasons(quality: Quality) -> list[str]:
    """Return why an episode should be dropped; nothing when it should be kept."""
    return [str(f) for f in quality.findings if f.drop]


def verdict(quality: Quality) -> Verdict:
    """Return what becomes of an episode; 'not checked': nothing found, but not all looked at."""
    if drop_reasons(quality):
        return 'drop'
    return 'not checked' if any(f.kind == 'unchecked' for f in quality.findings) else 'keep'


def inspect(path: Path, robot: RobotModel | None = None, arm: str = '') -> list[Quality]:
    """Return the quality of a bag, of all bags in a folder, or of the episodes of a dataset.

    Args:
        path: Which.
        robot: Of bags; None: the one of the registry whose joints a bag commands. Where there is
            none, what needs limits or kinematics is not checked, and a finding says so.
        arm: Of several arms with the same names of joints.

    Raises:
        ConfigError: There is nothing, or only videos.
    """
    if roots_of(path):
        return _of_dataset(path)
    bags = [source for source in find_sources([path]) if source.suffix.lower() not in VIDEOS]
    if not bags:
        raise ConfigError(f'{path}: only videos; `./mimic ingest` looks at them, and says why not')
    return [inspect_bag(bag, robot, arm) for bag in bags]


# Bags -------------------------------------------------------------------------------------------


def inspect_bag(path: Path, robot: RobotModel | None = None, arm: str = '') -> Quality:
    """Return the quality of one bag, as `inspect`; what cannot be read is a finding."""
    findings: list[Finding] = []
    try:
        episode = Episode(path)
    except MimicError as error:
        return _damaged(path.name, path, str(error), 'robot')
    with episode:
        if episode.problem:
            findings.append(Finding('damaged', path.name, episode.problem, drop=True))
        start = episode.start * 1e-9
        streams: dict[str, FloatArray] = {}
        shown: list[tuple[float, str]] = []
        findings += _sync_findings(episode)
        bare = is_of_bare_hand(episode)
        cameras = (BARE_HAND, *CAMERAS.values()) if bare else tuple(CAMERAS.values())
        if bare and not any((t := episode.find(c)) and episode.topics[t].count for c in cameras):
            text = 'holds neither commands nor pictures'
            findings.append(Finding('damaged', path.name, text, drop=True))
        for topic in [*cameras, STATES, *GATE_TOPICS]:
            name = episode.find(topic)
            if name is None:
                continue
            times = np.asarray(episode.log_times(name) * 1e-9 - start, dtype=np.float64)
            streams[topic] = times
            findings += gap_findings(topic, times)

        def tried(work: Callable[[], Result]) -> Result | None:
            try:
                return work()
            except MimicError as error:
                damaged = Finding('damaged', path.name, str(error), drop=True)
                findings.extend([damaged] if damaged not in findings else [])
                return None

        moved: Motion = _UNKNOWN
        if not bare:
            if robot is None:
                robot = tried(partial(robot_of, episode, arm))
            else:
                with contextlib.suppress(MimicError):  # what reads the commands says why
                    robot = as_recorded(robot, load_track(episode).names)
            motion = _joint_motion if robot is None else partial(_bag_motion, robot=robot)
            moved, more = tried(partial(motion, episode, start=start)) or (_UNKNOWN, [])
            findings += more
            measured = tried(
                partial(states, episode, None if robot is None else robot.joint_names)
            )
            if measured is not None:
                findings += together_findings(measured.times - start, streams[STATES])
        for ending in cameras:
            topic_name = episode.find(ending)
            if topic_name is None:
                continue
            seen = tried(partial(_watch, episode, topic_name, ending, start, *moved))
            more, small = seen or ([], [])
            findings += more
            shown = shown or small  # of the first camera that is there
        success = tried(partial(success_of, episode))
        findings += recorder_findings(episode, success)
        findings += task_findings(success)
        return Quality(
            path.name, str(path), 'human' if bare else 'robot', episode.duration,
            tuple(findings), streams, np.zeros((0, 2)) if robot is None else _speed(*moved[:2]),
            tuple(shown),
        )  # fmt: skip


def recorder_findings(episode: Episode, success: bool | None) -> list[Finding]:
    """Return what the recorder kept of its own troubles.

    Args:
        episode: Open.
        success: Of the task; one that succeeded is all there, whatever ended the recording.
    """
    end = early_end(episode)
    found = [
        Finding('lost', topic, f'{count} messages were not written')
        for topic, count in losses(episode).items()
    ]
    if end:
        text = f'the recording ended before it was stopped, {end}'
        found.append(Finding('interrupted', episode.path.name, text, drop=success is not True))
    return found


def _sync_findings(episode: Episode) -> list[Finding]:
    """Return what the stamps of streams say about each other."""
    found = []
    report = make_report(episode)
    for sync in report.sync:
        total = sync.pairs + sync.alone
        if total and sync.alone > ALONE * total and not sync.other.endswith(STATES):
            found.append(
                Finding('sync', sync.other, f'{sync.alone} of {total} pictures have no partner')
            )
    for topic in report.topics:
        late = topic.latency
        if late is not None and not -0.02 <= late.median <= OFFSET:
            found.append(
                Finding(
                    'sync', topic.name, f'stamps are {1e3 * late.median:.0f} ms before receipt',
                    drop=abs(late.median) > 1.0,
                )
            )  # fmt: skip
        if topic.nominal is not None and topic.is_regular and topic.count:
            away = max(topic.first, report.duration - topic.last)
            if away > IDLE:
                found.append(
                    Finding('sync', topic.name, f'is absent for {away:.1f} s at head or tail')
                )
    return found


def together_findings(together: FloatArray, times: FloatArray) -> list[Finding]:
    """Return for how long some joints are not measured, as when one of two drivers ends early.

    Args:
        together: (N,) when all joints are [s].
        times: (M,) of messages with any joint [s].
    """
    away = max(float(together[0] - times[0]), float(times[-1] - together[-1]))
    text = f'not all joints are measured for {away:.1f} s at head or tail'
    return [Finding('sync', STATES, text)] if away > IDLE else []


def gap_findings(stream: str, times: FloatArray) -> list[Finding]:
    """Return where (N,) times [s] of a stream are silent for too long."""
    periods = np.diff(times)
    return [
        Finding('gap', stream, f'silent for {periods[i]:.2f} s', times[i], times[i + 1], True)
        for i in np.flatnonzero(periods > GAP)
    ]


def _joint_motion(episode: Episode, start: float) -> tuple[Motion, list[Finding]]:
    """Return what `_bag_motion` does, of joints of which no more is known than their names."""
    track = load_track(episode)
    at = track.start / NANOSECONDS - start + track.times
    pose, joints = np.zeros((len(at), 6)), track.points
    text = (
        'limits, speeds and the way of the palm are not checked: no arm and hand of the registry '
        f'has just the joints {", ".join(track.names)}; --arm and --hand name them'
    )
    found = [Finding('unchecked', 'robot', text), *motion_findings(at, pose, joints)]
    return (at, pose, joints), found


def _bag_motion(episode: Episode, robot: RobotModel, start: float) -> tuple[Motion, list[Finding]]:
    """Return times (M,), pose (M, 6) and hand joints (M, J) of commands, and what they say."""
    series = commands(episode, robot)
    found = []
    for deviation in check_track(load_track(episode), robot.joint_names, robot.limits):
        if deviation.kind == 'speed':
            share, when = deviation.value / deviation.bound, deviation.time
            text = f'{100 * share:.0f} % of its largest speed at {when:.2f} s'
            found.append(Finding('jump', deviation.joint, text, when, when, share > JUMP))
    count = len(robot.arm_joints)
    at = resample.grid(series.times[0], series.times[-1], 30.0)
    values = resample.linear(series.times, series.values, at)
    found += limit_findings(
        robot.arm_joints, values[:, :count],
        robot.limits.lower[:count], robot.limits.upper[:count], drops=True,
    )  # fmt: skip
    action = action_of(robot, values)
    at = at - start
    pose, joints = action[:, :6], action[:, 6:]
    found += motion_findings(at, pose, joints)
    return (at, pose, joints), found


def _watch(
    episode: Episode,
    topic: str,
    name: str,
    start: float,
    at: FloatArray,
    pose: FloatArray,
    joints: FloatArray,
) -> tuple[list[Finding], list[tuple[float, str]]]:
    """Return where a camera was frozen, and thumbnails of it."""
    stamps = image_stamps(episode, topic)
    times = stamps - start
    if len(times) < 2:
        return [], []
    wanted = set(np.linspace(0, len(times) - 1, THUMBNAILS).round().astype(int).tolist())
    shown, changed = [], np.ones(len(times), dtype=bool)
    last: Image | None = None
    for i, image in enumerate(images(episode, topic, np.arange(len(times)))):
        sample = image[::4, ::4]
        changed[i] = last is None or not np.array_equal(sample, last)
        last = sample.copy()
        if i in wanted:
            shown.append((float(times[i]), thumbnail(image)))
    return frozen_findings(name, times, changed, at, pose, joints), shown


# Datasets ---------------------------------------------------------------------------------------


def _of_dataset(path: Path) -> list[Quality]:
    found: list[Quality] = []
    metas: list[DatasetMeta] = []
    for root in roots_of(path):
        try:
            meta, looks = look(root)
            notes = _notes(root)
            metas.append(meta)
            if why := metas[0].difference(meta) or metas[0].squeezed(meta):
                raise DatasetError(f'{root} does not fit to the other one, {why}')
            found += (inspect_arrays(e, meta, notes.get(e.name, {}), str(path)) for e in looks)
        except MimicError as error:
            domain: Domain = 'human' if root.name == 'human' else 'robot'
            found.append(_damaged(root.name, path, str(error), domain))
    return found


def _damaged(name: str, path: Path, why: str, domain: Domain) -> Quality:
    finding = Finding('damaged', name, why, drop=True)
    return Quality(name, str(path), domain, 0.0, (finding,), {}, np.zeros((0, 2)), ())


def _notes(root: Path) -> dict[str, dict[str, Any]]:
    return {
        str(record.get('name')): dict(record.get('notes') or {}) for record in domain_meta(root)[2]
    }


def inspect_arrays(
    episode: EpisodeArrays | Look, meta: DatasetMeta, notes: dict[str, Any], path: str
) -> Quality:
    """Return the quality of an episode of a dataset; what is damaged is a finding."""
    at = episode.stamps
    problems = episode.problems if isinstance(episode, Look) else ()
    findings = [Finding('damaged', what, why, drop=True) for what, why in problems]
    if len(at) < 2:
        text = f'{len(at)} frames are no demonstration'
        findings.append(Finding('damaged', 'frames', text, drop=True))
    known = _known(episode, 'action', names_of(ACTION, meta.joint_names), findings)
    state = _known(episode, 'state', names_of(STATE, meta.joint_names), findings)
    if state is not None and len(state):
        norm = np.linalg.norm(state[:, QUATERNION], axis=1)
        worst = int(np.argmax(np.abs(norm - 1.0)))
        if abs(norm[worst] - 1.0) > UNIT:
            text = f'the quaternion of frame {worst} has length {norm[worst]:.4f}'
            findings.append(Finding('damaged', 'state', text, drop=True))
    moved: Motion = _UNKNOWN
    if known is not None and len(at) > 1:
        moved = at, known[:, :ACTION_POSE], known[:, ACTION_POSE:]
        findings += motion_findings(*moved)
        bounds = np.array(meta.lower), np.array(meta.upper)
        findings += limit_findings(meta.joint_names, moved[2], *bounds, drops=False)
    for camera in ('agent', 'wrist'):
        frames = getattr(episode, camera)
        if frames is not None and len(at):
            findings += frozen_findings(camera, at, _changes(frames), *moved)
    pictures, between = notes.get('pictures', 0), notes.get('interpolated', 0)
    if pictures and between > INTERPOLATED * pictures:
        text = f'the hand was not seen in {between} of {pictures} pictures and interpolated'
        findings.append(Finding('person', 'hand', text))
    findings += task_findings(episode.success if episode.domain == 'robot' else None)
    numbers = np.linspace(0, len(at) - 1, THUMBNAILS).round().astype(int)
    agent = None if len(at) == 0 else episode.agent
    shown = () if agent is None else tuple((float(at[i]), thumbnail(agent[i])) for i in numbers)
    return Quality(
        episode.name, path, episode.domain, float(at[-1]) if len(at) else 0.0, tuple(findings),
        {'frames': at}, _speed(*moved[:2]), shown,
    )  # fmt: skip


def _known(
    episode: EpisodeArrays | Look, what: str, names: Sequence[str], findings: list[Finding]
) -> FloatArray | None:
    """Return (T, D) what an episode holds; where it is not finite it is found, and bridged.

    Args:
        episode: T frames.
        what: Its action or state.
        names: D columns.
        findings: To which those are added that are about it.
    """
    values: FloatArray | None = getattr(episode, what)
    if values is None:
        return None
    if values.shape != (len(episode.stamps), len(names)):
        text = f'has shape {values.shape}, not {(len(episode.stamps), len(names))}'
        findings.append(Finding('damaged', what, text, drop=True))
        return None
    lacks = ~np.isfinite(values)
    if not lacks.any():
        return values
    which = ', '.join(names[int(j)] for j in np.flatnonzero(lacks.any(axis=0)))
    frames = np.flatnonzero(lacks.any(axis=1))
    text = f'{which}: NaN or infinite in {len(frames)} of {len(values)} frames'
    begin, end = episode.stamps[frames[[0, -1]]]
    findings.append(Finding('damaged', what, text, float(begin), float(end), drop=True))
    every = np.arange(len(values))
    columns = [
        np.interp(every, every[~gap], column[~gap]) if not gap.all() else np.zeros(len(values))
        for column, gap in zip(values.T, lacks.T, strict=True)
    ]
    return np.stack(columns, axis=1)


def _changes(frames: Frames) -> BoolArray:
    changed = np.ones(len(frames), dtype=bool)
    for i in range(1, len(frames)):
        a, b = frames[i - 1, ::2, ::2].astype(np.int16), frames[i, ::2, ::2].astype(np.int16)
        changed[i] = float(np.abs(a - b).mean()) > SAME
    return changed


# What both share --------------------------------------------------------------------------------


def task_findings(success: bool | None) -> list[Finding]:
    """Return that a task is known to have failed."""
    if success is not False:
        return []
    return [Finding('person', 'task', 'the task did not succeed', drop=True)]


def motion_findings(at: FloatArray, pose: FloatArray, joints: FloatArray) -> list[Finding]:
    """Return jumps and idle head and tail of actions.

    Args:
        at: (M,) [s].
        pose: (M, 6) position [m] and continuous axis-angle [rad].
        joints: (M, J) of the hand.
    """
    found = []
    span = resample.moving(at, pose, joints)
    if span is None:
        return [Finding('still', 'action', 'constant, nothing moves', at[0], at[-1], True)]
    if span[0] - at[0] > IDLE:
        found.append(Finding('idle', 'head', f'{span[0] - at[0]:.1f} s', at[0], span[0]))
    if at[-1] - span[1] > IDLE:
        found.append(Finding('idle', 'tail', f'{at[-1] - span[1]:.1f} s', span[1], at[-1]))
    dt = np.diff(at)
    speed = np.linalg.norm(np.diff(pose[:, POSITION], axis=0), axis=1) / dt
    turns = Rotation.from_rotvec(pose[:, AXIS_ANGLE])
    turning = (turns[:-1].inv() * turns[1:]).magnitude() / dt
    for i in np.flatnonzero((speed > FASTEST) | (turning > TURNING)):
        text = f'palm at {speed[i]:.1f} m/s and {turning[i]:.1f} rad/s'
        found.append(Finding('jump', 'action', text, at[i], at[i + 1], True))
    return found


def limit_findings(
    names: tuple[str, ...],
    values: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    *,
    drops: bool,
) -> list[Finding]:
    """Return joints that are at a bound, with the share of the time; (M, J) values.

    A hand that is wide open or closed is at its bounds by nature, an arm is not: `drops`.
    """
    near = AT_LIMIT * (upper - lower)
    touched = ((values <= lower + near) | (values >= upper - near)).mean(axis=0)
    return [
        Finding(
            'limit', names[j], f'at its bound {100 * touched[j]:.0f} % of the time',
            drop=drops and bool(touched[j] > TOUCHED),
        )
        for j in np.flatnonzero(touched > 0.0)
    ]  # fmt: skip


def frozen_findings(
    stream: str,
    times: FloatArray,
    changed: BoolArray,
    at: FloatArray,
    pose: FloatArray,
    joints: FloatArray,
) -> list[Finding]:
    """Return where pictures stay the same although something moves.

    Args:
        stream: Of the pictures.
        times: (N,) of the pictures [s].
        changed: (N,) a picture differs from the one before.
        at: (M,) of the motion [s]; empty: nothing is known of it, so nothing is frozen.
        pose: (M, 6).
        joints: (M, J).
    """
    found: list[Finding] = []
    if len(at) == 0:
        return found
    begins = np.flatnonzero(changed)
    ends = np.append(begins[1:], len(times)) - 1
    for begin, end in zip(times[begins], times[ends], strict=True):
        if end - begin <= FROZEN:
            continue
        inside = (at >= begin) & (at <= end)
        way = np.hstack([pose, joints])[inside]
        if len(way) and float(np.ptp(way, axis=0).max()) > FROZEN_WAY:
            text = f'the same picture for {end - begin:.2f} s while the robot moves'
            found.append(Finding('frozen', stream, text, float(begin), float(end), True))
    return found


def thumbnail(image: Image) -> str:
    """Return a small JPEG as base64."""
    height = round(image.shape[0] * THUMBNAIL_WIDTH / image.shape[1])
    small = cv2.resize(image, (THUMBNAIL_WIDTH, height), interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode('.jpg', small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])
    return base64.b64encode(data.tobytes()).decode()


def _speed(at: FloatArray, pose: FloatArray) -> FloatArray:
    if len(at) < 2:
        return np.zeros((0, 2))
    speed = np.linalg.norm(np.diff(pose[:, POSITION], axis=0), axis=1) / np.diff(at)
    return np.stack([at[:-1], speed], axis=1)
