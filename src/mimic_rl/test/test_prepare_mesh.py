import numpy as np
import pytest
import trimesh

from mimic_core.errors import ConfigError
from mimic_core.frames import apply
from mimic_core.primitives import Primitive
from mimic_object_tracking import load_object
from mimic_rl.prepare.params import PrepareParams
from mimic_rl.prepare.prepare import _anchors, _fit, _round_about_body, practice_model
from mimic_rl.prepare.primitives import fit_primitives
from mimic_rl.shapes import part_mesh


@pytest.mark.parametrize(
    'part',
    [
        Primitive('box', (0.14, 0.07, 0.10)),
        Primitive('box', (0.1, 0.02, 0.02), (0.05, 0.0, 0.01), (0.0, 0.0, 0.3826834, 0.9238795)),
        Primitive('cylinder', (0.09, 0.02)),
        Primitive('cylinder', (0.03, 0.2), (0.0, 0.1, 0.0), (0.7071068, 0.0, 0.0, 0.7071068)),
        Primitive('sphere', (0.04,), (0.01, 0.02, 0.03)),
    ],
)
def test_a_primitive_is_found_again(part):
    mesh = part_mesh(part)
    fit = fit_primitives(mesh.vertices, mesh.faces, 'a')
    (found,) = fit.parts
    assert found.form == part.form
    assert sorted(found.size) == pytest.approx(sorted(part.size), abs=5e-4)
    assert found.xyz == pytest.approx(part.xyz, abs=5e-4)
    assert fit.error < 2e-3  # the samples of both surfaces differ


def test_each_piece_becomes_a_primitive():
    pieces = [
        Primitive('cylinder', (0.05, 0.15)),
        Primitive('box', (0.02, 0.02, 0.1), (0.08, 0.0, 0.0)),
    ]
    mesh = trimesh.util.concatenate([part_mesh(p) for p in pieces])
    fit = fit_primitives(mesh.vertices, mesh.faces, 'jug')
    assert sorted(p.form for p in fit.parts) == ['box', 'cylinder']
    assert fit.error < 1e-3
    crumbs = [Primitive('box', (0.01, 0.01, 0.01), (0.02 * i, 0.0, 0.0)) for i in range(30)]
    many = trimesh.util.concatenate([part_mesh(p) for p in crumbs])
    with pytest.raises(ConfigError, match='30 pieces'):
        fit_primitives(many.vertices, many.faces, 'crumbs.obj')


def test_wrong_units_name_the_file_and_the_scale(tmp_path):
    path = tmp_path / 'box.obj'
    trimesh.creation.box((140.0, 70.0, 100.0)).export(path)
    with pytest.raises(ConfigError, match=r'box\.obj.*millimetres.*0\.001'):
        load_object(path)
    assert load_object(path, 0.001).radius == pytest.approx(0.0931, abs=1e-3)


def test_holes_are_refused_unless_they_are_accepted(tmp_path):
    path = tmp_path / 'open.obj'
    mesh = trimesh.creation.box((0.14, 0.07, 0.10))
    mesh.update_faces(np.arange(len(mesh.faces)) > 1)
    mesh.export(path)
    model = load_object(path)
    with pytest.raises(ConfigError, match=r'open\.obj has 1 holes.*close them'):
        _fit(model, path, PrepareParams())
    assert len(_fit(model, path, PrepareParams(open_mesh=True, shape_error=0.03)).parts) == 1


def test_a_shape_that_no_primitive_fits_is_refused(tmp_path):
    path = tmp_path / 'torus.obj'
    trimesh.creation.torus(0.08, 0.015).export(path)
    model = load_object(path)
    with pytest.raises(ConfigError, match=r'torus\.obj.*shape_error'):
        _fit(model, path, PrepareParams(shape_error=0.005))


def test_anchors_do_not_move_by_turns_that_look_the_same(tmp_path):
    for name, mesh, count in (
        ('plate', trimesh.creation.cylinder(0.09, 0.02), 2),
        ('box', trimesh.creation.box((0.14, 0.07, 0.10)), 3),
    ):
        path = tmp_path / f'{name}.obj'
        mesh.export(path)
        model = load_object(path)
        anchors = _anchors(model)
        assert len(anchors) == count
        if model.symmetry.axis is not None:
            assert np.allclose(np.cross(anchors, model.symmetry.axis), 0.0, atol=1e-3)
    path = tmp_path / 'box.obj'
    assert len(_anchors(load_object(path, symmetry='z'))) == 2
    tilted = trimesh.creation.cylinder(0.09, 0.02)
    tilted.apply_transform(trimesh.transformations.rotation_matrix(0.6, (1, 0, 0)))
    tilted.export(tmp_path / 'tilted.obj')
    with pytest.raises(ConfigError, match='turn the mesh'):
        _anchors(load_object(tmp_path / 'tilted.obj'))


def test_a_round_axis_goes_through_the_body_not_the_middle_of_body_and_spout(tmp_path):
    pieces = [
        Primitive('cylinder', (0.03, 0.15)),
        Primitive('box', (0.02, 0.02, 0.012), (0.04, 0.0, 0.06)),
    ]
    path = tmp_path / 'pitcher.obj'
    trimesh.util.concatenate([part_mesh(p) for p in pieces]).export(path)
    params = PrepareParams(symmetry='z')
    model = load_object(path, symmetry=params.symmetry)
    assert abs(model.symmetry.centre[0]) > 0.005
    body = _round_about_body(model, _fit(model, path, params))
    assert np.allclose(body.symmetry.centre[:2], 0.0, atol=1e-4)


def test_of_a_ball_only_the_middle_counts(tmp_path):
    trimesh.creation.icosphere(4, 0.04).export(tmp_path / 'ball.obj')
    model = load_object(tmp_path / 'ball.obj')
    assert model.symmetry.ball
    np.testing.assert_array_equal(_anchors(model), [[0.0, 0.0, 0.0]])


def shapes():
    scan = trimesh.creation.box((0.14, 0.07, 0.10))
    jug = [
        Primitive('cylinder', (0.03, 0.15)),
        Primitive('box', (0.02, 0.02, 0.012), (0.04, 0.0, 0.06)),
    ]
    mug = [
        Primitive('cylinder', (0.04, 0.16)),
        Primitive('box', (0.03, 0.012, 0.06), (0.055, 0.0, 0.0)),
    ]
    return {
        'plate': (trimesh.creation.cylinder(0.09, 0.02), (0.09, 0.0, 0.0), 'auto'),  # its rim
        'ball': (trimesh.creation.icosphere(4, 0.04), (0.0, 0.0, 0.04), 'auto'),  # where it stands
        'scan': (scan, (-0.5, 0.2, 0.0), 'auto'),
        'jug': (trimesh.util.concatenate([part_mesh(p) for p in jug]), (0.5, 0.0, 0.0), 'z'),
        'mug': (trimesh.util.concatenate([part_mesh(p) for p in mug]), (0.02, 0.0, 0.0), 'z'),
    }


@pytest.mark.parametrize('name', ['plate', 'ball', 'scan', 'jug', 'mug'])
def test_an_origin_beside_the_object_is_moved_into_it(tmp_path, name):
    mesh, origin, symmetry = shapes()[name]
    mesh.apply_translation(-np.array(origin))
    path = tmp_path / f'{name}.obj'
    mesh.export(path)
    params = PrepareParams(symmetry=symmetry)
    model, fit, moved = practice_model(path, 1.0, params)
    np.testing.assert_allclose(moved, -np.array(origin), atol=1e-3)
    assert model.name == f'{name}_centred'
    place = model.vertices.min(axis=0) + moved
    np.testing.assert_allclose(place, mesh.bounds[0], atol=1e-6)  # the same mesh, elsewhere
    assert max(np.linalg.norm(part.xyz) for part in fit.parts) < 0.08
    # A turn about the axis, which nobody sees, moves no anchor.
    anchors, axis = _anchors(model), model.symmetry.axis
    if axis is not None:
        spun = model.symmetry.nearest(np.eye(4), _quarter(axis))
        np.testing.assert_allclose(apply(spun, anchors), anchors, atol=1e-3)


def _quarter(axis):
    turn = trimesh.transformations.rotation_matrix(0.5 * np.pi, axis)
    return np.asarray(turn)


@pytest.mark.parametrize(
    ('shape', 'shift', 'symmetry'),
    [
        ('plate', (0.0, 0.0, 0.01), 'auto'),  # on the axis, on the table
        ('scan', (0.07, 0.035, 0.05), 'auto'),  # a corner, as drawing programs have it
        ('jug', (0.0, 0.0, 0.0), 'z'),
    ],
)
def test_an_origin_in_the_object_stays(tmp_path, shape, shift, symmetry):
    mesh, _, _ = shapes()[shape]
    mesh.apply_translation(shift)
    path = tmp_path / 'mine.obj'
    mesh.export(path)
    model, _, moved = practice_model(path, 1.0, PrepareParams(symmetry=symmetry))
    assert not moved.any() and model.name == 'mine'
