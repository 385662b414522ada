"""The node that plays the commands of an episode through the gate."""

from pathlib import Path
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from mimic_core.errors import MimicError
from mimic_core.ros import declare_params, now, publisher_qos, run, subscription_qos
from mimic_description import load_robot
from mimic_interfaces.action import PlayEpisode
from mimic_interfaces.msg import ControlStatus
from mimic_recording.conversions import command_to_msg
from mimic_recording.errors import RecordingError
from mimic_recording.params import ReplayParams
from mimic_recording.player import Phase, Player, PlayerOptions
from mimic_recording.reader import Episode
from mimic_recording.replay import GATE_TOPICS, CommandTrack, check_track, load_track

PATIENCE = 1.0  # [s] for the gate to announce a mode that was set just now
FEEDBACK_STEPS = 10  # commands for each feedback


class ReplayNode(Node):
    """Serves replay/play: checks an episode against the limits, then sends its commands."""

    def __init__(self) -> None:
        super().__init__('replay')
        self._params = declare_params(self, ReplayParams)
        self._robot = load_robot(self._params.arm, self._params.hand, self._params.prefix)
        self._measured: dict[str, float] = {}
        self._commanded: dict[str, float] = {}  # by the gate
        self._status: ControlStatus | None = None
        self._player: Player | None = None
        self._goal: Any = None
        self._finished: Future | None = None
        self._publisher = self.create_publisher(
            JointTrajectory, 'replay/command', publisher_qos('replay/command')
        )
        self.create_subscription(
            JointState, 'joint_states', self._on_joints, subscription_qos('joint_states')
        )
        self.create_subscription(
            ControlStatus, 'control/status', self._on_status, subscription_qos('control/status')
        )
        for topic in GATE_TOPICS:
            qos = subscription_qos(topic)
            self.create_subscription(JointTrajectory, topic, self._on_output, qos)
        self.create_timer(1.0 / self._params.rate, self._step)
        self._server = ActionServer(
            self, PlayEpisode, 'replay/play', self._play, goal_callback=self._on_goal,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )  # fmt: skip

    def _on_joints(self, msg: JointState) -> None:
        self._measured.update(zip(msg.name, msg.position, strict=False))

    def _on_output(self, msg: JointTrajectory) -> None:
        if msg.points:
            last = msg.points[-1].positions
            self._commanded.update(zip(msg.joint_names, last, strict=False))

    def _on_status(self, msg: ControlStatus) -> None:
        self._status = msg

    def _on_goal(self, _: PlayEpisode.Goal) -> GoalResponse:
        return GoalResponse.REJECT if self._goal is not None else GoalResponse.ACCEPT

    async def _play(self, goal: Any) -> PlayEpisode.Result:
        result = PlayEpisode.Result()
        self._goal = goal
        try:
            track, speed = self._load(goal.request)
            if goal.request.preview:
                result.success, result.max_error = True, track.tracking_error
                result.message = f'{track.duration:.1f} s within the limits ({track.source})'
            else:
                await self._run(track, speed, result)
        except MimicError as error:
            result.message = str(error)
        finally:
            self._goal = self._player = None
        if goal.is_cancel_requested:
            goal.canceled()
        elif result.success:
            goal.succeed()
        else:
            self.get_logger().warning(f'not played: {result.message}')
            goal.abort()
        return result

    def _load(self, request: PlayEpisode.Goal) -> tuple[CommandTrack, float]:
        speed = request.speed or 1.0
        if not 0.0 < speed <= 1.0:
            raise RecordingError(f'speed {speed} is not in (0, 1]')
        with Episode(Path(request.path).expanduser()) as episode:
            track = load_track(episode)
        broken = check_track(track, self._robot.joint_names, self._robot.limits, speed)
        if broken:
            raise RecordingError('beyond the limits: ' + '; '.join(map(str, broken)))
        return track, speed

    async def _run(self, track: CommandTrack, speed: float, result: PlayEpisode.Result) -> None:
        given = self._params
        limits = given.start_tolerance, given.approach_timeout, given.max_deviation
        player = self._player = Player(track, PlayerOptions(speed, *limits), now(self))
        self._finished = Future(executor=self.executor)
        await self._finished
        result.success = player.phase == Phase.DONE
        result.message = player.reason or f'played {track.duration / speed:.1f} s'
        result.commands, result.max_error = player.sent, player.max_error

    def _refusal(self) -> str:
        """Return why nothing can be played now; empty when it can."""
        if self._status is None:
            return 'there is no gate: no control/status'
        if self._status.mode != ControlStatus.REPLAY:
            return 'the gate is not in mode REPLAY: call control/set_mode'
        return ''

    def _step(self) -> None:
        player, finished = self._player, self._finished
        if player is None or finished is None or finished.done():
            return
        if self._goal.is_cancel_requested:
            player.fail('cancelled')
        elif refusal := self._refusal():
            if player.sent == 0 and player.elapsed < PATIENCE:
                player.wait(now(self))
                return
            player.fail(refusal)
        command = player.step(now(self), self._measured, self._commanded)
        if command is None:
            finished.set_result(None)
            return
        self._publisher.publish(command_to_msg(command.names, command.points[0], command.stamp))
        if player.sent % FEEDBACK_STEPS == 0:
            self._goal.publish_feedback(PlayEpisode.Feedback(progress=player.progress))


def main() -> None:
    """Run the node until it is stopped."""
    run(ReplayNode)
