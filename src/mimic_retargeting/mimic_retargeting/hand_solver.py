"""Joint positions of a hand whose points come as near as they can to wanted vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import ConfigError
from mimic_core.frames import PALM
from mimic_description import RobotModel
from mimic_retargeting import hand_kernels, kernels
from mimic_retargeting.compiled import plain
from mimic_retargeting.tables import Chain, build_chain

Loss = Literal['squared', 'huber', 'huber_components']
_LOSSES: Final = {
    'squared': hand_kernels.SQUARED,
    'huber': hand_kernels.HUBER,
    'huber_components': hand_kernels.HUBER_COMPONENTS,
}


@dataclass(frozen=True)
class HandSolution:
    """What the solver found."""

    q: FloatArray  # (J,) joints of the hand [rad] or [m]
    objective: float
    errors: FloatArray  # (T,) distance of each vector to its target [m]
    iterations: int


class HandSolver:
    """Minimises Σ w_i ρ(FK_i(q) − x_i) + β|q − q_last|² within joint limits and couplings.

    FK_i(q) is the vector from one frame of the hand to another, in the axes of `palm`. J joints
    of the hand, T terms. Gradient and Hessian are exact. The minimum is a local one, found from a
    given start; nothing is random.
    """

    def __init__(
        self,
        robot: RobotModel,
        vectors: Sequence[tuple[str | None, str]],
        *,
        beta: float,
        loss: Loss = 'squared',
        delta: float = 0.02,
        max_iterations: int = 40,
        tolerance: float = 1e-5,
    ) -> None:
        """Prepare the tables and compile the loops.

        Args:
            robot: Robot with a hand.
            vectors: (T) frames that the vectors go from and to; None is the origin of `palm`.
            beta: Weight of the squared change of the joints [m²/rad²].
            loss: ρ; 'squared' is |r|², the others are smooth L1 of |r| or of its components.
            delta: Where smooth L1 turns from square to straight [m].
            max_iterations: At most so many steps.
            tolerance: A step smaller than this ends the search [rad].

        Raises:
            ConfigError: No vectors, or a number out of range.
            UnknownFrameError: The robot has no such frame.
        """
        if not vectors or beta < 0 or not delta > 0:
            raise ConfigError(f'needs vectors, beta >= 0 and delta > 0: {beta=}, {delta=}')
        names = sorted({name for pair in vectors for name in pair if name is not None})
        self.joints: Final = robot.hand_joints
        first = [-1 if a is None else names.index(a) for a, _ in vectors]
        self._first: Final = np.array(first, dtype=np.int64)
        self._second: Final = np.array([names.index(b) for _, b in vectors], dtype=np.int64)
        self._chain: Final = build_chain(robot, robot.hand_joints, PALM, names)
        count = len(robot.arm_joints)
        self.lower: Final = robot.limits.lower[count:].copy()
        self.upper: Final = robot.limits.upper[count:].copy()
        self._beta, self._delta = float(beta), float(delta)
        self._loss: Final = _LOSSES[loss]
        self._max_iterations, self._tolerance = int(max_iterations), float(tolerance)
        start = 0.5 * (self.lower + self.upper)
        self.solve(np.zeros((len(vectors), 3)), np.ones(len(vectors)), start)  # compiles

    def __len__(self) -> int:
        return len(self._first)

    def solve(
        self,
        targets: FloatArray,
        weights: FloatArray,
        q_last: FloatArray,
        *,
        start: FloatArray | None = None,
        lower: FloatArray | None = None,
        upper: FloatArray | None = None,
    ) -> HandSolution:
        """Return the nearest posture.

        Args:
            targets: (T, 3) wanted vectors in the axes of `palm` [m]; NaN where the weight is 0.
            weights: (T,) >= 0 [1].
            q_last: (J,) where the change is counted from.
            start: (J,) where the search starts; q_last if None.
            lower: (J,) tighter bounds than the joint limits, e.g. of the speed.
            upper: (J,) the same.

        Raises:
            ShapeError: An array has the wrong shape.
            NotFiniteError: A weight, a joint, or a target with a weight is not finite.
        """
        size = len(self.lower)
        weight = plain(checked(weights, (len(self),), 'weights'))
        if (weight < 0).any():
            raise ConfigError('weights must be >= 0')
        target = plain(checked(targets, (len(self), 3), 'targets', finite=False))
        used = weight > 0
        checked(target[used], (None, 3), 'targets with a weight')
        last = plain(checked(q_last, (size,), 'q_last'))
        q = last.copy() if start is None else plain(checked(start, (size,), 'start'))
        low = plain(self.lower if lower is None else np.maximum(self.lower, lower))
        high = plain(self.upper if upper is None else np.minimum(self.upper, upper))
        objective, iterations = hand_kernels.minimise(
            self._chain, q, np.minimum(low, high), high, self._first, self._second, target,
            weight, self._loss, self._delta, self._beta, last, self._max_iterations,
            self._tolerance,
        )  # fmt: skip
        errors = np.linalg.norm(self.vectors(q) - target, axis=1)
        return HandSolution(q, float(objective), errors, int(iterations))

    def objective(
        self, q: FloatArray, targets: FloatArray, weights: FloatArray, q_last: FloatArray
    ) -> tuple[float, FloatArray, FloatArray]:
        """Return the objective at (J,) q, its gradient (J,) and its Hessian (J, J)."""
        size = len(self.lower)
        g, H, H_gauss = np.zeros(size), np.zeros((size, size)), np.zeros((size, size))
        value = hand_kernels.evaluate(
            self._chain, plain(q), self._first, self._second, plain(targets), plain(weights),
            self._loss, self._delta, self._beta, plain(q_last), True, g, H, H_gauss,
        )  # fmt: skip
        return float(value), g, H

    def vectors(self, q: FloatArray) -> FloatArray:
        """Return (T, 3) the vectors at (J,) joint positions, in the axes of `palm` [m]."""
        points = point_positions(self._chain, q)
        start = np.where(self._first[:, None] < 0, 0.0, points[self._first])
        difference: FloatArray = points[self._second] - start
        return difference


def point_positions(chain: Chain, q: FloatArray) -> FloatArray:
    """Return (M, 3) the points of a chain in its reference frame [m]."""
    count = len(chain.parent)
    rotation, position = np.empty((count, 3, 3)), np.empty((count, 3))
    points = np.empty((len(chain.point_joint), 3))
    kernels.place_points(chain, plain(q), rotation, position, points)
    return points
