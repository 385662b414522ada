"""Many pairs at once: every human trajectory with every robot demonstration."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mimic_alignment.actions import Actions, Normaliser, action_cost
from mimic_alignment.dtw import Warp, warp
from mimic_alignment.params import AlignmentParams
from mimic_core.arrays import FloatArray

T = TypeVar('T')


def warp_pairs(
    humans: Sequence[T],
    robots: Sequence[T],
    cost: Callable[[T, T], FloatArray],
    params: AlignmentParams,
) -> list[list[Warp]]:
    """Return the warp of every pair: [human][robot].

    The compiled loops release the interpreter lock, so threads are as good as processes.

    Args:
        humans: H trajectories, rows of the costs.
        robots: R trajectories, columns.
        cost: Returns the (N, M) local costs of one pair.
        params: Step pattern, window, open ends, threads.
    """

    def one(pair: tuple[T, T]) -> Warp:
        return warp(cost(*pair), params)

    pairs = [(human, robot) for human in humans for robot in robots]
    with ThreadPoolExecutor(params.workers or os.cpu_count() or 1) as pool:
        warps = list(pool.map(one, pairs))
    size = len(robots)
    return [warps[i * size : (i + 1) * size] for i in range(len(humans))]


def align_actions(
    humans: Sequence[Actions], robots: Sequence[Actions], params: AlignmentParams
) -> list[list[Warp]]:
    """Return the action-based warp of every pair, normalised over all of them: [human][robot].

    Raises:
        ShapeError: There is none, one is empty, or hands differ in size.
    """
    normaliser = Normaliser.fit([*humans, *robots])
    return warp_pairs(
        [normaliser.apply(human) for human in humans],
        [normaliser.apply(robot) for robot in robots],
        lambda human, robot: action_cost(human, robot, params),
        params,
    )
