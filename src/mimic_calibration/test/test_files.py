import os
from pathlib import Path

import numpy as np
import pytest
import yaml
from projected_cell import OPTICS, Cell

from mimic_calibration.calibrate import HandEyeResult, calibrate_hand_eye
from mimic_calibration.check import check_drift
from mimic_calibration.errors import CalibrationError
from mimic_calibration.files import (
    Robot,
    StoredHandEye,
    calibration_path,
    existing,
    stored_hand_eye,
    with_hand_eye,
    write_calibration,
)
from mimic_calibration.hand_eye import HandEye
from mimic_calibration.kinematics import Arm
from mimic_calibration.verdict import judge_hand_eye
from mimic_camera import load_calibration
from mimic_core.errors import ConfigError
from mimic_core.frames import from_xyz_rpy

ROBOT = Robot('iiwa14', 'allegro', '')


@pytest.fixture(scope='module')
def result() -> HandEyeResult:
    cell, rng = Cell('eye_to_hand'), np.random.default_rng(0)
    return calibrate_hand_eye('eye_to_hand', cell.samples(14, rng), cell.arm, OPTICS, rng)


@pytest.fixture
def written(result: HandEyeResult, tmp_path: Path) -> Path:
    cell = Cell('eye_to_hand')
    path = calibration_path('lab', tmp_path)
    before = {'parent': 'world', 'xyz': [1, 2, 3], 'look_at': [0, 0, 0], 'description': 'mine'}
    verdict = judge_hand_eye(result)
    data = with_hand_eye(before, result, verdict, cell.board, ROBOT, OPTICS, '2026-01-02T03:04:05')
    assert write_calibration(path, data) is None
    return path


def test_the_camera_node_reads_what_is_written(written: Path, result: HandEyeResult):
    calibration = load_calibration(written)
    refined = result.refined
    assert calibration.parent == 'base_link'
    assert calibration.parent_T_optical == pytest.approx(
        refined.solution.reference_T_camera, abs=1e-6
    )
    assert calibration.intrinsics.fx == pytest.approx(refined.intrinsics.fx, abs=1e-6)
    assert calibration.description == 'mine'


def test_the_record_comes_back(written: Path, result: HandEyeResult):
    stored = stored_hand_eye(written)
    assert stored.robot == ROBOT
    assert stored.board == Cell('eye_to_hand').board
    assert stored.solution.carrier_T_board == pytest.approx(
        result.refined.solution.carrier_T_board, abs=1e-6
    )
    assert stored.joint_offsets == pytest.approx(result.refined.joint_offsets, abs=1e-6)
    assert stored.expected_shift == pytest.approx(result.refined.shift_error, abs=1e-6)


def test_an_old_file_is_kept(written: Path):
    old = written.read_text()
    data = existing(written)
    for number in (1, 2):
        data['description'] = f'number {number}'
        backup = write_calibration(written, data)
        assert backup.name == f'lab.yaml.bak{number}'
    assert (written.parent / 'lab.yaml.bak1').read_text() == old
    assert existing(written)['description'] == 'number 2'
    assert not list(written.parent.glob('*.new'))


def test_a_prefix_is_part_of_the_frame(result: HandEyeResult):
    robot = Robot('iiwa14', 'allegro', 'left_')
    board = Cell('eye_to_hand').board
    data = with_hand_eye({}, result, judge_hand_eye(result), board, robot, OPTICS, 'now')
    assert data['parent'] == 'left_base_link'
    assert data['record']['hand_eye']['board_pose']['parent'] == 'left_flange'


def test_a_folder_that_cannot_be_written(tmp_path: Path):
    with pytest.raises(ConfigError, match='--config'):
        write_calibration(tmp_path / 'gone' / 'lab.yaml', {'parent': 'world'})
    if os.geteuid() != 0:
        tmp_path.chmod(0o500)
        with pytest.raises(ConfigError, match='Permission'):
            write_calibration(tmp_path / 'lab.yaml', {'parent': 'world'})
        tmp_path.chmod(0o700)


@pytest.mark.parametrize('name', ['', '../lab', 'Lab 1', '.hidden'])
def test_names(name: str, tmp_path: Path):
    with pytest.raises(ConfigError, match='no name of a camera'):
        calibration_path(name, tmp_path)


def test_a_file_without_a_record(tmp_path: Path):
    path = tmp_path / 'plain.yaml'
    path.write_text('parent: world\nxyz: [0, 0, 1]\nquat_xyzw: [0, 0, 0, 1]\n')
    with pytest.raises(CalibrationError, match='hand_eye'):
        stored_hand_eye(path)


@pytest.mark.parametrize('change', [
    {'mount': 'eye_on_stick'}, {'board': {'kind': 'charuco', 'rows': 'x'}}, {'joint_offsets': 'a'},
    {'robot': {'leg': 1}}, {'board_pose': {'xyz': [0, 0]}}, {'expected_turn': None},
])  # fmt: skip
def test_a_damaged_record(written: Path, change: dict):
    data = existing(written)
    data['record']['hand_eye'].update(change)
    written.write_text(yaml.safe_dump(data))
    with pytest.raises(ConfigError, match=r'lab\.yaml'):
        stored_hand_eye(written)


def test_a_wrong_file_is_not_overwritten(tmp_path: Path):
    path = tmp_path / 'lab.yaml'
    path.write_text('xyz: [')
    with pytest.raises(ConfigError):
        existing(path)
    assert path.read_text() == 'xyz: ['


class TestDrift:
    @pytest.fixture
    def stored(self, written: Path) -> StoredHandEye:
        return stored_hand_eye(written)

    def test_nothing_moved(self, stored: StoredHandEye):
        cell = Cell('eye_to_hand')
        for seed in range(5):
            for count in (1, 4):
                views = cell.samples(count, np.random.default_rng(50 + seed))
                drift = check_drift(stored, views, cell.arm)
                assert drift.state == 'ok', drift
                assert drift.exit_code == 0

    @pytest.mark.parametrize(
        ('shift', 'turn'),
        [((0.02, 0, 0), (0, 0, 0)), ((0, 0, 0.02), (0, 0, 0)), ((0, 0, 0), (0, np.radians(2), 0))],
    )
    def test_the_camera_was_pushed(self, stored: StoredHandEye, shift: tuple, turn: tuple):
        cell = Cell('eye_to_hand')
        moved = from_xyz_rpy(np.array(shift), np.array(turn))
        cell.truth = HandEye(
            'eye_to_hand', cell.truth.reference_T_camera @ moved, cell.truth.carrier_T_board
        )
        drift = check_drift(stored, cell.samples(4, np.random.default_rng(1)), cell.arm)
        assert drift.state == 'moved'
        assert drift.exit_code == 3
        assert 'calibrate again' in drift.sentence
        if any(shift):
            assert drift.shift == pytest.approx(0.02, abs=2e-3)

    def test_the_board_slipped_a_little(self, stored: StoredHandEye):
        cell = Cell('eye_to_hand')
        slipped = cell.truth.carrier_T_board @ from_xyz_rpy([0.005, 0, 0], [0, 0, 0])
        cell.truth = HandEye('eye_to_hand', cell.truth.reference_T_camera, slipped)
        drift = check_drift(stored, cell.samples(5, np.random.default_rng(1)), cell.arm)
        assert drift.state == 'drifting'
        assert drift.exit_code == 2

    def test_another_robot_or_no_view(self, stored: StoredHandEye):
        cell = Cell('eye_to_hand')
        with pytest.raises(CalibrationError, match='no view'):
            check_drift(stored, [], cell.arm)
        with pytest.raises(CalibrationError, match='of panda'):
            check_drift(stored, cell.samples(1, np.random.default_rng(1)), Arm('panda'))
