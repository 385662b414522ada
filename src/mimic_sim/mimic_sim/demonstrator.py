"""The virtual demonstrator: a person who shows a task with one hand, and the pictures of it.

    stream = DemonstratorStream(DemonstratorParams(seed=3))
    for frame, truth in stream.frames():
        ...

`Demonstrator` is the motion alone. Without `see` it is a pure function of time; a person who is
told what the robot does (`see`) corrects and waits, as an operator would; times must grow then.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.camera import Frame, Intrinsics
from mimic_core.errors import StaleInputError
from mimic_core.frames import from_xyz_rpy, look_at, transform
from mimic_core.hand import Side
from mimic_description import load_robot
from mimic_sim.demonstrator_eyes import Operator, Sight, faces_of
from mimic_sim.demonstrator_free import FreeMotion
from mimic_sim.demonstrator_motion import (
    Script,
    Tremor,
    pick_and_place,
    rest_position,
    shown,
    usual_grasp,
    with_detours,
)
from mimic_sim.demonstrator_params import DemonstratorParams
from mimic_sim.hand_mesh import FOREARM_LENGTH
from mimic_sim.hand_model import INDEX_TIP, THUMB_TIP, HandModel, HandState, mirrored
from mimic_sim.hand_postures import pinch, pinch_center, pinch_range
from mimic_sim.studio import GroundTruth, Prop, Studio, Variation
from mimic_sim.tasks import Move, Task, load_task
from mimic_sim.twin import work_area

__all__ = ['DemoState', 'Demonstrator', 'DemonstratorStream', 'Plan', 'Sight', 'plan_of']

FREE: Final = 'free'
PROP: Final = Prop('object', 'box', (0.015, 0.015, 0.015))
_PAD: Final = 0.90  # [1] of the flesh at a finger tip that is left when it presses
_MIME: Final = 0.004  # [m] by which a person who mimes stays short of touching
_LONGEST_STEP: Final = 0.1  # [s] that a person who watches may be left alone
_SHOULDER: Final = (-0.50, -0.25, 0.30)  # [m] from the workspace, right hand
_SAG: Final = (0.0, -0.03, -0.22)  # [m] how an elbow hangs, right hand
_WRIST_COMFORT: Final = 0.9  # [1] how much the forearm lies in line with the hand
_LOOK_AT: Final = (-0.06, -0.01, 0.11)  # [m] from the workspace, right hand
_NOTICED: Final = 0.002  # [m] by which things lie elsewhere than thought
_TURN_NOTICED: Final = 0.01  # [rad] by which the object lies otherwise than thought
_AFTER: Final = 1.5  # [s] of rest before a loop begins again


@dataclass(frozen=True)
class Plan:
    """What is to be done, and where."""

    workspace: FloatArray  # (3,) [m] middle of the table where the robot works, in world
    radius: float  # [m] of it
    start: FloatArray  # (3,) [m] centre of the object
    target: FloatArray  # (3,) [m] where its centre is to be
    task: Task | None = None  # how it is done; None: the object is carried to the target
    things: Mapping[str, FloatArray] = field(default_factory=dict)  # (3,) [m] of other objects
    width: float | None = None  # [m] of the object in the hand; None: there is none, they mime
    faces: float | None = None  # [rad] heading of its sides, if it is as wide as it is deep

    @property
    def moves(self) -> tuple[Move, ...]:
        """How the task is shown; empty: by carrying."""
        if self.task is None:
            return ()
        first = self.task.objects[0].name
        return self.task.show({**self.things, first: self.start, 'target': self.target})

    def lies_otherwise(self, faces: float | None) -> bool:
        """Tell whether sides that head so [rad] are taken otherwise than these."""
        if faces is None or self.faces is None:
            return False
        return abs(math.remainder(faces - self.faces, 0.5 * math.pi)) > _TURN_NOTICED

    @classmethod
    def of(cls, task: Task, poses: Mapping[str, FloatArray], target: FloatArray) -> 'Plan':
        """Return what is to be done with a task's objects where they are.

        Args:
            task: Before its arm.
            poses: world_T_object (4, 4) by name.
            target: (3,) [m] where the centre of the first object is to be.
        """
        places = {name: pose[:3, 3].copy() for name, pose in poses.items()}
        first = task.objects[0]
        start = places.pop(first.name)
        square = first.form == 'box' and first.size[0] == first.size[1]
        faces = faces_of(poses[first.name]) if square else None
        middle = np.array([*task.area.centre, 0.0])
        return cls(middle, task.area.radius, start, target, task, places, faces=faces)


@dataclass(frozen=True)
class DemoState:
    """The person at one moment."""

    hand: HandState
    pinch_center: FloatArray  # (3,) [m] middle between thumb tip and index tip, in world
    aperture: float  # [m] between the two tips
    phase: str
    objects: dict[str, FloatArray] = field(default_factory=dict)  # world_T_object (4, 4)
    carries: bool = False  # the hand holds something


def plan_of(params: DemonstratorParams, seed: int | None = None) -> Plan:
    """Return where the object of the twin's task is at the start, and where it goes.

    Raises:
        UnknownNameError: No such arm or task.
    """
    area = work_area(load_robot(params.arm, 'none'))
    workspace = np.array([*area.centre, 0.0])
    if params.task == FREE:
        return Plan(workspace, area.radius, workspace, workspace)
    task = load_task(params.task, area)
    chosen = params.seed if seed is None else seed
    start = task.start(np.random.default_rng(chosen), chosen)
    thing = task.objects[0]
    marks = {mark.name: mark.position for mark in task.markers} | dict(start.markers)
    height = next((m.height for m in task.markers if m.name == 'target'), 0.0) + thing.height
    at = start.objects[thing.name][:3, 3].copy()
    to = np.array([*marks['target'], height]) if 'target' in marks else at
    return Plan.of(task, start.objects, to)


def variation_of(params: DemonstratorParams) -> Variation:
    """Return the looks that the parameters ask for."""
    rng = np.random.default_rng([params.seed, 7])
    side: Side = 'left' if params.side == 'left' else 'right'
    if params.look == 'tidy':
        return Variation(side=side, seed=params.seed)
    sampled = Variation.sample(rng, clutter=params.look != 'varied')
    return replace(sampled, side=side, occluder=params.look == 'occluded')


class Demonstrator:
    """The motion of one person through one task."""

    def __init__(
        self, params: DemonstratorParams, plan: Plan, model: HandModel, seed: int | None = None
    ) -> None:
        """Args: params; plan; model: the hand; seed: of the motion, else that of params."""
        rng = np.random.default_rng([params.seed if seed is None else seed, 11])
        self.model, self.plan = model, plan
        self.side: Side = 'left' if params.side == 'left' else 'right'
        self._begin, self._props = params.start_delay, params.props
        self._free = self._script = None
        if params.task == FREE:
            self._free = FreeMotion(model, self.side, plan.workspace, rng)
        else:
            self._script = self._script_of(params, rng)
        heading = moves[0].heading if (moves := plan.moves) else None
        self._rotation = usual_grasp(model, self.side, rng, heading, plan.faces)
        if self._script is not None and params.detours > 0.0:
            self._script = with_detours(self._script, params.detours, rng)
        self._tremor = Tremor(rng, params.tremor)
        self._operator: Operator | None = None
        self._sight: Sight | None = None
        self._last = 0.0  # [s] time of the last state of a person who watches

    def _script_of(self, params: DemonstratorParams, rng: np.random.Generator) -> Script:
        pads = _PAD * float(self.model.radii[[THUMB_TIP, INDEX_TIP]].sum())
        mime = pinch_range(self.model.shape)[0] + _MIME
        plan, moves = self.plan, self.plan.moves
        width = 2.0 * PROP.size[0] if params.props and not moves else plan.width
        grip = mime if width is None else width + pads
        rest = rest_position(plan.workspace, plan.radius, self.side)
        if moves:
            return shown(
                self.model, self.side, rest, moves, rng,
                grip=grip, speed=params.speed, watches=params.eyes and plan.width is None,
            )  # fmt: skip
        return pick_and_place(
            self.model, self.side, rest, plan.start, plan.target, rng,
            grip=grip, speed=params.speed,
        )  # fmt: skip

    @property
    def duration(self) -> float:
        """Of the whole task with its delay, when nothing is waited for [s]; inf: never ends."""
        return float('inf') if self._script is None else self._begin + self._script.duration

    @property
    def retries(self) -> int:
        """How often a missed grasp was tried again."""
        return 0 if self._operator is None else self._operator.retries

    @property
    def correction(self) -> FloatArray:
        """How far (3,) [m] the hand is from where it would be without watching the robot."""
        return np.zeros(3) if self._operator is None else self._operator.correction

    def see(self, sight: Sight) -> None:
        """Tell the person what the robot does; from now on the person reacts to it."""
        self._sight = sight
        if self._operator is None and self._script is not None:
            self._operator = Operator(self._script, self.plan.start, self.plan.target)
            skipped = min(max(self._last - self._begin, 0.0), self._script.duration)
            self._operator.advance(skipped, None)

    def state(self, time: float) -> DemoState:
        """Return the person at a time [s].

        Raises:
            StaleInputError: A person who watches was asked about the past.
        """
        if self._free is not None:
            return self._free_state(time)
        script_time, correction, aperture = self._advance(time)
        assert self._script is not None  # a person does one thing or the other
        moment = self._script.at(script_time)
        joints = pinch(self.model, moment.aperture if aperture is None else aperture)
        position = moment.position + correction + self._tremor.at(time)
        phase: str = self._script.stages[moment.stage].phase
        if time < self._begin:
            phase = 'rest'
        elif script_time >= self._script.duration:
            phase = 'done'
        state = self._compose(position, joints, phase, self._objects(script_time, correction))
        return replace(state, carries=self._script.stages[moment.stage].carries)

    def _advance(self, time: float) -> tuple[float, FloatArray, float | None]:
        """Return the time of the script [s], what to add to it (3,) [m], and the aperture [m]."""
        if self._operator is None:
            self._last = time
            return max(time - self._begin, 0.0), np.zeros(3), None
        if time < self._last - 1e-9:
            raise StaleInputError(f'asked for {time:.3f} s after {self._last:.3f} s')
        dt = min(time - max(self._last, self._begin), _LONGEST_STEP)
        if dt > 0.0:
            self._operator.advance(dt, self._sight)
        self._last = time
        return self._operator.time, self._operator.displacement, self._operator.aperture

    def _objects(self, script_time: float, correction: FloatArray) -> dict[str, FloatArray]:
        """Return where the person's own object is: it follows the pinch while it is carried."""
        if not self._props or self._script is None or self.plan.moves:
            return {}
        script = self._script
        carrying = [i for i, stage in enumerate(script.stages) if stage.carries]
        begin, end = script.begin_of(carrying[0]), script.begin_of(carrying[-1] + 1)
        at = np.array([*self.plan.start[:2], PROP.size[2]])
        if script_time > begin:
            moved = script.at(min(script_time, end)).position - self.plan.start
            at = at + moved + correction * (1.0, 1.0, 0.0)
            if script_time >= end:
                at[2] = PROP.size[2]
        return {PROP.name: from_xyz_rpy(at, np.array([0.0, 0.0, self.plan.faces or 0.0]))}

    def _free_state(self, time: float) -> DemoState:
        assert self._free is not None  # the caller looked
        position, rotation, joints = self._free.at(time)
        return self._compose(position, joints, FREE, {}, rotation)

    def _compose(
        self,
        position: FloatArray,
        joints: FloatArray,
        phase: str,
        objects: dict[str, FloatArray],
        rotation: FloatArray | None = None,
    ) -> DemoState:
        """Put the pinch point, or in free motion the palm, where it should be."""
        turned = self._rotation if rotation is None else rotation
        pinched = self._free is None
        grip = pinch_center(self.model, joints) if pinched else np.array([0.0, 0.0, 0.08])
        wrist = position - turned @ mirrored(grip, self.side)
        scale = self.model.shape.scale
        elbow = elbow_of(wrist, turned, self.plan.workspace, self.side, scale)
        hand = HandState(transform(turned, wrist), joints, elbow, self.side)
        tips = self.model.world_keypoints(hand)[[THUMB_TIP, INDEX_TIP]]
        aperture = float(np.linalg.norm(tips[1] - tips[0]))
        return DemoState(hand, tips.mean(axis=0), aperture, phase, objects)


def elbow_of(
    wrist: FloatArray, rotation: FloatArray, workspace: FloatArray, side: Side, scale: float
) -> FloatArray:
    """Return where the elbow (3,) [m] hangs.

    Args:
        wrist: (3,) [m] in world.
        rotation: (3, 3) world_R_palm.
        workspace: (3,) [m] in world, where the person works.
        side: Of the hand.
        scale: Of the hand over a usual one [1].
    """
    shoulder = workspace + mirrored(np.array(_SHOULDER), side)
    hanging = shoulder + mirrored(np.array(_SAG), side) - wrist
    direction = hanging / np.linalg.norm(hanging) - _WRIST_COMFORT * rotation[:, 2]
    elbow: FloatArray = wrist + FOREARM_LENGTH * scale * direction / np.linalg.norm(direction)
    return elbow


def camera_of(params: DemonstratorParams, plan: Plan) -> tuple[Intrinsics, FloatArray]:
    """Return the intrinsics and `world_T_optical` (4, 4) that the parameters ask for."""
    focal = params.focal * params.width
    intrinsics = Intrinsics(
        params.width, params.height, focal, focal,
        0.5 * (params.width - 1), 0.5 * (params.height - 1),
    )  # fmt: skip
    side: Side = 'left' if params.side == 'left' else 'right'
    a, e = params.camera_azimuth, params.camera_elevation
    toward = mirrored(np.array([np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)]), side)
    target = plan.workspace + mirrored(np.array(_LOOK_AT), side)
    eye = target + params.camera_distance * toward
    return intrinsics, look_at(eye, target, np.array([0.0, 0.0, 1.0]))


class DemonstratorStream:
    """The demonstrator before the camera. Belongs to the thread that made it."""

    def __init__(self, params: DemonstratorParams, plan: Plan | None = None) -> None:
        """Build the studio, which takes about a second; plan: else that of the twin's task."""
        self.params = params
        self._plan = plan
        self.plan = plan_of(params) if plan is None else plan
        intrinsics, world_T_camera = camera_of(params, self.plan)
        self.studio = Studio(
            variation_of(params),
            intrinsics,
            world_T_camera,
            workspace=self.plan.workspace,
            props=(PROP,) if params.props else (),
            depth=params.depth,
        )
        self._round, self._round_began = 0, 0.0
        self._sight: Sight | None = None
        self._done_since: float | None = None
        self.demonstrator = Demonstrator(params, self.plan, self.studio.hand)
        self.last: DemoState | None = None

    @property
    def world_T_camera(self) -> FloatArray:  # noqa: N802
        """The true pose (4, 4) of the camera."""
        return self.studio.world_T_camera

    @property
    def intrinsics(self) -> Intrinsics:
        """Of the camera."""
        return self.studio.intrinsics

    @property
    def done(self) -> bool:
        """The task is over and will not begin again."""
        return self._done_since is not None and not self.params.loop

    def see(self, sight: Sight) -> None:
        """Tell the person what the robot does; ignored without `eyes`."""
        if self.params.eyes and self.params.task != FREE:
            self._sight = sight

    def at(self, time: float, stamp: float | None = None) -> tuple[Frame, GroundTruth]:
        """Return the picture of a time [s] since the start, which may not go back.

        Args:
            time: Since the start [s].
            stamp: Of the frame [s], else the time.
        """
        self._begin_again(time)
        self._look(time)
        state = self.demonstrator.state(time - self._round_began)
        if state.phase == 'done' and self._done_since is None:
            self._done_since = time
        self.last = state
        moment = time if stamp is None else stamp
        return self.studio.render(state.hand, state.objects, moment, phase=state.phase)

    def frames(self, duration: float | None = None) -> Iterator[tuple[Frame, GroundTruth]]:
        """Yield pictures at the rate of the parameters until the end or for a duration [s]."""
        index = 0
        while not self.done and (duration is None or index / self.params.rate < duration):
            yield self.at(index / self.params.rate)
            index += 1

    def close(self) -> None:
        """Free the graphics memory."""
        self.studio.close()

    def _look(self, time: float) -> None:
        """Pass on what the person sees; where the task begins is looked at before it begins."""
        sight = self._sight
        if sight is None:
            return
        waiting = time - self._round_began < self.params.start_delay
        if waiting:
            target = self.plan.target if sight.target is None else sight.target
            others = {n: p for n, p in sight.things.items() if n in self.plan.things}
            news = [sight.object - self.plan.start, target - self.plan.target]
            news += [place - self.plan.things[name] for name, place in others.items()]
            faces = self.plan.faces if sight.faces is None else sight.faces
            if self.plan.lies_otherwise(faces) or np.abs(np.stack(news)).max() > _NOTICED:
                self.plan = replace(
                    self.plan,
                    start=sight.object,
                    target=target,
                    things={**self.plan.things, **others},
                    faces=None if self.plan.faces is None else faces,
                )
                self._restart()
            return
        self.demonstrator.see(sight)

    def _begin_again(self, time: float) -> None:
        if not self.params.loop or self._done_since is None or time < self._done_since + _AFTER:
            return
        self._round, self._round_began, self._done_since = self._round + 1, time, None
        if self._plan is None:
            self.plan = plan_of(self.params, self.params.seed + self._round)
        self._restart()

    def _restart(self) -> None:
        seed = self.params.seed + self._round
        self.demonstrator = Demonstrator(self.params, self.plan, self.studio.hand, seed)
