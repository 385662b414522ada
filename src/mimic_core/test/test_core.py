import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mimic_core import frames, keypoints
from mimic_core.arrays import checked
from mimic_core.camera import Frame, Intrinsics
from mimic_core.command import NamedPositions
from mimic_core.errors import (
    ConfigError,
    LimitError,
    NotFiniteError,
    ShapeError,
    StaleInputError,
    UnknownNameError,
)
from mimic_core.limits import JointLimits


def random_transform(rng):
    return frames.transform(Rotation.random(random_state=rng).as_matrix(), rng.normal(size=3))


def flat_right_hand():
    """A right hand with the fingers along +y and the palm towards +z, wrist at the origin."""
    points = np.zeros((21, 3))
    knuckle_x = {'thumb': 0.05, 'index': 0.027, 'middle': 0.0, 'ring': -0.016, 'little': -0.034}
    for finger, chain in zip(keypoints.FINGERS, keypoints.CHAINS, strict=True):
        for i, joint in enumerate(chain):
            points[joint] = [knuckle_x[finger], 0.05 + 0.03 * i, 0.0]
    return points


def test_keypoints_form_a_tree_rooted_at_the_wrist():
    seen = {keypoints.WRIST}
    for parent, child in keypoints.BONES:
        assert parent in seen and child not in seen
        seen.add(child)
    assert seen == set(range(keypoints.NUM_KEYPOINTS))
    assert [keypoints.KEYPOINTS[i] for i in keypoints.TIPS] == [
        f'{finger}_tip' for finger in keypoints.FINGERS
    ]


def test_checked_names_the_first_bad_element():
    with pytest.raises(NotFiniteError, match=r'q\[1\] is nan'):
        checked([0.0, float('nan')], (2,), 'q')
    with pytest.raises(ShapeError, match='shape'):
        checked([1, 2, 3], (2,), 'q')
    with pytest.raises(ShapeError, match='numbers'):
        checked(['a'], (1,), 'q')


@pytest.mark.parametrize('seed', range(5))
def test_transform_inverse_and_quaternion_round_trip(seed):
    a_T_b = random_transform(np.random.default_rng(seed))
    np.testing.assert_allclose(frames.inverse(a_T_b) @ a_T_b, np.eye(4), atol=1e-12)
    again = frames.from_xyz_quat(a_T_b[:3, 3], frames.to_quat_xyzw(a_T_b))
    np.testing.assert_allclose(again, a_T_b, atol=1e-12)


def test_quaternions_are_those_of_scipy_also_of_half_turns_and_of_what_is_no_rotation():
    from scipy.spatial.transform import Rotation

    rng = np.random.default_rng(0)
    turns = [random_transform(rng)[:3, :3] for _ in range(200)]
    turns += list(
        Rotation.from_euler('xyz', rng.choice([0, np.pi / 2, np.pi], (60, 3))).as_matrix()
    )
    turns += [np.diag(d) for d in ((1.0, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))]
    for turn in turns:
        quat = frames.to_quat_xyzw(frames.transform(turn, np.zeros(3)))
        assert quat[3] >= 0.0
        np.testing.assert_allclose(np.linalg.norm(quat), 1.0, atol=1e-12)
        np.testing.assert_allclose(Rotation.from_quat(quat).as_matrix(), turn, atol=1e-12)
    quat = frames.to_quat_xyzw(frames.transform(0.9 * turns[0], np.zeros(3)))
    np.testing.assert_allclose(Rotation.from_quat(quat).as_matrix(), turns[0], atol=1e-12)
    for flat in (np.diag([1.0, 1.0, -1.0]), np.diag([1.0, 1.0, 0.0])):
        with pytest.raises(ValueError, match='determinant'):
            frames.to_quat_xyzw(frames.transform(flat, np.zeros(3)))


def test_quaternion_of_wrong_length_is_refused():
    with pytest.raises(NotFiniteError, match='unit'):
        frames.from_xyz_quat(np.zeros(3), np.array([0, 0, 0, 2.0]))


def test_cross_is_that_of_numpy():
    for a, b in np.random.default_rng(4).normal(size=(50, 2, 3)):
        np.testing.assert_array_equal(frames.cross(a, b), np.cross(a, b))


def test_look_at_puts_the_target_on_the_optical_axis():
    eye, target = np.array([1.0, 0.2, 0.8]), np.array([0.1, -0.1, 0.0])
    world_T_optical = frames.look_at(eye, target, np.array([0, 0, 1.0]))
    point = frames.apply(frames.inverse(world_T_optical), target)
    np.testing.assert_allclose(point[:2], 0, atol=1e-12)
    assert point[2] == pytest.approx(np.linalg.norm(target - eye))
    up = frames.apply(frames.inverse(world_T_optical), target + np.array([0, 0, 0.1]))
    assert up[1] < 0  # y is down
    assert np.linalg.det(world_T_optical[:3, :3]) == pytest.approx(1.0)


def test_hand_frame_of_a_right_hand():
    T = frames.hand_frame(flat_right_hand())
    np.testing.assert_allclose(T[:3, 2], [0, 1, 0], atol=1e-12)  # fingers
    np.testing.assert_allclose(T[:3, 0], [0, 0, 1], atol=1e-12)  # out of the palm
    np.testing.assert_allclose(T[:3, 1], [1, 0, 0], atol=1e-12)  # thumb side


def test_hand_frame_of_a_left_hand_is_palmar_too():
    mirrored = flat_right_hand() * [-1, 1, 1]
    T = frames.hand_frame(mirrored, left=True)
    np.testing.assert_allclose(T[:3, 0], [0, 0, 1], atol=1e-12)
    assert np.linalg.det(T[:3, :3]) == pytest.approx(1.0)


def test_hand_frame_moves_with_the_hand():
    rng = np.random.default_rng(3)
    a_T_b = random_transform(rng)
    hand = flat_right_hand()
    moved = frames.hand_frame(frames.apply(a_T_b, hand))
    np.testing.assert_allclose(moved, a_T_b @ frames.hand_frame(hand), atol=1e-12)


def test_hand_frame_refuses_a_degenerate_palm():
    with pytest.raises(ShapeError, match='degenerate'):
        frames.hand_frame(np.zeros((21, 3)))
    broken = flat_right_hand()
    broken[keypoints.INDEX['little_mcp']] = np.nan
    with pytest.raises(NotFiniteError):
        frames.hand_frame(broken)


@given(st.floats(0.1, 3.0), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3))
def test_project_and_deproject_are_inverse(z, x, y):
    camera = Intrinsics.from_fov(640, 480, 0.8)
    point = np.array([x, y, z])
    pixel = camera.project(point)
    np.testing.assert_allclose(camera.deproject(pixel, np.array(z)), point, atol=1e-9)


def test_projection_behind_the_camera_is_nan():
    camera = Intrinsics.from_fov(640, 480, 0.8)
    assert np.isnan(camera.project(np.array([0.0, 0.0, -1.0]))).all()


def test_frame_refuses_images_of_another_size():
    camera = Intrinsics.from_fov(640, 480, 0.8)
    color = np.zeros((480, 640, 3), np.uint8)
    Frame(color, camera, 1.0, 'c', np.zeros((480, 640), np.uint16))
    with pytest.raises(ShapeError, match='colour'):
        Frame(color[:100], camera, 1.0, 'c')
    with pytest.raises(ShapeError, match='depth'):
        Frame(color, camera, 1.0, 'c', np.zeros((100, 640), np.uint16))
    with pytest.raises(ConfigError):
        Intrinsics(0, 480, 1, 1, 0, 0)


def test_command_maps_by_name_and_refuses_nonsense():
    command = NamedPositions.single(['b', 'a'], np.array([2.0, 1.0]))
    row = command.ordered(['a', 'b', 'c'])[0]
    assert row[0] == 1.0 and row[1] == 2.0 and np.isnan(row[2])
    with pytest.raises(UnknownNameError, match="unknown joint 'b'"):
        command.ordered(['a'])
    with pytest.raises(NotFiniteError):
        NamedPositions.single(['a'], np.array([np.nan]))
    with pytest.raises(ShapeError):
        NamedPositions.single(['a', 'b'], np.array([1.0]))
    with pytest.raises(ShapeError):
        NamedPositions.single(['a', 'a'], np.array([1.0, 1.0]))
    with pytest.raises(StaleInputError):
        NamedPositions(('a',), np.zeros((2, 1)), np.array([0.2, 0.1]))


def test_limits_check_themselves():
    one = np.ones(2)
    limits = JointLimits(-one, one, one, one, one)
    assert limits.contains(np.array([1.0, -1.0])) and not limits.contains(np.array([1.1, 0]))
    np.testing.assert_array_equal(limits.clip(np.array([9.0, -9.0])), [1, -1])
    assert limits.scaled(speed=0.5).max_speed[0] == 0.5
    with pytest.raises(LimitError):
        JointLimits(one, -one, one, one, one)
    with pytest.raises(LimitError):
        JointLimits(-one, one, 0 * one, one, one)


def test_unknown_name_lists_the_known_and_the_nearest():
    error = UnknownNameError('hand', 'alegro', ['allegro', 'leap'])
    assert "Did you mean 'allegro'?" in str(error) and 'leap' in str(error)
