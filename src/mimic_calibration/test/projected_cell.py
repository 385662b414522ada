"""Cells without pictures: points are projected, so that tests are fast and the truth is known."""

from dataclasses import replace

import numpy as np

from mimic_calibration.board import Board
from mimic_calibration.detection import Detection
from mimic_calibration.hand_eye import HandEye, Sample, project
from mimic_calibration.kinematics import Arm
from mimic_calibration.proposal import solve_ik
from mimic_core.camera import Intrinsics
from mimic_core.frames import from_xyz_rpy, inverse, look_at, rotation_angle

OPTICS = Intrinsics(640, 480, 605.0, 607.0, 322.0, 237.0, (0.05, -0.12, 4e-4, -3e-4, 0.0))


class Cell:
    """Poses of a board in front of a camera, as a robot would bring them there."""

    def __init__(self, mount: str, arm: str = 'iiwa14', board: Board | None = None) -> None:
        self.arm, self.board = Arm(arm), board or Board()
        self.optics = OPTICS
        centre = self.board.centre()
        if mount == 'eye_to_hand':
            camera = look_at(np.array([1.3, 0.2, 0.6]), np.array([0.5, 0, 0.4]), np.eye(3)[2])
            carrier_T_board = from_xyz_rpy([-centre[0], centre[1], 0.15], [np.pi, 0.03, 0.02])
        else:
            camera = from_xyz_rpy([0.02, -0.1, 0.05], [-0.25, 0.03, 0.1])
            carrier_T_board = from_xyz_rpy([0.5, centre[1], 0.01], [np.pi, 0.02, 0.01])
        self.truth = HandEye(mount, camera, carrier_T_board)

    def flanges(self, count: int, rng: np.random.Generator, tilt: float = 0.5) -> list[np.ndarray]:
        """base_T_flange at which the board is in the middle of the picture."""
        poses = []
        for _ in range(count):
            turn = rng.uniform(-tilt, tilt, 3)
            middle = rng.uniform((-0.12, -0.08, 0.5), (0.12, 0.08, 0.8))
            camera_T_middle = from_xyz_rpy(middle, turn)
            camera_T_board = camera_T_middle @ from_xyz_rpy(-self.board.centre(), np.zeros(3))
            motion = (
                self.truth.reference_T_camera
                @ camera_T_board
                @ inverse(self.truth.carrier_T_board)
            )
            poses.append(motion if self.truth.mount == 'eye_to_hand' else inverse(motion))
        return poses

    def detection(
        self, camera_T_board: np.ndarray, rng: np.random.Generator, noise: float = 0.08,
        scale: float = 1.0,
    ) -> Detection:  # fmt: skip
        points = self.board.points()
        pixels = project(camera_T_board, scale * points, self.optics)
        pixels = pixels + rng.normal(scale=noise, size=pixels.shape)
        return Detection(np.arange(len(points)), points, pixels, (640, 480), 0.6)

    def samples(
        self, count: int, rng: np.random.Generator, *, noise: float = 0.08,
        encoder: float = np.radians(0.02), scale: float = 1.0, tilt: float = 0.5,
    ) -> list[Sample]:  # fmt: skip
        home = self.arm.robot.home
        rows: list[Sample] = []
        while len(rows) < count:
            for flange in self.flanges(count, rng, tilt):
                q = solve_ik(self.arm, flange, [home, *(r.q for r in rows[-1:])])
                if q is None or len(rows) == count:
                    continue
                seen = self.truth.board_in_camera(self.arm.flange_pose(q))
                measured = q + rng.normal(scale=encoder, size=len(q))
                detection = self.detection(seen, rng, noise, scale)
                rows.append(Sample(f'{len(rows):03d}.png', measured, detection))
        return rows

    def errors(self, found: np.ndarray) -> tuple[float, float]:
        """[m], [rad] of a reference_T_camera."""
        truth = self.truth.reference_T_camera
        return (
            float(np.linalg.norm(found[:3, 3] - truth[:3, 3])),
            rotation_angle(truth[:3, :3], found[:3, :3]),
        )


def with_joint(sample: Sample, joint: int, by: float) -> Sample:
    q = sample.q.copy()
    q[joint] += by
    return replace(sample, q=q)
