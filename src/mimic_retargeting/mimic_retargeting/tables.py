"""The part of a robot that a solver moves, as plain tables for compiled loops.

The tables are read from the pinocchio model of mimic_description; the tests compare what the
compiled loops compute from them with pinocchio.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pinocchio as pin

from mimic_core.arrays import FloatArray, IntArray
from mimic_core.errors import ConfigError
from mimic_description import RobotModel


class Chain(NamedTuple):
    """N joints in an order with parents first, and M points fixed to them, in a reference frame.

    Column c of the actuated joints moves joint j as q_j = multiplier_j · q_c + offset_j.
    """

    parent: IntArray  # (N,) index of the parent joint, -1: the reference frame
    rotation: FloatArray  # (N, 3, 3) parent_R_joint at zero
    translation: FloatArray  # (N, 3) [m]
    axis: FloatArray  # (N, 3) of motion, in the joint's frame
    prismatic: IntArray  # (N,) 1: slides, 0: turns
    column: IntArray  # (N,) actuated joint
    multiplier: FloatArray  # (N,)
    offset: FloatArray  # (N,) [rad] or [m]
    point_joint: IntArray  # (M,) joint that carries the point, -1: the reference frame
    point_xyz: FloatArray  # (M, 3) [m] in the joint's frame
    point_rotation: FloatArray  # (M, 3, 3) joint_R_point


def build_chain(
    robot: RobotModel, joints: Sequence[str], reference: str, frames: Sequence[str]
) -> Chain:
    """Return the tables of the joints between a reference frame and some frames.

    Args:
        robot: The robot.
        joints: Actuated joints that the solver moves; their order is that of the columns.
        reference: Frame in which points are given; the joints that carry it are left out.
        frames: Frames whose origins are the points, in order.

    Raises:
        UnknownFrameError: The robot has no such frame.
        ConfigError: A joint between reference and frames is not one of `joints`.
    """
    model = robot.pin_model
    home = model.frames[robot.frame(reference)]
    base: int = home.parentJoint
    data = model.createData()
    pin.computeJointJacobians(model, data, pin.neutral(model))

    order: list[int] = []
    for name in frames:
        joint = model.frames[robot.frame(name)].parentJoint
        path = []
        while joint not in (0, base):
            path.append(joint)
            joint = model.parents[joint]
        if joint != base:
            raise ConfigError(f"frame '{name}' does not hang on frame '{reference}'")
        order += path
    order = sorted(set(order))
    index = {base: -1, **{joint: i for i, joint in enumerate(order)}}
    columns = {robot.joint_names.index(name): c for c, name in enumerate(joints)}

    size = len(order)
    chain = Chain(
        parent=np.array([index[model.parents[j]] for j in order], dtype=np.int64),
        rotation=np.zeros((size, 3, 3)),
        translation=np.zeros((size, 3)),
        axis=np.zeros((size, 3)),
        prismatic=np.zeros(size, dtype=np.int64),
        column=np.zeros(size, dtype=np.int64),
        multiplier=np.zeros(size),
        offset=np.zeros(size),
        point_joint=np.zeros(len(frames), dtype=np.int64),
        point_xyz=np.zeros((len(frames), 3)),
        point_rotation=np.zeros((len(frames), 3, 3)),
    )
    to_reference = home.placement.inverse()
    for i, joint in enumerate(order):
        placement = model.jointPlacements[joint]
        if chain.parent[i] < 0:
            placement = to_reference * placement
        chain.rotation[i], chain.translation[i] = placement.rotation, placement.translation
        motion = np.asarray(data.joints[joint].S).reshape(6)
        chain.prismatic[i] = int(np.linalg.norm(motion[3:]) < 0.5)
        chain.axis[i] = motion[:3] if chain.prismatic[i] else motion[3:]
        row = model.joints[joint].idx_q
        moved_by = np.flatnonzero(robot.coupling[row])
        if len(moved_by) != 1 or int(moved_by[0]) not in columns:
            raise ConfigError(
                f"joint '{model.names[joint]}' between '{reference}' and its frames is not moved "
                f'by one of {", ".join(joints) or "no joints"}'
            )
        chain.column[i] = columns[int(moved_by[0])]
        chain.multiplier[i] = robot.coupling[row, moved_by[0]]
        chain.offset[i] = robot.coupling_offset[row]
    for k, name in enumerate(frames):
        frame = model.frames[robot.frame(name)]
        placement = frame.placement
        if index[frame.parentJoint] < 0:
            placement = to_reference * placement
        chain.point_joint[k] = index[frame.parentJoint]
        chain.point_xyz[k] = placement.translation
        chain.point_rotation[k] = placement.rotation
    return chain
