"""Records of joints from an episode: nothing moves."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.errors import MimicError
from mimic_identification.errors import IdentificationError
from mimic_identification.record import MAX_GAP, JointRecord, make_record
from mimic_identification.verdict import NOT_TESTED, Outcome, judge_record
from mimic_recording.reader import NANOSECONDS, Episode
from mimic_recording.replay import GATE_TOPICS, STATE_TOPIC

WINDOW: Final = 40.0  # [s] of an episode that are used, those with the largest motion


def identify_episode(episode: Episode, joints: Sequence[str]) -> list[Outcome]:
    """Return an outcome for each joint, from what the gate sent and what was measured.

    Args:
        episode: With the topics of the gate and joint_states.
        joints: Of the robot, all or some.

    Raises:
        IdentificationError: It is of another robot, or a topic is missing.
        BagError: A message cannot be read.
    """
    commands = _commands(episode)
    states = _states(episode)
    known = [name for name in joints if name in commands and name in states]
    if not known:
        raise IdentificationError(
            f'{episode.path} is of another robot: it moves {", ".join(sorted(commands))}, '
            f'not one of {", ".join(joints)}'
        )
    outcomes = []
    for name in joints:
        try:
            if name not in known:
                raise IdentificationError(f'{name}: the episode does not hold it')
            outcomes.append(judge_record(_record(name, commands[name], states[name])))
        except MimicError as error:
            reason = str(error).removeprefix(f'{name}: ')
            outcomes.append(Outcome(name, NOT_TESTED, reason))
    return outcomes


Series = tuple[FloatArray, FloatArray]  # times [s], values


def _commands(episode: Episode) -> dict[str, Series]:
    """Return times at which targets are to be reached, and the targets, by joint."""
    topics = [name for topic in GATE_TOPICS if (name := episode.find(topic)) is not None]
    rows: dict[str, list[tuple[float, float]]] = {}
    for message, decoded in episode.read(topics) if topics else ():
        if not decoded.points:
            continue
        point = decoded.points[0]
        start = point.time_from_start
        ahead = start.sec + start.nanosec / NANOSECONDS
        time = message.publish_time / NANOSECONDS + ahead
        for name, value in zip(decoded.joint_names, point.positions, strict=False):
            rows.setdefault(name, []).append((time, float(value)))
    if not rows:
        raise IdentificationError(
            f'{episode.path} holds no commands of the gate: none of {", ".join(GATE_TOPICS)}'
        )
    return _series(rows)


def _states(episode: Episode) -> dict[str, Series]:
    topic = episode.find(STATE_TOPIC)
    rows: dict[str, list[tuple[float, float]]] = {}
    for _, decoded in episode.read([topic]) if topic is not None else ():
        stamp = decoded.header.stamp
        time = stamp.sec + stamp.nanosec / NANOSECONDS
        for name, value in zip(decoded.name, decoded.position, strict=False):
            rows.setdefault(name, []).append((time, float(value)))
    if not rows:
        raise IdentificationError(f'{episode.path} holds no {STATE_TOPIC}')
    return _series(rows)


def _series(rows: dict[str, list[tuple[float, float]]]) -> dict[str, Series]:
    tables = {name: np.array(values) for name, values in rows.items()}
    return {name: (table[:, 0], table[:, 1]) for name, table in tables.items()}


def _record(name: str, commands: Series, states: Series) -> JointRecord:
    """Return the part of an episode in which the joint moves most."""
    begin, end = _busiest(*commands)
    times, targets = commands
    stamps, positions = states
    part = (times >= begin) & (times <= end)
    seen = (stamps >= begin) & (stamps <= end)
    return make_record(name, times[part], targets[part], stamps[seen], positions[seen])


def _busiest(times: FloatArray, targets: FloatArray) -> tuple[float, float]:
    """Return begin and end [s] of a part without gaps, up to WINDOW long, with most motion."""
    travel = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(targets)))])
    breaks = np.flatnonzero(np.abs(np.diff(times)) > MAX_GAP) + 1
    best = (-1.0, float(times[0]), float(times[-1]))
    for part in np.split(np.arange(len(times)), breaks):
        t, way = times[part], travel[part]
        last = np.searchsorted(t, t + WINDOW, side='right') - 1
        moved = way[last] - way
        first = int(np.argmax(moved))
        best = max(best, (float(moved[first]), float(t[first]), float(t[last[first]])))
    return best[1], best[2]
