from dataclasses import replace

import numpy as np
import pytest
from projected_cell import OPTICS, Cell

from mimic_calibration.coverage import ImageCoverage, view_warnings
from mimic_calibration.detection import Detection, solve_view
from mimic_calibration.errors import CalibrationError
from mimic_calibration.intrinsics import calibrate_intrinsics, ray_error
from mimic_calibration.verdict import judge_intrinsics
from mimic_core.frames import from_xyz_rpy


def views(count: int, seed: int = 0, tilt: float = 0.6, spread: float = 1.0) -> list[Detection]:
    cell, rng = Cell('eye_to_hand'), np.random.default_rng(seed)
    found: list[Detection] = []
    while len(found) < count:
        depth = rng.uniform(0.35, 0.8)
        place = spread * depth * rng.uniform((-0.4, -0.28), (0.4, 0.28))
        turn = rng.uniform(-tilt, tilt, 3)
        middle = from_xyz_rpy([*place, depth], turn)
        view = cell.detection(middle @ from_xyz_rpy(-cell.board.centre(), [0, 0, 0]), rng)
        inside = ((view.pixels > 4) & (view.pixels < (635, 475))).all(axis=1)
        if inside.sum() >= 8:
            found.append(Detection(
                view.ids[inside], view.points[inside], view.pixels[inside], view.size, 0.6
            ))  # fmt: skip
    return found


@pytest.mark.parametrize('seed', range(3))
def test_the_camera_is_found(seed: int):
    result = calibrate_intrinsics(views(22, seed))
    assert result.intrinsics.fx == pytest.approx(OPTICS.fx, rel=3e-3)
    assert result.intrinsics.cx == pytest.approx(OPTICS.cx, abs=2.0)
    assert ray_error(result.intrinsics, OPTICS) < np.radians(0.15)
    assert abs(result.intrinsics.fx - OPTICS.fx) < 4 * result.deviation[0]
    assert judge_intrinsics(result, 0.6).level in ('good', 'usable')
    assert result.used.all()


def test_a_view_of_a_bent_board_is_left_out():
    rows = views(15)
    bent = rows[4].pixels.copy()
    bent[:, 0] += 4.0 * np.sin(np.linspace(0, 6, len(bent)))
    rows[4] = replace(rows[4], pixels=bent)
    result = calibrate_intrinsics(rows)
    assert np.flatnonzero(~result.used).tolist() == [4]


def test_pictures_of_different_sizes():
    rows = views(8)
    rows[3] = replace(rows[3], size=(1280, 720))
    with pytest.raises(CalibrationError, match='640x480, 1280x720'):
        calibrate_intrinsics(rows)


def test_too_few_views():
    with pytest.raises(CalibrationError, match='3 usable views: at least 5'):
        calibrate_intrinsics(views(3))


def test_views_from_straight_ahead():
    with pytest.raises(CalibrationError, match='tilt'):
        calibrate_intrinsics(views(10, tilt=0.01))


def test_views_in_one_place_are_one_sided():
    result = calibrate_intrinsics(views(12, spread=0.1))
    verdict = judge_intrinsics(result, 0.6)
    assert verdict.level != 'good'
    assert 'of the picture was covered' in verdict.sentence


def test_blur_is_said():
    assert 'blurred by 1.9 px' in judge_intrinsics(calibrate_intrinsics(views(20)), 1.9).sentence


def test_coverage_says_what_is_missing_until_nothing_is():
    coverage = ImageCoverage((640, 480))
    assert len(coverage.missing()) >= 18
    for number, view in enumerate(views(120)):
        coverage.add(view, solve_view(view, OPTICS))
        if not coverage.missing():
            break
    assert coverage.missing() == []
    assert coverage.share == pytest.approx(1.0)
    assert number >= 14


@pytest.mark.parametrize(
    ('turn', 'edge'),
    [
        ((0, 0.5, 0), 'right'),
        ((0, -0.5, 0), 'left'),
        ((0.5, 0, 0), 'upper'),
        ((-0.5, 0, 0), 'lower'),
    ],
)
def test_the_edge_that_is_nearer(turn: tuple[float, float, float], edge: str):
    cell = Cell('eye_to_hand')
    pose = from_xyz_rpy([0, 0, 0.6], turn) @ from_xyz_rpy(-cell.board.centre(), [0, 0, 0])
    width, height = cell.board.size
    corners = np.array([[0, 0, 0, 1], [width, 0, 0, 1], [0, height, 0, 1]]) @ pose.T
    nearer = {
        'right': corners[1, 2] < corners[0, 2],
        'left': corners[1, 2] > corners[0, 2],
        'lower': corners[2, 2] < corners[0, 2],
        'upper': corners[2, 2] > corners[0, 2],
    }
    assert nearer[edge]
    coverage = ImageCoverage((640, 480))
    view = cell.detection(pose, np.random.default_rng(0))
    coverage.add(view, solve_view(view, OPTICS))
    assert [name for name, count in coverage.edges.items() if count] == [edge]


def test_warnings_of_a_view():
    cell = Cell('eye_to_hand')
    view = cell.detection(from_xyz_rpy([-0.1, 0, 0.5], [0, 1.25, 0]), np.random.default_rng(0))
    text = ' '.join(view_warnings(replace(view, blur=1.8), solve_view(view, OPTICS)))
    assert 'blurred by 1.8' in text
    assert 'aside' in text
