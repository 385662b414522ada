import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimic_policy.poses import encode_state, known_states, mean_rotation


def test_the_mean_rotation_is_in_the_middle():
    around = np.array([[np.pi - 0.2, 0.0, 0.0], [-np.pi + 0.2, 0.0, 0.0]])
    assert np.linalg.norm(mean_rotation(around)) == pytest.approx(np.pi, abs=1e-6)


def test_states_do_not_depend_on_the_sign_of_a_quaternion():
    rng = np.random.default_rng(0)
    quat = Rotation.random(20, random_state=1).as_quat()
    state = np.concatenate([rng.normal(size=(20, 3)), quat, rng.normal(size=(20, 2))], 1)
    flipped = state.copy()
    flipped[:, 3:7] *= -1.0
    encoded = encode_state(state)
    assert encoded.shape == (20, 11)
    np.testing.assert_allclose(encoded, encode_state(flipped))
    matrix = Rotation.from_quat(quat).as_matrix()
    np.testing.assert_allclose(encoded[:, 3:6], matrix[:, :, 0], atol=1e-12)
    np.testing.assert_allclose(encoded[:, 6:9], matrix[:, :, 1], atol=1e-12)
    np.testing.assert_array_equal(encoded[:, 9:], state[:, 7:])


def test_a_robot_knows_where_its_palm_was_and_where_its_hand_was_sent():
    rng = np.random.default_rng(4)
    state, action = rng.normal(size=(3, 7 + 2)), rng.normal(size=(3, 6 + 2))
    known = known_states(state, action)
    np.testing.assert_allclose(known[:, :9], encode_state(state)[:, :9])
    np.testing.assert_array_equal(known[:, 9:], action[:, 6:])
