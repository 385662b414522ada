"""A policy in the running graph against the headless evaluator: the same starts, the same success?

The policy is that of a cell that `bench tasks` has finished: of pick_place with robotiq_2f85, by
immimic_a or else co_train, unless `--only` names another task, hand or method; the newest one.
The launch file is started once, as a person starts it: twin, cameras, policy, gate and recorder.
Each start is the twin's reset to the seed of a headless rollout and a run of the action
`policy/run`, at most as long as the rollout was let. Time is the twin's, by the stamps of
`twin/status`: wall time, also that which a slow machine loses.
"""

import json
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.experiment.settings import FOLDER, HANDS, METHODS, TASKS, Cell, usual
from benchmarks.harness import (
    Options,
    Row,
    at_least,
    check_names,
    git_commit,
    info,
    timings,
)
from mimic_bringup.graph import graph, isolate
from mimic_core.errors import ConfigError
from mimic_core.statistics import wilson
from mimic_policy.rollout import SETTLED

STARTS, QUICK_STARTS = 20, 6
TASK: Final = 'pick_place'
HAND: Final = 'robotiq_2f85'
WANTED: Final = ('immimic_a', 'co_train')  # methods, the first that there is
FIRST_CHUNK: Final = 'waiting for the first chunk'  # how every run begins


@dataclass(frozen=True)
class Trial:
    """One start in the running graph."""

    seed: int
    success: bool  # the task's test held for as long as in a rollout
    duration: float  # [s] until it began to hold; all of the time without success
    ended: str  # why the run ended before that, '' when it did not
    holds: int  # times that the policy held, the wait for the first chunk included
    reasons: frozenset[str]  # why
    gaps: int  # between two commands
    inference: tuple[float, ...]  # [s] of each prediction
    latency: tuple[float, ...]  # [s] from each picture to its chunk
    real_time: float  # [1] smallest simulated over wall time of a second


class Judge:
    """Says when a start is over: as a rollout does, of what `twin/status` says."""

    def __init__(self, longest: float) -> None:
        """Args: longest: of the start [s]."""
        self._longest = longest
        self._since: float | None = None  # [s]
        self._time = 0.0
        self.success = False

    def hear(self, time: float, holds: bool) -> bool:
        """Take whether the task's test holds at a time of the start [s]; return if it is over."""
        self._time = time
        if not holds:
            self._since = None
        elif self._since is None:
            self._since = time
        elif time - self._since >= SETTLED - 1e-9:
            self.success = True
        return self.success or time >= self._longest

    @property
    def duration(self) -> float:
        """Time until the test began to hold [s]; all of the time without success."""
        return self._since if self.success and self._since is not None else self._time


# Which policy ---------------------------------------------------------------------------------


def finished() -> list[dict[str, Any]]:
    """Return the results of finished cells whose checkpoint is there."""
    found = []
    for file in sorted((FOLDER / 'cells').glob('*.json')):
        try:
            result = json.loads(file.read_text())
        except ValueError:
            continue  # `bench tasks` does it again
        if (FOLDER / result['checkpoint']).is_dir():
            found.append(result)
    return found


def chosen(
    results: Sequence[dict[str, Any]], only: Sequence[str] = (), seed: int = 0
) -> dict[str, Any]:
    """Return the result whose policy is measured: the newest of the table's cells that fit.

    Args:
        results: Of finished cells.
        only: Names of tasks, hands, methods; methods in the order in which they are wanted.
        seed: Of the experiment.

    Raises:
        UnknownNameError: A name is none of them.
        ConfigError: There is no such cell; says what to do.
    """
    check_names('task, hand or method', only, (*TASKS, *HANDS, *METHODS))
    tasks = [name for name in only if name in TASKS] or [TASK]
    hands = [name for name in only if name in HANDS] or [HAND]
    methods = [name for name in only if name in METHODS] or [*WANTED]
    for method in methods:
        cells = [usual(task, hand, method) for task in tasks for hand in hands]
        fits = [r for r in results if r['seed'] == seed and Cell(**r['cell']) in cells]
        if fits:
            return max(fits, key=lambda result: str(result['date']))
    names = (' or '.join(kind) for kind in (tasks, hands, methods))
    options = (f' --seed {seed}' if seed else '') + (f' --only {" ".join(only)}' if only else '')
    raise ConfigError(
        f'no finished cell of {", ".join(names)} in {FOLDER}: '
        f'run ./mimic bench tasks --quick{options} first'
    )


# The comparison -------------------------------------------------------------------------------


def compare(trials: Sequence[Trial], headless: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return success of both, whether it is the same, and what may explain it if not.

    Args:
        trials: At least one.
        headless: Rollouts from the same starts, as `bench tasks` keeps them.
    """
    count = len(trials)
    rows, spans, shares = [info('starts', count, '')], [], []
    outcomes = {
        'launch': {trial.seed: trial.success for trial in trials},
        'headless': {rollout['seed']: bool(rollout['success']) for rollout in headless},
    }
    for name, outcome in outcomes.items():
        good = sum(outcome.values())
        span = [100.0 * share for share in wilson(good, count)]
        spans.append(span)
        shares.append(100.0 * good / count)
        rows += [
            info(f'{name}: success of {count}', shares[-1], '%'),
            info(f'{name}: Wilson 95 %, from', span[0], '%'),
            info(f'{name}: Wilson 95 %, to', span[1], '%'),
        ]
    (low, high), (other_low, other_high) = spans
    same = sum(
        success == outcomes['headless'][seed] for seed, success in outcomes['launch'].items()
    )
    rows += [
        at_least(
            'overlap of the intervals', min(high, other_high) - max(low, other_low), 'points', 0
        ),
        info('launch − headless', shares[0] - shares[1], 'points'),
        info(f'starts that end alike, of {count}', same, ''),
    ]
    times = {
        'launch': [trial.duration for trial in trials if trial.success],
        'headless': [rollout['duration'] for rollout in headless if rollout['success']],
    }
    rows += [
        info(f'{name}: time of a success, median', np.median(values), 's')
        for name, values in times.items()
        if values
    ]
    return rows + _behaviour(trials, headless)


def _behaviour(trials: Sequence[Trial], headless: Sequence[Mapping[str, Any]]) -> list[Row]:
    later = sum(bool(trial.reasons - {FIRST_CHUNK}) for trial in trials)
    rows = [
        info('launch: holds in a start, mean', np.mean([t.holds for t in trials]), ''),
        info('headless: holds in a start, mean', np.mean([r['holds'] for r in headless]), ''),
        info('launch: starts with a hold after the first chunk', later, ''),
        info('launch: runs that ended before their time', sum(bool(t.ended) for t in trials), ''),
        info('launch: gaps between commands', sum(t.gaps for t in trials), ''),
        info('launch: real time in the slowest second', min(t.real_time for t in trials), ''),
    ]
    for name, values in (
        ('inference', [value for trial in trials for value in trial.inference]),
        ('picture to chunk', [value for trial in trials for value in trial.latency]),
    ):
        rows += timings(f'launch: {name}', values) if values else []
    return rows


def line(number: int, count: int, trial: Trial, rollout: Mapping[str, Any]) -> str:
    """Return what a person reads when a start is over."""

    def outcome(success: bool, duration: float) -> str:
        return f'success after {duration:.1f} s' if success else 'no success'

    parts = [
        f'{number} of {count}, seed {trial.seed}: {outcome(trial.success, trial.duration)}',
        f'headless: {outcome(rollout["success"], rollout["duration"])}',
        f'holds: {trial.holds}',
    ]
    if trial.inference:
        parts.append(f'inference: {1e3 * np.median(trial.inference):.0f} ms')
    parts.append(f'real time: {trial.real_time:.2f}')
    if trial.ended:
        parts.append(f'the run ended: {trial.ended}')
    return ' · '.join(parts)


# The measurement ------------------------------------------------------------------------------


def run(options: Options) -> list[Row]:
    """Measure success through the whole launch file beside that of the headless evaluator."""
    from benchmarks.policy_launch_node import measure

    result = chosen(finished(), options.only, options.seed)
    headless = result['each'][: QUICK_STARTS if options.quick else STARTS]
    rollouts = {rollout['seed']: rollout for rollout in headless}
    print(f'the policy: {result["checkpoint"]}', file=sys.stderr)
    trials: list[Trial] = []
    isolate()
    with _ended_as_by_a_person(), tempfile.TemporaryDirectory() as folder:
        log, episodes = Path(folder) / 'launch.log', Path(folder) / 'rollouts'
        arguments = {
            'checkpoint': FOLDER / result['checkpoint'], 'run': 'false', 'viewer': 'false',
            'episodes': episodes,
        }  # fmt: skip
        with graph('policy', arguments, log) as launcher, _outlived_by_nobody(launcher):
            for trial in measure(list(rollouts), result['longest'], launcher, log):
                trials.append(trial)
                said = line(len(trials), len(rollouts), trial, rollouts[trial.seed])
                print(said, file=sys.stderr, flush=True)
    reasons = Counter(reason for trial in trials for reason in trial.reasons)
    told = '; '.join(f'{reason} ({count} starts)' for reason, count in reasons.most_common())
    print(f'held: {told or "never"}', file=sys.stderr)
    rows = compare(trials, headless)
    now, then = git_commit(), result['commit']
    if now.rstrip('+') != then.rstrip('+'):
        rows.append(info(f'headless results are of another commit: {then}, this is {now}', 1, ''))
    return rows


@contextmanager
def _ended_as_by_a_person() -> Iterator[None]:
    """Clean up on SIGTERM as on Ctrl-C."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _outlived_by_nobody(launcher: 'subprocess.Popen[bytes]') -> Iterator[None]:
    """Stop the graph also when this process is killed: a shell waits for the end of a pipe."""
    script = 'read _; kill -INT "$0"'
    guard = subprocess.Popen(
        ['sh', '-c', script, str(launcher.pid)], stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        yield
    finally:
        guard.kill()
        guard.wait()
        assert guard.stdin is not None
        guard.stdin.close()
