import numpy as np
import pytest
from projected_cell import Cell

from mimic_calibration.errors import CalibrationError
from mimic_calibration.hand_eye import (
    ROBOT_WORLD_SOLVERS,
    SOLVERS,
    check_motion,
    mean_pose,
    rotation_spread,
    solve_closed_form,
    view_deviation,
)
from mimic_core.frames import from_xyz_rpy, inverse, rotation_angle


def test_each_solver_finds_the_truth_of_exact_poses(cell: Cell):
    flanges = cell.flanges(12, np.random.default_rng(0))
    seen = [cell.truth.board_in_camera(pose) for pose in flanges]
    found = solve_closed_form(cell.truth.mount, flanges, seen)
    assert set(found) == set(SOLVERS) | set(ROBOT_WORLD_SOLVERS)
    for name, solution in found.items():
        shift, turn = cell.errors(solution.reference_T_camera)
        assert shift < 1e-6, name
        assert turn < 1e-6, name
        assert np.abs(solution.carrier_T_board - cell.truth.carrier_T_board).max() < 1e-6, name


def test_frames_by_mount():
    assert (Cell('eye_to_hand').truth.reference, Cell('eye_to_hand').truth.carrier) == (
        'base_link',
        'flange',
    )
    assert Cell('eye_in_hand').truth.reference == 'flange'


def test_the_same_rotation_everywhere(standing: Cell):
    start = standing.flanges(1, np.random.default_rng(0))[0]
    poses = [from_xyz_rpy([0.02 * i, -0.01 * i, 0], [0, 0, 0]) @ start for i in range(12)]
    with pytest.raises(CalibrationError, match='the same rotation'):
        check_motion(poses)


def test_turns_about_one_axis(standing: Cell):
    start = standing.flanges(1, np.random.default_rng(0))[0]
    poses = [start @ from_xyz_rpy([0.01 * i, 0, 0], [0, 0, 0.1 * i]) for i in range(12)]
    with pytest.raises(CalibrationError, match=r'one axis \(flange \[-?0.00 -?0.00 -?1.00\]\)'):
        check_motion(poses)


def test_too_few_poses(standing: Cell):
    with pytest.raises(CalibrationError, match='3 usable poses: at least 5'):
        check_motion(standing.flanges(3, np.random.default_rng(0)))


def test_rotation_spread_names_the_axes():
    rng = np.random.default_rng(0)
    poses = [from_xyz_rpy([0, 0, 0], rng.uniform(-1, 1, 3) * (0.05, 0.5, 0.2)) for _ in range(60)]
    spread = rotation_spread(poses)
    assert np.abs(spread.axes[1, 0]) > 0.95
    assert np.abs(spread.axes[0, 2]) > 0.95
    assert spread.angles[0] > spread.angles[1] > spread.angles[2]


def test_a_mean_pose_stands_a_few_wrong_ones():
    rng = np.random.default_rng(0)
    truth = from_xyz_rpy([0.1, 0.2, 0.3], [0.4, -0.2, 0.9])
    poses = [
        truth @ from_xyz_rpy(rng.normal(0, 1e-3, 3), rng.normal(0, 2e-3, 3)) for _ in range(15)
    ]
    poses += [from_xyz_rpy(rng.normal(0, 1, 3), rng.normal(0, 1, 3)) for _ in range(4)]
    middle = mean_pose(poses)
    assert np.linalg.norm(middle[:3, 3] - truth[:3, 3]) < 2e-3
    assert rotation_angle(middle[:3, :3], truth[:3, :3]) < 4e-3


def test_deviation_of_a_view(standing: Cell):
    from mimic_calibration.detection import BoardView

    pose = from_xyz_rpy([0, 0, 0.5], [0.1, 0, 0])
    moved = pose @ from_xyz_rpy([0.003, 0, 0.004], [0, 0.02, 0])
    shift, turn = view_deviation(BoardView(moved, 0.1, 0.1, 0.5), pose)
    assert (shift, turn) == (pytest.approx(0.005), pytest.approx(0.02))
    assert inverse(pose) @ pose == pytest.approx(np.eye(4))
