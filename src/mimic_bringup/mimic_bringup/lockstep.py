"""The shadowing chain in one process and in step: as fast as it goes, the same for the same seed.

    pixels of the virtual demonstrator → tracker → retargeting → gate → twin

These are the cores of the nodes, joined without ROS. Benchmarks and tests use it; a lab may use it
to try a hand or a task on many seeds.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from mimic_control import Gate, GateOutput, GateParams
from mimic_core.arrays import FloatArray
from mimic_core.camera import Frame
from mimic_core.command import NamedPositions
from mimic_core.frames import BASE, inverse
from mimic_core.hand import TrackedHand
from mimic_description import RobotModel
from mimic_hand_tracking.params import TrackingParams
from mimic_hand_tracking.tracker import HandTracker
from mimic_retargeting.params import RetargetingParams
from mimic_retargeting.shadow import Shadow, ShadowResult
from mimic_sim.demonstrator import DemonstratorStream, Plan, Sight
from mimic_sim.demonstrator_params import DemonstratorParams
from mimic_sim.studio import GroundTruth
from mimic_sim.twin import Twin
from mimic_sim.twin_params import TwinParams

SETTLE: Final = 1.0  # [s] after the demonstration, for things to come to rest
_PERIOD: Final = 0.01  # [s] of the gate


@dataclass(frozen=True)
class LockstepParams:
    """What is shown to which robot; the delay stands for the time that the real chain takes."""

    task: str = 'pick_place'
    seed: int = 0
    demonstrator: DemonstratorParams = dataclasses.field(default_factory=DemonstratorParams)
    tracking: TrackingParams = dataclasses.field(default_factory=TrackingParams)
    retargeting: RetargetingParams = dataclasses.field(default_factory=RetargetingParams)
    gate: GateParams = dataclasses.field(default_factory=GateParams)
    twin: TwinParams = dataclasses.field(default_factory=TwinParams)
    delay: float = 0.03  # [s] from the capture of a picture to its command at the gate
    longest: float | None = None  # [s] of a demonstration; None: the time limit of the task


@dataclass(frozen=True)
class Moment:
    """One picture and what it led to, for an observer."""

    time: float  # [s]
    frame: Frame
    truth: GroundTruth
    hand: TrackedHand | None
    result: ShadowResult
    q: FloatArray  # (J,) measured [rad] or [m]


@dataclass(frozen=True)
class Outcome:
    """How a demonstration ended."""

    success: bool  # the task's test holds at the end
    duration: float  # [s]
    pictures: int
    found: int  # pictures with a hand
    followed: int  # pictures that led to a command
    retries: int  # grasps that the person tried again


class Witness(Protocol):
    """Sees the robot's side of a trial, as its recorder would."""

    def tick(self, twin: Twin, output: GateOutput, q: FloatArray) -> None:
        """Take one period of the gate, before it takes effect.

        Args:
            twin: At its time; may be rendered.
            output: What the gate says.
            q: (J,) measured [rad] or [m].
        """


def run_trial(
    robot: RobotModel,
    params: LockstepParams,
    observe: Callable[[Moment], None] | None = None,
    witness: Witness | None = None,
) -> Outcome:
    """Show a task once to a robot's twin.

    Args:
        robot: With an arm and a hand.
        params: What is shown, and how the parts are set.
        observe: Called for each picture.
        witness: Called for each period of the gate.

    Raises:
        UnknownNameError: There is no such task.
    """
    assert robot.arm is not None
    twin = Twin(robot, params.task, params.seed, params.twin)
    look = dataclasses.replace(
        params.demonstrator, arm=robot.arm.name, task=params.task, seed=params.seed
    )
    name = twin.task.objects[0].name
    plan = Plan.of(twin.task, twin.objects(), twin.target()[:3, 3].copy())
    stream = DemonstratorStream(look, plan)
    tracker = HandTracker(params.tracking)
    base_T_world = inverse(robot.fk(robot.home, BASE))
    shadow = Shadow(robot, params.retargeting, base_T_world @ stream.world_T_camera)
    gate = Gate(robot, params.gate)
    gate.set_mode('shadow')
    try:
        return _Trial(params, twin, name, stream, tracker, shadow, gate, witness).run(observe)
    finally:
        tracker.close()
        stream.close()
        twin.close()


class _Trial:
    """The parts of one demonstration and its clock."""

    def __init__(
        self,
        params: LockstepParams,
        twin: Twin,
        thing: str,
        stream: DemonstratorStream,
        tracker: HandTracker,
        shadow: Shadow,
        gate: Gate,
        witness: Witness | None,
    ) -> None:
        self._params, self._twin, self._thing = params, twin, thing
        self._stream, self._tracker, self._shadow = stream, tracker, shadow
        self._gate, self._witness = gate, witness
        self._longest = twin.task.time_limit if params.longest is None else params.longest
        self._pending: list[tuple[float, NamedPositions]] = []  # due [s], command
        self._ticks = 0
        self._sent: FloatArray | None = None  # (J,) by the gate

    def run(self, observe: Callable[[Moment], None] | None) -> Outcome:
        """Go through the demonstration picture by picture."""
        pictures = found = followed = 0
        rate, side = self._stream.params.rate, self._stream.params.side
        time = 0.0
        while not self._stream.done and time < self._longest:
            time = pictures / rate
            grip, things = self._twin.grasp_center(), self._twin.objects()
            self._stream.see(Sight.of(grip, things, self._thing))
            frame, truth = self._stream.at(time)
            hands = self._tracker.process_frame(frame)
            hand = next((h for h in hands if h.side == side), None)
            q = self._twin.joint_state()[0]
            result = self._shadow.step(hand, q, time, sent=self._sent)
            if result.q is not None:
                command = NamedPositions.single(self._twin.robot.joint_names, result.q, time)
                self._pending.append((time + self._params.delay, command))
            pictures += 1
            found += hand is not None
            followed += result.q is not None
            if observe is not None:
                observe(Moment(time, frame, truth, hand, result, q))
            self._advance(pictures / rate)
        self._advance(time + SETTLE)
        return Outcome(
            self._twin.success(), time, pictures, found, followed,
            self._stream.demonstrator.retries,
        )  # fmt: skip

    def _advance(self, until: float) -> None:
        """Let gate and twin go on until a time [s]."""
        while self._ticks * _PERIOD < until - 1e-9:
            now = self._ticks * _PERIOD
            while self._pending and self._pending[0][0] <= now + 1e-9:
                self._gate.offer('shadow', self._pending.pop(0)[1], now)
            q = self._twin.joint_state()[0]
            output = self._gate.tick(now, q)
            if self._witness is not None:
                self._witness.tick(self._twin, output, q)
            if output.publish:
                self._sent = output.q
                self._twin.command(output.q)
            self._twin.step(_PERIOD)
            self._ticks += 1
