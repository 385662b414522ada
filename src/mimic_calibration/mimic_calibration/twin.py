"""A robot, a board and a camera in MuJoCo whose true poses are known: for practice and for proof.

Pictures have lens distortion, blur and noise; measured joints have encoder noise; the robot that
moves the board is not quite the one of the model.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import mujoco
import numpy as np
import numpy.typing as npt
import pinocchio as pin

from mimic_calibration.board import Board
from mimic_calibration.hand_eye import HandEye, Mount
from mimic_calibration.kinematics import Arm
from mimic_core.arrays import FloatArray, Image
from mimic_core.camera import Intrinsics
from mimic_core.frames import BASE, FLANGE, inverse, look_at, to_quat_xyzw, transform
from mimic_description import load_robot
from mimic_description.mujoco_model import robot_indices, robot_spec
from mimic_sim.offscreen import Offscreen

_CAMERA: Final = 'calibrated'
_MARGIN: Final = 40  # [px] around the picture, for the distortion
_FINE: Final = 2  # samples for each pixel and direction
_TEXTURE: Final = 6000.0  # [px/m]
_AWAY: Final = 4.0  # [m] above the robot nothing hides the board
_PAPER: Final = 0.012  # [m] white margin of the board
_THICKNESS: Final = 0.004  # [m]
_OPTICAL_T_MUJOCO: Final = np.diag([1.0, -1.0, -1.0, 1.0])

Map = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Flaws:
    """What is not ideal, as standard deviations unless said otherwise."""

    encoder: float = float(np.radians(0.02))  # [rad] of each joint in each reading
    joint_offset: float = float(np.radians(0.03))  # [rad] of each joint, constant
    link_shift: float = 1e-4  # [m] of each joint's place on its link, constant
    link_turn: float = float(np.radians(0.01))  # [rad] of each joint's axis, constant
    print_scale: float = 0.001  # [1] relative size of the print, sign by chance
    pixel_noise: float = 2.5  # [grey levels]
    blur: float = 0.6  # [px]


class TwinCell:
    """One set-up with a seed of its own."""

    def __init__(
        self,
        arm: str,
        hand: str,
        board: Board,
        mount: Mount,
        seed: int,
        flaws: Flaws | None = None,
        size: tuple[int, int] = (640, 480),
    ) -> None:
        """Args: size: width and height of the pictures [px]."""
        self.arm, self.board, self.mount = Arm(arm), board, mount
        self.flaws = Flaws() if flaws is None else flaws
        self._rng = np.random.default_rng((seed, 4711))
        self.intrinsics = self._lens(*size)
        self._robot = load_robot(arm, hand)
        self.truth = HandEye(mount, self._camera_pose(), self._board_pose())
        self.print_scale = 1.0 + float(self._rng.choice((-1.0, 1.0))) * self.flaws.print_scale
        self._true_arm = self._flawed()
        self._offsets = self._rng.normal(scale=self.flaws.joint_offset, size=len(self.arm.joints))
        self._build()

    def _lens(self, width: int, height: int) -> Intrinsics:
        jitter = self._rng.normal(size=9)
        f = 0.95 * width * (1.0 + 0.02 * jitter[0])
        return Intrinsics(
            width, height, f, f * (1.0 + 0.002 * jitter[1]),
            0.5 * (width - 1) + 6.0 * jitter[2], 0.5 * (height - 1) + 6.0 * jitter[3],
            (0.06 + 0.03 * jitter[4], -0.14 + 0.03 * jitter[5], 5e-4 * jitter[6],
             5e-4 * jitter[7], 0.02 * jitter[8]),
        )  # fmt: skip

    def _camera_pose(self) -> FloatArray:
        rng = self._rng
        if self.mount == 'eye_in_hand':
            # Beside the gripper, tilted towards the point between its fingers.
            eye = np.array([0.0, -0.11, 0.05]) + rng.normal(scale=0.01, size=3)
            return look_at(eye, np.array([0.0, 0.0, 0.45]), np.array([0.0, -1.0, 0.0]))
        eye = np.array([1.35, 0.25, 0.60]) + rng.normal(scale=0.05, size=3)
        target = np.array([0.50, 0.0, 0.42]) + rng.normal(scale=0.03, size=3)
        return look_at(eye, target, np.array([0.0, 0.0, 1.0]))

    def _board_pose(self) -> FloatArray:
        turn, shift = self._rng.normal(scale=0.05, size=3), self._rng.normal(scale=0.01, size=3)
        wobble = transform(_rotation(turn), shift)
        centred = transform(np.eye(3), -self.board.centre())
        if self.mount == 'eye_to_hand':
            # In the gripper, its face away from the flange.
            face = transform(np.diag([1.0, -1.0, -1.0]), np.array([0.0, 0.0, self._beyond_hand()]))
        else:
            face = transform(np.diag([1.0, -1.0, -1.0]), np.array([0.52, 0.0, 0.02]))
        return face @ wobble @ centred

    def _beyond_hand(self) -> float:
        """Return how far in front of the flange nothing of the hand hides the board [m]."""
        robot = self._robot
        tips = [robot.fk(robot.home, tip, FLANGE)[2, 3] for tip in robot.tip_frames().values()]
        return max([0.1, *(float(z) for z in tips)]) + 0.04

    def _flawed(self) -> Arm:
        """Return the arm as it is, but for its joint offsets."""
        model = pin.Model(self.arm.robot.pin_model)
        for name in self.arm.joints:
            wobble = transform(
                _rotation(self._rng.normal(scale=self.flaws.link_turn, size=3)),
                self._rng.normal(scale=self.flaws.link_shift, size=3),
            )
            index = model.getJointId(name)
            model.jointPlacements[index] = model.jointPlacements[index] * pin.SE3(wobble)
        return Arm(self.arm.name, model=model)

    def _build(self) -> None:
        spec = robot_spec(self._robot)
        spec.visual.quality.offsamples = 4
        spec.visual.quality.shadowsize = 0
        spec.visual.headlight.ambient = [0.45, 0.45, 0.45]
        spec.visual.headlight.diffuse = [0.35, 0.35, 0.35]
        spec.visual.headlight.specular = [0.0, 0.0, 0.0]
        spec.visual.map.znear, spec.visual.map.zfar = 0.01, 30.0
        spec.stat.extent = 1.0
        width = _FINE * (self.intrinsics.width + 2 * _MARGIN)
        height = _FINE * (self.intrinsics.height + 2 * _MARGIN)
        spec.visual.global_.offwidth, spec.visual.global_.offheight = width, height
        world = spec.worldbody
        world.add_light(
            type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, pos=[1, 1, 2], dir=[-0.4, -0.3, -0.85],
            diffuse=[0.35, 0.34, 0.33], castshadow=False,
        )  # fmt: skip
        world.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.75, 0.85, 0.02], pos=[0.35, 0, -0.021],
            rgba=[0.72, 0.68, 0.62, 1],
        )  # fmt: skip
        world.add_geom(
            type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1], pos=[0, 0, -0.75],
            rgba=[0.55, 0.57, 0.6, 1],
        )  # fmt: skip
        self._add_board(spec)
        focal = _FINE * float(np.mean([self.intrinsics.fx, self.intrinsics.fy]))
        self._ideal = Intrinsics(
            width, height, focal, focal, 0.5 * (width - 1), 0.5 * (height - 1)
        )
        holder = world.add_body(name='camera', mocap=True)
        holder.add_camera(
            name=_CAMERA, fovy=float(np.degrees(2 * np.arctan(0.5 * height / focal)))
        )
        self._model = spec.compile()
        self._data = mujoco.MjData(self._model)
        self._indices = robot_indices(self._robot, self._model)
        self._offscreen: Offscreen | None = None
        self._maps = self._distortion_maps()

    def _add_board(self, spec: mujoco.MjSpec) -> None:
        pattern = self.board.image(_TEXTURE)
        edge = round(_PAPER * _TEXTURE)
        paper = cv2.copyMakeBorder(
            pattern, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=(255,)
        )
        printed = np.clip(0.85 * paper.astype(np.float64) + 16, 0, 255).astype(np.uint8)
        height, width = printed.shape
        spec.add_texture(
            name='board', type=mujoco.mjtTexture.mjTEXTURE_2D, width=width, height=height,
            nchannel=3, data=np.repeat(printed.ravel(), 3).tolist(),
        )  # fmt: skip
        material = spec.add_material(name='board', specular=0.0, shininess=0.0)
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = 'board'
        scale = self.print_scale
        x0, y0 = -scale * _PAPER, -scale * _PAPER
        x1, y1 = (scale * (v + _PAPER) for v in self.board.size)
        face = [[x0, y0, 0], [x1, y0, 0], [x1, y1, 0], [x0, y1, 0]]
        back = [[x, y, _THICKNESS] for x, y, _ in face]
        # MuJoCo takes v upwards.
        places = [[0, 0], [1, 0], [1, 1], [0, 1]]
        spec.add_mesh(
            name='board',
            uservert=np.array(face + face + back, dtype=np.float64).ravel().tolist(),
            usertexcoord=np.array(places + 8 * [[1e-3, 1e-3]], np.float64).ravel().tolist(),
            userface=np.array(
                [[0, 2, 1], [0, 3, 2], [8, 9, 10], [8, 10, 11],
                 [4, 5, 9], [4, 9, 8], [5, 6, 10], [5, 10, 9],
                 [6, 7, 11], [6, 11, 10], [7, 4, 8], [7, 8, 11]]
            ).ravel().tolist(),
        )  # fmt: skip
        body = spec.worldbody.add_body(name='board', mocap=True)
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH, meshname='board', material='board',
            contype=0, conaffinity=0,
        )  # fmt: skip

    def _distortion_maps(self) -> tuple[Map, Map]:
        """Return where each fine pixel of the real picture is in the ideal one."""
        optics, width, height = self.intrinsics, self.intrinsics.width, self.intrinsics.height
        u, v = np.meshgrid(np.arange(_FINE * width), np.arange(_FINE * height))
        # A pixel holds _FINE fine ones; its middle is theirs.
        half = 0.5 * (_FINE - 1)
        pixels = np.stack([(u - half) / _FINE, (v - half) / _FINE], axis=-1).reshape(-1, 1, 2)
        rays = cv2.undistortPointsIter(
            pixels, optics.matrix, np.asarray(optics.distortion), np.eye(3), np.eye(3),
            (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-9),
        )[:, 0]  # fmt: skip
        ideal = rays * self._ideal.fx + (self._ideal.cx, self._ideal.cy)
        maps = ideal.reshape(*u.shape, 2).astype(np.float32)
        return maps[..., 0], maps[..., 1]

    def board_in_camera(self, q: FloatArray) -> FloatArray:
        """Return (4, 4) where the camera truly sees the board at true (A,) positions."""
        return self.truth.board_in_camera(self._true_arm.flange_pose(q + self._offsets))

    def measure(self, q: FloatArray) -> FloatArray:
        """Return (A,) what the encoders say at (A,) positions."""
        return q + self._rng.normal(scale=self.flaws.encoder, size=len(q))

    def see(self, q: FloatArray) -> Image:
        """Return the picture (H, W, 3) at (A,) positions."""
        base_T_camera, base_T_board = self._poses(q)
        return self._picture(q, base_T_camera, base_T_board)

    def show(self, camera_T_board: FloatArray) -> Image:
        """Return the picture (H, W, 3) of a board that a person holds, away from the robot."""
        q = self.arm.robot.home
        base_T_camera = self._poses(q)[0]
        base_T_camera[2, 3] += _AWAY
        return self._picture(q, base_T_camera, base_T_camera @ camera_T_board)

    def _poses(self, q: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return base_T_camera and base_T_board at (A,) positions."""
        flange, here = self._true_arm.flange_pose(q + self._offsets), np.eye(4)
        reference, carrier = (here, flange) if self.mount == 'eye_to_hand' else (flange, here)
        return reference @ self.truth.reference_T_camera, carrier @ self.truth.carrier_T_board

    def _picture(
        self, q: FloatArray, base_T_camera: FloatArray, base_T_board: FloatArray
    ) -> Image:
        world_T_base = self._robot.fk(self._robot.home, BASE)
        self._place('camera', world_T_base @ base_T_camera @ _OPTICAL_T_MUJOCO)
        self._place('board', world_T_base @ base_T_board)
        full = np.concatenate([q, self._robot.home[len(q) :]])
        self._indices.place(self._robot, self._data, full)
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)
        if self._offscreen is None:
            self._offscreen = Offscreen(self._model, self._ideal.width, self._ideal.height)
        ideal, _ = self._offscreen.render(self._data, _CAMERA, depth=False)
        return self._spoil(ideal)

    def _spoil(self, ideal: Image) -> Image:
        fine = cv2.remap(ideal, *self._maps, cv2.INTER_LINEAR)
        size = (self.intrinsics.width, self.intrinsics.height)
        picture = cv2.resize(fine, size, interpolation=cv2.INTER_AREA).astype(np.float64)
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), self.flaws.blur), np.float64)
        picture += self._rng.normal(scale=self.flaws.pixel_noise, size=picture.shape)
        return np.clip(np.rint(picture), 0, 255).astype(np.uint8)

    def _place(self, body: str, world_T_body: FloatArray) -> None:
        number = self._model.body(body).mocapid[0]
        self._data.mocap_pos[number] = world_T_body[:3, 3]
        self._data.mocap_quat[number] = np.roll(to_quat_xyzw(world_T_body), 1)

    def errors(self, found: FloatArray) -> tuple[float, float]:
        """Return the error of a reference_T_camera: [m], [rad]."""
        delta = inverse(self.truth.reference_T_camera) @ found
        angle = np.linalg.norm(cv2.Rodrigues(delta[:3, :3])[0])
        return float(np.linalg.norm(delta[:3, 3])), float(angle)

    def close(self) -> None:
        """Free the graphics memory."""
        if self._offscreen is not None:
            self._offscreen.close()
            self._offscreen = None


def _rotation(turn: FloatArray) -> FloatArray:
    """Return (3, 3) of a rotation vector (3,) [rad]."""
    return np.asarray(cv2.Rodrigues(turn)[0], np.float64)
