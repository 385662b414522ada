"""Does a mapping find the same moment? Parts of human videos are looked up in demonstrations.

A query is what a person did in one phase of a video; the truth is where a demonstration was in
that phase. The answer of a mapping is where the warp of the whole video leads, which is what
training uses; that of a search is where subsequence DTW finds the part alone. Intersection over
union, mean over phases, videos and demonstrations.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.experiment import collect
from benchmarks.experiment.ingest import dataset_folder
from benchmarks.experiment.settings import ROBOTS, DataSettings
from mimic_alignment import (
    AlignmentParams,
    Encoder,
    Normaliser,
    action_cost,
    actions_of,
    encode,
    feature_cost,
    find,
    overlap,
    warp,
)
from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError
from mimic_dataset import EpisodeArrays, load
from mimic_dataset.parts import part_folder, read_part

SHORTEST: Final = 4  # frames of a query
SIZE: Final = (96, 96)  # [px]
SEARCH: Final = 'asymmetricP1'  # steps of a search: half to twice the speed
_SLACK: Final = 1e-6  # [1] of a frame
_WAITING: Final = ('rest', 'done')  # phases in which nothing is shown
_MERGED: Final = {'lift': 'carry', 'release': 'place'}  # what one motion goes through


@dataclass(frozen=True)
class Shown:
    """An episode with what was really shown when."""

    episode: EpisodeArrays
    phases: dict[str, tuple[int, int]]  # first frame, frame after the last


def phases_of(
    truth: dict[str, Any], start: float, fps: float, frames: int
) -> dict[str, tuple[int, int]]:
    """Return the frames of each phase of an episode.

    Args:
        truth: What the record says: times [s] at which phases began.
        start: When the first frame of the episode was [s].
        fps: Of the episode [Hz].
        frames: Of the episode.
    """
    begun = [(float(time), _MERGED.get(name, name)) for time, name in truth['phases']]
    found: dict[str, tuple[int, int]] = {}
    for (time, name), (until, _) in zip(begun, [*begun[1:], (np.inf, '')], strict=True):
        first, last = (_frame((moment - start) * fps, frames) for moment in (time, until))
        before = found.get(name, (first, last))
        if name not in _WAITING and last > first:
            found[name] = (min(before[0], first), max(before[1], last))
    return {name: span for name, span in found.items() if span[1] - span[0] >= SHORTEST}


def _frame(number: float, frames: int) -> int:
    """Return the first frame at or after a fraction of one, from 0 to `frames`."""
    return min(max(math.ceil(min(number, frames) - _SLACK), 0), frames)


def shown(
    folder: Path, bags: Sequence[Path], domain: str, size: tuple[int, int] = SIZE
) -> Iterator[Shown]:
    """Yield the episodes of a dataset whose bags have a record; pictures of a size [px]."""
    records = {bag.name: collect.truth_of(bag) for bag in bags}
    for episode in load(folder, size).episodes:
        if episode.domain == domain and episode.name in records:
            part = read_part(part_folder(folder, episode.domain, episode.name))
            notes = part.info.notes or {}
            start = float(notes.get('head', 0.0))
            truth = records[episode.name]
            yield Shown(episode, phases_of(truth, start, episode.fps, len(episode)))


@dataclass(frozen=True)
class Overlaps:
    """Mean intersection over union [1]."""

    mapping: float  # by the warp of the whole video
    search: float  # of the part alone


Scorer = Callable[[Sequence[Shown], Sequence[Shown]], Overlaps | None]  # of videos, of robots


def score(
    humans: Sequence[Shown],
    robots: Sequence[Shown],
    cost: Callable[[int, int], FloatArray],
) -> Overlaps | None:
    """Return how well the phases of videos are found in demonstrations; None of no phase.

    Args:
        humans: Videos.
        robots: Demonstrations.
        cost: Returns (N, M) local costs of human and robot frames, by their numbers.
    """
    mapped, searched = [], []
    for h, human in enumerate(humans):
        for r, robot in enumerate(robots):
            whole = cost(h, r)
            columns = warp(whole).column_of_rows()
            for name, (begin, end) in human.phases.items():
                if name not in robot.phases:
                    continue
                truth = robot.phases[name]
                mapped.append(overlap((columns[begin], columns[end - 1] + 1), truth))
                searched.append(overlap(_searched(whole[begin:end]), truth))
    return Overlaps(float(np.mean(mapped)), float(np.mean(searched))) if mapped else None


def _searched(cost: FloatArray) -> tuple[int, int]:
    """Return where a query is found; nowhere where it is too long for the demonstration."""
    try:
        match = find(cost, SEARCH)
    except ConfigError:
        return 0, 0
    return match.begin, match.end


def by_action(humans: Sequence[Shown], robots: Sequence[Shown]) -> Overlaps | None:
    """Return how well actions find."""
    actions = [[actions_of(one.episode) for one in side] for side in (humans, robots)]
    scale = Normaliser.fit([*actions[0], *actions[1]])
    scaled = [[scale.apply(one) for one in side] for side in actions]
    params = AlignmentParams()
    return score(humans, robots, lambda h, r: action_cost(scaled[0][h], scaled[1][r], params))


def by_sight(encoder: Encoder) -> Scorer:
    """Return what tells how well an encoder's features find."""

    def find_by_sight(humans: Sequence[Shown], robots: Sequence[Shown]) -> Overlaps | None:
        seen = [[encode(one.episode.agent, encoder) for one in side] for side in (humans, robots)]
        return score(humans, robots, lambda h, r: feature_cost(seen[0][h], seen[1][r]))

    return find_by_sight


def measure(
    task: str,
    hand: str,
    data: DataSettings,
    scorers: Mapping[str, Scorer],
    size: tuple[int, int] = SIZE,
) -> dict[str, dict[str, Overlaps]]:
    """Return overlaps by disturbance and by what is compared.

    The table's demonstrations and all videos on disk are measured; disturbances without videos,
    or without a phase that is shown by a person and by a robot, are left out.

    Args:
        task: Of the episodes.
        hand: Of the episodes.
        data: How they were made.
        scorers: By name.
        size: Height and width of the pictures [px].
    """
    folder = dataset_folder(task, hand, data)
    bags = collect.demonstrations(collect.robot_folder(task, hand, data.camera))[:ROBOTS]
    robots = list(shown(folder, bags, 'robot', size))
    table: dict[str, dict[str, Overlaps]] = {}
    for disturbance in collect.DISTURBANCES:
        videos = collect.videos(collect.video_folder(task, disturbance, data.camera))
        place = dataset_folder(task, hand, data, disturbance)
        if not videos or not place.exists():
            continue
        humans = list(shown(place, videos, 'human', size))
        found = {name: scorer(humans, robots) for name, scorer in scorers.items()}
        row = {name: overlaps for name, overlaps in found.items() if overlaps is not None}
        if row:
            table[disturbance] = row
    return table
