"""What the experiment is made of; whatever changes a result is in the key of its file."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any, Final

from benchmarks.harness import ROOT, check_names
from mimic_core.errors import ConfigError

FOLDER: Final = ROOT / 'out' / 'tasks'  # data, checkpoints, cells; may be deleted at any time
VERSION: Final = 2  # of how data are made: raise it when they must be made anew
ARM: Final = 'iiwa14'
TASKS: Final = ('pick_place', 'push', 'hammer', 'flip')
HANDS: Final = ('robotiq_2f85', 'fin_ray', 'allegro', 'ability')
BASE_METHODS: Final = ('robot_only', 'co_train', 'immimic_a')
MORE_METHODS: Final = ('fine_tune', 'random_map', 'immimic_v')
# robot_only with as many optimiser steps as the methods that take two batches a step; of cells
# that are asked for by this name.
CONTROL: Final = 'robot_only_twice'
METHODS: Final = (*BASE_METHODS, *MORE_METHODS, CONTROL)
SCALING: Final = 'scaling'  # the name of cells of more or fewer demonstrations and videos
NEAR: Final = 'near'  # the name of cells that see REGION of the agent view, and not all of it
REGION: Final = (0.2, 0.33, 0.8, 0.93)  # left, top, right, bottom: where pick_place happens
FINISHED: Final = 'finished'  # the name of cells that are, wherever they were done
MORE_CELLS: Final = tuple(
    (task, hand) for task in ('pick_place', 'flip') for hand in ('robotiq_2f85', 'ability')
)
QUICK_TASKS: Final = ('pick_place',)
QUICK_HANDS: Final = ('robotiq_2f85', 'allegro')
ROBOTS: Final = 5  # demonstrations
VIDEOS: Final = 100
ROBOT_COUNTS: Final = (1, 5, 10, 20)
VIDEO_COUNTS: Final = (0, 20, 50, 100)
# Starts of demonstrations, of videos and of rollouts are never the same.
ROBOT_SEEDS: Final = 100_000
VIDEO_SEEDS: Final = 200_000
DISTURBED_SEEDS: Final = 300_000
EVALUATION_SEEDS: Final = 400_000  # of seed 0; each seed has the next thousand
SEEDS_EACH: Final = 1000
MOST_SEEDS: Final = 500  # of the option --seed


@dataclass(frozen=True)
class CameraSettings:
    """How demonstrations and videos are recorded."""

    rate: float = 15.0  # [Hz] of the cameras
    width: int = 320  # [px]
    height: int = 240  # [px]
    version: int = VERSION


@dataclass(frozen=True)
class DataSettings:
    """How demonstrations and videos become datasets."""

    camera: CameraSettings = dataclasses.field(default_factory=CameraSettings)
    fps: int = 10  # [Hz]
    rows: int = 180  # [px] of the stored pictures


@dataclass(frozen=True)
class TrainSettings:
    """How much a policy is trained."""

    steps: int
    batch: int = 64
    preset: str = 'small'
    size: int = 96  # [px] of the pictures


@dataclass(frozen=True)
class RolloutSettings:
    """How a policy is measured."""

    count: int = 20
    longest: float = 25.0  # [s], twice what a demonstration takes


@dataclass(frozen=True)
class Cell:
    """One policy: what it is trained on, and how."""

    task: str
    hand: str
    method: str
    robots: int  # demonstrations
    videos: int
    near: bool = False  # sees REGION of the agent view

    @property
    def trained_as(self) -> tuple[str, int]:
        """Method of training, and how many times the usual number of steps."""
        return ('robot_only', 2) if self.method == CONTROL else (self.method, 1)

    @property
    def name(self) -> str:
        """For people and files."""
        name = f'{self.task}-{self.hand}-{self.method}-{self.robots}r-{self.videos}v'
        return f'{name}-{NEAR}' if self.near else name

    @property
    def sees(self) -> dict[str, Any]:
        """What training is told of the agent view."""
        return {'region': REGION} if self.near else {}


def key_of(*parts: Any) -> str:
    """Return a short digest of settings: dataclasses, numbers, texts."""
    plain = [dataclasses.asdict(p) if dataclasses.is_dataclass(p) else p for p in parts]  # type: ignore[arg-type]
    text = json.dumps(plain, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def evaluation_seeds(seed: int, rollouts: int) -> range:
    """Return the starts at which every method is measured, for the option --seed.

    Raises:
        ConfigError: It is not in 0..MOST_SEEDS: starts below are those of data.
    """
    if not 0 <= seed <= MOST_SEEDS:
        raise ConfigError(f'--seed {seed} is not in 0..{MOST_SEEDS}')
    first = EVALUATION_SEEDS + SEEDS_EACH * seed
    return range(first, first + rollouts)


def usual(task: str, hand: str, method: str) -> Cell:
    """Return a cell of the table: five demonstrations, a hundred videos where they are used."""
    return Cell(task, hand, method, ROBOTS, 0 if method in ('robot_only', CONTROL) else VIDEOS)


def cells_of(quick: bool, *, only: tuple[str, ...] = ()) -> list[Cell]:
    """Return the cells to do, in the order in which they are done.

    Args:
        quick: One task, two hands, three methods, unless others are named, NEAR too.
        only: Names of tasks, hands or methods; a cell must have one of each kind that is named.
            Cells of the control are there only when it is named; those of more or fewer
            demonstrations and videos when nothing is named, or SCALING; those of the near view
            when nothing is named, and they alone with NEAR. FINISHED chooses nothing.

    Raises:
        UnknownNameError: A name is none of these.
        ConfigError: NEAR and SCALING are two experiments, and both are named.
    """
    check_names('task, hand or method', only, (*TASKS, *HANDS, *METHODS, SCALING, NEAR, FINISHED))
    if NEAR in only and SCALING in only:
        raise ConfigError(f'--only {NEAR} {SCALING}: none is of both; name one, then the other')
    only = tuple(name for name in only if name != FINISHED)

    def named(known: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in known if name in only)

    tasks, hands, methods = named(TASKS), named(HANDS), named(METHODS)
    if NEAR in only:
        cells = _near()
    elif quick:
        cells = [
            usual(task, hand, method)
            for task in tasks or QUICK_TASKS
            for hand in hands or QUICK_HANDS
            for method in methods or BASE_METHODS
        ]
    else:
        base = (*BASE_METHODS, *named((CONTROL,)))
        cells = [usual(t, h, m) for t in TASKS for h in HANDS for m in base]
        cells += [usual(t, h, m) for t, h in MORE_CELLS for m in MORE_METHODS]
        cells += _scaling() if not only or SCALING in only else []
        cells += _near() if not only else []
    wanted = (('task', tasks), ('hand', hands), ('method', methods))
    for field, names in wanted:
        cells = [cell for cell in cells if not names or getattr(cell, field) in names]
    return list(dict.fromkeys(cells))


def _near() -> list[Cell]:
    """Return the first task's cells that see REGION, what matters most first."""
    cells = [usual(TASKS[0], hand, method) for method in reversed(BASE_METHODS) for hand in HANDS]
    cells += [Cell(TASKS[0], hand, 'robot_only', ROBOT_COUNTS[-1], 0) for hand in HANDS]
    return [replace(cell, near=True) for cell in cells]


def _scaling() -> list[Cell]:
    """Return success against demonstrations, with and without videos, and against videos."""
    task = TASKS[0]
    cells = []
    for hand in HANDS:
        cells += [Cell(task, hand, 'robot_only', n, 0) for n in ROBOT_COUNTS]
        cells += [Cell(task, hand, 'immimic_a', n, VIDEOS) for n in ROBOT_COUNTS]
        cells += [Cell(task, hand, 'immimic_a', ROBOTS, n) for n in VIDEO_COUNTS if n]
    return cells
