"""Joint refinement of a hand-eye calibration on what all pictures show.

Unknown are the pose of the camera, that of the board, constant offsets of the joints, the scale
of the print and the camera matrix; the last three have priors, so that what the data cannot tell
stays at its nominal value and widens the expected error instead. Noise of the joints at each pose
is no unknown: it is integrated out, by whitening a pose's residuals with the covariance that it
causes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import cv2
import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from mimic_calibration.detection import solve_view
from mimic_calibration.errors import CalibrationError
from mimic_calibration.hand_eye import (
    MIN_POSES,
    HandEye,
    Sample,
    carrier_pose,
    check_motion,
    view_deviation,
)
from mimic_calibration.kinematics import Arm
from mimic_core.arrays import FloatArray
from mimic_core.camera import Intrinsics
from mimic_core.errors import ConfigError
from mimic_core.frames import inverse, transform

_ROUNDS: Final = 3  # whitening again at the new solution
_ROBUST: Final = 2.5  # [1] standard deviations where residuals begin to count less
_REJECT_CHANCE: Final = 1e-4  # [1] that a good pose is rejected, if the noise is as assumed
_REJECT_RATIO: Final = 8.0  # [1] or worse than the median pose by this
_REJECT_ALWAYS: Final = 10.0  # [1] times the limit of good data, whatever the others do
_MAX_REJECTED: Final = 0.4  # [1] share of the poses
_LEAST_PIXEL_NOISE: Final = 0.05  # [px]
_FOLDS: Final = 5
_DOF: Final = 6  # of a pose


@dataclass(frozen=True)
class Assumptions:
    """Standard deviations; 0 holds a value where it is."""

    joint_noise: float = float(np.radians(0.04))  # [rad] of each joint at each pose
    joint_offset: float = float(np.radians(0.05))  # [rad], constant
    scale: float = 0.002  # [1] of the print
    focal: float = 0.002  # [1] of the focal lengths, relative
    centre: float = 1.5  # [px] of the principal point

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0.0 <= value < np.inf:
                raise ConfigError(f'assumption {name} = {value} is not a standard deviation')


@dataclass(frozen=True)
class PoseResidual:
    """How well one pose fits."""

    name: str
    pixels: float  # [px] root mean square
    shift: float  # [m] the board by PnP off where it should be
    turn: float  # [rad]
    used: bool
    held_out: bool  # measured with a solution that did not see it


@dataclass(frozen=True)
class Refined:
    """What the refinement gives."""

    solution: HandEye
    joint_offsets: FloatArray  # (A,) [rad], added to what is measured
    scale: float  # [1] real over nominal size of the board
    intrinsics: Intrinsics
    pixel_noise: float  # [px]
    covariance: FloatArray  # (6, 6) of the camera's pose: shift [m], turn [rad], its own axes
    fit: float  # [1] reduced chi square: 1 when the assumptions hold
    point_error: float  # [m] expected, of a point where the board was
    residuals: tuple[PoseResidual, ...]
    held_out: tuple[PoseResidual, ...]

    @property
    def shift_error(self) -> float:
        """[m] expected error of the camera's position, one standard deviation."""
        return float(np.sqrt(np.trace(self.covariance[:3, :3])))

    @property
    def turn_error(self) -> float:
        """[rad] expected error of the camera's orientation, one standard deviation."""
        return float(np.sqrt(np.trace(self.covariance[3:, 3:])))

    @property
    def rejected(self) -> tuple[str, ...]:
        """Names of the poses that do not fit."""
        return tuple(r.name for r in self.residuals if not r.used)


def refine(
    start: HandEye,
    samples: Sequence[Sample],
    arm: Arm,
    intrinsics: Intrinsics,
    assumptions: Assumptions | None = None,
    *,
    hold_out: bool = True,
) -> Refined:
    """Return the best solution near a start, without the poses that do not fit.

    Args:
        start: Within some centimetres and degrees.
        samples: N pictures with joints.
        arm: Its kinematics.
        intrinsics: Of the camera.
        assumptions: How exact robot, print and intrinsics are.
        hold_out: Also solve without each fifth of the poses, and measure on those.

    Raises:
        CalibrationError: Too few poses are left, or too many contradict the rest.
    """
    given = Assumptions() if assumptions is None else assumptions
    views = [solve_view(s.detection, intrinsics) for s in samples]
    # PnP fits six values of its own to each picture.
    share = [len(s.detection) * 2 / max(len(s.detection) * 2 - _DOF, 2) for s in samples]
    noise = float(np.median([v.rms / np.sqrt(2.0) * np.sqrt(k)
                             for v, k in zip(views, share, strict=True)]))  # fmt: skip
    noise = max(noise, _LEAST_PIXEL_NOISE)
    used = np.ones(len(samples), dtype=bool)
    problem = _Problem(start, samples, arm, intrinsics, given, noise)
    state = problem.start()
    while True:
        state = problem.solve(state, used)
        distances = problem.pose_distances(state)  # (N,) chi square of _DOF degrees
        least = float(chi2.isf(_REJECT_CHANCE, _DOF))
        limit = np.clip(_REJECT_RATIO * np.median(distances), least, _REJECT_ALWAYS * least)
        wrong = used & (distances > limit)
        if not wrong.any():
            break
        # The worst first: it may have pulled the others.
        bad = np.flatnonzero(wrong)[np.argsort(-distances[wrong])][: max(1, len(samples) // 10)]
        used[bad] = False
        if (~used).sum() > _MAX_REJECTED * len(samples) or used.sum() < MIN_POSES:
            raise CalibrationError(
                f'{int((~used).sum())} of {len(samples)} poses contradict the others '
                f'({", ".join(samples[i].name for i in np.flatnonzero(~used)[:8])}): are pictures '
                'and joint states of the same moment, was the board or the camera loose?'
            )
        if (distances[~used] < 0.5 * limit).any():  # a worse one had pulled it
            used |= distances < 0.5 * limit
            used[bad] = False
    check_motion([arm.flange_pose(s.q) for s, ok in zip(samples, used, strict=True) if ok])
    covariance, fit = problem.covariance(state, used)
    solution, offsets, scale, optics = problem.unpack(state)
    distance = float(np.median([v.distance for v in views]))
    lever = np.hstack([np.eye(3), -_skew(np.array([0.0, 0.0, distance]))])
    point_error = float(np.sqrt(np.trace(lever @ covariance @ lever.T)))
    return Refined(
        solution,
        offsets,
        scale,
        optics,
        noise,
        covariance,
        fit,
        point_error,
        problem.residuals(state, used, held_out=False),
        _held_out(problem, state, used) if hold_out else (),
    )


def _held_out(problem: '_Problem', state: FloatArray, used: '_Mask') -> tuple[PoseResidual, ...]:
    """Return the residuals of each used pose with a solution made without it."""
    numbers = np.flatnonzero(used)
    found: dict[int, PoseResidual] = {}
    folds = min(_FOLDS, len(numbers))
    for fold in range(folds):
        out = numbers[fold::folds]
        rest = used.copy()
        rest[out] = False
        if rest.sum() < 3:
            continue
        other = problem.solve(state, rest, rounds=1)
        rows = problem.residuals(other, rest, held_out=True)
        found.update({int(i): replace(rows[i], used=True) for i in out})
    return tuple(found[i] for i in sorted(found))


_Mask = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


class _Problem:
    """Residuals and derivatives. State: camera (6), board (6), offsets (A), ln scale, f f c c."""

    def __init__(
        self,
        start: HandEye,
        samples: Sequence[Sample],
        arm: Arm,
        intrinsics: Intrinsics,
        assumptions: Assumptions,
        pixel_noise: float,
    ) -> None:
        self._origin, self._samples, self._arm = start, samples, arm
        self._intrinsics, self._given, self._noise = intrinsics, assumptions, pixel_noise
        joints = len(arm.joints)
        self._offsets = slice(12, 12 + joints)
        self._scale = 12 + joints
        self._optics = slice(13 + joints, 17 + joints)
        self._size = 17 + joints
        sigma = np.full(self._size, np.inf)
        sigma[self._offsets] = assumptions.joint_offset
        sigma[self._scale] = assumptions.scale
        focal = assumptions.focal * 0.5 * (intrinsics.fx + intrinsics.fy)
        sigma[self._optics] = [focal, focal, assumptions.centre, assumptions.centre]
        self._free = sigma > 0.0
        self._sigma = sigma

    def start(self) -> FloatArray:
        """Return the state of the start."""
        return np.zeros(self._size)

    def unpack(self, state: FloatArray) -> tuple[HandEye, FloatArray, float, Intrinsics]:
        """Return solution, joint offsets (A,), scale and intrinsics of a state."""
        fx, fy, cx, cy = state[self._optics]
        old = self._intrinsics
        optics = replace(old, fx=old.fx + fx, fy=old.fy + fy, cx=old.cx + cx, cy=old.cy + cy)
        solution = replace(
            self._origin,
            reference_T_camera=self._origin.reference_T_camera @ _moved(state[:6]),
            carrier_T_board=self._origin.carrier_T_board @ _moved(state[6:12]),
        )
        return solution, state[self._offsets].copy(), float(np.exp(state[self._scale])), optics

    def solve(self, state: FloatArray, used: _Mask, rounds: int = _ROUNDS) -> FloatArray:
        """Return the best state near one, from the poses that are used."""
        free = self._free
        for _ in range(rounds):
            whitening = [
                self._whitening(self._linear(state, i)[2]) if ok else None
                for i, ok in enumerate(used)
            ]

            stack = _Last(partial(self._stack_free, state, whitening))
            found = least_squares(
                stack.values, state[free], stack.slopes, method='trf', loss='soft_l1',
                f_scale=_ROBUST, x_scale='jac', xtol=1e-10, ftol=1e-10, max_nfev=60,
            )  # fmt: skip
            new = self._full(found.x, state)
            done = np.abs(new - state).max() < 1e-9
            state = new
            if done:
                break
        return state

    def _stack_free(
        self, state: FloatArray, whitening: '_Whitenings', x: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        values, slopes = self._stack(self._full(x, state), whitening)
        return values, slopes[:, self._free]

    def _full(self, x: FloatArray, state: FloatArray) -> FloatArray:
        full = state.copy()
        full[self._free] = x
        return full

    def _stack(self, state: FloatArray, whitening: '_Whitenings') -> tuple[FloatArray, FloatArray]:
        """Return white residuals and their derivatives, the priors last."""
        values, slopes = [], []
        for number, white in enumerate(whitening):
            if white is None:
                continue
            error, slope, _ = self._linear(state, number)
            values.append(white.apply(error))
            slopes.append(white.apply(slope))
        prior = np.flatnonzero(self._free & np.isfinite(self._sigma))
        values.append(state[prior] / self._sigma[prior])
        slopes.append(np.eye(self._size)[prior] / self._sigma[prior, None])
        return np.concatenate(values), np.concatenate(slopes)

    def _linear(self, state: FloatArray, number: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return (2P,) residuals [px], their derivatives (2P, S) and those of the joints."""
        solution, offsets, scale, optics = self.unpack(state)
        sample = self._samples[number]
        q = sample.q + offsets
        body = self._arm.jacobian(q)  # (6, A)
        motion = carrier_pose(solution.mount, self._arm.flange_pose(q))
        camera_T_carrier = inverse(solution.reference_T_camera) @ motion
        board = scale * sample.detection.points
        in_carrier = board @ solution.carrier_T_board[:3, :3].T + solution.carrier_T_board[:3, 3]
        seen = in_carrier @ camera_T_carrier[:3, :3].T + camera_T_carrier[:3, 3]
        pixels, raw = cv2.projectPoints(
            seen, np.zeros(3), np.zeros(3), optics.matrix, np.asarray(optics.distortion)
        )
        count = len(seen)
        per_point = raw[:, 3:6].reshape(count, 2, 3)  # [px/m]
        error = (pixels[:, 0] - sample.detection.pixels).ravel()

        slope = np.zeros((2 * count, self._size))
        turn = camera_T_carrier[:3, :3] @ solution.carrier_T_board[:3, :3]
        camera = np.concatenate([np.tile(-np.eye(3), (count, 1, 1)), _skews(seen)], axis=2)
        moved = np.concatenate([np.tile(turn, (count, 1, 1)), -turn @ _skews(board)], axis=2)
        slope[:, :6] = (per_point @ camera).reshape(-1, 6) @ _inner(state[:6])
        slope[:, 6:12] = (per_point @ moved).reshape(-1, 6) @ _inner(state[6:12])
        if solution.mount == 'eye_to_hand':
            frame, arms = camera_T_carrier[:3, :3], in_carrier
        else:
            frame = -inverse(solution.reference_T_camera)[:3, :3]
            arms = in_carrier @ motion[:3, :3].T + motion[:3, 3]
        flange = np.concatenate([np.tile(frame, (count, 1, 1)), -frame @ _skews(arms)], axis=2)
        joints = (per_point @ flange).reshape(-1, 6) @ body
        slope[:, self._offsets] = joints
        slope[:, self._scale] = (per_point @ (board @ turn.T)[:, :, None]).reshape(-1)
        slope[:, self._optics] = raw[:, 6:10]
        return error, slope, joints

    def _whitening(self, joints: FloatArray) -> '_Whitening':
        return _Whitening.of(joints, self._given.joint_noise, self._noise)

    def pose_distances(self, state: FloatArray) -> FloatArray:
        """Return (N,) chi square of each pose as a whole: of the pose that would fit it best."""
        distances = []
        for number in range(len(self._samples)):
            error, slope, joints = self._linear(state, number)
            white = self._whitening(joints)
            basis, _ = np.linalg.qr(white.apply(slope[:, 6:12]))  # the board moved by six values
            distances.append(float(np.sum((basis.T @ white.apply(error)) ** 2)))
        return np.array(distances)

    def covariance(self, state: FloatArray, used: _Mask) -> tuple[FloatArray, float]:
        """Return (6, 6) of the camera's pose, and the reduced chi square."""
        whitening = [
            self._whitening(self._linear(state, i)[2]) if ok else None for i, ok in enumerate(used)
        ]
        slope = self._stack(state, whitening)[1]
        distances = self.pose_distances(state)[used]
        unknown = min(12, len(distances) * _DOF - 1)
        # By poses, not by points: the noise of a pose is common to its points.
        fit = float(distances.sum() / (len(distances) * _DOF - unknown))
        free = slope[:, self._free]
        information = free.T @ free
        if np.linalg.cond(information / np.outer(*(2 * [np.sqrt(np.diag(information))]))) > 1e12:
            raise CalibrationError('the poses do not fix the camera: turn the gripper more')
        covariance = np.asarray(np.linalg.inv(information)[:6, :6], np.float64)
        return covariance * max(fit, 1.0), fit

    def residuals(
        self, state: FloatArray, used: _Mask, *, held_out: bool
    ) -> tuple[PoseResidual, ...]:
        """Return how well each pose fits a state."""
        solution, offsets, scale, optics = self.unpack(state)
        rows = []
        for number, sample in enumerate(self._samples):
            error, _, _ = self._linear(state, number)
            # The board as it is, not as it was meant.
            detection = replace(sample.detection, points=scale * sample.detection.points)
            predicted = solution.board_in_camera(self._arm.flange_pose(sample.q + offsets))
            shift, turn = view_deviation(solve_view(detection, optics), predicted)
            rows.append(
                PoseResidual(
                    sample.name,
                    float(np.sqrt(np.mean(np.sum(error.reshape(-1, 2) ** 2, axis=1)))),
                    shift,
                    turn,
                    bool(used[number]),
                    held_out,
                )
            )
        return tuple(rows)


class _Last:
    """Keeps what a function of an array returned last: values and slopes are asked for in turn."""

    def __init__(self, function: Callable[[FloatArray], tuple[FloatArray, FloatArray]]) -> None:
        self._function = function
        self._at: FloatArray | None = None
        self._result = (np.zeros(0), np.zeros((0, 0)))

    def values(self, x: FloatArray) -> FloatArray:
        return self._of(x)[0]

    def slopes(self, x: FloatArray) -> FloatArray:
        return self._of(x)[1]

    def _of(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        if self._at is None or not np.array_equal(x, self._at):
            self._at, self._result = x.copy(), self._function(x)
        return self._result


@dataclass(frozen=True)
class _Whitening:
    """Takes residuals with covariance noise^2 I + joint_noise^2 J J' to unit covariance."""

    basis: FloatArray  # (2P, K)
    shrink: FloatArray  # (K,) [1]
    noise: float  # [px]

    @classmethod
    def of(cls, joints: FloatArray, joint_noise: float, noise: float) -> '_Whitening':
        """Args: joints: (2P, A) [px/rad]; joint_noise: [rad]; noise: [px]."""
        basis, values, _ = np.linalg.svd(joints, full_matrices=False)
        shrink = 1.0 - 1.0 / np.sqrt(1.0 + (joint_noise * values / noise) ** 2)
        return cls(basis, shrink, noise)

    def apply(self, rows: FloatArray) -> FloatArray:
        """Return white (2P,) or (2P, S)."""
        along = self.basis.T @ rows
        scaled = self.shrink * along if along.ndim == 1 else self.shrink[:, None] * along
        white: FloatArray = (rows - self.basis @ scaled) / self.noise
        return white


_Whitenings = list[_Whitening | None]


def _skew(v: FloatArray) -> FloatArray:
    x, y, z = v
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def _skews(points: FloatArray) -> FloatArray:
    """Return (P, 3, 3) the matrices of the cross products with (P, 3)."""
    matrices = np.zeros((len(points), 3, 3))
    x, y, z = points.T
    matrices[:, 0, 1], matrices[:, 0, 2], matrices[:, 1, 2] = -z, y, -x
    matrices[:, 1, 0], matrices[:, 2, 0], matrices[:, 2, 1] = z, -y, x
    return matrices


def _moved(delta: FloatArray) -> FloatArray:
    """Return the transform of shift (3,) [m] and rotation vector (3,) [rad]."""
    return transform(Rotation.from_rotvec(delta[3:]).as_matrix(), delta[:3])


def _inner(delta: FloatArray) -> FloatArray:
    """Return (6, 6): change of `_moved(delta)` in its own axes, by change of delta."""
    angle = float(np.linalg.norm(delta[3:]))
    cross = _skew(delta[3:])
    first = 0.5 if angle < 1e-6 else (1.0 - np.cos(angle)) / angle**2
    second = 1.0 / 6.0 if angle < 1e-4 else (angle - np.sin(angle)) / angle**3
    matrix = np.zeros((6, 6))
    matrix[:3, :3] = Rotation.from_rotvec(delta[3:]).as_matrix().T
    matrix[3:, 3:] = np.eye(3) - first * cross + second * cross @ cross
    return matrix
