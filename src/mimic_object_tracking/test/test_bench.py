"""The measure of the benchmark: ADD-S of poses that are known."""

import numpy as np
import pytest

pytest.importorskip('small_gicp', reason='./mimic bench installs it')

from benchmarks.object_scenes import SHAPES, model_of
from benchmarks.object_tracking import Judge
from mimic_core.frames import transform

POSE = transform(np.eye(3), np.array([0.1, -0.2, 0.7]))


@pytest.mark.parametrize('name', SHAPES)
def test_of_the_true_pose_it_is_nothing(name):
    """No floor by samples or by a grid, of which 1.6 mm for a can and 2.5 mm for a plate were."""
    assert Judge(model_of(name)).adds(POSE, POSE) < 5e-5


def test_of_a_box_that_is_shifted_it_is_the_share_of_the_ends(box):
    """5 mm along x: ends of 9 x 6 cm are a fifth of the surface, the rest lies within itself."""
    moved = POSE.copy()
    moved[0, 3] += 0.005
    assert Judge(box).adds(moved, POSE) == pytest.approx(0.0011, abs=0.0002)
