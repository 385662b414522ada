"""The skin of the virtual hand."""

import time

import numpy as np
import pytest

from mimic_sim.hand_mesh import (
    FOREARM_BONE,
    HandMesh,
    hand_mesh,
    skin_bones,
    skinned,
    vertex_normals,
)
from mimic_sim.hand_model import NUM_JOINTS, HandModel, HandShape
from mimic_sim.hand_postures import pinch, posture
from mimic_sim.surface_nets import surface_nets


@pytest.fixture(scope='module')
def mesh() -> HandMesh:
    return hand_mesh(HandShape())


def winding(vertices: np.ndarray, faces: np.ndarray, point: np.ndarray) -> float:
    """How often a mesh goes around a point: 1 inside, 0 outside.

    Source: A. van Oosterom, J. Strackee, 1983, the solid angle of a plane triangle.
    """
    a, b, c = (vertices[faces[:, k]] - point for k in range(3))
    la, lb, lc = (np.linalg.norm(v, axis=1) for v in (a, b, c))
    over = np.einsum('ij,ij->i', a, np.cross(b, c))
    under = (
        la * lb * lc
        + np.einsum('ij,ij->i', a, b) * lc
        + np.einsum('ij,ij->i', b, c) * la
        + np.einsum('ij,ij->i', c, a) * lb
    )
    return float(2.0 * np.arctan2(over, under).sum() / (4.0 * np.pi))


def test_surface_nets_of_a_sphere() -> None:
    axis = np.linspace(-1.3, 1.3, 40)
    x, y, z = np.meshgrid(axis, axis, axis, indexing='ij')
    vertices, faces = surface_nets(np.sqrt(x * x + y * y + z * z) - 1.0, axis, axis, axis)
    assert np.abs(np.linalg.norm(vertices, axis=1) - 1.0).max() < 0.01
    normals = vertex_normals(vertices, faces)
    assert (np.einsum('ij,ij->i', normals, vertices) > 0.9).all()  # outward
    assert len(vertices) - len(faces) / 2 == 2  # Euler: one closed surface without holes


def test_mesh_is_closed_and_made_fast(mesh: HandMesh) -> None:
    f = mesh.faces
    edges = np.sort(np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]]), axis=1)
    _, uses = np.unique(edges, axis=0, return_counts=True)
    assert (uses == 2).mean() > 0.999
    begin = time.perf_counter()
    hand_mesh(HandShape(length=0.187))
    assert time.perf_counter() - begin < 3.0
    assert hand_mesh(HandShape()) is mesh


def test_weights_are_shares(mesh: HandMesh) -> None:
    assert (mesh.weights >= 0.0).all()
    np.testing.assert_allclose(mesh.weights.sum(axis=1), 1.0)
    assert mesh.weights[mesh.vertices[:, 2] < -0.06][:, FOREARM_BONE].min() > 0.99


def test_tones_are_in_range(mesh: HandMesh) -> None:
    assert mesh.tone.min() >= 0.0 and mesh.tone.max() <= 1.0
    assert 0.002 < (mesh.tone[:, 0] > 0.95).mean() < 0.05  # five nails


@pytest.mark.parametrize('name', ['open', 'rest', 'power', 'fist', 'point', 'pinch'])
def test_keypoints_are_inside_the_skin(mesh: HandMesh, name: str) -> None:
    model = HandModel()
    joints = pinch(model, 0.03) if name == 'pinch' else posture(name)
    rest = skin_bones(model, np.zeros(NUM_JOINTS), np.eye(4))
    bent = skinned(mesh, skin_bones(model, joints, np.eye(4)), rest)
    inside = [winding(bent, mesh.faces, point) for point in model.keypoints(joints)]
    assert min(inside) > 0.5
    assert winding(bent, mesh.faces, np.array([0.3, 0.0, 0.0])) == pytest.approx(0.0, abs=1e-6)


def test_skin_at_rest_is_the_mesh(mesh: HandMesh) -> None:
    rest = skin_bones(HandModel(), np.zeros(NUM_JOINTS), np.eye(4))
    np.testing.assert_allclose(skinned(mesh, rest, rest), mesh.vertices, atol=1e-12)


def test_joints_do_not_collapse(mesh: HandMesh) -> None:
    """A bent finger keeps most of its thickness: skin stays away from the bones."""
    model = HandModel()
    rest = skin_bones(model, np.zeros(NUM_JOINTS), np.eye(4))
    joints = posture('power')
    bent = skinned(mesh, skin_bones(model, joints, np.eye(4)), rest)
    points = model.keypoints(joints)
    for joint in (6, 7, 10, 11, 14, 15):
        nearest = np.linalg.norm(bent - points[joint], axis=1).min()
        assert nearest > 0.45 * model.radii[joint]
