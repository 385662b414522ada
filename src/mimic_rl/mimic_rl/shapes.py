"""Meshes of primitives."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from mimic_core.frames import transform
from mimic_core.primitives import Primitive
from mimic_object_tracking.symmetry import Symmetry
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


def round_about_body(symmetry: Symmetry, parts: Sequence[Primitive]) -> Symmetry:
    """Return a symmetry with its round axis, if it has one, through the largest of the parts.

    A spout or handle shifts the middle of the whole, about which it is not round.
    """
    if symmetry.axis is None:
        return symmetry
    body = max(parts, key=lambda part: float(part_mesh(part).volume))
    return replace(symmetry, centre=np.array(body.xyz))
