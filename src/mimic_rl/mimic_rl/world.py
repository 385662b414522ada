"""The physics of practice: the robot, a table, what stands on it, and the object of a run."""

from dataclasses import dataclass
from typing import Final

import mujoco
import numpy as np

from mimic_core.arrays import BoolArray, IntArray
from mimic_core.frames import FLANGE
from mimic_description import RobotModel
from mimic_description.mujoco_model import RobotIndices, robot_indices, robot_spec
from mimic_rl.run_folder import PracticeRun
from mimic_sim.scene import (
    OBJECT_SOLIMP,
    OBJECT_SOLREF,
    ROLLING,
    TORSION,
    add_primitive,
    set_physics,
)

OBJECT: Final = 'practice object'
TABLE: Final = 'practice table'
# Who touches whom: the arm what stands still and the object; the hand these and itself.
_ARM, _OBJECT, _HAND = 1, 2, 4  # bits
_TABLE_HALF: Final = (0.75, 0.85, 0.02)  # [m]
_TABLE_X: Final = 0.35  # [m]
_FIXTURE_FRICTION: Final = 0.8  # [1]
_COLOUR: Final = (0.86, 0.33, 0.28, 1.0)
_OVERLAP: Final = 2e-3  # [m] of two things, which contacts do not reach
_FIXTURE_COLOUR: Final = (0.58, 0.62, 0.68, 1.0)


@dataclass(frozen=True)
class World:
    """A compiled model and where things are in it."""

    model: mujoco.MjModel
    robot: RobotIndices
    object_body: int
    object_qpos: int  # first of seven: xyz, quaternion wxyz
    object_dof: int  # first of six
    object_geoms: IntArray
    robot_dofs: IntArray  # (J,)
    things: BoolArray  # (G,) which geoms are no part of the robot


def build_world(run: PracticeRun, robot: RobotModel, timestep: float | None = None) -> World:
    """Return the model of a run.

    Contacts are those of the twin, in which the policy is tried before it meets a robot; with
    another step without its last pass against creep.

    Args:
        run: What is on the table.
        robot: Of the run.
        timestep: Of the physics [s]; None: that of the twin.
    """
    spec = robot_spec(robot)
    set_physics(spec)
    if timestep is not None:
        spec.option.timestep = timestep
        spec.option.noslip_iterations = 0  # 14 % of a step, against 0.05 mm/s of creep
        # The same forces; a step of a hand that holds a thing takes 40 % less (others as much).
        spec.option.jacobian = mujoco.mjtJacobian.mjJAC_SPARSE
    spec.visual.quality.offsamples = 0
    spec.visual.quality.shadowsize = 0
    spec.visual.headlight.ambient = [0.45, 0.45, 0.45]
    spec.visual.headlight.diffuse = [0.45, 0.45, 0.45]
    spec.stat.extent = 1.0
    spec.stat.center = [0.45, 0.0, 0.2]
    _sort_contacts(spec, robot)
    table = spec.worldbody.add_body(name=TABLE)
    _fixed(
        table.add_geom(
            name=TABLE,
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=_TABLE_HALF,
            pos=[_TABLE_X, 0.0, -_TABLE_HALF[2]],
            rgba=[0.88, 0.86, 0.82, 1.0],
        )
    )
    for part in run.fixtures:
        _fixed(add_primitive(table, part, _FIXTURE_COLOUR))
    body = spec.worldbody.add_body(name=OBJECT)
    body.add_freejoint(name=OBJECT)
    volume = sum(part.volume for part in run.object.parts)
    for part in run.object.parts:
        geom = add_primitive(body, part, _COLOUR)
        geom.mass = run.object.mass * part.volume / volume
        geom.condim = 4
        geom.friction = [run.object.friction, TORSION, ROLLING]
        geom.priority = 1
        geom.solref, geom.solimp = OBJECT_SOLREF, OBJECT_SOLIMP
        geom.contype, geom.conaffinity = _OBJECT, _ARM | _OBJECT
    model = spec.compile()
    body_id = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, OBJECT)
    joint = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_JOINT, OBJECT)
    indices = robot_indices(robot, model)
    table_id = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, TABLE)
    return World(
        model=model,
        robot=indices,
        object_body=int(body_id),
        object_qpos=int(model.jnt_qposadr[joint]),
        object_dof=int(model.jnt_dofadr[joint]),
        object_geoms=np.flatnonzero(model.geom_bodyid == body_id).astype(np.int64),
        robot_dofs=indices.qvel,
        things=np.isin(model.geom_bodyid, [table_id, body_id]),
    )


def overlap(world: World, model: mujoco.MjModel, data: mujoco.MjData) -> bool:
    """Tell if things are within each other or within the robot, where positions were just set.

    Args:
        world: What is in the model.
        model: The world's, perhaps with other physics.
        data: Of it.
    """
    mujoco.mj_fwdPosition(model, data)
    contact = data.contact
    deep = contact.dist < -_OVERLAP
    return bool((deep & world.things[contact.geom].any(axis=1)).any())


def _sort_contacts(spec: mujoco.MjSpec, robot: RobotModel) -> None:
    """Let the links of the arm touch nothing of the robot; its gate watches over that."""
    below = {robot.prefix + FLANGE}
    for joint in robot.tree.joints:
        if joint.parent in below:
            below.add(joint.child)
    for geom in spec.geoms:
        hand = geom.name.split(':')[0] in below
        geom.contype = _ARM | _HAND if hand else _ARM
        geom.conaffinity = _HAND if hand else 0


def _fixed(geom: mujoco.MjsGeom) -> None:
    geom.contype, geom.conaffinity = 0, _ARM | _OBJECT
    geom.friction = [_FIXTURE_FRICTION, TORSION, ROLLING]
    geom.condim = 4
