"""One rollout of a policy in the twin, without ROS: fast, and the same for the same seed.

    twin's pictures and joints → observer → policy, as late as it would be → executor → gate → twin

These are the cores of the nodes, with their rates and delays.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np

from mimic_control import Gate, GateParams
from mimic_core.arrays import FloatArray, Image
from mimic_core.camera import Frame
from mimic_description import RobotModel
from mimic_policy.execution_params import ExecutionParams
from mimic_policy.interface import Policy
from mimic_policy.meta import AGENT, PolicyMeta
from mimic_policy.predictor import ModelledPredictor
from mimic_policy.runner import Runner
from mimic_policy.smoothness import sparc
from mimic_sim.tasks import task_class
from mimic_sim.twin import Twin
from mimic_sim.twin_params import TwinParams
from mimic_sim.view import Snapshot

PERIOD: Final = 0.01  # [s] of gate, joint states and physics
SETTLED: Final = 0.5  # [s] for which the task's test must hold
# [px], of pictures as launch/policy.launch.xml asks for them: pixels are what a policy goes by.
WIDTH, HEIGHT = 320, 240


@dataclass(frozen=True)
class RolloutParams:
    """What is rolled out, and how late things come."""

    task: str
    seed: int  # of the start
    delay: float = 0.1  # [s] of a prediction
    camera_delay: float = 0.03  # [s] from the exposure of a picture to its use
    camera_rate: float = 30.0  # [Hz]
    longest: float | None = None  # [s] of a rollout; None: the time limit of the task
    noise_seed: int = 0  # of the policy's noise, beside the seed of the start
    execution: ExecutionParams = field(default_factory=ExecutionParams)
    gate: GateParams = field(default_factory=GateParams)
    twin: TwinParams = field(
        default_factory=lambda: TwinParams(width=WIDTH, height=HEIGHT, depth=False)
    )

    @property
    def time_limit(self) -> float:
        """Time after which a rollout is over without success [s].

        Raises:
            UnknownNameError: There is no such task.
        """
        return task_class(self.task).time_limit if self.longest is None else self.longest


def pictures_for(meta: PolicyMeta) -> TwinParams:
    """Return how the twin looks to a policy: as always, or as wide and of the shape it knows."""
    height = HEIGHT
    if not meta.has_shape(AGENT, (HEIGHT, WIDTH)):
        rows, columns = meta.recorded[AGENT]
        height = 2 * round(WIDTH * rows / columns / 2.0)  # even, as films must be
    return TwinParams(width=WIDTH, height=height, depth=False)


@dataclass(frozen=True)
class Rollout:
    """How a rollout ended."""

    seed: int
    success: bool  # the task's test held for a while
    duration: float  # [s] until it began to hold; all of the time without success
    sparc: float  # [1] smoothness of the palm's path, NaN if it did not move
    chunks: int
    refused: int  # chunks
    holds: int
    reason: str  # why it held last, '' if it never did

    def as_map(self) -> dict[str, Any]:
        """Return what is written as JSON; NaN becomes None."""
        values = dict(self.__dict__)
        values['sparc'] = None if math.isnan(self.sparc) else self.sparc
        return values


@dataclass(frozen=True)
class Moment:
    """One period, for an observer."""

    time: float  # [s]
    q: FloatArray  # (J,) measured [rad] or [m]
    command: FloatArray | None  # (J,) of the policy, where it gave one
    reason: str  # why the policy held last, '' if it never did
    render: Callable[[str], Frame]  # what a camera sees now


class _Cameras:
    """The twin's cameras: exposed at their rate, handed on later, drawn when looked at."""

    def __init__(self, twin: Twin, params: RolloutParams, runner: Runner) -> None:
        self._twin, self._observer, self._names = twin, runner.observer, tuple(twin.cameras())
        self._view = twin.new_view()
        self._period, self._delay = 1.0 / params.camera_rate, params.camera_delay
        self._waiting: list[Snapshot] = []
        self._exposed = 0

    def step(self, now: float) -> None:
        """Expose when it is time, and hand on what has arrived."""
        if now >= self._exposed * self._period - 1e-9:
            self._exposed += 1
            self._waiting.append(self._twin.snapshot(now))
        while self._waiting and self._waiting[0].stamp + self._delay <= now + 1e-9:
            snapshot = self._waiting.pop(0)
            for name in self._names:
                self._observer.picture(name, partial(self._draw, snapshot, name), snapshot.stamp)

    def _draw(self, snapshot: Snapshot, camera: str) -> Image:
        return self._view.show(snapshot, camera).color

    def close(self) -> None:
        """Free the graphics memory."""
        self._view.close()


def roll_out(
    robot: RobotModel,
    policy: Policy,
    params: RolloutParams,
    observe: Callable[[Moment], None] | None = None,
) -> Rollout:
    """Let a policy do a task once in the twin.

    Args:
        robot: With an arm and a hand.
        policy: For this robot.
        params: Which task and start, and how late things come.
        observe: Called for each period.

    Raises:
        WrongRobotError: The policy is for another robot or other cameras.
        UnknownNameError: There is no such task.
    """
    twin = Twin(robot, params.task, params.seed, params.twin)
    size = (params.twin.height, params.twin.width)
    policy.check(robot, dict.fromkeys(twin.cameras(), size))
    noise = np.random.default_rng([params.noise_seed, params.seed])
    runner = Runner(
        robot, policy.meta, params.execution, ModelledPredictor(policy, noise, params.delay)
    )
    gate = Gate(robot, params.gate)
    gate.set_mode('policy')
    cameras = _Cameras(twin, params, runner)
    runner.start(0.0)
    try:
        return _Course(twin, gate, runner, cameras, params).run(observe)
    finally:
        cameras.close()
        twin.close()


class _Course:
    """The parts of one rollout and its clock."""

    def __init__(
        self, twin: Twin, gate: Gate, runner: Runner, cameras: _Cameras, params: RolloutParams
    ) -> None:
        self._twin, self._gate, self._runner = twin, gate, runner
        self._cameras, self._params = cameras, params
        self._arms = len(twin.robot.arm_joints)
        self._path: list[FloatArray] = []  # (3,) of the palm in each period [m]
        self._reason = ''

    def run(self, observe: Callable[[Moment], None] | None) -> Rollout:
        """Go on until the task is done for a while, or the time is over."""
        done_at: float | None = None
        now, thoughts = 0.0, 0
        for tick in range(round(self._params.time_limit / PERIOD)):
            now = tick * PERIOD
            q, command = self._sense(now), None
            if now >= thoughts / self._params.execution.rate - 1e-9:
                thoughts += 1
                command = self._think(now)
            self._act(now, q)
            if observe is not None:
                observe(Moment(now, q, command, self._reason, self._twin.render))
            if not self._twin.success():
                done_at = None
            elif done_at is None:
                done_at = now
            elif now - done_at >= SETTLED - 1e-9:
                break
        if done_at is not None and now - done_at < SETTLED - 1e-9:
            done_at = None  # the time was over first
        path = np.array(self._path if done_at is None else self._path[: round(done_at / PERIOD)])
        counts = self._runner.counts
        return Rollout(
            seed=self._params.seed,
            success=done_at is not None,
            duration=now + PERIOD if done_at is None else done_at,
            sparc=sparc(path, 1.0 / PERIOD) if len(path) > 1 else math.nan,
            chunks=counts.chunks,
            refused=counts.refused,
            holds=counts.holds,
            reason=self._reason,
        )

    def _sense(self, now: float) -> FloatArray:
        """Hand on joints and pictures; returns (J,) the joints."""
        q = self._twin.joint_state()[0]
        self._runner.observer.joints.add(self._twin.robot.joint_names, q, now)
        self._path.append(self._runner.executor.ik.pose(q[: self._arms])[:3, 3])
        self._cameras.step(now)
        return q

    def _think(self, now: float) -> FloatArray | None:
        """Return (J,) the command of the policy, handed to the gate."""
        said = self._runner.tick(now)
        self._reason = said.reason or self._reason
        if said.command is not None:
            self._gate.offer('policy', said.command, now)
        return said.q

    def _act(self, now: float, q: FloatArray) -> None:
        output = self._gate.tick(now, q)
        if output.publish:
            self._twin.command(output.q)
            hand = output.q[self._arms :]
            self._runner.observer.sent(self._twin.robot.hand_joints, hand, now)
        self._twin.step(PERIOD)
