"""The primitives of a robot's links as triangle meshes."""

from typing import cast

import numpy as np
import pinocchio as pin
import trimesh

from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError
from mimic_description import RobotModel
from mimic_description.tree import Shape


def mesh_of(shape: Shape) -> trimesh.Trimesh:
    """Return the mesh of a primitive in the frame of its link, with its colour."""
    if shape.kind == 'box':
        mesh = trimesh.creation.box(extents=shape.size)
    elif shape.kind == 'sphere':
        mesh = trimesh.creation.icosphere(subdivisions=2, radius=shape.size[0])
    elif shape.kind == 'cylinder':
        mesh = trimesh.creation.cylinder(radius=shape.size[0], height=shape.size[1], sections=24)
    elif shape.kind == 'capsule':
        mesh = trimesh.creation.capsule(radius=shape.size[0], height=shape.size[1], count=(16, 16))
        mesh.apply_translation([0.0, 0.0, -mesh.bounds.mean(axis=0)[2]])
    else:
        raise ConfigError(f"shape '{shape.kind}' cannot be drawn")
    mesh.apply_transform(shape.link_T_shape)
    mesh.visual.face_colors = (np.array(shape.rgba) * 255).astype(np.uint8)
    return mesh


def link_meshes(robot: RobotModel) -> dict[str, trimesh.Trimesh]:
    """Return one mesh for each link that has a shape, in the frame of the link."""
    meshes = {}
    for link in robot.tree.links.values():
        if link.shapes:
            mesh = trimesh.util.concatenate([mesh_of(shape) for shape in link.shapes])
            meshes[link.name] = cast(trimesh.Trimesh, mesh)
    return meshes


def link_poses(robot: RobotModel, q: FloatArray) -> dict[str, FloatArray]:
    """Return world_T_link (4, 4) of each link that has a shape, at (J,) joint positions."""
    data = robot.pin_model.createData()
    pin.framesForwardKinematics(robot.pin_model, data, robot.full(q))
    return {
        name: data.oMf[robot.frame(name)].homogeneous
        for name, link in robot.tree.links.items()
        if link.shapes
    }
