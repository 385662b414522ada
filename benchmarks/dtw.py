"""Warping paths between trajectories: a pair against dtaidistance and dtw-python, and many."""

import os
import time
from collections.abc import Callable

import numpy as np

from benchmarks.harness import Options, Row, at_least, at_most, info
from mimic_alignment import (
    Actions,
    AlignmentParams,
    WarpParams,
    align_actions,
    feature_cost,
    warp,
)
from mimic_alignment.dtw import Warp
from mimic_core.arrays import FloatArray, IntArray

HUMAN, ROBOT, DIMENSION = 150, 300, 22  # frames, frames, numbers a frame
HUMANS, ROBOTS = 100, 5
REPEATS, QUICK_REPEATS = 200, 30
HAND_JOINTS = 16
WINDOW = 0.1  # [1] of the longer side
BAND = 15  # dtaidistance's window [frames], one more than the farthest
CASES = (  # in which dtw-python finds the same
    WarpParams(step_pattern='symmetric1'),
    WarpParams(step_pattern='symmetric2'),
    WarpParams(step_pattern='asymmetric'),
    WarpParams(step_pattern='symmetricP1'),
    WarpParams(step_pattern='asymmetricP1'),
    WarpParams(step_pattern='symmetric1', window=WINDOW),
    WarpParams(step_pattern='symmetric2', window=WINDOW),
    WarpParams(step_pattern='asymmetric', window=WINDOW),
    WarpParams(step_pattern='symmetric2', open_end=True),
    WarpParams(step_pattern='asymmetric', open_end=True),
    WarpParams(step_pattern='asymmetric', open_begin=True, open_end=True),
)


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


def _agreement(human: FloatArray, robot: FloatArray) -> list[Row]:
    """Return how far costs and how many cells of paths differ from both peers.

    Args:
        human: (N, D).
        robot: (M, D), M < 2 N: no step pattern is too flat for it.
    """
    import dtw as dtw_python
    from dtaidistance import dtw_ndim
    from dtaidistance.dtw import best_path

    cost = feature_cost(human, robot)
    rows = []
    for params in CASES:
        size = {'window_size': params.window * max(cost.shape)} if params.window else {}
        theirs = dtw_python.dtw(
            cost,
            step_pattern=params.step_pattern,
            window_type='slantedband' if params.window else None,
            window_args=size,
            open_begin=params.open_begin,
            open_end=params.open_end,
        )
        found = warp(cost, params)
        path = np.stack([theirs.index1, theirs.index2], axis=1)
        rows += _same(f'dtw-python, {_name(params)}', theirs.distance, found, path)
    square = robot[: len(human)]
    for name, peer, band in (('any path', robot, None), ('window', square, BAND)):
        distance, matrix = dtw_ndim.warping_paths_fast(
            human, peer, inner_dist='euclidean', window=band
        )
        share = 0.0 if band is None else (band - 0.5) / len(human)
        found = warp(feature_cost(human, peer), WarpParams(window=share))
        rows += _same(f'dtaidistance, {name}', distance, found, np.array(best_path(matrix)))
    return rows


def _name(params: WarpParams) -> str:
    ends = [name for name in ('open_begin', 'open_end') if getattr(params, name)]
    return ', '.join([params.step_pattern, *(['window'] if params.window else []), *ends])


def _same(name: str, distance: float, found: Warp, path: IntArray) -> list[Row]:
    differ = {(int(i), int(j)) for i, j in path} ^ {(int(i), int(j)) for i, j in found.path}
    return [
        at_most(f'{name}: cost, relative difference', abs(distance / found.cost - 1.0), '', 1e-9),
        at_most(f'{name}: cells of the path that differ', len(differ), '', 0),
    ]


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

    agreement = _agreement(human[:, :3], robot[: HUMAN * 3 // 2, :3])
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
        *agreement,
        info('cores', float(os.cpu_count() or 1), ''),
    ]  # fmt: skip
