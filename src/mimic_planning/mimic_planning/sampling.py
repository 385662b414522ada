"""Ways around obstacles, by OMPL's RRTConnect."""

from collections.abc import Callable
from types import ModuleType
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_planning.errors import PlanningError

STEP: Final = 0.02  # [m] that a part moves at most, about, between two looks of the search
RANGE: Final = 0.6  # [m] of that motion, the longest edge of a tree


def modules() -> tuple[ModuleType, ModuleType, ModuleType]:
    """Return ompl.base, ompl.geometric and ompl.util.

    Raises:
        PlanningError: The `ompl` wheel is not installed.
    """
    try:
        import ompl.base
        import ompl.geometric
        import ompl.util
    except ImportError as error:
        raise PlanningError(
            f"the sampling planner needs the package 'ompl', which cannot be imported: {error}"
        ) from error
    return ompl.base, ompl.geometric, ompl.util


def connect(
    free: Callable[[FloatArray], bool],
    start: FloatArray,
    goal: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    weights: FloatArray,
    timeout: float,
    seed: int,
) -> FloatArray | None:
    """Return (K, N) postures joined by free straight lines, looked at every `STEP`, or None.

    Args:
        free: Tells whether the robot may be at (N,).
        start: (N,) [rad] or [m], free.
        goal: (N,) free.
        lower: (N,) bounds; start and goal are taken in.
        upper: (N,).
        weights: (N,) [m/rad] how far a joint moves the robot; the search measures in metres.
        timeout: [s].
        seed: Of the search, > 0; OMPL takes it once a process.
    """
    base, geometric, util = modules()
    util.noOutputHandler()
    if util.RNG.getSeed() != seed:
        util.RNG.setSeed(seed)
    count = len(start)
    scale = np.maximum(weights, 1e-3)
    low = np.minimum(np.minimum(lower, start), goal) * scale
    high = np.maximum(np.maximum(upper, start), goal) * scale
    space = base.RealVectorStateSpace(count)
    bounds = base.RealVectorBounds(count)
    for i in range(count):
        bounds.setLow(i, float(low[i]) - 1e-9)
        bounds.setHigh(i, float(high[i]) + 1e-9)
    space.setBounds(bounds)
    setup = geometric.SimpleSetup(space)
    setup.setStateValidityChecker(
        lambda state: free(np.array([state[i] for i in range(count)]) / scale)
    )
    information = setup.getSpaceInformation()
    information.setStateValidityCheckingResolution(STEP / space.getMaximumExtent())
    ends = []
    for q in (start, goal):
        state = space.allocState()
        for i in range(count):
            state[i] = float(q[i] * scale[i])
        ends.append(state)
    setup.setStartAndGoalStates(ends[0], ends[1])
    planner = geometric.RRTConnect(information)
    planner.setRange(RANGE)
    setup.setPlanner(planner)
    setup.solve(timeout)
    if not setup.haveExactSolutionPath():
        return None
    states = setup.getSolutionPath().getStates()
    points = np.array([[state[i] for i in range(count)] for state in states]) / scale
    points[0], points[-1] = start, goal
    return points
