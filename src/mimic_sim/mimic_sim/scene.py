"""The table and what stands on it, added to the model of a robot.

World is on the table's surface. Looks are made without shadow maps unless asked for: they cost
four times the rest of a picture on a processor without a GPU.
"""

from typing import Final

import mujoco
import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.frames import look_at
from mimic_core.primitives import Primitive
from mimic_sim.tasks import Hinge, Marker, Part, SceneObject, Task, WorkArea
from mimic_sim.tasks.task import PALE_GREY
from mimic_sim.things import checked_objects
from mimic_sim.twin_params import TwinParams

AGENT_CAMERA: Final = 'agent'
OVERVIEW_CAMERA: Final = 'overview'  # the whole robot, for pictures and videos
WRIST_CAMERA: Final = 'wrist'
AGENT_CAMERA_OPTICAL: Final = 'agent_camera_color_optical_frame'

_TABLE_EDGES: Final = (1.5, 1.7, 0.04)  # [m]
_TABLE_X: Final = 0.35  # [m], middle of the table in front of the robot's base
_FLOOR: Final = -0.75  # [m]
_SKY: Final = (0.70, 0.78, 0.85)  # [1] rgb
_HORIZON: Final = (0.90, 0.92, 0.93, 1.0)  # [1] rgba
_USUAL_RADIUS: Final = 0.18  # [m], of the work area of an arm of human reach
_MARKER_HEIGHT: Final = 0.0006  # [m]

# Contact numbers: README, "Grasping".
TIMESTEP: Final = 0.002  # [s]
_IMPRATIO: Final = 20.0
_NOSLIP_ITERATIONS: Final = 3
OBJECT_SOLREF: Final = (0.004, 1.0)  # [s], [1]: stiff, two steps, critically damped
OBJECT_SOLIMP: Final = (0.95, 0.99, 0.001, 0.5, 2.0)
TORSION, ROLLING = 0.01, 0.0005  # [m]
_TABLE_FRICTION: Final = (0.8, TORSION, ROLLING)
_SLIDE_DAMPING: Final = 2.0  # [N s/m]
_HINGE_DAMPING: Final = 0.002  # [N m s/rad]


def add_scene(spec: mujoco.MjSpec, task: Task, params: TwinParams) -> None:
    """Add floor, table, lights, cameras and the task's things to a spec."""
    set_physics(spec)
    _set_looks(spec, params)
    table = _add_room(spec)
    for shape in task.fixtures:
        fixture = add_primitive(table, shape, PALE_GREY)
        fixture.friction, fixture.condim = _TABLE_FRICTION, 4
    for marker in task.markers:
        _add_marker(spec, marker)
    for obj in checked_objects(task):
        _add_object(spec, obj)
    _add_cameras(spec, task.area, params)


def agent_camera_place(area: WorkArea) -> tuple[FloatArray, FloatArray]:
    """Return where the agent camera is (3,) and what it looks at (3,), in world [m]."""
    x, y = area.centre
    scale = area.radius / _USUAL_RADIUS
    eye = np.array([x + 0.62 * scale, y + 0.55 * scale, 0.52 * scale])
    return eye, np.array([x - 0.10 * scale, y - 0.03, 0.12 * scale])


def agent_camera_pose(area: WorkArea) -> FloatArray:
    """Return world_T_optical (4, 4) of the agent camera: opposite the robot, left of it, above."""
    return look_at(*agent_camera_place(area), np.array([0.0, 0.0, 1.0]))


def overview_camera_pose(area: WorkArea) -> FloatArray:
    """Return world_T_optical (4, 4) of a camera that sees the whole arm and its table."""
    x, y = area.centre
    reach = float(np.hypot(x, y)) / 0.55 if np.hypot(x, y) > 0.05 else 0.6
    eye = np.array([1.45 * reach, y + 1.05 * reach, 0.78 * reach])
    target = np.array([0.30 * reach, y, 0.29 * reach])
    return look_at(eye, target, np.array([0.0, 0.0, 1.0]))


def optical_quat_wxyz(world_T_optical: FloatArray) -> FloatArray:
    """Return the orientation of MuJoCo's camera (looks along -z, y up) for an optical frame."""
    quat = np.empty(4)
    flip = np.diag([1.0, -1.0, -1.0])
    mujoco.mju_mat2Quat(quat, np.ascontiguousarray(world_T_optical[:3, :3] @ flip).ravel())
    return quat


def set_physics(spec: mujoco.MjSpec) -> None:
    """Set how contacts are solved, and the step."""
    option = spec.option
    option.timestep = TIMESTEP
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = _IMPRATIO
    option.noslip_iterations = _NOSLIP_ITERATIONS


def _set_looks(spec: mujoco.MjSpec, params: TwinParams) -> None:
    visual = spec.visual
    visual.quality.offsamples = params.samples
    visual.quality.shadowsize = 4096 if params.shadows else 0
    visual.headlight.ambient = [0.42, 0.42, 0.43]
    visual.headlight.diffuse = [0.12, 0.12, 0.12]
    visual.headlight.specular = [0.0, 0.0, 0.0]
    visual.global_.offwidth = max(params.width, 1920)
    visual.global_.offheight = max(params.height, 1080)
    visual.rgba.haze = _HORIZON
    visual.map.znear = 0.01
    visual.map.zfar = 30.0
    spec.stat.extent = 1.0  # znear and zfar are then in metres
    spec.stat.center = [0.4, 0.0, 0.2]
    spec.add_texture(
        name='sky',
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=_SKY,
        rgb2=_HORIZON[:3],
        width=256,
        height=1536,
    )
    world = spec.worldbody
    world.add_light(
        name='key',
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        pos=[1.2, 1.0, 2.0],
        dir=[-0.42, -0.34, -0.84],
        diffuse=[0.50, 0.49, 0.47],
        specular=[0.15, 0.15, 0.15],
        castshadow=params.shadows,
    )
    world.add_light(
        name='fill',
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        pos=[0.0, -1.5, 1.5],
        dir=[0.30, 0.70, -0.64],
        diffuse=[0.16, 0.17, 0.19],
        specular=[0.0, 0.0, 0.0],
        castshadow=False,
    )


def _add_room(spec: mujoco.MjSpec) -> mujoco.MjsBody:
    """Return the body of the table."""
    grain = np.random.default_rng(7).normal(0.0, 1.0, (64, 64, 1))
    for shift in (1, 2):  # a little blur, so that it does not sparkle
        grain = 0.5 * (grain + np.roll(grain, shift, axis=1))
    top = np.clip(np.array([226, 219, 208]) + 2.5 * grain, 0, 255).astype(np.uint8)
    spec.add_texture(
        name='table_top',
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        width=64,
        height=64,
        nchannel=3,
        data=top.ravel().tolist(),
    )
    table = spec.add_material(
        name='table_top', rgba=[1, 1, 1, 1], specular=0.1, shininess=0.1, texrepeat=[6, 6]
    )
    table.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = 'table_top'
    length, width, thickness = _TABLE_EDGES
    body = spec.worldbody.add_body(name='table')
    body.add_geom(
        name='table',
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[0.5 * length, 0.5 * width, 0.5 * thickness],
        pos=[_TABLE_X, 0.0, -0.5 * thickness],
        material='table_top',
        friction=_TABLE_FRICTION,
        condim=4,
    )
    for x in (-1, 1):
        for y in (-1, 1):
            body.add_geom(
                type=mujoco.mjtGeom.mjGEOM_CYLINDER,
                size=[0.03, 0.5 * (-_FLOOR - thickness), 0],
                pos=[
                    _TABLE_X + x * (0.5 * length - 0.08),
                    y * (0.5 * width - 0.08),
                    0.5 * (_FLOOR - thickness),
                ],
                rgba=[0.78, 0.79, 0.80, 1],
                contype=0,
                conaffinity=0,
            )
    body.add_geom(
        name='floor',
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[0, 0, 1],
        pos=[0, 0, _FLOOR],
        rgba=[0.80, 0.82, 0.84, 1],
    )
    return body


def _add_marker(spec: mujoco.MjSpec, marker: Marker) -> None:
    x, y = marker.position
    body = spec.worldbody.add_body(name=marker.name, mocap=True, pos=[x, y, 0.0])
    round_ = marker.form == 'cylinder'
    half = 0.5 * _MARKER_HEIGHT
    paler = tuple(0.2 + 0.8 * v for v in marker.colour[:3])
    # Two layers: a darker edge makes the mark readable on every table.
    for grow, height, colour in (
        (0.0, half, marker.colour),
        (-0.006, 2 * half, (*paler, marker.colour[3])),
    ):
        if round_:
            size = [marker.size[0] + grow, height, 0.0]
        else:
            size = [0.5 * marker.size[0] + grow, 0.5 * marker.size[1] + grow, height]
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_CYLINDER if round_ else mujoco.mjtGeom.mjGEOM_BOX,
            size=size,
            pos=[0, 0, height],
            rgba=colour,
            contype=0,
            conaffinity=0,
        )


def _add_object(spec: mujoco.MjSpec, obj: SceneObject) -> None:
    way = obj.slide or obj.hinge
    if way is None:
        body = spec.worldbody.add_body(name=obj.name, pos=[0, 0, obj.height])
        body.add_freejoint(name=obj.name)
    else:
        body = spec.body(way.within).add_body(name=obj.name, pos=way.at)
        joint = body.add_joint(
            name=obj.name,
            limited=True,
            frictionloss=way.friction,
            solref_limit=OBJECT_SOLREF,
            solimp_limit=OBJECT_SOLIMP,
        )
        if isinstance(way, Hinge):
            joint.type, joint.axis = mujoco.mjtJoint.mjJNT_HINGE, [1.0, 0.0, 0.0]
            joint.pos, bounds = way.pivot, np.array([way.low, way.high])
            joint.range = np.degrees(bounds) if spec.compiler.degree else bounds
            joint.damping = [_HINGE_DAMPING, 0.0, 0.0]
        else:
            joint.type, joint.axis = mujoco.mjtJoint.mjJNT_SLIDE, [0.0, 0.0, 1.0]
            joint.range = [-way.travel, 0.0]
            joint.damping = [_SLIDE_DAMPING, 0.0, 0.0]
    main = Part(obj.form, obj.size, obj.position, obj.mass, obj.colour, quat_xyzw=obj.quat_xyzw)
    for number, part in enumerate((main, *obj.parts)):
        name = obj.name if number == 0 else f'{obj.name}_{number}'
        _add_part(body, name, part, obj.friction if part.friction is None else part.friction)


def add_primitive(
    body: mujoco.MjsBody, shape: Primitive, rgba: tuple[float, float, float, float]
) -> mujoco.MjsGeom:
    """Return the geom of a shape, new in a body."""
    if shape.form == 'box':
        kind, size = mujoco.mjtGeom.mjGEOM_BOX, [0.5 * edge for edge in shape.size]
    elif shape.form == 'cylinder':
        kind, size = mujoco.mjtGeom.mjGEOM_CYLINDER, [shape.size[0], 0.5 * shape.size[1], 0.0]
    else:
        kind, size = mujoco.mjtGeom.mjGEOM_SPHERE, [shape.size[0], 0.0, 0.0]
    x, y, z, w = shape.quat_xyzw
    return body.add_geom(type=kind, size=size, pos=shape.xyz, quat=[w, x, y, z], rgba=rgba)


def _add_part(body: mujoco.MjsBody, name: str, part: Part, friction: float) -> None:
    shape = Primitive(part.form, part.size, part.position, part.quat_xyzw)
    geom = add_primitive(body, shape, part.colour)
    collides = part.mass > 0.0
    geom.name, geom.mass = name, part.mass
    geom.contype = geom.conaffinity = int(collides)
    geom.condim = 6 if part.form == 'sphere' else 4
    geom.friction = [friction, TORSION, ROLLING]
    geom.solref, geom.solimp, geom.priority = OBJECT_SOLREF, OBJECT_SOLIMP, 1


def _add_cameras(spec: mujoco.MjSpec, area: WorkArea, params: TwinParams) -> None:
    for name, pose in (
        (AGENT_CAMERA, agent_camera_pose(area)),
        (OVERVIEW_CAMERA, overview_camera_pose(area)),
    ):
        spec.worldbody.add_camera(
            name=name,
            pos=pose[:3, 3],
            quat=optical_quat_wxyz(pose),
            fovy=float(np.degrees(params.fovy)),
        )
