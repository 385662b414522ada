"""How fast practice runs: policy steps a second, observation and reward included."""

import os
import time

import numpy as np

from benchmarks.harness import Options, Row, at_least, info
from mimic_core.arrays import FloatArray
from mimic_rl import Practice, PracticeRun, Synergies, robot_synergies
from mimic_rl.shown import show

COUNT = 128  # environments
STEPS, QUICK_STEPS = 240, 60  # of each environment
REPEATS = 3  # with other seeds, of which the median counts
THREADS = 2
TASKS = (('box_push', 'allegro'), ('box_pivot', 'allegro'), ('box_push', 'leap'),
         ('box_push', 'robotiq_2f85'))  # fmt: skip


def _rate(
    run: PracticeRun, synergies: Synergies, options: Options, threads: int, *, bare: bool
) -> tuple[float, float]:
    """Return policy steps in a second, and in a second of processors times `threads`: medians.

    Args:
        run: What is practised.
        synergies: Of its hand.
        options: Of the bench.
        threads: Of the physics.
        bare: Physics alone: the robots follow their start.
    """
    seeds = range(options.seed, options.seed + REPEATS)
    rates = [_once(run, synergies, s, options.quick, threads, bare=bare) for s in seeds]
    wall, free = np.median(rates, axis=0)
    return float(wall), float(free)


def _once(
    run: PracticeRun, synergies: Synergies, seed: int, quick: bool, threads: int, *, bare: bool
) -> tuple[float, float]:
    practice = Practice(run, synergies, count=COUNT, seed=seed, threads=threads)
    practice.level = 1.0
    practice.reset()
    rng = np.random.default_rng(seed)
    steps = QUICK_STEPS if quick else STEPS
    actions: FloatArray = rng.normal(0.0, 0.5, size=(steps + 10, COUNT, practice.actions))
    still = practice.motion.q.copy()
    for action in actions[:10]:
        practice.step(action)
    wall, cpu = time.perf_counter(), time.process_time()
    for action in actions[10:]:
        if bare:
            practice.drive(still, still, still)
        else:
            practice.step(action)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    practice.close()
    return COUNT * steps / wall, threads * COUNT * steps / cpu


def run(options: Options) -> list[Row]:
    """Measure arm and hand with an object, random actions, everything randomised."""
    rows: list[Row] = []
    for task, hand in TASKS:
        demonstration = show(task, 'iiwa14', hand)
        synergies = robot_synergies(demonstration.robot())
        name = f'{task}, iiwa14 with {hand}'
        wall, free = _rate(demonstration, synergies, options, THREADS, bare=False)
        what = f'{name}: policy steps, {THREADS} threads'
        if (task, hand) == TASKS[0]:
            rows.append(at_least(what, wall, '1/s', 4000))
            alone, _ = _rate(demonstration, synergies, options, 1, bare=False)
            bare, _ = _rate(demonstration, synergies, options, THREADS, bare=True)
            rows += [
                info(f'{name}: policy steps, 1 thread', alone, '1/s'),
                info(f'{name}: physics at rest alone, {THREADS} threads', bare, '1/s'),
            ]
        else:
            rows.append(info(what, wall, '1/s'))
        rows.append(info(f'{what}, by processor time', free, '1/s'))
    rows.append(info('cores', float(os.cpu_count() or 1), ''))
    return rows
