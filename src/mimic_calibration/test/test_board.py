import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mimic_calibration.board import Board, measured_board
from mimic_calibration.detection import Detector
from mimic_calibration.errors import CalibrationError
from mimic_calibration.printing import write_board
from mimic_core.errors import ConfigError, UnknownNameError

BOARDS = [
    Board(),
    Board.april(2, 3, 0.05, 0.015),
    Board(columns=6, rows=4, square=0.03, marker=0.02),
]
EDGE = 60  # [px]
SCALE = 2000.0  # [px/m]


def drawn(board: Board) -> np.ndarray:
    return cv2.copyMakeBorder(
        board.image(SCALE), EDGE, EDGE, EDGE, EDGE, cv2.BORDER_CONSTANT, value=(255,)
    )


@pytest.mark.parametrize('board', BOARDS, ids=lambda b: b.describe())
@pytest.mark.parametrize('blur', [0.0, 0.8, 1.5])
def test_points_are_found_where_they_are_drawn(board: Board, blur: float):
    picture = drawn(board)
    if blur:
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
    detection = Detector(board).detect(picture)
    # Middles of pixels have whole numbers, so the edge of the first one is at -0.5. OpenCV's own
    # corners of a ChArUco board are half a pixel off.
    wanted = SCALE * detection.points[:, :2] + EDGE - 0.5
    error = np.abs(detection.pixels - wanted).max()
    assert error < (0.02 if board.kind == 'charuco' else 0.4)
    assert len(detection) == board.num_points


def test_points_have_the_numbers_of_the_board():
    board = Board.april(2, 1, 0.05, 0.02)
    points = board.points()
    assert points[:4] == pytest.approx(
        np.array([[0, 0, 0], [0.05, 0, 0], [0.05, 0.05, 0], [0, 0.05, 0]])
    )
    assert points[4, 0] == pytest.approx(0.07)
    assert board.size == pytest.approx((0.12, 0.05))


@pytest.mark.parametrize(
    ('data', 'error', 'text'),
    [
        ({'kind': 'chess'}, UnknownNameError, 'charuco'),
        ({'dictionary': '4x4_51'}, UnknownNameError, '4x4_50'),
        ({'columns': 1}, ConfigError, '3 to 40'),
        ({'square': 35.0, 'marker': 25.0}, ConfigError, 'metres'),
        ({'marker': 0.034}, ConfigError, '0.4 to 0.9'),
        ({'columns': 20, 'rows': 20}, ConfigError, '50 markers'),
        ({'square': 'wide'}, ConfigError, 'wide'),
        ({'squares': 4}, UnknownNameError, 'square'),
    ],
)
def test_wrong_boards(data: dict, error: type[Exception], text: str):
    with pytest.raises(error, match=text):
        Board.from_mapping({**Board().to_mapping(), **data})


def test_mapping_round_trip():
    for board in BOARDS:
        assert Board.from_mapping(board.to_mapping()) == board


def test_a_measured_length_scales_the_board():
    assert measured_board(Board(), 0.101, 0.1).square == pytest.approx(0.035 * 1.01)
    with pytest.raises(CalibrationError, match='fit to page'):
        measured_board(Board(), 0.071, 0.1)


def test_png_prints_in_true_size(tmp_path: Path):
    path = tmp_path / 'board.png'
    write_board(Board(), path)
    with Image.open(path) as picture:
        dots = picture.info['dpi'][0] / 0.0254  # [px/m]
        page = np.asarray(picture.convert('L'))
    assert page.shape[1] / dots == pytest.approx(0.210, abs=2e-4)
    assert page.shape[0] / dots == pytest.approx(0.297, abs=2e-4)
    detection = Detector(Board()).detect(page)
    width = np.ptp(detection.pixels[:, 0]) / dots
    assert width == pytest.approx(np.ptp(detection.points[:, 0]), abs=1e-4)


def test_pdf_has_the_size_of_the_paper(tmp_path: Path):
    path = tmp_path / 'board.pdf'
    write_board(Board.april(), path, 'letter')
    box = re.search(rb'/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+)', path.read_bytes())
    assert [float(v) for v in box.groups()] == pytest.approx([612.0, 792.0], abs=0.5)


def test_what_cannot_be_printed(tmp_path: Path):
    with pytest.raises(ConfigError, match='does not fit'):
        write_board(Board(columns=7, rows=9), tmp_path / 'b.pdf')
    with pytest.raises(ConfigError, match=r'\.pdf or a \.png'):
        write_board(Board(), tmp_path / 'b.svg')
    with pytest.raises(ConfigError, match='a4'):
        write_board(Board(), tmp_path / 'b.pdf', 'b5')
    (tmp_path / 'file').write_text('')
    with pytest.raises(ConfigError, match='cannot be written'):
        write_board(Board(), tmp_path / 'file' / 'b.pdf')
