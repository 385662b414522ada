"""Pick-and-place shadowed from pixels: how often the robot does what the person shows.

Trial n of a robot starts on tile n modulo 5 and has its own seed, motion and noise. The person is
the virtual demonstrator, who mimes before a camera and watches the robot's twin. With clutter,
other things stand on both tables. Trials that are done are kept in
`benchmarks/results/shadow_trials.jsonl` by a digest of the sources, so a run that was cut off
goes on where it was.
"""

import contextlib
import functools
import hashlib
import json
import math
import multiprocessing
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.harness import RESULTS, ROOT, Options, Row, at_least, info
from mimic_bringup.lockstep import LockstepParams, Moment, run_trial
from mimic_core.statistics import wilson
from mimic_description import RobotModel, load_robot
from mimic_sim.demonstrator_params import DemonstratorParams

# Arm, hand, and the success that is wanted [%].
ROBOTS = (
    ('iiwa14', 'robotiq_2f85', 95.0),
    ('iiwa14', 'fin_ray', 95.0),
    ('iiwa14', 'allegro', 85.0),
    ('so101', 'so101_gripper', 95.0),
)
TRIALS, TRIALS_QUICK = 50, 5  # five tiles, ten grasps each
TRIALS_CLUTTER = 25
SEEDS = 1000  # between the first trials of two seeds
PROCESSES = 2
SOURCES = ('src', 'config', 'urdf')
SUFFIXES = ('.py', '.yaml', '.xacro')


@dataclass(frozen=True)
class Case:
    """One trial to do."""

    arm: str
    hand: str
    task: str
    look: str
    seed: int


@dataclass(frozen=True)
class Trial:
    """How one trial went."""

    case: Case
    success: bool
    duration: float  # [s] of the demonstration
    retries: int
    found: float  # [1] of the pictures with a hand
    tracking_error: float  # [m] median over pictures of the mean over keypoints; NaN: none found


def run(options: Options) -> list[Row]:
    """Return success, retries, tracking error and duration of each robot."""
    count = TRIALS_QUICK if options.quick else TRIALS
    first = SEEDS * options.seed
    groups: list[tuple[str, float | None, list[Case]]] = []
    for arm, hand, target in ROBOTS:
        cases = [Case(arm, hand, 'tiles', 'tidy', first + n) for n in range(count)]
        groups.append((f'{arm} {hand}', target, cases))
    if not options.quick:
        for arm, hand, _ in ROBOTS:
            seeds = range(first, first + TRIALS_CLUTTER)
            cases = [Case(arm, hand, 'clutter', 'cluttered', seed) for seed in seeds]
            groups.append((f'{arm} {hand} in clutter', None, cases))
    trials = Trials(RESULTS / 'shadow_trials.jsonl', digest_of_sources())
    # Robots in turn, so that a run that is stopped early has trials of each; clutter comes last.
    tiles, clutter = groups[: len(ROBOTS)], groups[len(ROBOTS) :]
    turns = [
        turn for part in (tiles, clutter) for turn in zip(*(c for *_, c in part), strict=True)
    ]
    do([case for turn in turns for case in turn], trials)
    return [
        row
        for name, target, cases in groups
        if (done := [trials.done[case] for case in cases if case in trials.done])
        for row in score(name, done, target)
    ]


def score(name: str, trials: Sequence[Trial], target: float | None) -> list[Row]:
    """Return the rows of one robot at one task; target [%] of success, None: only informs."""
    good, count = sum(trial.success for trial in trials), len(trials)
    low, high = wilson(good, count)
    share = 100.0 * good / count
    label = f'{name}: success of {count}'
    retries = float(np.mean([trial.retries for trial in trials]))
    found = float(np.mean([trial.found for trial in trials]))
    error = float(np.nanmedian([trial.tracking_error for trial in trials]))
    duration = float(np.median([trial.duration for trial in trials]))
    return [
        info(label, share, '%') if target is None else at_least(label, share, '%', target),
        info(f'{name}: Wilson 95 %, from', 100.0 * low, '%'),
        info(f'{name}: Wilson 95 %, to', 100.0 * high, '%'),
        info(f'{name}: grasps tried again', retries, 'a trial'),
        info(f'{name}: hand found', 100.0 * found, '%'),
        info(f'{name}: tracking error, median', 1e3 * error, 'mm'),
        info(f'{name}: duration, median', duration, 's'),
    ]


class Trials:
    """The trials that were done with the sources as they are, in a file."""

    def __init__(self, path: Path, sources: str) -> None:
        """Args: path: of the file, a trial in each line; sources: their digest."""
        self._path, self._sources = path, sources
        self.done: dict[Case, Trial] = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            try:
                fields = json.loads(line)
            except json.JSONDecodeError:
                continue  # the process was killed while it wrote this line: do the trial again
            if fields.pop('sources') == sources:
                trial = Trial(Case(**fields.pop('case')), **fields)
                self.done[trial.case] = trial

    def add(self, trial: Trial) -> None:
        """Keep a trial."""
        self.done[trial.case] = trial
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open('a') as file:
            file.write(json.dumps({'sources': self._sources, **asdict(trial)}) + '\n')


def do(cases: Sequence[Case], trials: Trials) -> None:
    """Do the trials that are not done yet, two at a time; Ctrl-C ends with those that are."""
    missing = [case for case in cases if case not in trials.done]
    if not missing:
        return
    os.environ['OMP_NUM_THREADS'] = '1'  # inherited: two processes share the machine
    columns = (
        TextColumn('{task.description}', markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    context = multiprocessing.get_context('spawn')
    with Progress(*columns, console=Console(stderr=True, markup=False)) as progress:
        bar = progress.add_task('trials', total=len(cases), completed=len(cases) - len(missing))
        with (
            contextlib.suppress(KeyboardInterrupt),
            context.Pool(min(PROCESSES, len(missing))) as pool,
        ):
            for trial in pool.imap_unordered(do_one, missing):
                trials.add(trial)
                good = sum(done.success for done in trials.done.values())
                progress.update(
                    bar, advance=1, description=f'{good} of {len(trials.done)} succeed'
                )


def do_one(case: Case) -> Trial:
    """Do one trial; the same case gives the same result."""
    errors: list[float] = []

    def observe(moment: Moment) -> None:
        if moment.hand is not None:
            off = np.linalg.norm(moment.hand.keypoints - moment.truth.keypoints, axis=1)
            if np.isfinite(off).any():
                errors.append(float(np.nanmean(off)))

    params = LockstepParams(
        task=case.task, seed=case.seed, demonstrator=DemonstratorParams(look=case.look)
    )
    outcome = run_trial(robot_of(case.arm, case.hand), params, observe)
    return Trial(
        case,
        outcome.success,
        outcome.duration,
        outcome.retries,
        outcome.found / outcome.pictures,
        float(np.median(errors)) if errors else math.nan,
    )


@functools.lru_cache(maxsize=len(ROBOTS))
def robot_of(arm: str, hand: str) -> RobotModel:
    """Return a robot, built once in each process."""
    return load_robot(arm, hand)


def digest_of_sources() -> str:
    """Return a digest of all that a trial's outcome can depend on in this repository."""
    digest = hashlib.sha256()
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob('*')):
            if path.suffix in SUFFIXES and 'test' not in path.parts and path.is_file():
                digest.update(f'{path.relative_to(ROOT)}'.encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
