"""Which turns look the same, found and named."""

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from mimic_core.errors import ConfigError
from mimic_core.frames import transform
from mimic_object_tracking.symmetry import find_symmetry, symmetry_of

POSE = transform(Rotation.from_rotvec([0.3, -0.8, 0.5]).as_matrix(), np.array([0.1, 0.0, 0.7]))
cup = trimesh.creation.revolve(np.array([[0.0, 0.0], [0.03, 0.0], [0.04, 0.09], [0.0, 0.09]]))
wedge = trimesh.convex.convex_hull(
    np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.07, 0], [0.1, 0.05, 0], [0.02, 0.01, 0.06]])
)


@pytest.mark.parametrize(
    ('mesh', 'turns', 'axis'),
    [
        (trimesh.creation.box((0.1, 0.07, 0.04)), 4, None),
        (trimesh.creation.box((0.07, 0.07, 0.04)), 8, None),
        (trimesh.creation.box((0.05, 0.05, 0.05)), 24, None),
        (trimesh.creation.cylinder(0.03, 0.1, sections=48), 2, (0, 0, 1)),
        (cup, 1, (0, 0, 1)),
        (wedge, 1, None),
    ],
    ids=['box', 'square box', 'cube', 'can', 'cup', 'wedge'],
)
def test_found_by_shape(mesh, turns, axis):
    found = find_symmetry(mesh)
    assert len(found.turns) == turns
    if axis is None:
        assert found.axis is None
    else:
        np.testing.assert_allclose(np.abs(found.axis), axis, atol=1e-6)


def test_a_turned_mesh_has_turned_symmetry():
    turn = Rotation.from_rotvec([0.4, 0.2, -0.6]).as_matrix()
    can = trimesh.creation.cylinder(0.03, 0.1, sections=48)
    can.apply_transform(transform(turn, np.array([0.2, 0.0, -0.1])))
    found = find_symmetry(can)
    np.testing.assert_allclose(abs(found.axis @ turn[:, 2]), 1.0, atol=1e-3)
    np.testing.assert_allclose(found.centre, (0.2, 0.0, -0.1), atol=2e-3)


def test_equal_turns_are_no_difference():
    box = find_symmetry(trimesh.creation.box((0.1, 0.07, 0.04)))
    for pose in box.equivalents(POSE):
        distance, angle = box.difference(pose, POSE)
        assert distance < 1e-9 and angle < 1e-6
    quarter = POSE @ transform(Rotation.from_euler('z', 0.5 * np.pi).as_matrix(), np.zeros(3))
    assert box.difference(quarter, POSE)[1] == pytest.approx(0.5 * np.pi)


def test_a_round_thing_is_unwound_to_its_reference():
    round_cup = find_symmetry(cup)
    turned = POSE @ transform(Rotation.from_euler('z', 2.0).as_matrix(), np.zeros(3))
    np.testing.assert_allclose(round_cup.nearest(turned, POSE), POSE, atol=1e-3)
    tilt = POSE @ transform(Rotation.from_euler('zx', [1.0, 0.3]).as_matrix(), np.zeros(3))
    assert round_cup.difference(tilt, POSE)[1] == pytest.approx(0.3, abs=1e-3)


def test_named_symmetry():
    assert len(symmetry_of('none', np.zeros(3)).turns) == 1
    assert symmetry_of('y', np.zeros(3)).axis.tolist() == [0.0, 1.0, 0.0]
    assert len(symmetry_of('x2,z4', np.zeros(3)).turns) == 8
    for text in ('', 'w', 'z1', 'x,y', 'z2.5', 'zz'):
        with pytest.raises(ConfigError, match='symmetry'):
            symmetry_of(text, np.zeros(3))
