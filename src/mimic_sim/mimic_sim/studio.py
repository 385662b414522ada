"""The studio: pictures of a hand with ground truth, as a colour and depth camera would give them.

    studio = Studio(Variation(), intrinsics, world_T_camera)
    frame, truth = studio.render(hand, {'object': world_T_object}, stamp)

`frame` is a `mimic_core.camera.Frame`, `truth` holds what no tracker knows. The same arguments
give the same pixels. One studio belongs to the thread that made it.
"""

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from mimic_core.arrays import BoolArray, DepthImage, FloatArray, checked
from mimic_core.camera import Frame, Intrinsics
from mimic_core.errors import SourceError, UnknownNameError
from mimic_core.frames import CAMERA_OPTICAL, apply, inverse, transform
from mimic_core.hand import Side
from mimic_core.keypoints import NUM_KEYPOINTS
from mimic_sim import studio_scene
from mimic_sim.hand_mesh import NUM_SKIN_BONES
from mimic_sim.hand_model import HandModel, HandState
from mimic_sim.offscreen import Offscreen
from mimic_sim.studio_scene import Prop
from mimic_sim.studio_sensor import Sensor
from mimic_sim.studio_shadow import SoftShadow
from mimic_sim.studio_variation import Variation

__all__ = ['GroundTruth', 'Prop', 'Studio', 'Variation']

_FLESH: Final = 1.4  # [1] of a joint's radius, how thick flesh is where it is not round
_HIDDEN_SLACK: Final = 0.006  # [m] that a surface may lie before the flesh of a visible joint


@dataclass(frozen=True)
class GroundTruth:
    """What is really there in one frame, in the optical frame of the camera."""

    keypoints: FloatArray  # (21, 3) [m] joint centres and finger tips, inside the flesh
    visible: BoolArray  # (21,) in the picture and not behind anything but the flesh around it
    pixels: FloatArray  # (21, 2) [px], may lie outside the picture
    side: Side
    objects: dict[str, FloatArray] = field(default_factory=dict)  # camera_T_object (4, 4)
    phase: str = ''


class Studio:
    """A room with a camera, rendered off screen."""

    def __init__(
        self,
        variation: Variation,
        intrinsics: Intrinsics,
        world_T_camera: FloatArray,
        *,
        workspace: FloatArray | None = None,
        props: tuple[Prop, ...] = (),
        depth: bool = True,
        frame_id: str = CAMERA_OPTICAL,
    ) -> None:
        """Build the room; takes about a second.

        Args:
            variation: Looks.
            intrinsics: Of the camera: no distortion, square pixels.
            world_T_camera: (4, 4) optical frame, before the variation's offset.
            workspace: (3,) [m] in world, where table and clutter are centred.
            props: Things that `render` may place.
            depth: Deliver depth too.
            frame_id: Of the frames.
        """
        self.variation, self.intrinsics, self.frame_id = variation, intrinsics, frame_id
        offset = np.array(variation.camera_offset)
        shift = transform(Rotation.from_euler('xyz', offset[3:]).as_matrix(), offset[:3])
        self.world_T_camera: FloatArray = checked(world_T_camera, (4, 4), 'world_T_camera') @ shift
        self.hand = HandModel(variation.shape)
        self._props = {prop.name: NUM_SKIN_BONES + i for i, prop in enumerate(props)}
        centre = np.zeros(3) if workspace is None else checked(workspace, (3,), 'workspace')
        self._model = studio_scene.build(variation, intrinsics, self.world_T_camera, centre, props)
        self._data = mujoco.MjData(self._model)
        self._offscreen = Offscreen(self._model, intrinsics.width, intrinsics.height)
        # Left to the collector, MuJoCo frees its names in whichever context is current then.
        self._finalizer = weakref.finalize(self, self._offscreen.close)
        self._finalizer.atexit = False
        self._depth = depth
        self._sensor = Sensor(
            (intrinsics.height, intrinsics.width),
            variation.seed,
            variation.color_noise,
            variation.depth_noise,
            variation.depth_holes,
        )
        self._shadow = SoftShadow(
            intrinsics, self.world_T_camera, centre[:2], studio_scene.toward_light(variation)
        )

    def render(
        self,
        hand: HandState | None,
        objects: Mapping[str, FloatArray] | None = None,
        stamp: float = 0.0,
        *,
        phase: str = '',
    ) -> tuple[Frame, GroundTruth]:
        """Return the picture of a moment and the truth about it.

        Args:
            hand: Its side must be the variation's; None: nobody is there.
            objects: world_T_object (4, 4) of props by name; a prop not named is out of sight.
            stamp: Capture time of the frame [s]; with the seed it decides the noise.
            phase: Passed on to the truth.

        Raises:
            UnknownNameError: An object is not one of the props.
            SourceError: The studio is closed.
        """
        if not self._finalizer.alive:
            raise SourceError('the studio is closed')
        objects = objects or {}
        for name in objects:
            if name not in self._props:
                raise UnknownNameError('prop', name, self._props)
        self._place_hand(hand)
        for name, body in self._props.items():
            self._place(body, objects.get(name))
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)
        color, clean = self._offscreen.render(self._data, studio_scene.CAMERA)
        assert clean is not None  # asked for
        camera_T_world = inverse(self.world_T_camera)
        keypoints = np.full((NUM_KEYPOINTS, 3), np.nan)
        if hand is not None:
            points = self.hand.world_keypoints(hand)
            keypoints = apply(camera_T_world, points)
            if not self.variation.shadow_map:
                radii = np.append(self.hand.radii, 2.0 * self.hand.radii[0])
                color = self._shadow.paint(color, clean, np.vstack([points, hand.elbow]), radii)
        depth = self._sensor.depth(clean, stamp) if self._depth else None
        frame = Frame(
            color=self._sensor.color(color, stamp),
            intrinsics=self.intrinsics,
            stamp=stamp,
            frame_id=self.frame_id,
            depth=depth,
        )
        truth = GroundTruth(
            keypoints=keypoints,
            visible=self._visible(keypoints, clean),
            pixels=self.intrinsics.project(keypoints),
            side=self.variation.side,
            objects={name: camera_T_world @ pose for name, pose in objects.items()},
            phase=phase,
        )
        return frame, truth

    def close(self) -> None:
        """Free the graphics memory; a studio that is forgotten does it by itself."""
        self._finalizer()

    def _place_hand(self, hand: HandState | None) -> None:
        if hand is None:
            self._data.mocap_pos[:NUM_SKIN_BONES] = (0.0, 0.0, -50.0)
            return
        world = studio_scene.bone_transforms(self.hand, hand)
        self._data.mocap_pos[:NUM_SKIN_BONES] = world[:, :3, 3]
        quats = Rotation.from_matrix(world[:, :3, :3]).as_quat(scalar_first=True)
        self._data.mocap_quat[:NUM_SKIN_BONES] = quats

    def _place(self, body: int, pose: FloatArray | None) -> None:
        if pose is None:
            self._data.mocap_pos[body] = (0.0, 0.0, -50.0)
            return
        self._data.mocap_pos[body] = pose[:3, 3]
        self._data.mocap_quat[body] = Rotation.from_matrix(pose[:3, :3]).as_quat(scalar_first=True)

    def _visible(self, keypoints: FloatArray, depth: DepthImage) -> BoolArray:
        """Tell which keypoints have nothing before them but the flesh around them, (21,)."""
        pixels = self.intrinsics.project(keypoints)
        height, width = depth.shape
        known = np.isfinite(pixels).all(axis=1)
        column = np.rint(np.where(known, pixels[:, 0], -1.0)).astype(int)
        row = np.rint(np.where(known, pixels[:, 1], -1.0)).astype(int)
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        seen = depth[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)] * 1e-3
        seen = np.where(seen > 0.0, seen, np.inf)
        flesh = _FLESH * self.hand.radii + _HIDDEN_SLACK
        visible: BoolArray = inside & (seen > keypoints[:, 2] - flesh)
        return visible
