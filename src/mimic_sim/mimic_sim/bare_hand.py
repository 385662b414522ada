"""A person who does a task with the bare hand on the twin's table, before its agent camera.

    with BareHand(BareHandParams(task='push', seed=3)) as person:
        for frame in person.frames():  # mimic_core Frame: what a camera gives, and nothing else
            ...
        person.success  # the task's own test on the physical state

The room, the things and the camera are the twin's; there is no robot. The things are moved by
physics: finger tips push them, and what the fingers closed on is tied to them while they carry.
Speed, path, hand, skin, sleeve and light follow from the seed.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from mimic_core.arrays import FloatArray
from mimic_core.camera import Frame, Intrinsics
from mimic_core.frames import apply, inverse
from mimic_core.params import param
from mimic_description import load_robot
from mimic_sim import studio_scene
from mimic_sim.demonstrator import Demonstrator, DemoState, Plan
from mimic_sim.demonstrator_params import DemonstratorParams
from mimic_sim.hand_mesh import FOREARM_BONE, NUM_SKIN_BONES
from mimic_sim.hand_model import HandModel
from mimic_sim.scene import AGENT_CAMERA, TIMESTEP, add_scene, agent_camera_pose
from mimic_sim.studio_sensor import Sensor
from mimic_sim.studio_shadow import SoftShadow
from mimic_sim.studio_variation import Variation, skin_color
from mimic_sim.tasks import load_task
from mimic_sim.tasks.task import checked_start
from mimic_sim.things import Things
from mimic_sim.twin import work_area
from mimic_sim.twin_params import TwinParams
from mimic_sim.view import View

SETTLE: Final = 1.0  # [s] after the motion, for things to come to rest
_SPEEDS: Final = (0.8, 1.4)  # [1] of a person over a usual one
_STRANGE_SPEEDS: Final = (0.5, 1.8)  # [1]
_DETOURS: Final = 0.6  # [1] of the length of a way
_DELAYS: Final = (0.3, 0.8)  # [s] of rest before the first motion
_FINGERS: Final = ((3, 4), (7, 8))  # last bones of thumb and index finger
_STRIDE: Final = 5  # physics steps between two motions of the hand: it is slow
_PINCH: Final = 'pinch'
_UPPER_ARM: Final = 'upper_arm'
_UPPER_ARM_RADIUS, _UPPER_ARM_HALF = 0.062, 0.30  # [m]
_SLEEVE_END: Final = 0.56  # [m] from the wrist, of a usual hand
_SHOULDER: Final = (-0.62, -0.12, 0.62)  # [m] from the middle of the workspace
_STIFF: Final = (0.004, 1.0)  # [s], [1] of what ties a thing to the fingers


@dataclass(frozen=True, kw_only=True)
class BareHandParams:
    """Who does what; checked once."""

    task: str = param('A task of the twin.', 'pick_place')
    arm: str = param('On whose table: stem of a file in config/robots.', 'iiwa14')
    seed: int = param('Of the start, the motion and the looks.', 0, low=0)
    look: str = param(
        'varied: hand, skin, sleeve and light by seed; tidy: one usual person and light; strange: '
        'varied, on a table of another colour among other things.',
        'varied',
        choices=('varied', 'tidy', 'strange'),
    )
    motion: str = param(
        'usual: path and speed by seed; strange: with detours, and slower or faster.',
        'usual',
        choices=('usual', 'strange'),
    )
    speed: float = param('Over what the seed gives [1].', 1.0, low=0.2, high=3.0)
    rate: float = param('Pictures a second [Hz].', 30.0, low=1.0, high=120.0)
    width: int = param('Of the pictures [px].', 640, low=64, high=1920)
    height: int = param('Of the pictures [px].', 480, low=48, high=1080)
    depth: bool = param('Give depth beside colour.', False)


class BareHand:
    """One person at one task. Use and close it in one thread."""

    def __init__(self, params: BareHandParams) -> None:
        """Build the room; takes about a second.

        Raises:
            UnknownNameError: No such arm or task.
        """
        self.params = params
        self.task = load_task(params.task, work_area(load_robot(params.arm, 'none')))
        self.variation = _variation(params)
        looks = TwinParams(width=params.width, height=params.height)
        self._hand = HandModel(self.variation.shape)
        self._model = self._compile(looks)
        self._data = mujoco.MjData(self._model)
        self._things = Things(self._model, self._data, self.task)
        rng = np.random.default_rng(params.seed)
        start = checked_start(self.task, self.task.start(rng, params.seed))
        self._things.reset(start)
        self._person = self._make_person()
        self._view = View(self._model, self.task.objects, looks)
        self.intrinsics: Intrinsics = self._view.intrinsics(AGENT_CAMERA)
        self.world_T_camera: FloatArray = agent_camera_pose(self.task.area)
        centre = np.array(self.task.area.centre)
        toward = studio_scene.toward_light(self.variation)
        self._shadow = SoftShadow(self.intrinsics, self.world_T_camera, centre, toward)
        variation = self.variation
        self._sensor = Sensor(
            (params.height, params.width), variation.seed, variation.color_noise,
            variation.depth_noise, variation.depth_holes,
        )  # fmt: skip
        self._bones = [self._mocap(f'bone_{i}') for i in range(NUM_SKIN_BONES)]
        self._tips = [self._mocap(f'finger_{tip}') for _, tip in _FINGERS]
        self._pinch = self._mocap(_PINCH)
        self._upper_arm = self._mocap(_UPPER_ARM)
        self._tie = self._model.equality(_PINCH).id
        self._ticks = 0  # physics steps
        self._move(self._person.state(0.0))
        mujoco.mj_forward(self._model, self._data)

    def __enter__(self) -> 'BareHand':
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def duration(self) -> float:
        """Of the whole motion [s]."""
        return self._person.duration

    @property
    def phase(self) -> str:
        """What the person does now, for tests and evaluation."""
        return self._person.state(self._ticks * TIMESTEP).phase

    @property
    def success(self) -> bool:
        """The task is done now."""
        forces = self._things.forces()
        if self._data.eq_active[self._tie]:
            forces[self.task.objects[0].name] += 1.0  # [N], it is in the hand
        return self._things.success(forces)

    def objects(self) -> dict[str, FloatArray]:
        """Return world_T_object (4, 4) of every object, for tests and pictures of the truth."""
        return self._things.poses()

    def keypoints(self) -> FloatArray:
        """Return the true keypoints (21, 3) [m] in the optical frame, for evaluation."""
        hand = self._person.state(self._ticks * TIMESTEP).hand
        return apply(inverse(self.world_T_camera), self._hand.world_keypoints(hand))

    def frames(self) -> Iterator[Frame]:
        """Yield what the agent camera sees, to the end; then things come to rest."""
        index = 0
        while (time := index / self.params.rate) < self.duration:
            self._advance(time)
            yield self._picture(time)
            index += 1
        self._advance(self.duration + SETTLE)

    def close(self) -> None:
        """Free the graphics memory."""
        self._view.close()

    def _compile(self, looks: TwinParams) -> mujoco.MjModel:
        spec = mujoco.MjSpec()
        add_scene(spec, self.task, looks)
        studio_scene.add_hand(spec, self.variation)
        key = spec.light('key')
        key.dir = -studio_scene.toward_light(self.variation)
        key.diffuse = [self.variation.light * tint for tint in (1.0, 0.97, 0.93)]
        spec.visual.headlight.ambient = [self.variation.ambient] * 3
        if self.params.look == 'strange':
            workspace = np.array([*self.task.area.centre, 0.0])
            camera = agent_camera_pose(self.task.area)
            studio_scene.add_clutter(spec, self.variation, workspace, camera)
            colour = np.random.default_rng([self.params.seed, 19]).uniform(0.25, 0.9, 3)
            spec.material('table_top').rgba = [*colour, 1.0]
        moves = self.task.show(self._places())
        pushes = bool(moves) and not any(move.carries for move in moves)
        for base, tip in _FINGERS:
            body = spec.worldbody.add_body(name=f'finger_{tip}', mocap=True)
            half = 0.5 * float(np.linalg.norm(self._hand.rest[tip] - self._hand.rest[base]))
            body.add_geom(
                type=mujoco.mjtGeom.mjGEOM_CAPSULE,
                size=[float(self._hand.radii[tip]), half, 0.0],
                pos=[0.0, 0.0, -half],
                rgba=[0.0, 0.0, 0.0, 0.0],
                contype=int(pushes),
                conaffinity=int(pushes),
            )
        spec.worldbody.add_body(name=_PINCH, mocap=True)
        self._add_upper_arm(spec)
        tie = spec.add_equality(
            name=_PINCH,
            type=mujoco.mjtEq.mjEQ_WELD,
            objtype=mujoco.mjtObj.mjOBJ_BODY,
            name1=_PINCH,
            name2=self.task.objects[0].name,
            active=False,
        )
        tie.solref = _STIFF
        return spec.compile()

    def _add_upper_arm(self, spec: mujoco.MjSpec) -> None:
        """Add what is between the end of the sleeve and the shoulder."""
        sleeve = self.variation.sleeve
        colour = skin_color(self.variation) if sleeve is None else sleeve
        body = spec.worldbody.add_body(name=_UPPER_ARM, mocap=True)
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_CAPSULE,
            size=[_UPPER_ARM_RADIUS, _UPPER_ARM_HALF, 0.0],
            pos=[0.0, 0.0, _UPPER_ARM_HALF],
            rgba=[*colour, 1.0],
            contype=0,
            conaffinity=0,
        )

    def _places(self) -> dict[str, FloatArray]:
        nowhere = np.zeros(3)
        return {obj.name: nowhere for obj in self.task.objects} | {'target': nowhere}

    def _make_person(self) -> Demonstrator:
        mujoco.mj_kinematics(self._model, self._data)
        params, rng = self.params, np.random.default_rng([self.params.seed, 13])
        plan = Plan.of(self.task, self._things.poses(), self._things.target()[:3, 3].copy())
        strange = params.motion == 'strange'
        speeds = _STRANGE_SPEEDS if strange else _SPEEDS
        shown = DemonstratorParams(
            arm=params.arm,
            task=params.task,
            seed=params.seed,
            speed=float(np.clip(params.speed * rng.uniform(*speeds), 0.2, 3.0)),
            start_delay=float(rng.uniform(*_DELAYS)),
            detours=_DETOURS if strange else 0.0,
            eyes=False,
        )
        plan = dataclasses.replace(plan, width=self.task.objects[0].width)
        return Demonstrator(shown, plan, self._hand)

    def _mocap(self, body: str) -> int:
        return int(self._model.body_mocapid[self._model.body(body).id])

    def _advance(self, until: float) -> None:
        """Let the person and the things go on until a time [s]."""
        while (time := self._ticks * TIMESTEP) < until - 1e-9:
            if self._ticks % _STRIDE == 0:
                self._move(self._person.state(time))
            mujoco.mj_step(self._model, self._data)
            self._ticks += 1
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)

    def _move(self, state: DemoState) -> None:
        points = self._hand.world_keypoints(state.hand)
        for mocap, (base, tip) in zip(self._tips, _FINGERS, strict=True):
            along = points[tip] - points[base]
            turn = Rotation.align_vectors([along], [[0.0, 0.0, 1.0]])[0]
            self._data.mocap_pos[mocap] = points[tip]
            self._data.mocap_quat[mocap] = turn.as_quat(scalar_first=True)
        self._data.mocap_pos[self._pinch] = state.pinch_center
        if state.carries and not self._data.eq_active[self._tie]:
            held = self._things.poses()[self.task.objects[0].name]
            quat = Rotation.from_matrix(held[:3, :3]).as_quat(scalar_first=True)
            # anchor (3,), position (3,) and orientation of the thing in the pinch, torque scale
            shift = held[:3, 3] - state.pinch_center
            self._model.eq_data[self._tie, :11] = (0.0, 0.0, 0.0, *shift, *quat, 1.0)
        self._data.eq_active[self._tie] = state.carries

    def _picture(self, time: float) -> Frame:
        state = self._person.state(time)
        bones = studio_scene.bone_transforms(self._hand, state.hand)
        self._data.mocap_pos[self._bones] = bones[:, :3, 3]
        forearm = bones[FOREARM_BONE]
        reach = _SLEEVE_END * self.variation.shape.scale
        elbow = forearm[:3, 3] - reach * forearm[:3, 2]
        shoulder = np.array([*self.task.area.centre, 0.0]) + _SHOULDER
        turn = Rotation.align_vectors([shoulder - elbow], [[0.0, 0.0, 1.0]])[0]
        self._data.mocap_pos[self._upper_arm] = elbow
        self._data.mocap_quat[self._upper_arm] = turn.as_quat(scalar_first=True)
        quats = Rotation.from_matrix(bones[:, :3, :3]).as_quat(scalar_first=True)
        self._data.mocap_quat[self._bones] = quats
        mujoco.mj_kinematics(self._model, self._data)
        frame = self._view.render(self._data, AGENT_CAMERA, time)
        assert frame.depth is not None  # asked for
        points = np.vstack([self._hand.world_keypoints(state.hand), state.hand.elbow])
        radii = np.append(self._hand.radii, 2.0 * self._hand.radii[0])
        color = self._shadow.paint(frame.color, frame.depth, points, radii)
        return dataclasses.replace(
            frame,
            color=self._sensor.color(color, time),
            depth=self._sensor.depth(frame.depth, time) if self.params.depth else None,
        )


def _variation(params: BareHandParams) -> Variation:
    if params.look == 'tidy':
        return Variation(seed=params.seed)
    rng = np.random.default_rng([params.seed, 17])
    return Variation.sample(rng, clutter=params.look == 'strange')
