from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mimic_calibration.board import Board
from mimic_calibration.detection import Detector
from mimic_calibration.errors import CalibrationError
from mimic_calibration.kinematics import Arm
from mimic_calibration.samples import (
    FolderWriter,
    RawSample,
    detect_all,
    hand_eye_sample,
    hand_eye_samples,
    load_folder,
)
from mimic_core.errors import ConfigError, NotFiniteError, SourceError

ARM = Arm('iiwa14')


def picture(size: tuple[int, int] = (640, 480)) -> np.ndarray:
    board = Board().image(1500.0)
    image = np.full((*size[::-1], 3), 160, np.uint8)
    image[40 : 40 + board.shape[0], 60 : 60 + board.shape[1]] = board[..., None]
    return cv2.GaussianBlur(image, (0, 0), 0.7)


def sample(name: str = 'a.png', **changes: object) -> RawSample:
    joints = dict(zip(ARM.joints, map(float, ARM.robot.home), strict=True))
    return replace(RawSample(name, picture(), joints, 10.0, 10.01), **changes)


def test_a_folder_comes_back(tmp_path: Path):
    writer = FolderWriter(tmp_path / 'set', 'iiwa14', 'allegro')
    for stamp in (1.0, 2.0):
        writer.add(sample(stamp=stamp, joint_stamp=stamp))
    folder = load_folder(tmp_path / 'set')
    assert (folder.arm, folder.hand, len(folder.samples)) == ('iiwa14', 'allegro', 2)
    assert folder.samples[1].stamp == 2.0
    assert folder.samples[1].joints == pytest.approx(sample().joints, abs=1e-6)
    assert (folder.samples[0].image == picture()).all()
    with pytest.raises(ConfigError, match='holds samples already'):
        FolderWriter(tmp_path / 'set')


def test_pictures_alone(tmp_path: Path):
    Image.fromarray(picture()).save(tmp_path / 'b.jpg')
    (folder,) = load_folder(tmp_path).samples
    assert folder.joints is None
    assert len(detect_all([folder], Detector(Board()))[0][0][1]) == 24
    with pytest.raises(CalibrationError, match='has no joint states'):
        hand_eye_sample(folder, Detector(Board()), ARM)


@pytest.mark.parametrize(
    ('index', 'error', 'text'),
    [
        ('samples: [', ConfigError, 'cannot be read'),
        ('samples: 3', ConfigError, "no list 'samples'"),
        ('samples: []', ConfigError, 'lists no samples'),
        ('samples: [{stamp: 1.0}]', ConfigError, 'sample 0'),
        ('samples: [{image: a.png, joints: {a: x}}]', ConfigError, 'sample 0'),
        ('samples: [{image: gone.png}]', SourceError, 'gone.png'),
    ],
)
def test_wrong_folders(tmp_path: Path, index: str, error: type[Exception], text: str):
    Image.fromarray(picture()).save(tmp_path / 'a.png')
    (tmp_path / 'samples.yaml').write_text(index)
    with pytest.raises(error, match=text):
        load_folder(tmp_path)


def test_folders_without_pictures(tmp_path: Path):
    with pytest.raises(SourceError, match='holds no pictures'):
        load_folder(tmp_path)
    with pytest.raises(SourceError, match='no folder'):
        load_folder(tmp_path / 'gone')
    (tmp_path / 'a.png').write_text('no picture')
    with pytest.raises(SourceError, match='as a picture'):
        load_folder(tmp_path)


@pytest.mark.parametrize(
    ('changes', 'error', 'text'),
    [
        ({'joints': {'panda_joint1': 0.0}}, CalibrationError, 'another robot'),
        ({'joints': {n: 80.0 for n in ARM.joints}}, CalibrationError, 'in degrees'),
        ({'joints': {n: np.nan for n in ARM.joints}}, NotFiniteError, 'nan'),
        ({'joint_stamp': 10.4}, CalibrationError, '0.40 s apart'),
        ({'stamp': np.nan}, CalibrationError, 'only one of'),
    ],
)
def test_samples_that_do_not_count(changes: dict, error: type[Exception], text: str):
    with pytest.raises(error, match=text):
        hand_eye_sample(sample(**changes), Detector(Board()), ARM)


def test_samples_without_stamps_are_taken_as_they_are():
    raw = sample(stamp=np.nan, joint_stamp=np.nan)
    assert len(hand_eye_sample(raw, Detector(Board()), ARM).detection) == 24


def test_the_usual_reason_is_said():
    late = [sample(f'{i}.png', joint_stamp=11.0) for i in range(6)]
    with pytest.raises(CalibrationError, match=r'0 usable poses of 6.*1.00 s apart.*\(6 times\)'):
        hand_eye_samples(late, Detector(Board()), ARM)


def test_pictures_of_different_sizes():
    rows = [sample(f'{i}.png') for i in range(5)] + [sample('x.png', image=picture((800, 600)))]
    with pytest.raises(CalibrationError, match='640x480, 800x600'):
        hand_eye_samples(rows, Detector(Board()), ARM)


def test_no_picture_shows_the_board():
    blank = sample(image=np.full((480, 640, 3), 128, np.uint8))
    with pytest.raises(CalibrationError, match='no usable picture: no board is seen'):
        detect_all([blank], Detector(Board()))


def test_a_folder_that_cannot_be_written(tmp_path: Path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ConfigError, match='cannot be made'):
        FolderWriter(tmp_path / 'file' / 'set')
