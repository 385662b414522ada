"""Inverse kinematics of the arm: position first, then orientation, then posture."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import ConfigError
from mimic_core.frames import BASE, FLANGE, PALM, transform
from mimic_core.limits import JointLimits
from mimic_description import RobotModel
from mimic_retargeting import arm_kernels, arm_step
from mimic_retargeting.compiled import plain
from mimic_retargeting.tables import build_chain

# Orders of magnitude between the levels: 1 rad that cannot be reached costs 0.03 mm of position.
_STIFF: Final = np.array([1e7, 1e2, 1e-2])  # [1/m²], [1/rad²], [1/rad²]
_LEVER: Final = 0.3  # [m] makes an error of 1 rad as bad as one of 0.3 m in the global search
_SEARCH: Final = np.array([1.0 / _LEVER**2, 1.0, 0.0])
# Singular values [m] below which position and pose are damped, and the greatest damping [m].
_SINGULARITY: Final = np.array([0.01, 0.005, 0.005, 0.002])
_POSITION_THEN_TURN: Final = ((1.0, 0.0, 0.0), (1e7, 1.0, 0.0))  # [1/m², 1/rad², –]
_SOFT_THEN_STIFF: Final = ((1e2, 1.0, 0.0), (1e4, 1.0, 0.0), (1e6, 1.0, 0.0))
_ENOUGH: Final = 12  # searches for the nearest posture, when their positions are reached
_ZERO: Final = np.zeros(3)


@dataclass(frozen=True)
class IkResult:
    """What the solver found."""

    q: FloatArray  # (A,) joints of the arm [rad] or [m], within limits
    reached: bool  # both errors are within the tolerance that was asked for
    position_error: float  # [m]
    rotation_error: float  # [rad]
    starts: int  # how many were tried


class ArmIK:
    """Follows poses of one frame with the joints of the arm, A of them.

    `solve` looks for any posture of a pose; `step` follows a pose in time and keeps the limits of
    speed and acceleration. Poses are in `base_link`. Where a pose cannot be reached, its position
    comes first; what freedom is left pulls towards `posture`.
    """

    def __init__(
        self,
        robot: RobotModel,
        frame: str | None = None,
        *,
        limits: JointLimits | None = None,
        posture: FloatArray | None = None,
        posture_speed: float = 0.3,
        max_iterations: int = 12,
    ) -> None:
        """Prepare the tables and compile the loops.

        Args:
            robot: Robot with an arm.
            frame: The frame that is followed; `palm` where there is a hand, else `flange`.
            limits: (A) of the arm; the robot's own if None.
            posture: (A,) wanted where the pose leaves freedom; home if None.
            posture_speed: How fast each joint is drawn there at most [rad/s].
            max_iterations: Of each solve in `step`.

        Raises:
            ConfigError: The robot has no arm.
            UnknownFrameError: There is no such frame.
        """
        count = len(robot.arm_joints)
        if count == 0:
            raise ConfigError('the robot has no arm')
        name = frame or (PALM if robot.hand is not None else FLANGE)
        self.joints: Final = robot.arm_joints
        self.limits: Final = limits or robot.limits.select(list(range(count)))
        self.posture: Final = checked(
            robot.home[:count] if posture is None else posture, (count,), 'posture'
        ).copy()
        self._chain: Final = build_chain(robot, robot.arm_joints, BASE, [name])
        self._bounds: Final = np.stack(
            [
                self.limits.lower,
                self.limits.upper,
                self.limits.max_speed,
                self.limits.max_acceleration,
            ]
        )
        self._posture_speed, self._max_iterations = float(posture_speed), int(max_iterations)
        self._speed: Final = np.zeros(count)
        self._goal: Final = np.zeros(count)
        self._fresh = True
        here = self.pose(self.posture)  # the next lines compile all that may ever be called
        far = here.copy()
        far[0, 3] += 100.0
        self.solve(far, self.posture, max_starts=2)
        self.step(self.posture, here, 0.01)
        self.reset()

    @property
    def speed(self) -> FloatArray:
        """(A,) joint speeds of the last step [rad/s]."""
        return self._speed.copy()

    def reset(self, speed: FloatArray | None = None) -> None:
        """Forget the last step: the arm rests, or moves at (A,) joint speeds [rad/s]."""
        self._speed[:] = 0.0 if speed is None else checked(speed, self._speed.shape, 'speed')
        self._fresh = True

    def pose(self, q: FloatArray, tool: FloatArray = _ZERO) -> FloatArray:
        """Return base_T_frame (4, 4) at (A,) joint positions.

        Args:
            q: (A,) joint positions.
            tool: (3,) point of the frame to give instead of its origin [m].
        """
        count = len(self._chain.parent)
        rotation, position = np.empty((count, 3, 3)), np.empty((count, 3))
        tool_R, tool_p = np.empty((3, 3)), np.empty(3)
        arm_kernels.place_tool(
            self._chain, plain(checked(q, self._speed.shape, 'q')),
            plain(checked(tool, (3,), 'tool')), rotation, position, tool_R, tool_p,
        )  # fmt: skip
        return transform(tool_R, tool_p)

    def jacobian(self, q: FloatArray, tool: FloatArray = _ZERO) -> FloatArray:
        """Return (6, A): change of place [m] and rotation [rad] of the frame in base_link."""
        count = len(self._chain.parent)
        rotation, position = np.empty((count, 3, 3)), np.empty((count, 3))
        tool_R, tool_p = np.empty((3, 3)), np.empty(3)
        jacobian = np.empty((6, len(self._speed)))
        arm_kernels.place_tool(
            self._chain, plain(q), plain(tool), rotation, position, tool_R, tool_p
        )
        arm_kernels.tool_jacobian(
            self._chain, rotation, position, tool_p, np.empty((count, 3)), jacobian
        )
        return jacobian

    def solve(
        self,
        target_T: FloatArray,
        q0: FloatArray | None = None,
        *,
        tool: FloatArray = _ZERO,
        rng: np.random.Generator | None = None,
        max_starts: int = 60,
        position_tolerance: float = 1e-4,
        rotation_tolerance: float = 1e-3,
    ) -> IkResult:
        """Return joints that reach a pose, searched from several starts.

        Args:
            target_T: (4, 4) wanted pose in base_link.
            q0: (A,) where the first search starts; `posture` if None.
            tool: (3,) the followed point in the frame [m].
            rng: Draws the other starts; a fixed one if None.
            max_starts: How many at most.
            position_tolerance: [m].
            rotation_tolerance: [rad].

        Returns:
            The first posture that reaches the pose; else the one that is nearest in position (to
            a tenth of the tolerance), and among those in orientation.
        """
        target = _pose(target_T)
        size = len(self._speed)
        generator = np.random.default_rng(0) if rng is None else rng
        lower, upper = self._bounds[0], self._bounds[1]
        starts = lower + (upper - lower) * generator.random((max(max_starts, 2), size))
        starts[0] = self.posture if q0 is None else self.limits.clip(checked(q0, (size,), 'q0'))
        starts[1] = self.posture
        point = plain(checked(tool, (3,), 'tool'))
        turn, place = plain(target[:3, :3]), plain(target[:3, 3])
        best, error = np.empty(size), np.empty(6)
        tried = arm_kernels.search(
            self._chain, starts, lower, upper, point, turn, place, _SEARCH, position_tolerance,
            rotation_tolerance, 40, best, error,
        )  # fmt: skip
        reached = tried <= len(starts)
        if not reached:
            best, error = self._nearest(
                np.vstack([best, starts]), point, turn, place, 0.1 * position_tolerance
            )
        offset, angle = float(np.linalg.norm(error[:3])), float(np.linalg.norm(error[3:]))
        return IkResult(best, reached, offset, angle, min(tried, len(starts)))

    def _nearest(
        self,
        starts: FloatArray,
        point: FloatArray,
        turn: FloatArray,
        place: FloatArray,
        grain: float,
    ) -> tuple[FloatArray, FloatArray]:
        """Return the posture of the nearest position and then orientation, with its (6,) error."""
        none, nothing = np.empty((0, starts.shape[1])), np.empty(0)
        best, best_error, best_key = starts[0], np.full(6, np.inf), (np.inf, np.inf)
        for tried, start in enumerate(starts):
            if tried >= _ENOUGH and best_key[0] <= 10.0:
                break
            q, error = start.copy(), np.empty(6)
            # Every other search takes the position first and then turns about it: the stiff
            # problem cannot give away more than a millimetre of it. The others start soft and go
            # further.
            for weights in _POSITION_THEN_TURN if tried % 2 else _SOFT_THEN_STIFF:
                arm_kernels.pose_in_box(
                    self._chain, q, self._bounds[0], self._bounds[1], point, turn, place,
                    np.array(weights), q, q, none, nothing, 0.0, 0.0, 60, error,
                )  # fmt: skip
            key = (
                float(np.round(np.linalg.norm(error[:3]) / grain)),
                float(np.linalg.norm(error[3:])),
            )
            if key < best_key:
                best, best_error, best_key = q, error, key
        return best, best_error

    def step(
        self, q: FloatArray, target_T: FloatArray, dt: float, *, tool: FloatArray = _ZERO
    ) -> IkResult:
        """Return the joints after `dt` on the way to a pose; call it once for each new target.

        Position, speed and acceleration limits hold for the change from `q` to the result,
        counted from the speed of the last step.

        Args:
            q: (A,) the joints after the last step; clipped to the limits.
            target_T: (4, 4) wanted pose in base_link.
            dt: Time since the last step [s], > 0.
            tool: (3,) the followed point in the frame [m].

        Raises:
            ConfigError: dt is not > 0.
            ShapeError: An array has the wrong shape.
            NotFiniteError: An input holds NaN or infinity.
        """
        if not dt > 0:
            raise ConfigError(f'dt must be > 0, not {dt}')
        target = _pose(target_T)
        now = plain(self.limits.clip(checked(q, self._speed.shape, 'q')))
        result, error = np.empty_like(now), np.empty(6)
        arm_step.step_towards(
            self._chain, now, self._speed, self._goal, self._fresh, self._bounds,
            plain(checked(tool, (3,), 'tool')), plain(target[:3, :3]),
            plain(target[:3, 3]), _STIFF, self.posture, self._posture_speed, _SINGULARITY, _LEVER,
            float(dt), self._max_iterations, result, error,
        )  # fmt: skip
        self._fresh = False
        offset, angle = float(np.linalg.norm(error[:3])), float(np.linalg.norm(error[3:]))
        return IkResult(result, offset < 1e-4 and angle < 1e-3, offset, angle, 1)


def _pose(target_T: FloatArray) -> FloatArray:
    """Return a checked (4, 4) pose."""
    target = checked(target_T, (4, 4), 'target')
    if abs(float(np.linalg.det(target[:3, :3])) - 1.0) > 1e-3:
        raise ConfigError('the target is not a pose: its rotation has no determinant of 1')
    return target
