"""The node of every policy: the action policy/run, commands for the gate, what is done and why."""

import math
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from mimic_core import ros
from mimic_core.gate.ros import ANSWER, GATE_GONE, GONE, Course, GateClient
from mimic_core.policy_run import conversions
from mimic_core.policy_run.params import RunParams
from mimic_core.policy_run.state import PolicyRunner, State, Tick
from mimic_interfaces.action import RunPolicy
from mimic_interfaces.msg import ControlStatus, PolicyStatus
from mimic_interfaces.srv import StartEpisode

STATUS_RATE: Final = 10.0  # [Hz]
PATIENCE: Final = 60.0  # [s] for the gate to come up
PERSON: Final = 'shadow/command'  # the source of a person who took over
FEEDBACK_PERIOD: Final = 0.2  # [s]


class PolicyRunNode(Node):
    """Lets a policy drive one robot, while the gate listens to it.

    A node of a policy is a subclass that feeds a runner and calls `serve` at the end of its start.
    """

    def serve(self, runner: PolicyRunner, params: RunParams, task: str, rate: float) -> None:
        """Tick from now on.

        Args:
            runner: Decides what to command.
            params: Of the node.
            task: That the policy was learned for.
            rate: Of ticks [Hz].
        """
        self._runner, self._task = runner, task
        self._checkpoint = str(Path(params.checkpoint).expanduser().absolute())
        self._last = Tick(None, State.IDLE, '')
        self._command = self._publisher(JointTrajectory, 'policy/command')
        self._status = self._publisher(PolicyStatus, 'policy/status')
        self._server = RunServer(self, runner, task if params.record else '')
        self._diagnostics = ros.Diagnostics(self, self._report)
        self._status_ticks, self._ticks = max(round(rate / STATUS_RATE), 1), 0
        self._timer = self.create_timer(1.0 / rate, self._tick)
        if params.autostart:
            self._server.start(0.0, params.start_posture)

    def _publisher(self, message: type, topic: str):
        return self.create_publisher(message, topic, ros.publisher_qos(topic))

    def _tick(self) -> None:
        now = ros.now(self)
        with ros.publishing(self):
            self._server.step(now)
            tick = self._runner.tick(now, self._server.driving, self._server.enabled)
            if tick.command is not None:
                self._command.publish(conversions.command_to_msg(tick.command))
            self._server.feed(tick, now)
            self._tell(tick, now)

    def _tell(self, tick: Tick, now: float) -> None:
        changed = tick.state != self._last.state or bool(tick.reason) != bool(self._last.reason)
        if changed:
            why = f': {tick.reason}' if tick.reason else ''
            self.get_logger().info(f'{tick.state.name.lower()}{why}')
        self._last = tick
        self._ticks += 1
        if changed or self._ticks % self._status_ticks == 0:
            if tick.state == State.IDLE:
                tick = Tick(None, State.IDLE, self._server.outcome)
            args = tick, self._runner.counts, self._task, self._checkpoint, now
            self._status.publish(conversions.status_to_msg(*args))

    def _report(self) -> tuple[bytes, str, dict[str, object]]:
        level = ros.WARN if self._last.state == State.HOLD else ros.OK
        text = self._last.reason or self._last.state.name.lower()
        return level, text, dict(vars(self._runner.counts))


class RunServer:
    """One run at a time: chooses mode POLICY, lets the runner run, and chooses IDLE after it."""

    def __init__(self, node: Node, runner: PolicyRunner, recorded_task: str = '') -> None:
        """Args: recorded_task: kept with the episode of each run; '': none is recorded."""
        self._node, self._runner, self._task = node, runner, recorded_task
        self.outcome = ''  # why the last run ended, '' before and for a good end
        self._now = ros.now(node)
        self._course: Course | None = None
        self._goal: Any = None
        self._done: Future | None = None
        self._begun = self._ran = 0.0
        self._fed = -float('inf')  # [s] of the last feedback
        self._gate = GateClient(node)
        self._begin_episode = node.create_client(StartEpisode, 'episode/start')
        self._end_episode = node.create_client(Trigger, 'episode/stop')
        self._server = ActionServer(
            node, RunPolicy, 'policy/run', self._serve, goal_callback=self._on_goal,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )  # fmt: skip

    @property
    def driving(self) -> bool:
        """The gate follows the policy, or would."""
        status = self._gate.status
        if status is None or self._now - self._gate.heard > GONE:
            return False
        return status.mode == ControlStatus.POLICY and status.source != PERSON

    @property
    def enabled(self) -> bool:
        """The gate does not hold for want of control/enable."""
        return self._gate.status is None or not self._gate.status.enable_missing

    def start(self, duration: float = 0.0, posture: str = '') -> None:
        """Begin a run of a duration [s], 0: without end."""
        self._course = self._run(duration, posture)

    def step(self, now: float) -> None:
        """Go on with the run at a time [s]."""
        self._now = now
        if self._course is None:
            return
        try:
            next(self._course)
        except StopIteration as end:
            self._end(str(end.value))

    def feed(self, tick: Tick, now: float) -> None:
        """Tell the client of the action what was done."""
        if self._goal is not None and self._runner.running and now - self._fed >= FEEDBACK_PERIOD:
            self._fed = now
            elapsed, state = now - self._begun, int(tick.state)
            self._goal.publish_feedback(
                RunPolicy.Feedback(elapsed=elapsed, state=state, reason=tick.reason)
            )

    def _on_goal(self, goal: RunPolicy.Goal) -> GoalResponse:
        if not 0.0 <= goal.duration < math.inf:  # NaN too
            self._node.get_logger().warning(
                f'policy/run refused: its duration is {goal.duration:g} s, not at least 0 (0: '
                f'until it is cancelled)'
            )
            return GoalResponse.REJECT
        return GoalResponse.REJECT if self._course is not None else GoalResponse.ACCEPT

    async def _serve(self, goal: Any) -> RunPolicy.Result:
        self._goal, self._done = goal, Future()
        self.start(goal.request.duration, goal.request.start_posture)
        failure = await self._done
        self._goal = self._done = None
        counts = self._runner.counts
        end = goal.abort if failure else goal.succeed
        (goal.canceled if goal.is_cancel_requested else end)()
        return RunPolicy.Result(
            success=not failure, message=failure, duration=self._ran, chunks=counts.chunks,
            commands=counts.commands, holds=counts.holds,
        )  # fmt: skip

    def _end(self, failure: str) -> None:
        self._course, self.outcome = None, failure
        if failure:
            self._node.get_logger().warning(f'the run ended: {failure}')
        if self._done is not None:
            self._done.set_result(failure)

    # The course of a run; each yield waits for the next tick -----------------------------------

    def _run(self, duration: float, posture: str) -> Course:
        self._ran = 0.0
        begin = self._now
        while not self._gate.ready:
            if self._now - begin > PATIENCE:
                return 'there is no gate: no control/set_mode or no control/status'
            if self._cancelled:
                return 'cancelled'
            yield
        if posture and (failure := (yield from self._gate.move(posture, lambda: self._cancelled))):
            return failure
        if failure := (yield from self._gate.choose(ControlStatus.POLICY)):
            return failure
        recording = yield from self._record()
        self._begun = self._now
        self._runner.start(self._now)
        failure = yield from self._drive(duration)
        self._runner.stop()
        if recording:
            self._end_episode.call_async(Trigger.Request())
        if self._gate.status.mode == ControlStatus.POLICY:
            left = yield from self._gate.choose(ControlStatus.IDLE)
            failure = failure or left  # what came first says more
        return failure

    def _record(self) -> Generator[None, None, bool]:
        """Begin an episode, where that is wanted and can be; without one it runs too."""
        if not self._task:
            return False
        if not self._begin_episode.service_is_ready():
            self._node.get_logger().warning('not recorded: nobody offers episode/start')
            return False
        request = StartEpisode.Request(task=self._task, tags=['driver=policy'])
        begin, answer = self._now, self._begin_episode.call_async(request)
        while not answer.done() and self._now - begin < ANSWER:
            yield
        if answer.done() and answer.result().success:
            return True
        why = 'episode/start does not answer'
        if answer.done():
            why = answer.result().message
        else:
            answer.add_done_callback(self._stop_late)
        self._node.get_logger().warning(f'not recorded: {why}')
        return False

    def _stop_late(self, answer: Future) -> None:
        """End an episode that began after nobody waited for it any more: nothing else would."""
        if answer.exception() is None and answer.result().success:
            self._end_episode.call_async(Trigger.Request())

    def _drive(self, duration: float) -> Course:
        """Wait until the time or the policy is over, or a person or the gate ends it."""
        while not duration or self._ran < duration:
            if (end := self._runner.over) is not None:
                return end
            if self._cancelled:
                return 'cancelled'
            if self._now - self._gate.heard > GONE:
                return GATE_GONE
            if (status := self._gate.status) is not None and status.mode != ControlStatus.POLICY:
                return f'mode policy was left: {status.reason or "another was chosen"}'
            yield
            self._ran = self._now - self._begun
        return ''

    @property
    def _cancelled(self) -> bool:
        return self._goal is not None and self._goal.is_cancel_requested
