"""The room of the virtual demonstrator as a MuJoCo model: table, wall, arm, props, clutter."""

from dataclasses import dataclass
from typing import Final, Literal

import mujoco
import numpy as np

from mimic_core.arrays import FloatArray, IntArray
from mimic_core.camera import Intrinsics
from mimic_core.errors import ConfigError
from mimic_core.frames import apply, inverse, transform
from mimic_sim.hand_mesh import (
    FOREARM_BONE,
    FOREARM_LENGTH,
    NUM_SKIN_BONES,
    hand_mesh,
    skin_bones,
)
from mimic_sim.hand_model import NUM_JOINTS, HandModel, HandState, mirrored
from mimic_sim.studio_variation import (
    RGB,
    Variation,
    skin_color,
    skin_palette,
    table_texture,
)

CAMERA: Final = 'studio'
_BLUSH: Final = 0.5  # [1] specular of skin
_FLIP: Final = np.diag([1.0, -1.0, -1.0])  # MuJoCo's camera looks along -z, y up
_CLUTTER_COLORS: Final[tuple[RGB, ...]] = (
    (0.75, 0.30, 0.25), (0.25, 0.45, 0.65), (0.85, 0.70, 0.30), (0.35, 0.55, 0.38),
    (0.55, 0.40, 0.60), (0.20, 0.20, 0.22), (0.90, 0.88, 0.84), (0.72, 0.52, 0.40),
)  # fmt: skip


@dataclass(frozen=True)
class Prop:
    """A thing of the person's, moved by the hand or lying there."""

    name: str
    shape: Literal['box', 'cylinder', 'sphere', 'mesh'] = 'box'
    size: tuple[float, float, float] = (0.015, 0.015, 0.015)  # half edges; or radius, half height
    rgb: RGB = (0.86, 0.36, 0.22)
    alpha: float = 1.0
    vertices: FloatArray | None = None  # (V, 3) [m] of a mesh, in the frame of the prop
    faces: IntArray | None = None  # (F, 3) of a mesh


_GEOMS: Final = {
    'box': mujoco.mjtGeom.mjGEOM_BOX,
    'cylinder': mujoco.mjtGeom.mjGEOM_CYLINDER,
    'sphere': mujoco.mjtGeom.mjGEOM_SPHERE,
}


def build(
    variation: Variation,
    intrinsics: Intrinsics,
    world_T_camera: FloatArray,
    workspace: FloatArray,
    props: tuple[Prop, ...],
) -> mujoco.MjModel:
    """Return the model. Mocap bodies: the 33 skin bones, then one for each prop."""
    if any(intrinsics.distortion) or abs(intrinsics.fx / intrinsics.fy - 1.0) > 1e-6:
        raise ConfigError('the studio renders undistorted pictures with square pixels only')
    spec = mujoco.MjSpec()
    _looks(spec, variation, intrinsics)
    _room(spec, variation, workspace)
    _camera(spec, intrinsics, world_T_camera)
    add_hand(spec, variation)
    for prop in props:
        body = spec.worldbody.add_body(name=f'prop_{prop.name}', mocap=True)
        if prop.shape == 'mesh':
            _mesh(spec, body, prop)
            continue
        _geom(body, _GEOMS[prop.shape], prop.size, np.zeros(3), prop.rgb, alpha=prop.alpha)
    add_clutter(spec, variation, workspace, world_T_camera)
    return spec.compile()


def _mesh(spec: mujoco.MjSpec, body: mujoco.MjsBody, prop: Prop) -> None:
    if prop.vertices is None or prop.faces is None:
        raise ConfigError(f"prop '{prop.name}' is a mesh without vertices and faces")
    shell = spec.add_mesh(
        name=f'prop_{prop.name}', inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
    )
    shell.uservert = prop.vertices.astype(np.float32).ravel().tolist()
    shell.userface = prop.faces.astype(np.int32).ravel().tolist()
    kind = mujoco.mjtGeom.mjGEOM_MESH
    geom = _geom(body, kind, None, np.zeros(3), prop.rgb, alpha=prop.alpha)
    geom.meshname = shell.name


def toward_light(variation: Variation) -> FloatArray:
    """Return the unit vector (3,) in world from the table to the light."""
    a, e = variation.light_azimuth, variation.light_elevation
    return np.array([np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)])


def _looks(spec: mujoco.MjSpec, variation: Variation, intrinsics: Intrinsics) -> None:
    visual = spec.visual
    visual.quality.offsamples = 0
    visual.quality.shadowsize = 1024 if variation.shadow_map else 0
    visual.headlight.ambient = [variation.ambient] * 3
    visual.headlight.diffuse = [0.10] * 3
    visual.headlight.specular = [0.0] * 3
    visual.global_.offwidth = intrinsics.width
    visual.global_.offheight = intrinsics.height
    visual.map.znear, visual.map.zfar = 0.02, 12.0
    spec.stat.extent, spec.stat.center = 1.0, [0.4, 0.0, 0.1]
    toward = toward_light(variation)
    spec.worldbody.add_light(
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        pos=1.5 * toward,
        dir=-toward,
        diffuse=[variation.light, variation.light * 0.97, variation.light * 0.93],
        specular=[0.15] * 3,
        castshadow=variation.shadow_map,
    )


def _room(spec: mujoco.MjSpec, variation: Variation, workspace: FloatArray) -> None:
    pixels = table_texture(variation)
    texture = spec.add_texture(
        name='table',
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        width=pixels.shape[1],
        height=pixels.shape[0],
        nchannel=3,
    )
    texture.data = pixels.tobytes()
    material = spec.add_material(name='table', texrepeat=[2, 2], specular=0.1, shininess=0.1)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = 'table'
    x, y = float(workspace[0]), float(workspace[1])
    table = _geom(
        spec.worldbody, _GEOMS['box'], (0.55, 0.85, 0.02), (x, y, -0.02), (1.0, 1.0, 1.0)
    )
    table.material = 'table'
    floor = tuple(0.55 * c for c in variation.wall)
    _geom(spec.worldbody, _GEOMS['box'], (4.0, 4.0, 0.01), (x, y, -0.75), floor)
    for sign in (-1.0, 1.0):
        at = (x + sign * 2.2, y, 0.6)
        _geom(spec.worldbody, _GEOMS['box'], (0.01, 4.0, 1.4), at, variation.wall)
        at = (x, y + sign * 2.2, 0.6)
        _geom(spec.worldbody, _GEOMS['box'], (4.0, 0.01, 1.4), at, variation.wall)


def _camera(spec: mujoco.MjSpec, intrinsics: Intrinsics, world_T_camera: FloatArray) -> None:
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, np.ascontiguousarray(world_T_camera[:3, :3] @ _FLIP).ravel())
    centre = 0.5 * (intrinsics.width - 1), 0.5 * (intrinsics.height - 1)
    spec.worldbody.add_camera(
        name=CAMERA,
        pos=world_T_camera[:3, 3],
        quat=quat,
        resolution=[intrinsics.width, intrinsics.height],
        sensor_size=[0.001 * intrinsics.width, 0.001 * intrinsics.height],
        focal_pixel=[intrinsics.fx, intrinsics.fy],
        principal_pixel=[centre[0] - intrinsics.cx, centre[1] - intrinsics.cy],
    )


def add_hand(spec: mujoco.MjSpec, variation: Variation) -> None:
    """Add the hand's skin, its bones as mocap bodies (`bone_0`, …), and the arm behind it."""
    pixels = skin_palette(variation)
    texture = spec.add_texture(
        name='skin',
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        width=pixels.shape[1],
        height=pixels.shape[0],
        nchannel=3,
    )
    texture.data = pixels.tobytes()
    material = spec.add_material(name='skin', specular=_BLUSH * 0.3, shininess=0.25)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = 'skin'

    left = variation.side == 'left'
    mesh = hand_mesh(variation.shape)
    model = HandModel(variation.shape)
    rest = mirrored_transforms(skin_bones(model, np.zeros(NUM_JOINTS), np.eye(4)), left=left)
    vertices = mesh.vertices * (1.0, -1.0 if left else 1.0, 1.0)
    faces = mesh.faces[:, ::-1] if left else mesh.faces
    names = [f'bone_{b}' for b in range(NUM_SKIN_BONES)]
    for name in names:
        spec.worldbody.add_body(name=name, mocap=True)
    skin = spec.add_skin(name='hand', material='skin')
    skin.vert = vertices.astype(np.float32).ravel().tolist()
    skin.texcoord = np.clip(mesh.tone, 0.02, 0.98).astype(np.float32).ravel().tolist()
    skin.face = faces.ravel().tolist()
    used = np.flatnonzero(mesh.weights.any(axis=0))  # the palm has no half-turned twin
    ids = [np.flatnonzero(mesh.weights[:, b]) for b in used]
    skin.bodyname = [names[b] for b in used]
    skin.bindpos = rest[used, :3, 3].astype(np.float32).ravel().tolist()
    skin.bindquat = [1.0, 0.0, 0.0, 0.0] * len(used)
    skin.vertid = [i.tolist() for i in ids]
    skin.vertweight = [
        mesh.weights[i, b].astype(np.float32).tolist() for b, i in zip(used, ids, strict=True)
    ]
    _arm(spec, variation)


def _arm(spec: mujoco.MjSpec, variation: Variation) -> None:
    """Let the arm go on beyond the elbow, in a sleeve with a cuff or bare."""
    s = variation.shape.scale
    parts = {
        'sleeve': ((-0.100, 0.0365), (-0.16, 0.044), (-FOREARM_LENGTH, 0.054), (-0.60, 0.066)),
        'cuff': ((-0.088, 0.0375), (-0.091, 0.0395), (-0.112, 0.0405), (-0.115, 0.039)),
    }
    rgb = variation.sleeve
    if rgb is None:
        parts = {'arm': ((-0.17, 0.030), (-0.20, 0.0355), (-FOREARM_LENGTH, 0.040), (-0.60, 0.05))}
        red, green, blue = skin_color(variation)
        rgb = (float(red), float(green), float(blue))
    angle = np.linspace(0.0, 2.0 * np.pi, 28, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    for name, profile in parts.items():
        points = [np.column_stack([ring * r * s, np.full(28, z * s)]) for z, r in profile]
        shell = spec.add_mesh(name=name, smoothnormal=name != 'cuff')
        shell.uservert = np.concatenate(points).astype(np.float32).ravel().tolist()
        shade = 0.8 if name == 'cuff' else 1.0
        forearm = spec.body(f'bone_{FOREARM_BONE}')
        geom = _geom(forearm, mujoco.mjtGeom.mjGEOM_MESH, None, np.zeros(3), _shaded(rgb, shade))
        geom.meshname = name


def add_clutter(
    spec: mujoco.MjSpec, variation: Variation, workspace: FloatArray, world_T_camera: FloatArray
) -> None:
    """Add what lies around the workspace (3,) [m]; nothing collides with it."""
    rng = np.random.default_rng([variation.seed, 3])
    toward = world_T_camera[:2, 3] - workspace[:2]
    camera_angle = float(np.arctan2(toward[1], toward[0]))
    for _ in range(variation.clutter):
        # All around, except where it would stand between the camera and the hand.
        angle = camera_angle + rng.uniform(0.7, 2.0 * np.pi - 0.7)
        radius = rng.uniform(0.20, 0.42)
        shape = ('box', 'cylinder', 'sphere')[int(rng.integers(3))]
        size = rng.uniform(0.015, 0.045, 3) * (1.0, 1.0, 1.4)
        height = {'box': size[2], 'cylinder': size[1], 'sphere': size[0]}[shape]
        at = (*(workspace[:2] + radius * np.array([np.cos(angle), np.sin(angle)])), height)
        rgb = _CLUTTER_COLORS[int(rng.integers(len(_CLUTTER_COLORS)))]
        thing = _geom(spec.worldbody, _GEOMS[shape], size, at, rgb)
        thing.quat = [np.cos(turn := rng.uniform(0.0, np.pi)), 0.0, 0.0, np.sin(turn)]
    if variation.occluder:
        centre = np.array([workspace[0], workspace[1], 0.10])
        at = centre + 0.40 * (world_T_camera[:3, 3] - centre)
        at[2] = 0.25
        _geom(spec.worldbody, _GEOMS['cylinder'], (0.011, 0.25, 0.0), at, (0.30, 0.31, 0.33))


def _geom(
    body: mujoco.MjsBody,
    kind: mujoco.mjtGeom,
    size: tuple[float, ...] | FloatArray | None,
    at: tuple[float, ...] | FloatArray,
    rgb: tuple[float, ...],
    alpha: float = 1.0,
) -> mujoco.MjsGeom:
    geom = body.add_geom(type=kind, pos=at, rgba=[*rgb, alpha], contype=0, conaffinity=0)
    if size is not None:
        geom.size = size
    return geom


def _shaded(rgb: RGB, factor: float) -> tuple[float, ...]:
    return tuple(min(1.0, c * factor) for c in rgb)


def bone_transforms(model: HandModel, hand: HandState) -> FloatArray:
    """Return `world_T_bone` (33, 4, 4) of the bones of `add_hand`."""
    elbow = mirrored(apply(inverse(hand.world_T_palm), hand.elbow), hand.side)
    bones = skin_bones(model, hand.joints, forearm_transform(elbow))
    world: FloatArray = hand.world_T_palm @ mirrored_transforms(bones, left=hand.side == 'left')
    return world


def mirrored_transforms(transforms: FloatArray, *, left: bool) -> FloatArray:
    """Return transforms (N, 4, 4) of a right hand's palm frame in that of a left one, if so."""
    mirror = np.diag([1.0, -1.0, 1.0, 1.0])
    return mirror @ transforms @ mirror if left else transforms


def forearm_transform(palm_elbow: FloatArray) -> FloatArray:
    """Return `palm_T_forearm` (4, 4) of an elbow at (3,) [m] in the palm frame.

    The least turn at the wrist that points the forearm's -z at the elbow.
    """
    back = -palm_elbow / np.linalg.norm(palm_elbow)
    z = np.array([0.0, 0.0, 1.0])
    axis, cosine = np.cross(z, back), float(back[2])
    skew = np.cross(np.eye(3), axis) * -1.0
    turn = np.eye(3) + skew + skew @ skew / (1.0 + max(cosine, -0.99))
    return transform(turn, np.zeros(3))
