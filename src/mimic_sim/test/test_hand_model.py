"""The skeleton of the virtual hand and its postures."""

import numpy as np
import pytest

from mimic_core.errors import ConfigError, LimitError, NotFiniteError, ShapeError, UnknownNameError
from mimic_core.frames import hand_frame, transform
from mimic_core.keypoints import BONES, CHAINS, INDEX
from mimic_sim.hand_model import (
    JOINT_INDEX,
    JOINTS,
    LOWER,
    NUM_JOINTS,
    UPPER,
    HandModel,
    HandShape,
    HandState,
    check_limits,
)
from mimic_sim.hand_postures import pinch, pinch_center, pinch_range, posture

SHAPES = [
    HandShape(),
    HandShape(length=0.165, finger_ratio=(0.95, 1.05, 1.0, 0.95, 1.05), breadth=0.94),
    HandShape(length=0.205, finger_ratio=(1.05, 0.95, 1.0, 1.05, 0.95), breadth=1.06),
]


@pytest.mark.parametrize('shape', SHAPES)
def test_bones_keep_their_lengths(shape: HandShape) -> None:
    model = HandModel(shape)
    rest = np.array([np.linalg.norm(model.rest[b] - model.rest[a]) for a, b in BONES])
    rng = np.random.default_rng(0)
    for _ in range(20):
        points = model.keypoints(rng.uniform(LOWER, UPPER))
        lengths = [np.linalg.norm(points[b] - points[a]) for a, b in BONES]
        np.testing.assert_allclose(lengths, rest, atol=1e-12)


def test_palm_frame_is_that_of_mimic_core() -> None:
    model = HandModel()
    points = model.keypoints(posture('rest'))
    np.testing.assert_allclose(hand_frame(points), np.eye(4), atol=1e-12)
    state = HandState(np.eye(4), posture('rest'), np.array([0.0, 0.0, -0.3]), 'left')
    left = model.world_keypoints(state)
    np.testing.assert_allclose(hand_frame(left, left=True), np.eye(4), atol=1e-12)


def test_length_is_wrist_to_middle_tip() -> None:
    model = HandModel(HandShape(length=0.18))
    assert np.linalg.norm(model.rest[INDEX['middle_tip']]) == pytest.approx(0.18, abs=5e-4)


def test_flexion_goes_to_the_palm_and_abduction_to_the_thumb() -> None:
    model = HandModel()
    for finger in ('index', 'middle', 'ring', 'little'):
        tip = INDEX[f'{finger}_tip']
        for joint in ('mcp', 'pip', 'dip'):
            q = np.zeros(NUM_JOINTS)
            q[JOINT_INDEX[f'{finger}_{joint}']] = 0.3
            assert model.keypoints(q)[tip, 0] > model.rest[tip, 0] + 0.003
        q = np.zeros(NUM_JOINTS)
        q[JOINT_INDEX[f'{finger}_abduction']] = 0.2
        assert model.keypoints(q)[tip, 1] > model.rest[tip, 1] + 0.005
    q = np.zeros(NUM_JOINTS)
    q[JOINT_INDEX['thumb_cmc_opposition']] = 1.0
    assert model.keypoints(q)[INDEX['thumb_tip'], 0] > model.rest[INDEX['thumb_tip'], 0] + 0.03


def test_half_turned_bones_share_the_joint() -> None:
    model = HandModel()
    q = posture('power')
    full, half = model.bones(q), model.bones(q, fraction=0.5)
    np.testing.assert_allclose(half[:, :3, 3], full[:, :3, 3], atol=1e-12)
    np.testing.assert_allclose(model.bones(q, fraction=0.0)[1, :3, :3], np.eye(3), atol=1e-12)


@pytest.mark.parametrize('shape', SHAPES)
def test_pinch_has_exactly_the_aperture(shape: HandShape) -> None:
    model = HandModel(shape)
    low, high = pinch_range(shape)
    last = None
    for aperture in np.linspace(low, high, 60):
        q = check_limits(pinch(model, float(aperture)))
        points = model.keypoints(q)
        gap = points[INDEX['index_tip']] - points[INDEX['thumb_tip']]
        assert np.linalg.norm(gap) == pytest.approx(aperture, abs=1e-9)
        pads = model.pad_directions(q)
        across = gap / np.linalg.norm(gap)
        assert pads[0] @ across > 0.5 and pads[1] @ across < -0.5  # the pads face each other
        if last is not None:
            assert np.abs(q - last).max() < 0.2  # [rad]: closing is continuous
        last = q


def test_pinch_stays_in_one_place_while_it_closes() -> None:
    model = HandModel()
    centers = [pinch_center(model, pinch(model, a)) for a in np.linspace(0.02, 0.10, 9)]
    assert np.ptp(centers, axis=0).max() < 0.02


def test_pinch_out_of_range_is_refused() -> None:
    for aperture in (0.0, 0.2):
        with pytest.raises(LimitError, match='pinch'):
            pinch(HandModel(), aperture)


@pytest.mark.parametrize('name', ['open', 'rest', 'power', 'fist', 'point'])
def test_postures_are_within_limits(name: str) -> None:
    check_limits(posture(name))


def test_postures_look_as_they_are_called() -> None:
    model = HandModel()
    reach = {
        name: np.linalg.norm(model.keypoints(posture(name))[[c[3] for c in CHAINS]], axis=1)
        for name in ('open', 'fist', 'point')
    }
    assert (reach['fist'][1:] < 0.65 * reach['open'][1:]).all()
    assert reach['point'][1] > 0.95 * reach['open'][1] and reach['point'][2] < 0.1


def test_bad_input_is_refused() -> None:
    with pytest.raises(UnknownNameError, match='fist'):
        posture('fits')
    with pytest.raises(ShapeError):
        HandModel().keypoints(np.zeros(19))
    with pytest.raises(NotFiniteError):
        HandModel().keypoints(np.full(NUM_JOINTS, np.nan))
    with pytest.raises(ConfigError):
        HandShape(length=0.5)
    with pytest.raises(ConfigError):
        HandShape(finger_ratio=(1.0, 1.0))
    too_far = np.zeros(NUM_JOINTS)
    too_far[3] = 3.0
    with pytest.raises(LimitError, match=JOINTS[3]):
        check_limits(too_far)


def test_state_moves_with_its_palm() -> None:
    model = HandModel()
    pose = transform(np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), np.array([0.1, 0.2, 0.3]))
    moved = model.world_keypoints(HandState(pose, posture('open'), np.zeros(3)))
    np.testing.assert_allclose(moved[0], [0.1, 0.2, 0.3])
    np.testing.assert_allclose(hand_frame(moved), pose, atol=1e-12)
