"""Hand-eye calibration: the data, and OpenCV's solvers for a start.

One form serves both mounts. With `reference` the frame that is looked for,

    camera_T_board = inverse(reference_T_camera) @ A @ carrier_T_board

- eye to hand: reference = base_link, carrier = flange, A = base_T_flange;
- eye in hand: reference = flange, carrier = base_link, A = flange_T_base.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from mimic_calibration.detection import BoardView, Detection
from mimic_calibration.errors import CalibrationError
from mimic_calibration.kinematics import Arm
from mimic_core.arrays import FloatArray
from mimic_core.camera import Intrinsics
from mimic_core.frames import BASE, FLANGE, inverse, transform

Mount = Literal['eye_to_hand', 'eye_in_hand']
MOUNTS: Final = ('eye_to_hand', 'eye_in_hand')

MIN_POSES: Final = 5  # solvers need 3; below this an error cannot be told from the truth
SOLVERS: Final = {
    'tsai': cv2.CALIB_HAND_EYE_TSAI,
    'park': cv2.CALIB_HAND_EYE_PARK,
    'horaud': cv2.CALIB_HAND_EYE_HORAUD,
    'andreff': cv2.CALIB_HAND_EYE_ANDREFF,
    'daniilidis': cv2.CALIB_HAND_EYE_DANIILIDIS,
}
ROBOT_WORLD_SOLVERS: Final = {
    'shah': cv2.CALIB_ROBOT_WORLD_HAND_EYE_SHAH,
    'li': cv2.CALIB_ROBOT_WORLD_HAND_EYE_LI,
}
_SPREAD_LIMIT: Final = np.radians(3.0)  # [rad] rotations about a second axis below this are none
_SAME_POSE: Final = np.radians(1.0)  # [rad]


@dataclass(frozen=True)
class Sample:
    """One picture of the board with the joints at that moment."""

    name: str
    q: FloatArray  # (A,) measured [rad]
    detection: Detection


@dataclass(frozen=True)
class HandEye:
    """A solution."""

    mount: Mount
    reference_T_camera: FloatArray  # (4, 4)
    carrier_T_board: FloatArray  # (4, 4)

    @property
    def reference(self) -> str:
        """The frame in which the camera is fixed."""
        return BASE if self.mount == 'eye_to_hand' else FLANGE

    @property
    def carrier(self) -> str:
        """The frame in which the board is fixed."""
        return FLANGE if self.mount == 'eye_to_hand' else BASE

    def board_in_camera(self, base_T_flange: FloatArray) -> FloatArray:
        """Return (4, 4) where the camera should see the board."""
        motion = carrier_pose(self.mount, base_T_flange)
        return inverse(self.reference_T_camera) @ motion @ self.carrier_T_board


def carrier_pose(mount: Mount, base_T_flange: FloatArray) -> FloatArray:
    """Return A of the module's equation."""
    return base_T_flange if mount == 'eye_to_hand' else inverse(base_T_flange)


@dataclass(frozen=True)
class RotationSpread:
    """How much the poses turn."""

    largest: float  # [rad] angle between two poses
    axes: FloatArray  # (3, 3) columns, in the flange frame, most turned about first
    angles: FloatArray  # (3,) [rad] root mean square of the turns about each

    @property
    def second(self) -> float:
        """[rad] about the second axis; near zero the problem has no unique solution."""
        return float(self.angles[1])


def rotation_spread(base_T_flange: Sequence[FloatArray]) -> RotationSpread:
    """Return how much (N) poses turn between each other."""
    rotations = Rotation.from_matrix(np.array([pose[:3, :3] for pose in base_T_flange]))
    first, second = np.triu_indices(len(base_T_flange), 1)
    turns = (rotations[first].inv() * rotations[second]).as_rotvec()  # (M, 3)
    scatter = turns.T @ turns / max(len(turns), 1)
    values, axes = np.linalg.eigh(scatter)
    return RotationSpread(
        float(np.linalg.norm(turns, axis=1).max(initial=0.0)),
        axes[:, ::-1],
        np.sqrt(np.maximum(values[::-1], 0.0)),
    )


def check_motion(base_T_flange: Sequence[FloatArray]) -> RotationSpread:
    """Return the spread of rotations.

    Raises:
        CalibrationError: Too few poses, all the same rotation, or turns about one axis only.
    """
    if len(base_T_flange) < MIN_POSES:
        raise CalibrationError(
            f'{len(base_T_flange)} usable poses: at least {MIN_POSES} are needed, '
            '15 or more make it good'
        )
    spread = rotation_spread(base_T_flange)
    if spread.largest < _SAME_POSE:
        raise CalibrationError(
            'all poses have the same rotation: turn the gripper by 20 to 40 degrees about '
            'different axes between them'
        )
    if spread.second < _SPREAD_LIMIT:
        x, y, z = spread.axes[:, 0]
        raise CalibrationError(
            f'all poses turn about one axis (flange [{x:.2f} {y:.2f} {z:.2f}]): turn about '
            'another one too, by 20 degrees or more'
        )
    return spread


def solve_closed_form(
    mount: Mount,
    base_T_flange: Sequence[FloatArray],
    camera_T_board: Sequence[FloatArray],
) -> dict[str, HandEye]:
    """Return what each of OpenCV's solvers says; those that fail are left out.

    Args:
        mount: Where the camera is.
        base_T_flange: N poses (4, 4).
        camera_T_board: N poses (4, 4), as seen.

    Raises:
        CalibrationError: The motion allows no solution, or no solver found one.
    """
    check_motion(base_T_flange)
    motions = [carrier_pose(mount, pose) for pose in base_T_flange]
    # What OpenCV calls gripper and base is reference and carrier here.
    back = [inverse(pose) for pose in motions]
    seen_r, seen_t = [c[:3, :3] for c in camera_T_board], [c[:3, 3] for c in camera_T_board]
    back_r, back_t = [b[:3, :3] for b in back], [b[:3, 3] for b in back]
    forth_r, forth_t = [m[:3, :3] for m in motions], [m[:3, 3] for m in motions]
    found: dict[str, HandEye] = {}
    for name, method in SOLVERS.items():
        try:
            r, t = cv2.calibrateHandEye(back_r, back_t, seen_r, seen_t, method=method)
        except cv2.error:  # a degenerate system; the other solvers remain
            continue
        camera = _transform(r, t)
        if _is_pose(camera):
            boards = [
                inverse(m) @ camera @ c for m, c in zip(motions, camera_T_board, strict=True)
            ]
            found[name] = HandEye(mount, camera, mean_pose(boards))
    for name, method in ROBOT_WORLD_SOLVERS.items():
        try:
            r, t, camera_r, camera_t = cv2.calibrateRobotWorldHandEye(
                seen_r, seen_t, forth_r, forth_t, method=method
            )
        except cv2.error:
            continue
        # Board to carrier reads there base to world, reference to camera gripper to camera.
        board = inverse(_transform(r, t))
        camera = inverse(_transform(camera_r, camera_t))
        if _is_pose(camera) and _is_pose(board):
            found[name] = HandEye(mount, camera, board)
    if not found:
        raise CalibrationError('no solver finds a solution: the data contradict each other')
    return found


def _transform(rotation: Any, shift: Any) -> FloatArray:
    return transform(np.asarray(rotation, np.float64), np.asarray(shift, np.float64).ravel())


def _is_pose(matrix: FloatArray) -> bool:
    rotation = matrix[:3, :3]
    return bool(
        np.isfinite(matrix).all()
        and np.abs(rotation @ rotation.T - np.eye(3)).max() < 1e-3
        and np.linalg.det(rotation) > 0
        and np.linalg.norm(matrix[:3, 3]) < 20.0
    )


def mean_pose(poses: Sequence[FloatArray]) -> FloatArray:
    """Return the pose in the middle of several, robust against a minority that is wrong."""
    stack = np.array(poses)
    shift = np.median(stack[:, :3, 3], axis=0)
    away = Rotation.from_matrix(stack[:, :3, :3])
    middle = away.mean()
    for _ in range(20):  # geometric median on the rotations
        turns = (middle.inv() * away).as_rotvec()
        weights = 1.0 / np.maximum(np.linalg.norm(turns, axis=1), 1e-6)
        step = (weights[:, None] * turns).sum(axis=0) / weights.sum()
        middle = middle * Rotation.from_rotvec(step)
    return transform(middle.as_matrix(), shift)


def point_errors(
    solution: HandEye, samples: Sequence[Sample], arm: Arm, intrinsics: Intrinsics
) -> list[FloatArray]:
    """Return for each sample (P, 2) predicted less seen pixels [px]."""
    errors = []
    for sample in samples:
        pose = solution.board_in_camera(arm.flange_pose(sample.q))
        errors.append(project(pose, sample.detection.points, intrinsics) - sample.detection.pixels)
    return errors


def project(camera_T_board: FloatArray, points: FloatArray, intrinsics: Intrinsics) -> FloatArray:
    """Return (P, 2) distorted pixels of (P, 3) points [m] of the board."""
    rvec, _ = cv2.Rodrigues(camera_T_board[:3, :3])
    pixels, _ = cv2.projectPoints(
        points, rvec, camera_T_board[:3, 3], intrinsics.matrix, np.asarray(intrinsics.distortion)
    )
    return np.asarray(pixels[:, 0], np.float64)


def best_of(
    solutions: dict[str, HandEye], samples: Sequence[Sample], arm: Arm, intrinsics: Intrinsics
) -> str:
    """Return the solver whose solution has the least median error in the pictures."""
    scores = {
        name: float(np.median(np.linalg.norm(
            np.concatenate(point_errors(solution, samples, arm, intrinsics)), axis=1
        )))
        for name, solution in solutions.items()
    }  # fmt: skip
    return min(scores, key=lambda name: scores[name])


def view_deviation(seen: BoardView, predicted: FloatArray) -> tuple[float, float]:
    """Return by how much a board seen by PnP lies off where it should be [m], [rad]."""
    delta = inverse(predicted) @ seen.camera_T_board
    return (
        float(np.linalg.norm(delta[:3, 3])),
        float(Rotation.from_matrix(delta[:3, :3]).magnitude()),
    )
