"""The commands of an episode as a path over time, and what stands against playing it."""

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mimic_core.arrays import FloatArray, IntArray
from mimic_core.command import NamedPositions
from mimic_core.errors import MimicError
from mimic_core.limits import JointLimits
from mimic_recording.errors import BagError
from mimic_recording.reader import NANOSECONDS, Episode, Message

GATE_TOPICS: Final = ('arm_controller/joint_trajectory', 'hand_controller/joint_trajectory')
SOURCE_TOPICS: Final = ('shadow/command', 'policy/command', 'replay/command')
STATE_TOPIC: Final = 'joint_states'
POSITION_SLACK: Final = 1e-6  # [rad] or [m], rounding of what was commanded at a bound
SPEED_WINDOW: Final = 0.05  # [s] over which a speed is taken: times have jitter
SPEED_SLACK: Final = 1.05  # of the limit, for the rest of that jitter


@dataclass(frozen=True)
class CommandTrack:
    """Recorded commands of J joints."""

    names: tuple[str, ...]
    times: FloatArray  # (T,) [s] from the first command, strictly increasing
    points: FloatArray  # (T, J) [rad] or [m] commanded
    measured: FloatArray  # (T, J) the joint state at that time, NaN where it was not recorded
    source: str  # 'gate', or the topic of the source
    start: int = 0  # [ns] when the first command was published

    @property
    def duration(self) -> float:
        """Length [s]."""
        return float(self.times[-1])

    def sample(self, time: float) -> FloatArray:
        """Return (J,) the command at a time [s], straight between two, held at the ends."""
        right = int(np.clip(np.searchsorted(self.times, time), 1, max(len(self.times) - 1, 1)))
        if len(self.times) == 1:
            return self.points[0].copy()
        t0, t1 = self.times[right - 1], self.times[right]
        share = float(np.clip((time - t0) / (t1 - t0), 0.0, 1.0))
        point: FloatArray = (1 - share) * self.points[right - 1] + share * self.points[right]
        return point

    def command(self, time: float, stamp: float) -> NamedPositions:
        """Return the command at a time [s] as a source sends it."""
        return NamedPositions.single(self.names, self.sample(time), stamp)

    @property
    def tracking_error(self) -> float:
        """Largest difference between command and measured state [rad] or [m], NaN if unknown."""
        error = np.abs(self.points - self.measured)
        return float(np.nanmax(error)) if np.isfinite(error).any() else float('nan')


@dataclass(frozen=True)
class Deviation:
    """One reason not to play: the worst sample of one joint beyond one bound."""

    joint: str
    kind: str  # 'position' or 'speed'
    value: float  # [rad] or [m], or per second
    bound: float
    time: float  # [s] in the track

    def __str__(self) -> str:
        return (
            f'{self.joint} {self.kind} {self.value:.4g} is beyond {self.bound:.4g} '
            f'at {self.time:.2f} s'
        )


def load_track(episode: Episode) -> CommandTrack:
    """Return the commands of an episode: those of the gate, else those of a source.

    Arm and hand become one command; the slower one is held. Times are those of publication.

    Raises:
        BagError: It holds no commands, or they do not fit together.
    """
    gate = [name for t in GATE_TOPICS if (name := episode.find(t)) and _count(episode, name)]
    if gate:
        tracks, source = [_series(episode, name) for name in gate], 'gate'
    else:
        sources = [n for t in SOURCE_TOPICS if (n := episode.find(t)) and _count(episode, n)]
        if not sources:
            wanted = ', '.join((*GATE_TOPICS, *SOURCE_TOPICS))
            raise BagError(f'{episode.path} holds no commands: none of {wanted}')
        tracks, source = [_series(episode, sources[0])], sources[0]
    names = tuple(name for series in tracks for name in series[0])
    if len(set(names)) != len(names):
        raise BagError(f'{episode.path}: a joint is commanded on two topics')
    times = max((series[1] for series in tracks), key=len)
    start = max(series[1][0] for series in tracks)
    times = times[times >= start] if (times >= start).any() else times[-1:]
    points = np.hstack([_held(series[1], series[2], times) for series in tracks])
    measured = _measured(episode, names, times)
    seconds = (times - times[0]) / NANOSECONDS
    return CommandTrack(names, seconds, points, measured, source, int(times[0]))


def check_track(
    track: CommandTrack, joints: Sequence[str], limits: JointLimits, speed: float = 1.0
) -> tuple[Deviation, ...]:
    """Return every bound that playing would break, the worst sample of each.

    Args:
        track: What is to be played.
        joints: J joints of the robot that would play it.
        limits: Of these joints.
        speed: Of the recorded speed [1].

    Raises:
        BagError: The track moves joints that the robot does not have.
    """
    strange = [name for name in track.names if name not in joints]
    if strange:
        raise BagError(f'the robot has no joint {", ".join(strange)}; it has {", ".join(joints)}')
    index = [list(joints).index(name) for name in track.names]
    bounds = limits.select(index)
    found: list[Deviation] = []
    for sign, bound in ((1.0, bounds.upper), (-1.0, bounds.lower)):
        excess = sign * (track.points - bound)
        for j in np.flatnonzero(excess.max(axis=0) > POSITION_SLACK):
            i = int(excess[:, j].argmax())
            found.append(_deviation(track, int(j), i, 'position', track.points[i, j], bound[j]))
    later = np.searchsorted(track.times, track.times + SPEED_WINDOW)
    first = np.flatnonzero(later < len(track.times))
    if len(first):
        span = (track.times[later[first]] - track.times[first])[:, None]
        speeds = np.abs(track.points[later[first]] - track.points[first]) / span * speed
        over = speeds - bounds.max_speed * SPEED_SLACK
        for j in np.flatnonzero(over.max(axis=0) > 0):
            i = int(over[:, j].argmax())
            found.append(
                _deviation(
                    track, int(j), int(first[i]), 'speed', speeds[i, j], bounds.max_speed[j]
                )
            )
    return tuple(found)


def _deviation(
    track: CommandTrack, joint: int, sample: int, kind: str, value: float, bound: float
) -> Deviation:
    return Deviation(
        track.names[joint], kind, float(value), float(bound), float(track.times[sample])
    )


def _count(episode: Episode, name: str) -> int:
    return episode.topics[name].count


Series = tuple[tuple[str, ...], IntArray, FloatArray]  # names, (T,) [ns], (T, J)


def _series(episode: Episode, topic: str) -> Series:
    """Return the commands of one topic; of a trajectory, the points until the next command."""
    names: tuple[str, ...] = ()
    times: list[int] = []
    points: list[FloatArray] = []
    for message, trajectory in episode.read([topic]):
        now = message.publish_time or message.log_time
        if not trajectory.points:
            continue
        if names and tuple(trajectory.joint_names) != names:
            raise BagError(f'{topic}: the joint names change in the middle of the episode')
        names = tuple(trajectory.joint_names)
        due = [now + _delay(point) for point in trajectory.points]
        keep = bisect.bisect_left(times, due[0])  # a new command replaces what was to come
        times[keep:] = due
        points[keep:] = [_checked(point, names, topic, message) for point in trajectory.points]
    if not times:
        raise BagError(f'{topic}: the commands have no points')
    stamps = np.array(times, dtype=np.int64)
    if (np.diff(stamps) <= 0).any():
        raise BagError(f'{topic}: the times of the commands go back')
    return names, stamps, np.array(points)


def _delay(point: Any) -> int:
    """Return when a point is due after its command [ns]."""
    delay = point.time_from_start
    return int(delay.sec) * NANOSECONDS + int(delay.nanosec)


def _checked(point: Any, names: tuple[str, ...], topic: str, message: Message) -> FloatArray:
    try:
        return NamedPositions.single(names, np.asarray(point.positions)).points[0]
    except MimicError as error:
        raise BagError(f'{topic} at {message.log_time} ns: {error}') from error


def _held(times: IntArray, points: FloatArray, wanted: IntArray) -> FloatArray:
    """Return (T, J) the last point before each wanted time."""
    held: FloatArray = points[np.clip(np.searchsorted(times, wanted, 'right') - 1, 0, None)]
    return held


def _measured(episode: Episode, names: tuple[str, ...], times: IntArray) -> FloatArray:
    """Return (T, J) the joint states at some times [ns]; NaN where there are none."""
    result = np.full((len(times), len(names)), np.nan)
    topic = episode.find(STATE_TOPIC)
    if topic is None:
        return result
    column = {name: j for j, name in enumerate(names)}
    seen: dict[int, tuple[list[int], list[float]]] = {}
    for message, state in episode.read([topic]):
        now = message.publish_time or message.log_time
        for name, position in zip(state.name, state.position, strict=False):
            if name in column:
                moments, values = seen.setdefault(column[name], ([], []))
                moments.append(now)
                values.append(float(position))
    for j, (moments, values) in seen.items():
        at = np.searchsorted(np.array(moments), times, 'right') - 1
        result[at >= 0, j] = np.array(values)[at[at >= 0]]
    return result
