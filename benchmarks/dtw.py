"""Warping paths between trajectories: a pair against dtaidistance and dtw-python, and many."""

import os
import time
from collections.abc import Callable

import numpy as np

from benchmarks.harness import Options, Row, at_least, at_most, info
from mimic_alignment import Actions, AlignmentParams, align_actions, feature_cost, warp
from mimic_core.arrays import FloatArray

HUMAN, ROBOT, DIMENSION = 150, 300, 22  # frames, frames, numbers a frame
HUMANS, ROBOTS = 100, 5
REPEATS, QUICK_REPEATS = 200, 30
HAND_JOINTS = 16


def _walk(rng: np.random.Generator, frames: int, dimension: int) -> FloatArray:
    return np.cumsum(rng.normal(size=(frames, dimension)), axis=0)


def _actions(rng: np.random.Generator, frames: int) -> Actions:
    quat = _walk(rng, frames, 4)
    norm = np.linalg.norm(quat, axis=1, keepdims=True)
    return Actions(_walk(rng, frames, 3), quat / norm, _walk(rng, frames, HAND_JOINTS))


def _interleaved(
    calls: dict[str, Callable[[], float]], repeats: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the median time of each call [s], taken in turn, and what each returns."""
    values = {name: call() for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - begin)
    return {name: float(np.median(t)) for name, t in times.items()}, values


def run(options: Options) -> list[Row]:
    """Compare cost and time, with paths, at the size of a demonstration."""
    import dtw as dtw_python
    from dtaidistance import dtw_ndim
    from dtaidistance.dtw import best_path
    from scipy.spatial.distance import cdist

    rng = np.random.default_rng(options.seed)
    human, robot = _walk(rng, HUMAN, DIMENSION), _walk(rng, ROBOT, DIMENSION)

    def ours() -> float:
        return warp(feature_cost(human, robot)).cost

    def dtaidistance() -> float:
        cost, matrix = dtw_ndim.warping_paths_fast(human, robot, inner_dist='euclidean')
        best_path(matrix)
        return float(cost)

    def dtw_package() -> float:
        return float(dtw_python.dtw(cdist(human, robot), step_pattern='symmetric1').distance)

    calls = {'ours': ours, 'dtaidistance': dtaidistance, 'dtw-python': dtw_package}
    medians, costs = _interleaved(calls, QUICK_REPEATS if options.quick else REPEATS)
    fastest = min(medians['dtaidistance'], medians['dtw-python'])
    off = max(abs(costs[name] / costs['ours'] - 1.0) for name in costs)

    humans = [_actions(rng, HUMAN) for _ in range(HUMANS)]
    robots = [_actions(rng, ROBOT) for _ in range(ROBOTS)]
    batch = []
    for _ in range(5):
        begin = time.perf_counter()
        align_actions(humans, robots, AlignmentParams())
        batch.append(time.perf_counter() - begin)
    size = f'{HUMAN} × {ROBOT} × {DIMENSION}'
    return [
        *(info(f'{name}, a pair with path, {size}', t * 1e3, 'ms') for name, t in medians.items()),
        at_least('the faster of both over ours', fastest / medians['ours'], '×', 5.0),
        at_most('cost, relative difference', off, '', 1e-9),
        at_most(f'{HUMANS} × {ROBOTS} pairs of actions', float(np.median(batch)), 's', 0.2),
        info('cores', float(os.cpu_count() or 1), ''),
    ]  # fmt: skip
