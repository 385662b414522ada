from dataclasses import replace

import numpy as np
import pytest
from projected_cell import OPTICS, Cell, with_joint

from mimic_calibration.calibrate import calibrate_hand_eye
from mimic_calibration.errors import CalibrationError
from mimic_calibration.hand_eye import HandEye
from mimic_calibration.refine import Assumptions, _Problem, refine
from mimic_calibration.verdict import judge_hand_eye
from mimic_core.errors import ConfigError, ShapeError
from mimic_core.frames import from_xyz_rpy


def test_derivatives_are_finite_differences(cell: Cell):
    rng = np.random.default_rng(0)
    samples = cell.samples(5, rng)
    off = from_xyz_rpy(rng.normal(0, 0.01, 3), rng.normal(0, 0.02, 3))
    start = HandEye(
        cell.truth.mount, cell.truth.reference_T_camera @ off, cell.truth.carrier_T_board
    )
    problem = _Problem(start, samples, cell.arm, OPTICS, Assumptions(), 0.1)
    state = rng.normal(0, 1.0, len(problem.start())) * 0.02
    for number in (0, 3):
        _, slope, _ = problem._linear(state, number)
        for column in range(len(state)):
            # Optics are in pixels, all else in metres and radians.
            step = np.zeros(len(state))
            step[column] = 1e-3 if column >= len(state) - 4 else 1e-6
            plus, minus = (problem._linear(state + s * step, number)[0] for s in (1, -1))
            numeric = (plus - minus) / (2 * step[column])
            assert slope[:, column] == pytest.approx(
                numeric, abs=1e-4 * (1 + np.abs(numeric).max())
            )


@pytest.mark.parametrize('seed', range(3))
def test_noise_leaves_less_than_two_millimetres(cell: Cell, seed: int):
    rng = np.random.default_rng(seed)
    result = calibrate_hand_eye(cell.truth.mount, cell.samples(20, rng), cell.arm, OPTICS, rng)
    shift, turn = cell.errors(result.refined.solution.reference_T_camera)
    assert shift < 2e-3  # [m]
    assert turn < np.radians(0.3)
    # Three standard deviations of what it expects itself.
    assert shift < 3 * result.refined.shift_error
    assert turn < 3 * result.refined.turn_error
    assert judge_hand_eye(result).level == 'good'
    assert len(result.refined.held_out) == 20
    assert result.refined.rejected == ()


def test_the_expected_error_is_honest(standing: Cell):
    ratios = []
    for seed in range(5):
        rng = np.random.default_rng(100 + seed)
        offsets = rng.normal(0, np.radians(0.05), len(standing.arm.joints))
        samples = [replace(s, q=s.q - offsets) for s in standing.samples(12, rng)]
        given = Assumptions(joint_noise=float(np.radians(0.02)))
        result = calibrate_hand_eye('eye_to_hand', samples, standing.arm, OPTICS, rng, given)
        shift = standing.errors(result.refined.solution.reference_T_camera)[0]
        ratios.append(shift / result.refined.shift_error)
    assert 0.3 < np.sqrt(np.mean(np.square(ratios))) < 1.8


def test_wrong_poses_are_found_and_left_out(cell: Cell):
    rng = np.random.default_rng(5)
    samples = cell.samples(20, rng)
    samples[3] = with_joint(samples[3], 2, 0.05)  # joints of another moment
    samples[11] = with_joint(samples[11], 4, -0.1)
    wrong = replace(samples[15], detection=samples[16].detection)
    samples[15] = wrong
    result = calibrate_hand_eye(cell.truth.mount, samples, cell.arm, OPTICS, rng)
    assert result.refined.rejected == ('003.png', '011.png', '015.png')
    assert cell.errors(result.refined.solution.reference_T_camera)[0] < 2e-3


def test_half_of_the_poses_wrong_is_no_calibration(standing: Cell):
    rng = np.random.default_rng(5)
    samples = standing.samples(16, rng)
    for number in range(0, 16, 2):
        samples[number] = with_joint(samples[number], 1, rng.normal(0, 0.3))
    with pytest.raises(CalibrationError, match='contradict the others'):
        calibrate_hand_eye('eye_to_hand', samples, standing.arm, OPTICS, rng)


def test_a_board_of_another_size_is_noticed(cell: Cell):
    rng = np.random.default_rng(2)
    samples = cell.samples(20, rng, scale=1.05)
    with pytest.raises(CalibrationError, match=r'10[45]\.\d % of the size'):
        calibrate_hand_eye(cell.truth.mount, samples, cell.arm, OPTICS, rng)


def test_scale_and_intrinsics_are_refined(standing: Cell):
    rng = np.random.default_rng(3)
    samples = standing.samples(25, rng, scale=1.001)
    off = replace(OPTICS, fx=OPTICS.fx * 1.002, fy=OPTICS.fy * 1.002, cx=OPTICS.cx + 1.0)
    result = calibrate_hand_eye('eye_to_hand', samples, standing.arm, off, rng)
    assert result.refined.scale == pytest.approx(1.001, abs=6e-4)
    assert abs(result.refined.intrinsics.fx - OPTICS.fx) < 0.6 * abs(off.fx - OPTICS.fx)
    held = calibrate_hand_eye(
        'eye_to_hand', samples, standing.arm, off, rng, Assumptions(focal=0.0, centre=0.0)
    )
    assert held.refined.intrinsics == off


def test_little_rotation_is_not_good(standing: Cell):
    rng = np.random.default_rng(4)
    samples = standing.samples(15, rng, tilt=0.08)
    verdict = judge_hand_eye(calibrate_hand_eye('eye_to_hand', samples, standing.arm, OPTICS, rng))
    assert verdict.level in ('usable', 'redo')
    assert 'too little rotation' in verdict.sentence


def test_few_poses_are_said(standing: Cell):
    rng = np.random.default_rng(4)
    result = calibrate_hand_eye('eye_to_hand', standing.samples(7, rng), standing.arm, OPTICS, rng)
    assert '7 poses are few' in judge_hand_eye(result).sentence


def test_pictures_of_another_size(standing: Cell):
    rng = np.random.default_rng(4)
    samples = standing.samples(6, rng)
    small = replace(samples[2].detection, size=(320, 240))
    samples[2] = replace(samples[2], detection=small)
    with pytest.raises(ShapeError, match='320x240'):
        refine(standing.truth, samples, standing.arm, OPTICS)


def test_assumptions_are_standard_deviations():
    for wrong in (-1.0, float('nan'), float('inf')):
        with pytest.raises(ConfigError, match='joint_noise'):
            Assumptions(joint_noise=wrong)
