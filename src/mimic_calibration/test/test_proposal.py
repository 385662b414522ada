import numpy as np
import pytest
from projected_cell import OPTICS, Cell

from mimic_calibration.errors import CalibrationError
from mimic_calibration.hand_eye import HandEye, project, rotation_spread
from mimic_calibration.proposal import Clear, Surroundings, around, propose, solve_ik
from mimic_core.frames import look_at
from mimic_description import load_robot


@pytest.mark.parametrize('arm', ['iiwa14', 'panda'])
@pytest.mark.parametrize('mount', ['eye_to_hand', 'eye_in_hand'])
def test_poses_are_in_view_free_and_diverse(arm: str, mount: str):
    cell = Cell(mount, arm)
    robot = load_robot(arm, 'robotiq_2f85')
    poses = propose(
        cell.arm, 'robotiq_2f85', cell.board, cell.truth, OPTICS, 15, np.random.default_rng(0)
    )
    assert len(poses) == 15
    clear = Clear(robot, cell.board, Surroundings())
    flange_T_board = cell.truth.carrier_T_board if mount == 'eye_to_hand' else None
    for q in poses:
        assert (q > robot.limits.lower[: len(q)]).all()
        assert (q < robot.limits.upper[: len(q)]).all()
        assert clear.check(q, flange_T_board)
        pose = cell.truth.board_in_camera(cell.arm.flange_pose(q))
        pixels = project(pose, cell.board.points(), OPTICS)
        assert (pixels > 0).all()
        assert (pixels < (640, 480)).all()
    spread = rotation_spread([cell.arm.flange_pose(q) for q in poses])
    assert spread.angles[2] > np.radians(12)


def test_around_the_present_pose():
    cell = Cell('eye_to_hand')
    now = cell.samples(1, np.random.default_rng(0))[0].q
    poses = around(cell.arm, 'none', cell.board, now, 8, np.random.default_rng(0))
    flanges = [cell.arm.flange_pose(q) for q in poses]
    centre = cell.arm.flange_pose(now)
    assert len(poses) == 8
    assert max(np.linalg.norm(f[:3, 3] - centre[:3, 3]) for f in flanges) < 0.08
    assert rotation_spread(flanges).second > np.radians(8)


def test_a_camera_out_of_reach():
    cell = Cell('eye_to_hand')
    away = look_at(np.array([6.0, 0, 1]), np.array([7.0, 0, 1]), np.eye(3)[2])
    guess = HandEye('eye_to_hand', away, cell.truth.carrier_T_board)
    with pytest.raises(CalibrationError, match='within reach'):
        propose(cell.arm, 'none', cell.board, guess, OPTICS, 5, np.random.default_rng(0))


def test_the_table_is_in_the_way():
    cell = Cell('eye_to_hand')
    q = cell.samples(1, np.random.default_rng(0))[0].q
    robot = load_robot('iiwa14', 'none')
    assert Clear(robot, cell.board, Surroundings()).check(q, None)
    assert not Clear(robot, cell.board, Surroundings(table_height=0.6)).check(q, None)


def test_ik_reaches_what_fk_gives():
    cell, rng = Cell('eye_to_hand', 'panda'), np.random.default_rng(0)
    home = cell.arm.robot.home
    for _ in range(10):
        goal = home + rng.uniform(-0.4, 0.4, len(home))
        q = solve_ik(cell.arm, cell.arm.flange_pose(goal), [home])
        assert q is not None
        assert cell.arm.flange_pose(q) == pytest.approx(cell.arm.flange_pose(goal), abs=1e-3)
