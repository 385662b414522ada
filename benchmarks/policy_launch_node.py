"""Puts the twin to a start, lets the policy run, and listens, for the launch bench."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import rclpy
from rclpy.action import ActionClient
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future

from benchmarks.policy_launch import Judge, Trial
from mimic_core import ros
from mimic_core.errors import DeviceError
from mimic_core.gate.ros import Course, GateClient
from mimic_core.statistics import without_numbers
from mimic_interfaces.action import RunPolicy
from mimic_interfaces.msg import ControlStatus, EpisodeStatus, PolicyStatus, TwinStatus
from mimic_interfaces.srv import ResetTwin

START_TIMEOUT = 180.0  # [s] for the nodes to come up
ANSWER = 60.0  # [s] for a service or an action; an episode is written to its end
SETTLE = 1.0  # [s] after a reset: the policy sees no picture from before it
SLOWEST = 0.1  # [1] real-time factor at which a start is waited for
LOOK_PERIOD = 1.0  # [s] between looks whether a process has died
DIED = 'process has died'  # what the launcher says


@dataclass
class Heard:
    """What was heard in one start."""

    judge: Judge
    begin: float | None = None  # [s] of the twin's clock, when the policy began to look
    over: bool = False
    last: PolicyStatus | None = None
    reasons: set[str] = field(default_factory=set)
    inference: list[float] = field(default_factory=list)  # [s]
    latency: list[float] = field(default_factory=list)  # [s]
    real_time: list[float] = field(default_factory=list)  # [1]


class PolicyLaunchNode(Node):
    """Does with the running graph what a person does, once for each start."""

    def __init__(self, context: Context, launcher: 'subprocess.Popen[bytes]', log: Path) -> None:
        """Args: launcher: of the graph; log: of it."""
        super().__init__('policy_launch_bench', context=context)
        self._launcher, self._log, self._looked = launcher, log, 0.0
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self)
        self._gate = GateClient(self)
        self._reset = self.create_client(ResetTwin, 'twin/reset')
        self._run = ActionClient(self, RunPolicy, 'policy/run')
        self._heard: Heard | None = None
        self._twin = -float('inf')  # [s] stamp of the last twin/status
        self._policy: PolicyStatus | None = None
        self._episode: EpisodeStatus | None = None
        for kind, topic, take in (
            (TwinStatus, 'twin/status', self._on_twin),
            (PolicyStatus, 'policy/status', self._on_policy),
            (EpisodeStatus, 'episode/status', self._on_episode),
        ):
            self.create_subscription(kind, topic, take, ros.subscription_qos(topic))

    def wait(self) -> None:
        """Wait for every node; raises DeviceError when one does not come up."""
        self._until(
            lambda: (
                self._gate.ready
                and self._reset.service_is_ready()
                and self._run.server_is_ready()
                and None not in (self._policy, self._episode)
                and self._twin > 0.0
            ),
            START_TIMEOUT,
            'twin, gate, policy and recorder',
        )

    def trial(self, seed: int, longest: float) -> Trial:
        """Let the policy do the task once.

        Args:
            seed: Of the start.
            longest: [s] of the twin's clock.

        Raises:
            DeviceError: A node has died, refuses or does not answer.
        """
        self._go_home(seed)
        self._put(seed)
        self._heard = heard = Heard(Judge(longest))
        handle = self._answer(self._run.send_goal_async(RunPolicy.Goal()), 'policy/run')
        if not handle.accepted:
            raise DeviceError('policy/run refuses: a run is under way')
        result = handle.get_result_async()
        timeout = ANSWER + longest / SLOWEST
        self._until(lambda: heard.over or result.done(), timeout, 'the end of a start')
        self._heard = None
        ended = result.result().result.message if result.done() else ''
        self._answer(handle.cancel_goal_async(), 'policy/run')
        self._answer(result, 'policy/run')
        self._until(self._rests, ANSWER, 'the end of the run')
        self._forget_episode()
        return _trial(seed, heard, ended)

    def _go_home(self, seed: int) -> None:
        """Bring robot and gate to where a start has them, so that the reset moves no joint."""
        if not self._follow(self._gate.move('home')):
            return
        # Something is in the way: the reset takes it away, and the gate begins anew.
        self._put(seed)
        if failure := self._follow(self._gate.move('home')):
            raise DeviceError(failure)

    def _put(self, seed: int) -> None:
        answer = self._answer(self._reset.call_async(ResetTwin.Request(seed=seed)), 'twin/reset')
        if not answer.success:
            raise DeviceError(f'twin/reset: {answer.message}')
        rested = self._twin + SETTLE
        self._until(lambda: self._twin > rested, ANSWER, 'twin/status')

    def _rests(self) -> bool:
        return (
            self._policy.state == PolicyStatus.IDLE
            and self._gate.status.mode == ControlStatus.IDLE
            and self._episode.state != EpisodeStatus.RECORDING
        )

    def _forget_episode(self) -> None:
        """Delete what was recorded: two cameras fill a disk in minutes."""
        if self._episode.path:
            shutil.rmtree(self._episode.path, ignore_errors=True)

    # Waiting --------------------------------------------------------------------------------

    def _follow(self, course: Course) -> str:
        """Go through a course of the gate; return why it failed."""
        while True:
            try:
                next(course)
            except StopIteration as end:
                return str(end.value)
            self._spin()

    def _answer(self, future: Future, name: str):
        self._until(future.done, ANSWER, name)
        return future.result()

    def _until(self, done: Callable[[], bool], timeout: float, what: str) -> None:
        end = time.monotonic() + timeout
        while not done():
            self._spin()
            if time.monotonic() > end:
                raise DeviceError(f'waited {timeout:.0f} s for {what}:\n{self._tail()}')

    def _spin(self) -> None:
        self._executor.spin_once(timeout_sec=0.05)
        now = time.monotonic()
        if now - self._looked > LOOK_PERIOD:
            self._looked = now
            if self._launcher.poll() is not None or DIED in self._log.read_text(errors='replace'):
                raise DeviceError(f'a node has died:\n{self._tail()}')

    def _tail(self) -> str:
        return '\n'.join(self._log.read_text(errors='replace').splitlines()[-20:])

    # What is heard --------------------------------------------------------------------------

    def _on_twin(self, msg: TwinStatus) -> None:
        self._twin, heard = ros.seconds(msg.header.stamp), self._heard
        if heard is None or heard.over or heard.begin is None or self._twin < heard.begin:
            return
        heard.over = heard.judge.hear(self._twin - heard.begin, msg.success)
        heard.real_time.append(msg.real_time_factor)

    def _on_policy(self, msg: PolicyStatus) -> None:
        self._policy, heard = msg, self._heard
        if heard is None or heard.over or msg.state == PolicyStatus.IDLE:
            return
        if heard.begin is None:
            heard.begin = ros.seconds(msg.header.stamp)
        if msg.state == PolicyStatus.HOLD:
            heard.reasons.add(without_numbers(msg.reason))
        before = 0 if heard.last is None else heard.last.chunks + heard.last.refused
        if msg.chunks + msg.refused > before:
            heard.inference.append(msg.inference)
            heard.latency.append(msg.latency)
        heard.last = msg

    def _on_episode(self, msg: EpisodeStatus) -> None:
        self._episode = msg


def _trial(seed: int, heard: Heard, ended: str) -> Trial:
    return Trial(
        seed=seed,
        success=heard.judge.success,
        duration=heard.judge.duration,
        ended=ended,
        holds=0 if heard.last is None else heard.last.holds,
        reasons=frozenset(heard.reasons),
        gaps=0 if heard.last is None else heard.last.gaps,
        inference=tuple(heard.inference),
        latency=tuple(heard.latency),
        real_time=min(heard.real_time, default=0.0),
    )


def measure(
    seeds: Sequence[int], longest: float, launcher: 'subprocess.Popen[bytes]', log: Path
) -> Iterator[Trial]:
    """Yield what becomes of each start in a running `launch policy run:=false`.

    Args:
        seeds: Of the starts.
        longest: Time of each [s] of the twin's clock.
        launcher: Of the graph.
        log: Of it.

    Raises:
        DeviceError: A node does not come up, dies, refuses or does not answer.
    """
    context = Context()
    rclpy.init(context=context)
    node = PolicyLaunchNode(context, launcher, log)
    try:
        node.wait()
        for seed in seeds:
            yield node.trial(seed, longest)
    finally:
        node.destroy_node()
        context.try_shutdown()
