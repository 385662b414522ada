"""Meshes from files: good ones, and those with wrong units, holes, or nothing in them."""

import numpy as np
import pytest
import trimesh

from mimic_core.errors import ConfigError, NotFiniteError
from mimic_object_tracking import load_object, make_object
from mimic_object_tracking.mesh import check_size

BOX = trimesh.creation.box((0.12, 0.08, 0.05))


def write(tmp_path, mesh, name='box.obj'):
    path = tmp_path / name
    mesh.export(path)
    return path


@pytest.mark.parametrize('name', ['box.obj', 'box.stl', 'box.ply'])
def test_a_mesh_keeps_its_frame_and_size(tmp_path, name):
    shifted = BOX.copy()
    shifted.apply_translation((0.3, 0.0, 0.1))
    model = load_object(write(tmp_path, shifted, name))
    assert model.name == 'box' and model.holes == 0 and not model.two_sided
    np.testing.assert_allclose(model.centre, (0.3, 0.0, 0.1), atol=1e-6)
    np.testing.assert_allclose(np.ptp(model.vertices, axis=0), (0.12, 0.08, 0.05), atol=1e-6)
    assert model.diameter == pytest.approx(np.linalg.norm((0.12, 0.08, 0.05)))
    outward = (model.point_normals * (model.points - model.centre)).sum(axis=1)
    assert (outward > 0.0).all()


@pytest.mark.parametrize(
    ('factor', 'says'),
    [
        (1e3, 'millimetres'),
        (1e2, 'centimetres'),
        (1 / 0.0254, 'inches'),
        (1e-3, 'kilometres'),
    ],
)
def test_a_wrong_unit_is_refused_and_named(tmp_path, factor, says):
    path = write(tmp_path, BOX.copy().apply_scale(factor), 'wrong.ply')
    with pytest.raises(ConfigError, match=f'wrong.ply.*{says}.*scale it by'):
        load_object(path)


def test_sizes_of_the_issue():
    with pytest.raises(ConfigError, match=r'80 m .*millimetres.* 80 mm: then scale it by 0.001'):
        check_size('bunny', 80.0)
    with pytest.raises(ConfigError, match=r'0.08 mm .*kilometres.* 80 mm: then scale it by 1000'):
        check_size('bunny', 0.00008)
    check_size('bunny', 0.08)


def test_a_scale_makes_it_right(tmp_path):
    path = write(tmp_path, BOX.copy().apply_scale(1e3))
    model = load_object(path, scale=1e-3)
    np.testing.assert_allclose(np.ptp(model.vertices, axis=0), (0.12, 0.08, 0.05), atol=1e-6)


@pytest.mark.parametrize('scale', [0.0, -1.0, float('nan'), float('inf')])
def test_a_scale_that_is_none_is_refused(tmp_path, scale):
    with pytest.raises(ConfigError, match=r'box\.ply: its scale is .* above 0'):
        load_object(write(tmp_path, BOX, 'box.ply'), scale=scale)


def test_holes_are_counted_and_no_obstacle():
    open_box = BOX.copy()
    top, bottom = (np.abs(BOX.face_normals[:, 2] - s) < 0.1 for s in (1.0, -1.0))
    open_box.update_faces(~(top | bottom))
    model = make_object('tube', open_box.vertices, open_box.faces)
    assert model.holes == 2 and model.two_sided
    assert '2 holes' in model.describe()


def test_inverted_triangles_are_turned_outwards():
    model = make_object('box', BOX.vertices, BOX.faces[:, ::-1])
    assert ((model.point_normals * model.points).sum(axis=1) > 0.0).all()


def test_what_is_no_mesh(tmp_path):
    with pytest.raises(ConfigError, match='there is no mesh'):
        load_object(tmp_path / 'none.obj')
    (tmp_path / 'text.stl').write_text('not a mesh at all')
    with pytest.raises(ConfigError, match=r'text\.stl'):
        load_object(tmp_path / 'text.stl')
    (tmp_path / 'what.xyzzy').write_text('?')
    with pytest.raises(ConfigError, match='cannot be read as a mesh'):
        load_object(tmp_path / 'what.xyzzy')
    cloud = trimesh.PointCloud(np.random.default_rng(0).random((50, 3)))
    cloud.export(tmp_path / 'cloud.ply')
    with pytest.raises(ConfigError, match='no triangles'):
        load_object(tmp_path / 'cloud.ply')
    line = np.array([[0.0, 0, 0], [0.1, 0, 0], [0.2, 0, 0]])
    with pytest.raises(ConfigError, match='area'):
        make_object('line', line, np.array([[0, 1, 2]]))
    broken = BOX.vertices.copy()
    broken[0, 0] = np.nan
    with pytest.raises(NotFiniteError, match='box'):
        make_object('box', broken, BOX.faces)


@pytest.mark.parametrize('thick', [0.0, 5e-5])
def test_a_flat_mesh_is_refused(tmp_path, thick):
    """How it stands is sought on its hull; on one of no volume that never ended."""
    card = trimesh.creation.box((0.12, 0.08, 1.0))
    card.vertices[:, 2] *= thick
    card.apply_transform(trimesh.transformations.euler_matrix(0.4, 0.3, 0.2))
    with pytest.raises(ConfigError, match=r'card\.ply is flat: .*give it its thickness'):
        load_object(write(tmp_path, card, 'card.ply'))
    sheet = np.array([[0.0, 0.0, 0.0], [0.1, 0.0, 0.0], [0.1, 0.1, 0.0], [0.0, 0.1, 0.0]])
    with pytest.raises(ConfigError, match='sheet is flat: it is 0'):
        make_object('sheet', sheet, np.array([[0, 1, 2], [0, 2, 3]]))
    card.vertices[:] = BOX.vertices * (1.0, 1.0, 0.02)  # 1 mm
    assert make_object('card', card.vertices, card.faces).holes == 0


def test_the_grid_finds_the_nearest_surface(box):
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.09, 0.09, (2000, 3))
    half = 0.5 * np.ptp(box.vertices, axis=0)
    outside = np.maximum(np.abs(points) - half, 0.0)
    inside = np.min(half - np.abs(points), axis=1)
    truth = np.where(inside > 0.0, inside, np.linalg.norm(outside, axis=1))
    _, distance, faces = box.grid.query(points)
    known = faces >= 0
    assert 0.5 < known.mean() < 1.0  # beyond the margin nothing is known
    assert np.isinf(distance[~known]).all()
    assert (distance[known] >= truth[known] - 1e-9).all()
    assert np.quantile(distance[known] - truth[known], 0.99) < 1.0 * box.grid.voxel
    assert np.mean(distance[known] - truth[known] < 1e-9) > 0.9  # mostly exact
