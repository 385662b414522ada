import cv2
import numpy as np
import pytest
from projected_cell import OPTICS, Cell

from mimic_calibration.board import Board
from mimic_calibration.detection import Detector, measure_blur, solve_view
from mimic_calibration.errors import DetectionError
from mimic_core.camera import Intrinsics
from mimic_core.errors import ShapeError
from mimic_core.frames import from_xyz_rpy, inverse, rotation_angle


def picture(board: Board | None = None, edge: int = 60) -> np.ndarray:
    image = (board or Board()).image(2000.0)
    return cv2.copyMakeBorder(image, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=(255,))


@pytest.mark.parametrize(
    ('image', 'text'),
    [
        (np.full((480, 640), 90, np.uint8), 'dark, bright or covered'),
        (np.random.default_rng(0).integers(0, 255, (480, 640), np.uint8), 'no board is seen'),
        (picture()[:, ::-1], 'mirrored'),
        (picture(Board(dictionary='6x6_250')), '6x6_250'),
        (picture(Board(columns=7, rows=9, square=0.03, marker=0.02)), 'ends at 16'),
        (picture()[:230, :230], 'too little of the board'),
        (cv2.GaussianBlur(picture(), (0, 0), 3.0), 'blurred'),
    ],
    ids=['empty', 'noise', 'mirrored', 'dictionary', 'larger board', 'part', 'blurred'],
)
def test_a_picture_without_a_usable_board_says_why(image: np.ndarray, text: str):
    with pytest.raises(DetectionError, match=text):
        Detector(Board()).detect(image)


def test_another_number_of_columns_is_noticed():
    # The same markers, ordered in other rows.
    image = picture(Board(columns=7, rows=5))
    with pytest.raises(DetectionError):
        Detector(Board(columns=5, rows=7)).detect(image)


def test_no_picture():
    for wrong in (
        np.zeros((480, 640, 4), np.uint8),
        np.zeros((480, 640)),
        np.zeros((8, 8), np.uint8),
    ):
        with pytest.raises(ShapeError):
            Detector(Board()).detect(wrong)


def test_a_finger_on_the_board_costs_points_not_accuracy():
    image = picture()
    cv2.line(image, (0, 200), (260, 330), (70,), 46)
    detection = Detector(Board()).detect(image)
    assert 10 <= len(detection) < 24
    assert np.abs(detection.pixels - (2000 * detection.points[:, :2] + 59.5)).max() < 1.3


@pytest.mark.parametrize('sigma', [0.8, 1.5, 2.5])
def test_blur_is_measured(sigma: float):
    image = cv2.GaussianBlur(picture(), (0, 0), sigma)
    corners = 2000 * Board().points()[:, :2] + 59.5
    assert measure_blur(image, corners) == pytest.approx(sigma, abs=0.35)


def test_a_view_gives_the_pose_back():
    cell, rng = Cell('eye_to_hand'), np.random.default_rng(1)
    for _ in range(20):
        pose = from_xyz_rpy(
            rng.uniform((-0.1, -0.1, 0.4), (0.05, 0.0, 0.9)), rng.uniform(-0.7, 0.7, 3)
        )
        view = solve_view(cell.detection(pose, rng, 0.02), OPTICS)
        assert rotation_angle(view.camera_T_board[:3, :3], pose[:3, :3]) < 0.01
        assert np.linalg.norm((inverse(view.camera_T_board) @ pose)[:3, 3]) < 2e-3
        assert view.rms < 0.05
        middle = (pose @ [*cell.board.centre(), 1])[:3]
        assert view.distance == pytest.approx(np.linalg.norm(middle), abs=1e-3)


def test_intrinsics_of_another_size():
    cell = Cell('eye_to_hand')
    detection = cell.detection(from_xyz_rpy([0, 0, 0.6], [0.2, 0, 0]), np.random.default_rng(0))
    with pytest.raises(ShapeError, match='1280x720'):
        solve_view(detection, Intrinsics.from_fov(1280, 720, 0.75))
