"""The guides with a cell that hands out drawn pictures."""

import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from projected_cell import OPTICS, Cell
from rich.console import Console

from mimic_calibration.detection import Detector
from mimic_calibration.errors import CalibrationError
from mimic_calibration.guide import CameraGuide, HandEyeGuide
from mimic_calibration.hand_eye import HandEye, project
from mimic_calibration.samples import FolderWriter, RawSample, load_folder
from mimic_core.errors import DeviceError, SourceError, StaleInputError
from mimic_core.frames import from_xyz_rpy

LENS = replace(OPTICS, distortion=(0.0,) * 5)  # a plane then stays one
SCALE = 1500.0  # [px/m]


def draw(cell: Cell, camera_T_board: np.ndarray) -> np.ndarray:
    width, height = cell.board.size
    corners = np.array([[0, 0, 0], [width, 0, 0], [width, height, 0], [0, height, 0.0]])
    pixels = project(camera_T_board, corners, LENS).astype(np.float32)
    flat = (SCALE * corners[:, :2] - 0.5).astype(np.float32)
    pattern = cv2.GaussianBlur(cell.board.image(SCALE), (0, 0), 1.0)
    homography = cv2.getPerspectiveTransform(flat, pixels)
    gray = cv2.warpPerspective(pattern, homography, (640, 480), borderValue=(170,))
    return np.repeat(gray[..., None], 3, axis=2)


class Pictures:
    """Hands out pictures, or raises what stands in their place."""

    def __init__(self, items: list) -> None:
        self.items = list(items)
        self.moves: list[np.ndarray] = []

    def intrinsics(self):
        return LENS

    def grab(self) -> RawSample:
        if not self.items:
            raise SourceError('no more pictures')
        item = self.items.pop(0)
        if isinstance(item, Exception):
            raise item
        return item

    def move_to(self, q: np.ndarray) -> None:
        if len(self.moves) == 1:
            self.moves.append(q)
            raise DeviceError('blocked')
        self.moves.append(q)

    def close(self) -> None:
        self.items.clear()


def raw(image: np.ndarray, joints: dict | None = None) -> RawSample:
    return RawSample('', image, joints, 1.0, 1.0 if joints else np.nan)


def poses(count: int) -> list[np.ndarray]:
    cell, rng = Cell('eye_to_hand'), np.random.default_rng(0)
    middle = from_xyz_rpy(-cell.board.centre(), [0, 0, 0])
    places = rng.uniform((-0.12, -0.06, 0.5), (0.12, 0.06, 0.7), (count, 3))
    return [from_xyz_rpy(p, rng.uniform(-0.4, 0.4, 3)) @ middle for p in places]


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def said(console: Console) -> str:
    return console.file.getvalue()


def test_views_are_taken_when_they_are_still_and_new(tmp_path: Path, console: Console):
    cell = Cell('eye_to_hand')
    pictures = [draw(cell, pose) for pose in poses(4)]
    blank = np.full((480, 640, 3), 120, np.uint8)
    # Seen once: it moves. Seen twice: it stands. Seen again: it is known.
    items = [pictures[0], pictures[1], pictures[1], pictures[1], blank, pictures[2], pictures[2]]
    guide = CameraGuide(
        Pictures([raw(p) for p in items]), Detector(cell.board), tmp_path / 'set', console
    )
    assert len(guide.run(None)) == 2
    assert 'no board is seen' in said(console)
    assert 'show next' in said(console)
    assert 'no more pictures' in said(console)
    assert len(load_folder(tmp_path / 'set').samples) == 2
    assert (tmp_path / 'set/latest.png').exists()


def test_views_at_enter(tmp_path: Path, console: Console):
    cell = Cell('eye_to_hand')
    answers = iter(['', '', 'q'])
    guide = CameraGuide(
        Pictures([raw(draw(cell, pose)) for pose in poses(5)]), Detector(cell.board),
        tmp_path / 'set', console,
    )  # fmt: skip
    assert len(guide.run(lambda _: next(answers))) == 2
    assert guide.coverage.views == 2


def test_a_camera_that_changes_its_size(tmp_path: Path, console: Console):
    cell = Cell('eye_to_hand')
    picture = draw(cell, poses(1)[0])
    larger = cv2.resize(picture, (1280, 960))
    guide = CameraGuide(
        Pictures([raw(picture), raw(larger)]), Detector(cell.board), tmp_path / 'set', console
    )
    with pytest.raises(CalibrationError, match='change their size'):
        guide.run(lambda _: '')


@pytest.fixture
def robot_cell() -> tuple[Cell, list[RawSample], list]:
    cell, rng = Cell('eye_to_hand'), np.random.default_rng(3)
    samples = cell.samples(8, rng, encoder=0.0)
    rows = []
    for sample in samples:
        pose = cell.truth.board_in_camera(cell.arm.flange_pose(sample.q))
        joints = dict(zip(cell.arm.joints, map(float, sample.q), strict=True))
        rows.append(raw(draw(cell, pose), joints))
    return cell, rows, samples


def guide_of(cell: Cell, items: list, folder: Path, console: Console) -> HandEyeGuide:
    return HandEyeGuide(
        Pictures(items), Detector(cell.board), cell.arm, LENS, FolderWriter(folder), console
    )


def test_a_person_moves_the_robot(robot_cell, tmp_path: Path, console: Console):
    cell, rows, _ = robot_cell
    other = replace(rows[0], joints={'panda_joint1': 0.0})
    items = [rows[0], StaleInputError('the robot does not stand still'), other, *rows[1:]]
    guide = guide_of(cell, items, tmp_path / 'set', console)
    samples = guide.by_hand(lambda _: '', 8)
    assert [s.name for s in samples] == [f'{i:03d}.png' for i in range(8)]
    text = said(console)
    assert 'not taken: the robot does not stand still' in text
    assert 'another robot' in text
    assert 'Missing: poses: turn the gripper' in text
    guess = guide.guess(HandEye('eye_to_hand', np.eye(4), np.eye(4)), np.random.default_rng(0))
    shift, turn = cell.errors(guess.reference_T_camera)
    assert shift < 0.005
    assert turn < 0.005
    assert len(load_folder(tmp_path / 'set').samples) == 8


def test_the_robot_moves_and_what_it_cannot_reach_is_left_out(
    robot_cell, tmp_path: Path, console: Console
):
    cell, rows, truth = robot_cell
    guide = guide_of(cell, rows, tmp_path / 'set', console)
    samples = guide.by_robot([s.q for s in truth[:4]])
    assert len(samples) == 3
    assert 'not reached: blocked' in said(console)
    few = HandEye('eye_to_hand', np.eye(4), np.eye(4))
    assert guide.guess(few, np.random.default_rng(0)) is None
