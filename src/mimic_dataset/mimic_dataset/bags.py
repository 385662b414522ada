"""Robot episodes: a bag of mimic_recording → the streams of one demonstration at one rate."""

import collections
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.spatial.transform import Rotation

from mimic_core.arrays import FloatArray, Image, IntArray
from mimic_core.errors import MimicError, ShapeError
from mimic_core.frames import BASE, FLANGE, PALM
from mimic_core.images import decode
from mimic_dataset import resample
from mimic_dataset.arrays import DatasetMeta
from mimic_dataset.axis_angle import continuous
from mimic_dataset.errors import EpisodeError
from mimic_dataset.params import ConvertParams
from mimic_dataset.parts import PartInfo, write_part
from mimic_dataset.robots import as_recorded, other_robot, prefix_of
from mimic_description import RobotModel, load_robot
from mimic_recording import BagError, Episode, load_track
from mimic_recording.bag import read_metadata
from mimic_recording.reader import NANOSECONDS
from mimic_recording.replay import GATE_TOPICS, SOURCE_TOPICS

CAMERAS: Final = {'agent': 'agent_camera/color/image_raw', 'wrist': 'wrist_camera/color/image_raw'}
STATES: Final = 'joint_states'
TWIN: Final = 'twin/status'
SUCCESS_TAG: Final = 'tag.success'
END, STOPPED, LOST = 'end', 'stopped', 'dropped.'  # as the recorder keeps them
_SPEED_SAMPLES: Final = 200  # poses that the error of resampling is measured at


@dataclass(frozen=True)
class Series:
    """N samples of all J joints of a robot."""

    times: FloatArray  # (N,) [s]
    values: FloatArray  # (N, J) [rad] or [m]
    names: tuple[str, ...]  # J, as in the bag: they may have a prefix


def meta_of(robot: RobotModel, params: ConvertParams) -> DatasetMeta:
    """Return what a dataset of a robot says about itself, without cameras."""
    count = len(robot.arm_joints)
    limits = robot.limits
    return DatasetMeta(
        task=params.task,
        arm=params.arm,
        hand=params.hand,
        joint_names=robot.hand_joints,
        lower=tuple(float(v) for v in limits.lower[count:]),
        upper=tuple(float(v) for v in limits.upper[count:]),
        cameras={},
        fps=float(params.fps),
        frame=pose_frame(robot),
    )


def pose_frame(robot: RobotModel) -> str:
    """Return the frame whose pose states and actions hold."""
    return PALM if robot.hand is not None else FLANGE


def commands(episode: Episode, robot: RobotModel) -> Series:
    """Return what was commanded to all joints; of the gate, else of a source.

    Args:
        episode: Open.
        robot: Whose joints, without the prefix that they may have in the bag.

    Raises:
        EpisodeError: It moves other joints than those of the robot; names them.
            There are none, or they are damaged.
    """
    try:
        track = load_track(episode)
    except BagError as error:
        raise EpisodeError(f'{episode.path}, commands: {error}') from error
    names, wanted = list(track.names), as_recorded(robot, track.names).joint_names
    missing = [name for name in wanted if name not in names]
    strange = [name for name in names if name not in wanted]
    if missing or strange:
        raise EpisodeError(
            f'{episode.path}, commands: joints {", ".join(missing) or "none"} are missing, '
            f'{", ".join(strange) or "none"} are no joints of this arm and hand'
        )
    columns = [names.index(name) for name in wanted]
    return Series(track.start / NANOSECONDS + track.times, track.points[:, columns], wanted)


def states(episode: Episode, joints: Sequence[str] | None) -> Series:
    """Return the measured joints; arm and hand may be measured by different drivers.

    Args:
        episode: Open.
        joints: J names; None: all that were measured.

    Raises:
        EpisodeError: Joints were not measured, or never together, or are NaN; names them all.
    """
    topic = episode.find(STATES)
    if topic is None or episode.topics[topic].count == 0:
        raise EpisodeError(f'{episode.path}: has no {STATES}')
    moments: dict[str, list[float]] = {name: [] for name in joints or ()}
    values: dict[str, list[float]] = {name: [] for name in joints or ()}
    for message, state in episode.read([topic]):
        stamp = state.header.stamp
        now = stamp.sec * NANOSECONDS + stamp.nanosec or message.publish_time or message.log_time
        for name, position in zip(state.name, state.position, strict=False):
            if joints is None:
                moments.setdefault(name, [])
                values.setdefault(name, [])
            elif name not in moments:
                continue
            if not moments[name] or now / NANOSECONDS > moments[name][-1]:
                moments[name].append(now / NANOSECONDS)
                values[name].append(float(position))
    missing = [name for name, found in moments.items() if not found]
    broken = [name for name, found in values.items() if not np.isfinite(found).all()]
    wrong = [f'joints {", ".join(missing)} were not measured'] if missing else []
    wrong += [f'joints {", ".join(broken)} are NaN or infinite'] if broken else []
    if wrong or not moments:
        raise EpisodeError(f'{episode.path}, {topic}: {"; ".join(wrong) or "names no joint"}')
    times = np.array(max(moments.values(), key=len))
    columns = [
        resample.linear(np.array(m), np.array(values[name])[:, None], times)
        for name, m in moments.items()
    ]
    first = max(m[0] for m in moments.values())
    last = min(m[-1] for m in moments.values())
    inside = (times >= first) & (times <= last)
    if inside.sum() < 2:
        late = [name for name, m in moments.items() if m[0] == first]
        early = [name for name, m in moments.items() if m[-1] == last]
        zero = min(m[0] for m in moments.values())
        raise EpisodeError(
            f'{episode.path}, {topic}: joints were never measured together: '
            f'{", ".join(late)} from {first - zero:.2f} s on, '
            f'{", ".join(early)} until {last - zero:.2f} s'
        )
    return Series(times[inside], np.hstack(columns)[inside], tuple(moments))


def image_stamps(episode: Episode, topic: str) -> FloatArray:
    """Return (N,) when the pictures of a topic were taken [s].

    Raises:
        EpisodeError: Stamps are missing or go back.
    """
    stamps = episode.stamps(topic)
    if not np.isfinite(stamps).all():
        raise EpisodeError(f'{episode.path}, {topic}: pictures without a stamp')
    if (np.diff(stamps) < 0).any():
        raise EpisodeError(f'{episode.path}, {topic}: stamps go back')
    return stamps


def images(episode: Episode, topic: str, wanted: IntArray) -> Iterator[Image]:
    """Yield the pictures of a topic with the given numbers, which do not decrease.

    Raises:
        EpisodeError: One is damaged, or has another size than the first.
    """
    at, size = 0, None
    for number, message in enumerate(episode.messages([topic])):
        if at == len(wanted):
            return
        if number != wanted[at]:
            continue
        image = _image(episode, message)
        size = size or image.shape
        if image.shape != size:  # scaled to the first one's it would be squeezed
            raise EpisodeError(
                f'{episode.path}, {topic} at {message.log_time} ns: pictures change their size '
                f'from {size[1]} x {size[0]} to {image.shape[1]} x {image.shape[0]}'
            )
        while at < len(wanted) and wanted[at] == number:
            yield image
            at += 1


def _image(episode: Episode, message: Any) -> Image:
    try:
        msg = episode.decode(message)
        image: Image = decode(msg.encoding, msg.width, msg.height, msg.step, msg.data)
        if image.ndim != 3:
            raise ShapeError(f'encoding {msg.encoding} is no colour')
    except MimicError as error:
        raise EpisodeError(
            f'{episode.path}, {message.topic} at {message.log_time} ns: {error}'
        ) from error
    return image


def poses(robot: RobotModel, q: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return positions (T, 3) [m] and quaternions (T, 4) xyzw of the palm in base_link."""
    frame = pose_frame(robot)
    matrices = np.array([robot.fk(row, frame, BASE) for row in q]).reshape(-1, 4, 4)
    quats = Rotation.from_matrix(matrices[:, :3, :3]).as_quat()
    return matrices[:, :3, 3], smooth_sign(quats)


def axis_angles(robot: RobotModel, quats_xyzw: FloatArray) -> FloatArray:
    """Return (T, 3) [rad] without jumps, beginning on the branch nearest to the home posture.

    Robots and people of one dataset so have numbers that can be compared: a palm that looks down
    is half a turn from `base_link`, where either sign of the axis is as near to none.
    """
    _, (home,) = poses(robot, robot.home[None])
    reference = Rotation.from_quat(home).as_rotvec()
    return continuous(Rotation.from_quat(quats_xyzw).as_rotvec(), reference)


def smooth_sign(quats_xyzw: FloatArray) -> FloatArray:
    """Return (T, 4) the same rotations, the first with w >= 0, each near the one before."""
    result = np.array(quats_xyzw, dtype=np.float64)
    if len(result) and result[0, 3] < 0.0:
        result[0] *= -1.0
    for i in range(1, len(result)):
        if result[i] @ result[i - 1] < 0.0:
            result[i] *= -1.0
    return result


def is_of(path: Path, robot: RobotModel, task: str) -> bool:
    """Tell whether a bag is an episode of a robot at a task; a damaged one may be.

    What is damaged is not passed over in silence: its conversion says what is wrong. A bag
    without commands is of a bare hand.
    """
    try:
        with Episode(path) as episode:
            if not _has_any(episode, (*GATE_TOPICS, *SOURCE_TOPICS)):
                return False
            names = load_track(episode).names
            if episode.task not in ('', task) or prefix_of(names, robot.joint_names) is None:
                return False
            return not other_robot(episode, as_recorded(robot, names))
    except MimicError:
        return True


def is_of_bare_hand(episode: Episode) -> bool:
    """Tell whether an open bag is of a person without a robot."""
    return not _has_any(episode, (*GATE_TOPICS, *SOURCE_TOPICS, STATES))


def _has_any(episode: Episode, topics: Iterable[str]) -> bool:
    names = [episode.find(topic) for topic in topics]
    return any(name and episode.topics[name].count for name in names)


def has_failed(path: Path) -> bool:
    """Tell whether the task of a bag is known to have failed."""
    try:
        with Episode(path) as episode:
            return success_of(episode) is False
    except MimicError:
        return False  # damaged: its conversion says how


def success_of(episode: Episode) -> bool | None:
    """Return whether the task succeeded: by the tag `success`, else by the twin; None: unknown."""
    tag = str(episode.custom.get(SUCCESS_TAG, '')).lower()  # YAML makes `true` no text
    if tag:
        return tag in ('true', 'yes', '1')
    topic = episode.find(TWIN)
    if topic is None or episode.topics[topic].count == 0:
        return None
    last = collections.deque(episode.messages([topic]), maxlen=1)
    return bool(episode.decode(last[0]).success)


def early_end(episode: Episode) -> str:
    """Return why the recording of an open bag ended before anyone stopped it, or nothing."""
    end = str(episode.custom.get(END, STOPPED))
    return '' if end == STOPPED else end


def losses(episode: Episode) -> dict[str, str]:
    """Return of each topic of an open bag how many messages the recorder lost."""
    found = episode.custom.items()
    return {key.removeprefix(LOST): str(value) for key, value in found if key.startswith(LOST)}


def interruption(path: Path) -> str:
    """Return why a bag holds a part of a demonstration, or nothing.

    It holds all of it when its task is known to have succeeded, whatever ended it.
    """
    try:
        custom = read_metadata(path).get('custom_data') or {}
        if custom.get(END, STOPPED) == STOPPED:
            return ''  # as of nearly all; the messages need not be looked at
        with Episode(path) as episode:
            end = '' if success_of(episode) else early_end(episode)
    except MimicError:
        return ''  # damaged: its conversion says how
    if not end:
        return ''
    return (
        f'{path}: the recording ended before it was stopped, {end}; if all of the task is in it, '
        f"say so with `{SUCCESS_TAG}: 'true'` below custom_data of its metadata.yaml"
    )


def convert_robot(
    path: Path, dataset: Path, params: ConvertParams, name: str, key: str = ''
) -> dict[str, Any]:
    """Make a part of a dataset from a bag; return notes about it.

    Pictures are the nearest in time, joints are interpolated; the pose is that of the
    interpolated joints. The bag is only read.

    Raises:
        BagError: The bag is damaged.
        EpisodeError: It cannot be used; names the field.
        WriteError: The disk is full.
    """
    robot = load_robot(params.arm, params.hand)
    with Episode(path) as episode:
        if episode.problem:
            raise BagError(f'{path} is cut: {episode.problem}; `episodes recover` makes it whole')
        commanded = commands(episode, robot)
        if other := other_robot(episode, as_recorded(robot, commanded.names)):
            raise EpisodeError(f'{path}, {other}; give --arm and --hand, or another dataset')
        measured = states(episode, commanded.names)
        topics = {c: t for c, ending in CAMERAS.items() if (t := episode.find(ending))}
        if 'agent' not in topics:
            raise EpisodeError(f'{path}: has no {CAMERAS["agent"]}')
        stamps = {camera: image_stamps(episode, topic) for camera, topic in topics.items()}
        empty = [topics[c] for c, s in stamps.items() if len(s) == 0]
        if empty:
            raise EpisodeError(f'{path}, {empty[0]}: no picture')
        every = [commanded.times, measured.times, *stamps.values()]
        start, end = max(t[0] for t in every), min(t[-1] for t in every)
        if end - start < params.min_duration:
            raise EpisodeError(
                f'{path}: commands, joint states and pictures were recorded together for '
                f'{max(end - start, 0.0):.2f} s, {params.min_duration:g} s (min_duration) are '
                'needed'
            )
        at, trimmed = _without_idle(path, robot, commanded, start, end, params)
        limit = params.max_offset
        resample.nearest(commanded.times, at, limit, f'{path}, commands')
        resample.nearest(measured.times, at, limit, f'{path}, {STATES}')
        chosen = {
            camera: resample.nearest(s, at, limit, f'{path}, {topics[camera]}')
            for camera, s in stamps.items()
        }
        action = action_of(robot, resample.linear(commanded.times, commanded.values, at))
        state = state_of(robot, resample.linear(measured.times, measured.values, at))
        sizes = {c: _size(episode, topics[c], chosen[c]) for c in topics}
        meta = DatasetMeta.from_map(meta_of(robot, params).as_map() | {'cameras': sizes}, name)
        notes = {
            'duration': float(at[-1] - at[0]),
            **trimmed,
            'error': {
                'command': resampling_error(robot, commanded),
                'state': resampling_error(robot, measured),
            },
            'picture_offset': {c: float(np.abs(stamps[c][chosen[c]] - at).max()) for c in topics},
        }
        info = PartInfo(
            name, 'robot', meta, success_of(episode), path.name, key, notes, str(path.resolve())
        )
        pictures = {c: images(episode, topics[c], chosen[c]) for c in topics}
        write_part(
            dataset, info, action, state, pictures, height=params.height, quality=params.quality
        )
    return notes


def action_of(robot: RobotModel, q: FloatArray) -> FloatArray:
    """Return (T, 6 + J) actions of (T, arm + hand) commanded joints."""
    position, quats = poses(robot, q)
    return np.hstack([position, axis_angles(robot, quats), q[:, len(robot.arm_joints) :]])


def state_of(robot: RobotModel, q: FloatArray) -> FloatArray:
    """Return (T, 7 + J) states of (T, arm + hand) measured joints."""
    return np.hstack([*poses(robot, q), q[:, len(robot.arm_joints) :]])


def resampling_error(robot: RobotModel, series: Series) -> dict[str, Any]:
    """Return what left-out samples say: of joints, and of the pose that they lead to."""
    joints = resample.left_out_linear(series.times, series.values)
    if joints is None:
        return {}
    left = np.arange(1, len(series.times) - 1, 2)
    left = left[:: max(1, len(left) // _SPEED_SAMPLES)]
    guess = resample.linear(series.times[::2], series.values[::2], series.times[left])
    p, q = poses(robot, guess)
    true_p, true_q = poses(robot, series.values[left])
    turn = (Rotation.from_quat(q).inv() * Rotation.from_quat(true_q)).magnitude()
    return {
        'joints': joints.as_map(),
        'position': resample.spread(np.linalg.norm(p - true_p, axis=1)).as_map(),
        'rotation': resample.spread(turn).as_map(),
    }


def _without_idle(
    path: Path,
    robot: RobotModel,
    commanded: Series,
    start: float,
    end: float,
    params: ConvertParams,
) -> tuple[FloatArray, dict[str, float]]:
    """Return the times of frames between idle head and tail, and what was cut off [s]."""
    at = resample.grid(start, end, params.fps)
    action = action_of(robot, resample.linear(commanded.times, commanded.values, at))
    what = f'{path}, commands'
    kept = at[resample.without_idle(at, action[:, :6], action[:, 6:], params, what)]
    return kept, {'head': float(kept[0] - at[0]), 'tail': float(at[-1] - kept[-1])}


def _size(episode: Episode, topic: str, chosen: IntArray) -> Sequence[int]:
    """Return height and width [px] of the first picture that is used."""
    first: Iterable[Image] = images(episode, topic, chosen[:1])
    for image in first:
        return [image.shape[0], image.shape[1]]
    raise EpisodeError(f'{episode.path}, {topic}: no picture')
