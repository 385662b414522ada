import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mimic_core.errors import NotFiniteError, ShapeError
from mimic_dataset.axis_angle import continuous, nearest_branch

numbers = st.floats(-6.0, 6.0, allow_nan=False)
vectors = st.tuples(numbers, numbers, numbers).map(np.array)


def _same(a, b):
    return (Rotation.from_rotvec(a).inv() * Rotation.from_rotvec(b)).magnitude() < 1e-6


@settings(max_examples=200, deadline=None)
@given(vectors, vectors)
def test_the_branch_is_the_same_rotation_and_no_other_is_nearer(vector, reference):
    found = nearest_branch(vector, reference)
    assert _same(found, vector)
    angle = np.linalg.norm(vector)
    if angle > 1e-3:
        others = [vector / angle * (angle + 2.0 * np.pi * k) for k in range(-4, 5)]
        nearest = min(np.linalg.norm(other - reference) for other in others)
        assert np.linalg.norm(found - reference) <= nearest + 1e-6


def test_a_palm_that_sways_around_down_makes_no_jump():
    sway = 0.3 * np.sin(np.linspace(0.0, 20.0, 200))
    turns = Rotation.from_rotvec([np.pi, 0.0, 0.0]) * Rotation.from_rotvec(
        np.outer(sway, [1.0, 0.3, -0.4])
    )
    vectors = turns.as_rotvec()
    assert np.abs(np.diff(vectors, axis=0)).max() > 5.0  # what scipy gives, jumps
    for reference in ([3.1, 0.0, 0.0], [-3.1, 0.0, 0.0]):
        smooth = continuous(vectors, np.array(reference))
        assert np.abs(np.diff(smooth, axis=0)).max() < 0.1
        assert smooth[0, 0] * reference[0] > 0.0  # of the reference's branch
        assert all(_same(a, b) for a, b in zip(smooth, vectors, strict=True))


def test_no_rotation_takes_the_reference_branch():
    np.testing.assert_allclose(nearest_branch(np.zeros(3), np.array([0.1, 0.0, 0.0])), 0.0)
    far = nearest_branch(np.zeros(3), np.array([0.0, 6.0, 0.0]))
    np.testing.assert_allclose(far, [0.0, 2.0 * np.pi, 0.0])


def test_what_is_no_rotation_is_refused():
    with pytest.raises(ShapeError, match='axis_angle'):
        continuous(np.zeros((3, 4)), np.zeros(3))
    with pytest.raises(NotFiniteError, match='axis_angle'):
        continuous(np.full((3, 3), np.nan), np.zeros(3))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_continuous_axis_angles_are_the_same_rotations_without_steps(seed):
    rng = np.random.default_rng(seed)
    steps = rng.normal(0.0, 0.05, (200, 3)) + rng.normal(0.0, 0.02, 3)
    turns = [Rotation.from_rotvec(rng.normal(0.0, 2.0, 3))]
    for step in steps:
        turns.append(turns[-1] * Rotation.from_rotvec(step))
    vectors = np.array([t.as_rotvec() for t in turns])
    smooth = continuous(vectors)
    wrong = (Rotation.from_rotvec(smooth).inv() * Rotation.from_rotvec(vectors)).magnitude()
    assert wrong.max() < 1e-9
    away = np.array([t.magnitude() for t in turns]) > 0.8  # near no turn the axis may be any
    few = np.linalg.norm(smooth, axis=1) < 2.0 * np.pi  # many turns multiply a tilt of the axis
    calm = away[:-1] & away[1:] & few[:-1] & few[1:]
    assert (np.linalg.norm(np.diff(smooth, axis=0), axis=1)[calm] < np.pi).all()
