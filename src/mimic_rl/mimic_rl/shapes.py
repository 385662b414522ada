"""Meshes of primitives."""

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from mimic_core.frames import transform
from mimic_core.primitives import Primitive
from mimic_rl.run_folder import PracticeObject


def part_mesh(part: Primitive) -> trimesh.Trimesh:
    """Return the mesh of a primitive in the object's frame."""
    place = transform(Rotation.from_quat(part.quat_xyzw).as_matrix(), np.array(part.xyz))
    mesh: trimesh.Trimesh
    if part.form == 'box':
        mesh = trimesh.creation.box(part.size, place)
    elif part.form == 'cylinder':
        mesh = trimesh.creation.cylinder(part.size[0], part.size[1], transform=place)
    else:
        mesh = trimesh.creation.icosphere(3, part.size[0]).apply_transform(place)
    return mesh


def object_mesh(thing: PracticeObject) -> trimesh.Trimesh:
    """Return the mesh of an object of primitives, in its frame."""
    whole = trimesh.util.concatenate([part_mesh(part) for part in thing.parts])
    assert isinstance(whole, trimesh.Trimesh)  # of meshes comes a mesh
    return whole
