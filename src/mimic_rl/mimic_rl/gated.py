"""A policy of a run through the gate in the twin: joints, pictures and commands as on a robot.

    twin's joints and the object's pose, late → runner → gate → twin's physics of the run

These are the cores of the nodes, with their rates and delays, and no ROS: the same seed gives the
same episodes, for every policy.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

import mujoco
import numpy as np

from mimic_control import Gate, GateParams
from mimic_core.arrays import FloatArray
from mimic_core.frames import axes_angle, from_xyz_quat
from mimic_core.statistics import without_numbers
from mimic_object_tracking.symmetry import Symmetry
from mimic_rl.evaluation import Score
from mimic_rl.params import PracticeParams, RandomisationParams
from mimic_rl.policy import RunPolicy
from mimic_rl.practice_runner import Phase, PracticeRunner
from mimic_rl.randomisation import Physics, multiply_quat, object_pose, rotvec_quat
from mimic_rl.rewards import anchor_distance, place_anchors, rotation_matrices, tracking_reward
from mimic_rl.runner_params import PracticeRunnerParams
from mimic_rl.world import World, build_world, overlap

PERIOD: Final = 0.01  # [s] of gate and joint states
SETTLE: Final = 0.5  # [s] after the end, for things to come to rest
_STARTS: Final = 8  # times that a start is drawn


@dataclass(frozen=True)
class CourseParams:
    """How late and how well the object is seen, and how long is waited."""

    camera_rate: float = 30.0  # [Hz]
    camera_delay: float = 0.06  # [s] from the exposure of a picture to the pose
    command_delay: float = 0.0  # [s] from the gate to the drives, in whole periods
    longest: float = 60.0  # [s] of a run
    runner: PracticeRunnerParams = field(default_factory=PracticeRunnerParams)
    gate: GateParams = field(default_factory=GateParams)


@dataclass(frozen=True)
class Course:
    """How one run ended."""

    success: bool
    distance: float  # [m] of the object's origin to its last target
    angle: float  # [rad]
    reward: float  # mean of a step of the policy, 0 if there was none
    reason: str  # why it did not come to its end, '' if it did
    limited: float  # [1], share of the periods of the policy with something in the gate's way
    seconds: float


class GatedTwin:
    """The twin of a run, with a gate before it."""

    def __init__(
        self,
        policy: RunPolicy,
        symmetry: Symmetry,
        practice: PracticeParams,
        randomisation: RandomisationParams,
        params: CourseParams | None = None,
        outside: float = 0.0,
    ) -> None:
        """Build the twin.

        Args:
            policy: What is run.
            symmetry: Which turns of its object look the same.
            practice: What counts as success.
            randomisation: How starts and physics vary, and how well the object is seen.
            params: Rates and delays.
            outside: > 0: physics that practice has not seen, see Physics.draw.
        """
        self.policy: Final = policy
        self.params: Final = params or CourseParams()
        self._symmetry, self._practice, self._varied = symmetry, practice, randomisation
        self._outside = outside
        self.world: Final[World] = build_world(policy.run, policy.robot)
        self._physics = Physics(self.world, 1)
        self.model: Final = self._physics.models[0]
        self.data: Final = mujoco.MjData(self.model)
        self._steps = round(PERIOD / self.model.opt.timestep)

    @property
    def pose(self) -> FloatArray:
        """(7,) of the object: xyz [m], quaternion xyzw."""
        return object_pose(self.data.qpos[None], self.world.object_qpos)[0]

    def run(self, rng: np.random.Generator) -> Course:
        """Let the policy do the task once.

        Args:
            rng: Of the start, the physics and what is seen; all policies draw the same first two.
        """
        self._begin(rng)
        params, robot = self.params, self.policy.robot
        gate = Gate(robot, params.gate)
        gate.set_mode('policy')
        runner = PracticeRunner(self.policy, self._symmetry, params.runner)
        runner.start(0.0)
        pictures: list[tuple[float, FloatArray]] = []
        under_way: deque[FloatArray | None] = deque([None] * round(params.command_delay / PERIOD))
        exposed = looked = limited = followed = 0
        rewards: list[float] = []
        now, reason, steps = 0.0, '', 0
        for tick in range(round(params.longest / PERIOD)):
            now = tick * PERIOD
            q = self.data.qpos[self.world.robot.qpos].copy()
            runner.history.add(runner.joint_names, q, now)
            if now >= exposed / params.camera_rate - 1e-9:
                exposed += 1
                pictures.append((now, self._seen(rng)))
            while pictures and pictures[0][0] + params.camera_delay <= now + 1e-9:
                stamp, seen = pictures.pop(0)
                if np.isfinite(seen).all():
                    runner.see(from_xyz_quat(seen[:3], seen[3:]), stamp)
            if now >= looked / params.runner.rate - 1e-9:
                looked += 1
                said = runner.tick(now)
                reason = said.reason
                if said.command is not None:
                    gate.offer('policy', said.command, now)
                if runner.over is not None:
                    break
            if runner.counts.chunks > steps:
                steps = runner.counts.chunks
                rewards.append(self._reward())
            output = gate.tick(now, q)
            if runner.phase is Phase.FOLLOW:
                followed += 1
                limited += any(limit.in_the_way for limit in output.limits)
            under_way.append(output.q if output.publish else None)
            self._advance(under_way.popleft())
        for q in under_way:
            self._advance(q)
        self._advance(None, round(SETTLE / PERIOD))
        return self._end(runner.over, reason, rewards, limited / max(followed, 1), now)

    # --- inside --------------------------------------------------------------------------------

    def _begin(self, rng: np.random.Generator) -> None:
        world, robot = self.world, self.policy.robot
        self._physics.draw(np.array([0]), self._varied, 1.0, rng, self._outside)
        for again in range(_STARTS):
            level = 1.0 - again / (_STARTS - 1)
            pose = self.policy.draw_start(self._varied, level, rng)
            mujoco.mj_resetData(self.model, self.data)
            world.robot.place(robot, self.data, robot.home)
            first = world.object_qpos
            self.data.qpos[first : first + 7] = pose[[0, 1, 2, 6, 3, 4, 5]]
            if not overlap(world, self.model, self.data):
                break

    def _seen(self, rng: np.random.Generator) -> FloatArray:
        """Return (7,) what a tracker tells of the object; NaN: nothing."""
        varied, pose = self._varied, self.pose
        offset, turn = rng.normal(size=3), rng.normal(size=3)
        if rng.random() < varied.lost:
            return np.full(7, np.nan)
        pose[:3] += varied.object_position * offset
        turned = rotvec_quat(varied.object_angle * turn[None] / np.sqrt(3.0))
        pose[3:] = multiply_quat(turned, pose[None, 3:])[0]
        return pose

    def _advance(self, q: FloatArray | None, periods: int = 1) -> None:
        if q is not None:
            self.data.ctrl[self.world.robot.ctrl] = self.policy.robot.limits.clip(q)
        mujoco.mj_step(self.model, self.data, nstep=self._steps * periods)

    def _reward(self) -> float:
        anchors = self.policy.run.anchors
        there = place_anchors(self.policy.target[None], anchors)
        distance = anchor_distance(place_anchors(self.pose[None], anchors), there)
        return float(tracking_reward(distance, self._practice.reward_scale)[0])

    def _end(
        self, over: str | None, reason: str, rewards: list[float], limited: float, now: float
    ) -> Course:
        pose, last, run = self.pose, self.policy.last, self.policy.run
        distance = float(np.linalg.norm(pose[:3] - last[:3]))
        turned, wanted = rotation_matrices(np.array([pose[3:], last[3:]]))
        angle = float(axes_angle(turned[None], wanted, run.anchors)[0])
        practice = self._practice
        near = distance <= practice.success_distance and angle <= practice.success_angle
        ended = over == ''
        mean = sum(rewards) / self.policy.length
        why = '' if ended else over or reason or f'not done after {now:.0f} s'
        return Course(near and ended, distance, angle, mean, why, limited, now)


def through_gate(twin: GatedTwin, method: str, episodes: int, seed: int) -> tuple[Score, str]:
    """Return the score of a policy through the gate, and in a few words what went wrong.

    Args:
        twin: With the policy.
        method: Its name.
        episodes: How many.
        seed: Of starts, physics and what is seen.
    """
    courses = [twin.run(np.random.default_rng([seed, row])) for row in range(episodes)]
    score = Score(
        method,
        np.array([c.success for c in courses]),
        np.array([c.distance for c in courses]),
        np.array([c.angle for c in courses]),
        np.array([c.reward for c in courses]),
    )
    held = Counter(_short(c.reason) for c in courses if c.reason)
    words = [f'{count} × {what}' for what, count in held.most_common()]
    slowed = float(np.mean([c.limited for c in courses]))
    return score, '; '.join([*words, f'{100 * slowed:.1f} % of the time slowed by the gate'])


def _short(reason: str) -> str:
    """Return a reason without bounds, causes and numbers."""
    return without_numbers(reason.split(' (')[0].split(': ')[0])
