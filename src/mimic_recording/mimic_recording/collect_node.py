"""The node that collects: one demonstration after another, until enough of them are recorded."""

from collections.abc import Callable, Generator
from typing import Any, Final

from rclpy.node import Node
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from mimic_core import ros
from mimic_core.gate.ros import Course, GateClient
from mimic_core.topics import SERVICES
from mimic_interfaces.msg import ControlStatus, DemonstratorStatus, TwinStatus
from mimic_interfaces.srv import ResetTwin, StartEpisode
from mimic_recording.collection import Collection
from mimic_recording.params import CollectorParams

PERIOD: Final = 0.05  # [s] between looks at what goes on
PATIENCE: Final = 180.0  # [s] for the nodes to come up: solvers may have to be compiled
ANSWER: Final = 60.0  # [s] for a service; an episode is answered when it is on the disk
NEWS: Final = 10.0  # [s] between two lines about what is waited for
FRESH: Final = 0.3  # [s] since the last command, while a hand is followed
SETTLE: Final = 0.5  # [s] after the person is done, before the result counts
RESTING: Final = ('', 'rest', 'done')  # phases in which nothing is shown


class CollectorNode(Node):
    """Lets the virtual demonstrator show a task again and again, each from another start."""

    def __init__(self, outcome: list[str]) -> None:
        """Args: outcome: gets how it ended, '' or why it failed."""
        super().__init__('collector')
        self._params = params = ros.declare_params(self, CollectorParams)
        self._outcome = outcome
        self._collection = Collection(params.count, params.seed, params.tries)
        self._phase, self._success, self._followed = '', False, -float('inf')
        self._listen(DemonstratorStatus, 'demonstrator/status', self._on_demonstrator)
        types: dict[str, Any] = {
            'episode/start': StartEpisode, 'episode/stop': Trigger, 'episode/discard': Trigger,
            'demonstrator/show': Trigger,
        }  # fmt: skip
        self._gate: GateClient | None = None
        if params.teleoperated:
            self._gate = GateClient(self)
            types['twin/reset'] = ResetTwin
            self._listen(TwinStatus, 'twin/status', self._on_twin)
            self._listen(JointTrajectory, 'shadow/command', self._on_command)
        assert types.keys() <= SERVICES.keys()
        self._called = {name: self.create_client(kind, name) for name, kind in types.items()}
        self._course: Course = self._collect()
        self.create_timer(PERIOD, self._step)

    def _listen(self, kind: type, topic: str, callback: Callable[[Any], None]) -> None:
        self.create_subscription(kind, topic, callback, ros.subscription_qos(topic))

    def _on_demonstrator(self, msg: DemonstratorStatus) -> None:
        self._phase = msg.phase

    def _on_twin(self, msg: TwinStatus) -> None:
        self._success = msg.success

    def _on_command(self, _: JointTrajectory) -> None:
        self._followed = ros.now(self)

    def _step(self) -> None:
        if self._outcome:
            return
        try:
            next(self._course)
        except StopIteration as end:
            self._outcome.append(str(end.value))

    # The course; each yield waits for the next look ---------------------------------------------

    def _collect(self) -> Course:
        failure = yield from self._wait()
        while not failure and (failure := self._collection.failure) is None:
            failure = yield from self._demonstrate()
        level = self.get_logger().fatal if failure else self.get_logger().info
        level(failure or f'{self._collection.kept} of {self._collection.wanted} are recorded')
        return failure or ''

    def _demonstrate(self) -> Course:
        """Record one trial, and keep it when the task succeeded."""
        seed, number = self._collection.next_seed, self._collection.kept + 1
        self.get_logger().info(
            f'{self._params.task}, demonstration {number} of {self._params.count}: seed {seed}'
        )
        if self._gate is not None:
            if failure := (yield from self._gate.move('home')):
                return failure
            if failure := (yield from self._call('twin/reset', ResetTwin.Request(seed=seed))):
                return failure
        tags = [f'seed={seed}']
        if self._gate is not None:  # a bare hand is of no robot
            robot = {'arm': self._params.arm, 'hand': self._params.hand}
            tags += [f'{part}={name}' for part, name in robot.items() if name]
        request = StartEpisode.Request(task=self._params.task, tags=tags)
        if failure := (yield from self._call('episode/start', request)):
            return failure
        if self._gate is not None and (
            failure := (yield from self._gate.choose(ControlStatus.SHADOW))
        ):
            return failure
        kept = yield from self._show()
        end = 'episode/stop' if kept else 'episode/discard'
        failure = yield from self._call(end, Trigger.Request(), tell=True)
        self._collection.done.append(kept)
        return failure

    def _show(self) -> Generator[None, None, bool]:
        """Let the person show the task; return whether it is worth keeping."""
        log = self.get_logger()
        self._phase = ''
        if failure := (yield from self._call('demonstrator/show', Trigger.Request())):
            log.warning(f'not kept: {failure}')
            return False
        begin, begun = ros.now(self), False
        while not (begun and self._phase == 'done'):
            begun = begun or self._phase not in RESTING
            if ros.now(self) - begin > self._params.limit:
                log.warning(f'not kept: not shown within {self._params.limit:.0f} s')
                return False
            yield
        begin = ros.now(self)
        while ros.now(self) - begin < SETTLE:
            yield
        if self._gate is not None and not self._success:
            log.warning('not kept: the task did not succeed')
            return False
        return True

    def _missing(self) -> str:
        """Return what has not come up yet; '' when all is there."""
        for name, client in self._called.items():
            if not client.service_is_ready():
                return f'nobody offers {name}'
        if not self._phase:
            return 'no picture of the demonstrator yet'
        if self._gate is not None and not self._gate.ready:
            return 'there is no gate: no control/set_mode or no control/status'
        if self._gate is not None and ros.now(self) - self._followed > FRESH:
            return 'the hand is not followed yet: the first time on a machine solvers are compiled'
        return ''

    def _wait(self) -> Course:
        """Wait until all is there, and say now and then what is not."""
        begin = said = ros.now(self)
        while what := self._missing():
            now = ros.now(self)
            if now - begin > PATIENCE:
                return what
            if now - said > NEWS:
                said = now
                self.get_logger().info(f'waiting: {what}')
            yield
        return ''

    def _call(self, name: str, request: Any, tell: bool = False) -> Course:
        """Call a service; return why it refuses."""
        begin, answer = ros.now(self), self._called[name].call_async(request)
        while not answer.done():
            if ros.now(self) - begin > ANSWER:
                return f'{name} does not answer'
            yield
        result = answer.result()
        if not result.success:
            return f'{name}: {result.message}'
        if tell:
            self.get_logger().info(result.message)
        return ''


def main() -> None:
    """Run the node until the demonstrations are there."""
    outcome: list[str] = []
    ros.run(
        lambda: CollectorNode(outcome), done=lambda: bool(outcome), failed=lambda: any(outcome)
    )
