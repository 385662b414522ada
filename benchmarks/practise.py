"""Practice against replays, cloning and its ablations: success in what it has not seen.

Every training imitates replays first (DAPG) and ends after STEPS or so many `--minutes` (60) in
sum; `--only` says which tasks, hands or ablations. Trainings are kept in out/practise and go on
where they were stopped. What counts is what reaches the robot: targets are of the policy through
the gate in the twin, and in practice. Scores of an unchanged training, code and robot are kept
beside it.
"""

import dataclasses
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import torch
from rich.console import Console

from benchmarks.harness import ROOT, Options, Row, at_least, at_most, check_names, info
from mimic_description import load_robot
from mimic_recording.bag import write_text
from mimic_rl import comparison, save_run
from mimic_rl.checkpoint import TRAINING
from mimic_rl.comparison import AWARE, CLONED, GATE, LATE, PHYSICS, REPLAY, STARTS
from mimic_rl.params import IMITATING
from mimic_rl.ppo import Report
from mimic_rl.practise import TrainingScreen, open_training
from mimic_rl.run_folder import RUN_FILE
from mimic_rl.shown import show

FOLDER: Final = ROOT / 'out' / 'practise'
TARGETS: Final = ('box_push', 'box_pivot')  # with allegro
OTHERS: Final = ('plate_push', 'pitcher_pour')
HANDS: Final = ('allegro', 'leap', 'fin_ray')  # the last one as UMI has it
ABLATIONS: Final = {  # values as people give them with --set
    'fixed_target': 'reward=fixed_target',
    'default_start': 'start=default',
    'overhead_start': 'start=overhead',
    'hand_reward': 'reward=hand',
}
METHOD: Final = IMITATING  # the same for all tasks and hands, ablations too
STEPS: Final = 5_000_000  # which two cores hardly do in an hour
MINUTES: Final = 60.0
QUICK_MINUTES: Final = 0.5
EPISODES, QUICK_EPISODES = 50, 10
THREADS: Final = 2
ARM: Final = 'iiwa14'


def _train(
    folder: Path, name: str, values: Sequence[str], options: Options
) -> tuple[float, float, int]:
    """Train until steps or time, of this and earlier processes, are over.

    Returns:
        That time, the time of processors in it [min], and the steps.
    """
    minutes = options.minutes or (QUICK_MINUTES if options.quick else MINUTES)
    training = open_training(
        folder, name, (*METHOD, *values), seed=options.seed, threads=THREADS, tell=print
    )
    learner = training.learner
    left = 60.0 * minutes - learner.seconds
    if left > 0.0 and learner.steps < STEPS:
        print(f'{folder.name}, {name}: at most {left / 60.0:.1f} of {minutes:g} min to go')
        end = time.monotonic() + left
        with TrainingScreen(Console(markup=False), learner.steps, STEPS, end) as screen:

            def report(result: Report) -> bool:
                screen.show(result)
                return learner.seconds < 60.0 * minutes

            training.run(STEPS, report=report)
    print(f'{folder.name}, {name}: {learner.steps:,} steps, {learner.seconds / 60.0:.1f} min')
    training.close()
    return learner.seconds / 60.0, learner.processor / 60.0, learner.steps


def _code() -> str:
    """Return a digest of all packages, without their tests."""
    code = hashlib.sha256()
    for package in sorted((ROOT / 'src').iterdir()):
        for path in sorted((package / package.name).rglob('*.py')):
            code.update(path.read_bytes())
    return code.hexdigest()


def _compared(
    folder: Path, hand: str, ablations: list[str], episodes: int, steps: Mapping[str, int]
) -> list[comparison.Row]:
    """Return what `compare` does.

    From a file if training, code and robot are those of the last time. An evaluation that is
    stopped leaves its rows so far beside it.
    """
    key = [steps, episodes, _code(), load_robot(ARM, hand).digest]
    file = folder / 'scores.json'
    part = file.with_suffix('.part.json')
    if file.exists() and (known := json.loads(file.read_text()))['key'] == key:
        return [comparison.Row(**row) for row in known['rows']]

    def keep(rows: Sequence[comparison.Row]) -> None:
        document = {'key': key, 'rows': [dataclasses.asdict(row) for row in rows]}
        write_text(part, json.dumps(document, indent=1) + '\n')

    rows = comparison.compare(
        folder, TRAINING, ablations, episodes=episodes, threads=THREADS, keep=keep
    )
    part.replace(file)
    return rows


def _measure(task: str, hand: str, options: Options) -> list[Row]:
    folder = FOLDER / f'{task}-{hand}-{options.seed}{"-quick" if options.quick else ""}'
    if not (folder / RUN_FILE).exists():
        save_run(show(task, ARM, hand), folder)
    name, wanted = f'{task}, {hand}', task in TARGETS and hand == 'allegro'
    spent, processor, count = _train(folder, TRAINING, (), options)
    steps = {TRAINING: count}
    ablations = [a for a in ABLATIONS if a in options.only or (wanted and not options.only)]
    for ablation in ablations:
        steps[ablation] = _train(folder, ablation, (ABLATIONS[ablation],), options)[2]
    episodes = QUICK_EPISODES if options.quick else EPISODES
    scores = _compared(folder, hand, ablations, episodes, steps)
    rows = [
        at_most(f'{name}: training', spent, 'min', 60.5),
        at_most(f'{name}: training, time of processors', processor, 'min', 121.0),
        info(f'{name}: training, policy steps', count, ''),
    ]
    return rows + rated_rows(name, scores, ablations, wanted)


def rated_rows(
    name: str, scores: Sequence[comparison.Row], ablations: Sequence[str], wanted: bool
) -> list[Row]:
    """Return a row for each score, each margin over replays and cloning, and each ablation.

    The full method ranks over every ablation.  Source: Human2Sim2Robot, figures 7 to 9.

    Args:
        name: What they begin with.
        scores: Of one run.
        ablations: Which of the methods are some.
        wanted: The task and hand have targets.
    """
    rows: list[Row] = []
    rated = {(s.met, s.method): 100.0 * s.success for s in scores}
    for score in scores:
        low, high = score.interval
        what = f'{name}: {score.method}, {score.met} ({100 * low:.0f} to {100 * high:.0f})'
        what += f' [{score.remarks}]' if score.remarks else ''
        value = 100.0 * score.success
        if wanted and score.method == 'learned' and score.met in (STARTS, GATE):
            rows.append(at_least(what, value, '%', 90.0))
        else:
            rows.append(info(what, value, '%'))
    for met in (STARTS, PHYSICS, GATE, LATE):
        best = max(rated.get((met, m), 0.0) for m in (REPLAY, AWARE, CLONED))
        what = f'{name}: over the best of replays and cloning, {met}'
        margin = rated[met, 'learned'] - best
        if wanted and met in (STARTS, GATE):
            rows.append(at_least(what, margin, 'points', 40.0))
        else:
            rows.append(info(what, margin, 'points'))
    for ablation in ablations:
        what, margin = (
            f'{name}: over {ablation}',
            rated[STARTS, 'learned'] - rated[STARTS, ablation],
        )
        rows.append(at_least(f'{what}, {STARTS}', margin, 'points', 0.0))
    return rows


def run(options: Options) -> list[Row]:
    """Train and compare the chosen tasks and hands; by default those with a target."""
    known = (*TARGETS, *OTHERS, *HANDS, *ABLATIONS)
    check_names('task, hand or ablation', options.only, known)
    torch.set_num_threads(THREADS)
    tasks = [t for t in (*TARGETS, *OTHERS) if t in options.only]
    hands = [h for h in HANDS if h in options.only]
    rows: list[Row] = []
    for task in tasks or TARGETS:
        for hand in hands or ('allegro',):
            rows += _measure(task, hand, options)
    return rows
