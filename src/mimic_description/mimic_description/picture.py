"""Pictures of a robot, drawn by MuJoCo."""

from collections.abc import Sequence

import mujoco
import numpy as np

from mimic_core.arrays import Image
from mimic_description.model import RobotModel
from mimic_description.mujoco_model import robot_indices, robot_spec

_AXIS_COLOURS = ((0.9, 0.1, 0.1, 1.0), (0.1, 0.7, 0.1, 1.0), (0.15, 0.3, 0.95, 1.0))


def render_robot(
    robot: RobotModel,
    *,
    hand: str = 'home',
    arm: str = 'home',
    size: tuple[int, int] = (960, 720),
    azimuth: float = 140.0,
    elevation: float = -18.0,
    frames: Sequence[str] = (),
) -> Image:
    """Return a picture of a robot on a floor.

    Args:
        robot: The robot.
        hand: Posture of the hand.
        arm: Posture of the arm.
        size: Width and height [px].
        azimuth: Direction of view [deg].
        elevation: Height of view [deg], negative from above.
        frames: Frames to draw as three axes, x red, y green, z blue.

    Returns:
        (H, W, 3) uint8 rgb.

    Raises:
        UnknownNameError: There is no such posture or frame.
    """
    q = robot.posture(hand, arm)
    spec = robot_spec(robot)
    width, height = size
    spec.visual.global_.offwidth, spec.visual.global_.offheight = width, height
    spec.visual.quality.shadowsize = 4096
    spec.visual.quality.offsamples = 8
    spec.visual.headlight.ambient = [0.42, 0.42, 0.44]
    spec.visual.headlight.diffuse = [0.28, 0.28, 0.28]
    spec.visual.headlight.specular = [0.1, 0.1, 0.1]
    low, high = _bounds(spec, robot, q)
    centre, extent = (low + high) / 2, float(np.linalg.norm(high - low))
    _add_room(spec, floor=0.0 if robot.arm else low[2] - 0.02, extent=extent)
    _add_light(spec, centre, extent)
    for name in frames:
        _add_axes(spec, robot.fk(q, name), 0.12 * extent)
    model = spec.compile()
    data = mujoco.MjData(model)
    robot_indices(robot, model).place(robot, data, q)
    mujoco.mj_forward(model, data)
    camera = mujoco.MjvCamera()
    camera.lookat[:] = centre
    camera.distance = 1.1 * extent
    camera.azimuth, camera.elevation = azimuth, elevation
    with mujoco.Renderer(model, height, width) as renderer:
        renderer.update_scene(data, camera)
        picture: Image = renderer.render().copy()
    return picture


def _bounds(
    spec: mujoco.MjSpec, robot: RobotModel, q: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest corner (3,) [m] of all that is drawn."""
    model = spec.copy().compile()
    data = mujoco.MjData(model)
    robot_indices(robot, model).place(robot, data, q)
    mujoco.mj_forward(model, data)
    radius = model.geom_rbound[:, None]
    return (data.geom_xpos - radius).min(axis=0), (data.geom_xpos + radius).max(axis=0)


def _add_room(spec: mujoco.MjSpec, floor: float, extent: float) -> None:
    spec.add_texture(
        name='sky',
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.96, 0.97, 0.98],
        rgb2=[0.78, 0.82, 0.87],
        width=256,
        height=256,
    )
    spec.worldbody.add_geom(
        name='floor',
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[20.0, 20.0, 0.1],
        pos=[0.0, 0.0, floor - 0.001],
        rgba=[0.87, 0.88, 0.9, 1.0],
    )
    spec.visual.map.zfar = 60.0
    spec.stat.extent = extent


def _add_light(spec: mujoco.MjSpec, centre: np.ndarray, extent: float) -> None:
    offset = np.array([0.7, -1.0, 2.0]) * extent
    spec.worldbody.add_light(
        pos=centre + offset,
        dir=-offset,
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        castshadow=True,
        diffuse=[0.62, 0.61, 0.58],
        specular=[0.25, 0.25, 0.25],
    )


def _add_axes(spec: mujoco.MjSpec, world_T_frame: np.ndarray, length: float) -> None:
    start = world_T_frame[:3, 3]
    for column, rgba in enumerate(_AXIS_COLOURS):
        end = start + length * world_T_frame[:3, column]
        spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_CAPSULE,
            fromto=[*start, *end],
            size=[0.03 * length, 0.0, 0.0],
            rgba=rgba,
            contype=0,
            conaffinity=0,
        )
