"""Many pairs at once: every human trajectory with every robot demonstration."""

import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mimic_alignment.actions import Actions, Normaliser, action_cost
from mimic_alignment.dtw import Warp, check_open_ends, warp
from mimic_alignment.params import AlignmentParams
from mimic_alignment.patterns import PATTERNS
from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError

T = TypeVar('T')


def warp_pairs(
    humans: Sequence[T],
    robots: Sequence[T],
    cost: Callable[[T, T], FloatArray],
    params: AlignmentParams,
    names: tuple[Sequence[str], Sequence[str]] | None = None,
) -> list[list[Warp]]:
    """Return the warp of every pair: [human][robot].

    The compiled loops release the interpreter lock, so threads are as good as processes.

    Args:
        humans: H trajectories, rows of the costs.
        robots: R trajectories, columns.
        cost: Returns the (N, M) local costs of one pair.
        params: Step pattern, window, open ends, threads.
        names: Of humans and of robots, for messages; None: their numbers.

    Raises:
        ConfigError: The step pattern cannot have open ends, or no path leads through a pair;
            names it.
    """

    def one(pair: tuple[int, int]) -> Warp:
        h, r = pair
        try:
            return warp(cost(humans[h], robots[r]), params)
        except ConfigError as error:
            human, robot = (names[0][h], names[1][r]) if names else pair
            raise ConfigError(
                f'human episode {human} on robot episode {robot}: {error}'
            ) from error

    check_open_ends(params, PATTERNS[params.step_pattern])
    pairs = list(itertools.product(range(len(humans)), range(len(robots))))
    with ThreadPoolExecutor(params.workers or os.cpu_count() or 1) as pool:
        warps = list(pool.map(one, pairs))
    size = len(robots)
    return [warps[i * size : (i + 1) * size] for i in range(len(humans))]


def align_actions(
    humans: Sequence[Actions],
    robots: Sequence[Actions],
    params: AlignmentParams,
    names: tuple[Sequence[str], Sequence[str]] | None = None,
) -> list[list[Warp]]:
    """Return the action-based warp of every pair, normalised over all of them: [human][robot].

    Raises:
        ShapeError: There is none, one is empty, or hands differ in size.
        ConfigError: No path leads through a pair; names it.
    """
    normaliser = Normaliser.fit([*humans, *robots])
    return warp_pairs(
        [normaliser.apply(human) for human in humans],
        [normaliser.apply(robot) for robot in robots],
        lambda human, robot: action_cost(human, robot, params),
        params,
        names,
    )
