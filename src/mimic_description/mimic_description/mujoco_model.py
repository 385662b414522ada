"""The physics model of a robot for MuJoCo, from the same URDF and registry as everything else."""

from dataclasses import dataclass
from typing import Final

import mujoco
import numpy as np
import pinocchio as pin

from mimic_core.arrays import FloatArray, IntArray, checked
from mimic_core.errors import ConfigError, UnknownNameError
from mimic_core.frames import WRIST_CAMERA_OPTICAL, inverse, to_quat_xyzw
from mimic_description.model import RobotModel
from mimic_description.tree import Inertial, Joint, Shape

# One rule gives every actuator its gains: with the inertia that it moves at the home posture (its
# own rotor included) it is a critically damped oscillator of this frequency. It then lags a moving
# target by 2 / frequency = 25 ms, like an industrial position controller.
NATURAL_FREQUENCY: Final = 80.0  # [rad/s]
# A rotor with its gear: the full effort turns it alone at 1 / this [rad/s^2] or [m/s^2].
ROTOR_INERTIA_PER_EFFORT: Final = 0.0015  # [s^2/rad] or [s^2/m]
FRICTION_PER_EFFORT: Final = 0.002  # [1], dry friction of a joint over its effort
COUPLED_ROTOR_SHARE: Final = 0.05  # [1], inertia on a coupled joint over the rotor of its motor
COUPLING_TIME: Final = 0.004  # [s], of the constraint between coupled joints: twice the step
TIMESTEP: Final = 0.002  # [s]

_BODY_FRICTION: Final = (0.8, 0.005, 0.0001)  # sliding [1], torsion [m], rolling [m]
_TIP_FRICTION: Final = (1.2, 0.02, 0.0005)  # rubber pads
_TIP_SOLREF: Final = (0.005, 1.0)  # time [s] and damping [1] of a contact: stiff enough for grips
_TIP_SOLIMP: Final = (0.95, 0.99, 0.001, 0.5, 2.0)
_LIMIT_SOLREF: Final = (0.005, 1.0)  # time [s] and damping [1] of a joint's stops
_CAMERA_FOV_DEG: Final = 65.0  # vertical
_OPTICAL_T_CAMERA: Final = np.diag([1.0, -1.0, -1.0, 1.0])  # MuJoCo's cameras look along -z


@dataclass(frozen=True)
class RobotIndices:
    """Where the joints of a robot stand in a compiled MuJoCo model."""

    qpos: IntArray  # (J,) of the actuated joints
    qvel: IntArray  # (J,)
    ctrl: IntArray  # (J,) their actuators
    full_qpos: IntArray  # (N,) of all joints, in the order of RobotModel.full

    def place(self, robot: RobotModel, data: mujoco.MjData, q: FloatArray) -> None:
        """Put the robot, at rest and with its actuators, to (J,) positions.

        Raises:
            ShapeError: `q` is not (J,).
            NotFiniteError: `q` holds NaN or infinity.
        """
        data.qpos[self.full_qpos] = robot.full(q)
        data.qvel[self.qvel] = 0.0
        data.ctrl[self.ctrl] = q


def robot_indices(
    robot: RobotModel, model: mujoco.MjModel, *, name_prefix: str = ''
) -> RobotIndices:
    """Return where the joints of a robot stand in a model that holds its spec.

    Args:
        robot: The robot.
        model: Compiled from `robot_spec`, alone or attached to a scene.
        name_prefix: What was put before the names, by `robot_spec` or by `attach`.

    Raises:
        UnknownNameError: The model lacks a joint of the robot.
    """

    def find(kind: mujoco.mjtObj, name: str) -> int:
        number = mujoco.mj_name2id(model, kind, name_prefix + name)
        if number < 0:
            joints = (model.joint(i).name for i in range(model.njnt))
            raise UnknownNameError('joint of the MuJoCo model', name_prefix + name, joints)
        return int(number)

    joint, actuator = mujoco.mjtObj.mjOBJ_JOINT, mujoco.mjtObj.mjOBJ_ACTUATOR
    ids = [find(joint, name) for name in robot.joint_names]
    full = np.zeros(robot.pin_model.nq, dtype=np.int64)
    for item in robot.tree.joints:
        if item.kind != 'fixed':
            row = robot.pin_model.joints[robot.pin_model.getJointId(item.name)].idx_q
            full[row] = model.jnt_qposadr[find(joint, item.name)]
    return RobotIndices(
        qpos=np.array([model.jnt_qposadr[i] for i in ids], dtype=np.int64),
        qvel=np.array([model.jnt_dofadr[i] for i in ids], dtype=np.int64),
        ctrl=np.array([find(actuator, name) for name in robot.joint_names], dtype=np.int64),
        full_qpos=full,
    )


def robot_spec(robot: RobotModel, *, name_prefix: str = '') -> mujoco.MjSpec:
    """Return a MuJoCo spec of a robot, to be compiled or attached to a scene.

    Links with a form are bodies of the same name, bare frames are sites, each actuated joint has a
    position actuator of its name, coupled joints are held by equality constraints. Gravity is
    compensated on all bodies, as the controllers of the real devices do. The frame of the wrist
    camera carries a camera named `wrist_camera` (with the prefix of the robot).

    The spec's own options (2 ms, implicitfast, elliptic cones) are what it is tuned for; a scene
    that it is attached to should have the same.

    Args:
        robot: The robot; its base pose is that of its `base_link` in `world`.
        name_prefix: Put before every name.

    Raises:
        ConfigError: A moving link has no physical mass and inertia.
    """
    spec = mujoco.MjSpec()
    spec.modelname = 'mimic robot'
    spec.option.timestep = TIMESTEP
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10.0
    spec.compiler.degree = False
    _Builder(robot, spec, name_prefix).build()
    return spec


class _Builder:
    """Fills one spec."""

    def __init__(self, robot: RobotModel, spec: mujoco.MjSpec, name_prefix: str) -> None:
        self._robot = robot
        self._spec = spec
        self._name = name_prefix
        self._inertia = _moved_inertia(robot)
        self._rotor = ROTOR_INERTIA_PER_EFFORT * robot.max_effort  # (J,)
        self._materials: set[str] = set()
        tips = set(robot.tip_frames().values())
        self._tip_links = {j.parent for j in robot.tree.joints if j.child in tips}

    def build(self) -> None:
        tree = self._robot.tree
        bodies = {tree.root: (self._spec.worldbody, np.eye(4))}  # link -> body, body_T_link
        for joint in tree.joints:
            body, body_T_parent = bodies[joint.parent]
            body_T_link = body_T_parent @ joint.parent_T_child
            link = tree.links[joint.child]
            if joint.kind == 'fixed' and not link.shapes and link.inertial is None:
                self._site(body, joint.child, body_T_link)
                bodies[joint.child] = (body, body_T_link)
                continue
            child = body.add_body(
                name=self._name + joint.child,
                pos=body_T_link[:3, 3],
                quat=_quat_wxyz(body_T_link),
                gravcomp=1.0,
            )
            if joint.kind != 'fixed':
                self._joint(child, joint)
            if link.inertial is not None:
                _set_inertial(child, link.inertial, link.name)
            elif joint.kind != 'fixed':
                raise ConfigError(f"link '{link.name}' moves but has no <inertial>")
            for number, shape in enumerate(link.shapes):
                self._geom(child, f'{link.name}:{number}', shape, link.name in self._tip_links)
            bodies[joint.child] = (child, np.eye(4))
        for name, row in zip(
            self._robot.joint_names, range(len(self._robot.joint_names)), strict=True
        ):
            self._actuator(name, row)
        for joint in tree.joints:
            if joint.coupling is not None:
                self._equality(joint)
        for pair in sorted(sorted(p) for p in self._robot.ignored_pairs):
            self._spec.add_exclude(
                name=f'{self._name}{pair[0]}+{pair[1]}',
                bodyname1=self._name + pair[0],
                bodyname2=self._name + pair[1],
            )

    def _site(self, body: mujoco.MjsBody, name: str, body_T_link: FloatArray) -> None:
        body.add_site(
            name=self._name + name,
            pos=body_T_link[:3, 3],
            quat=_quat_wxyz(body_T_link),
            size=[0.004, 0.004, 0.004],
            group=4,  # not drawn unless asked for
        )
        if name == self._robot.prefix + WRIST_CAMERA_OPTICAL:
            pose = body_T_link @ _OPTICAL_T_CAMERA
            body.add_camera(
                name=f'{self._name}{self._robot.prefix}wrist_camera',
                pos=pose[:3, 3],
                quat=_quat_wxyz(pose),
                fovy=_CAMERA_FOV_DEG,
            )

    def _joint(self, body: mujoco.MjsBody, joint: Joint) -> None:
        slide = joint.kind == 'prismatic'
        rotor, effort = self._rotor_of(joint)
        body.add_joint(
            name=self._name + joint.name,
            type=mujoco.mjtJoint.mjJNT_SLIDE if slide else mujoco.mjtJoint.mjJNT_HINGE,
            axis=joint.axis,
            limited=mujoco.mjtLimited.mjLIMITED_TRUE,
            range=[joint.lower, joint.upper],
            solref_limit=_LIMIT_SOLREF,
            armature=rotor,
            frictionloss=FRICTION_PER_EFFORT * effort,
        )

    def _rotor_of(self, joint: Joint) -> tuple[float, float]:
        """Return rotor inertia and effort of the motor on a joint: a share of both if coupled."""
        names = self._robot.joint_names
        if joint.coupling is None:
            row = names.index(joint.name)
            return float(self._rotor[row]), float(self._robot.max_effort[row])
        row = names.index(joint.coupling.joint)
        return COUPLED_ROTOR_SHARE * float(self._rotor[row]), 0.0

    def _geom(self, body: mujoco.MjsBody, name: str, shape: Shape, tip: bool) -> None:
        form, size = _form(shape)
        geom = body.add_geom(
            name=self._name + name,
            type=form,
            size=size,
            pos=shape.link_T_shape[:3, 3],
            quat=_quat_wxyz(shape.link_T_shape),
            material=self._material(shape.rgba),
            mass=0.0,  # the body has its own
            condim=4 if tip else 3,
            friction=_TIP_FRICTION if tip else _BODY_FRICTION,
        )
        if tip:
            geom.priority = 1  # the pad decides friction and stiffness, whatever it touches
            geom.solref[:] = _TIP_SOLREF
            geom.solimp[:] = _TIP_SOLIMP

    def _material(self, rgba: tuple[float, float, float, float]) -> str:
        name = self._name + 'colour_' + '_'.join(f'{round(255 * v):02x}' for v in rgba)
        if name not in self._materials:
            self._materials.add(name)
            self._spec.add_material(name=name, rgba=rgba, specular=0.35, shininess=0.45)
        return name

    def _actuator(self, name: str, row: int) -> None:
        robot = self._robot
        inertia = self._inertia[row] + self._rotor[row]
        stiffness = NATURAL_FREQUENCY**2 * inertia
        actuator = self._spec.add_actuator(
            name=self._name + name,
            target=self._name + name,
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            ctrllimited=mujoco.mjtLimited.mjLIMITED_TRUE,
            ctrlrange=[robot.limits.lower[row], robot.limits.upper[row]],
            forcelimited=mujoco.mjtLimited.mjLIMITED_TRUE,
            forcerange=[-robot.max_effort[row], robot.max_effort[row]],
        )
        actuator.set_to_position(kp=stiffness, kv=2 * NATURAL_FREQUENCY * inertia)

    def _equality(self, joint: Joint) -> None:
        assert joint.coupling is not None
        data = np.zeros(12)
        data[:2] = joint.coupling.offset, joint.coupling.multiplier
        self._spec.add_equality(
            name=f'{self._name}{joint.name} coupling',
            type=mujoco.mjtEq.mjEQ_JOINT,
            objtype=mujoco.mjtObj.mjOBJ_JOINT,
            name1=self._name + joint.name,
            name2=self._name + joint.coupling.joint,
            data=data,
            solref=[COUPLING_TIME, 1.0],
            solimp=[0.99, 0.999, 0.001, 0.5, 2.0],
        )


def _moved_inertia(robot: RobotModel) -> FloatArray:
    """Return (J,) the inertia [kg m^2] or [kg] that each actuated joint moves at home."""
    data = robot.pin_model.createData()
    mass = pin.crba(robot.pin_model, data, robot.full(robot.home), pin.Convention.WORLD)
    upper = np.triu(mass)
    symmetric = upper + np.triu(mass, 1).T
    moved: FloatArray = np.diag(robot.coupling.T @ symmetric @ robot.coupling).copy()
    return moved


def _set_inertial(body: mujoco.MjsBody, inertial: Inertial, link: str) -> None:
    values = np.linalg.eigvalsh(inertial.inertia)
    # A flat body has two equal sides of the triangle; the digits of a file may miss that a little.
    if inertial.mass <= 0 or values[0] <= 0 or values[0] + values[1] < values[2] * (1 - 1e-3):
        raise ConfigError(
            f"link '{link}': mass {inertial.mass} kg with principal inertias "
            f'{values.tolist()} kg m^2 is not physical'
        )
    values, axes = np.linalg.eigh(inertial.inertia)
    values[2] = min(values[2], values[0] + values[1])
    if np.linalg.det(axes) < 0:
        axes = -axes
    pose = np.eye(4)
    pose[:3, :3] = axes
    body.mass = inertial.mass
    body.ipos = inertial.com
    body.iquat = _quat_wxyz(pose)
    body.inertia = values
    body.explicitinertial = True


def _form(shape: Shape) -> tuple[mujoco.mjtGeom, list[float]]:
    if shape.kind == 'box':
        return mujoco.mjtGeom.mjGEOM_BOX, [edge / 2 for edge in shape.size]
    if shape.kind == 'sphere':
        return mujoco.mjtGeom.mjGEOM_SPHERE, [shape.size[0], 0.0, 0.0]
    form = mujoco.mjtGeom.mjGEOM_CAPSULE
    if shape.kind == 'cylinder':
        form = mujoco.mjtGeom.mjGEOM_CYLINDER
    return form, [shape.size[0], shape.size[1] / 2, 0.0]


def _quat_wxyz(pose: FloatArray) -> FloatArray:
    quat_xyzw = to_quat_xyzw(pose)
    return np.roll(quat_xyzw, 1)


def site_pose(
    model: mujoco.MjModel, data: mujoco.MjData, name: str, relative_to: str | None = None
) -> FloatArray:
    """Return the pose (4, 4) of a site in world, or in another site.

    Raises:
        UnknownNameError: There is no such site.
    """
    number = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_SITE, name)
    if number < 0:
        raise UnknownNameError('site', name, (model.site(i).name for i in range(model.nsite)))
    pose = np.eye(4)
    pose[:3, :3] = data.site_xmat[number].reshape(3, 3)
    pose[:3, 3] = data.site_xpos[number]
    if relative_to is None:
        return pose
    return checked(inverse(site_pose(model, data, relative_to)) @ pose, (4, 4), 'pose')
