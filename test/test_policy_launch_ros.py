"""`bench policy_launch` before nodes that answer as the real ones do, and faster."""

import subprocess
import threading
import time

import pytest

from benchmarks.policy_launch import FIRST_CHUNK
from mimic_core.errors import DeviceError

pytestmark = pytest.mark.ros
PERIOD = 1 / 30  # [s] of the twin's clock between two twin/status
TICK = 0.005  # [s] of wall time for it
BEGIN = 100.0  # [s] of the twin's clock
NEEDED = 2.0  # [s] that the task takes


class Graph:
    """Twin, gate, policy and recorder. Seed 0 succeeds, seed 1 never, seed 2's run ends early."""

    def __init__(self, folder):
        import rclpy
        from rclpy.action import ActionServer, CancelResponse
        from rclpy.executors import SingleThreadedExecutor

        from mimic_core.ros import publisher_qos
        from mimic_interfaces.action import MoveTo, RunPolicy
        from mimic_interfaces.msg import ControlStatus, EpisodeStatus, PolicyStatus, TwinStatus
        from mimic_interfaces.srv import ResetTwin, SetMode

        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node('graph', context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.time, self.seed, self.mode, self.done_at = BEGIN, None, ControlStatus.IDLE, None
        self.run, self.begun, self.asked = None, 0.0, []
        self.episode = EpisodeStatus()
        self.folder, self.blocked = folder, False
        self.pubs = {
            topic: self.node.create_publisher(kind, topic, publisher_qos(topic))
            for topic, kind in {
                'control/status': ControlStatus, 'episode/status': EpisodeStatus,
                'policy/status': PolicyStatus, 'twin/status': TwinStatus,
            }.items()
        }  # fmt: skip
        self.node.create_service(SetMode, 'control/set_mode', self.on_mode)
        self.node.create_service(ResetTwin, 'twin/reset', self.on_reset)
        ActionServer(self.node, MoveTo, 'control/move_to', self.on_move)
        ActionServer(
            self.node, RunPolicy, 'policy/run', self.on_run,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )  # fmt: skip
        self.node.create_timer(TICK, self.tick)
        self.thread = threading.Thread(target=self.executor.spin, daemon=True)
        self.thread.start()

    def on_mode(self, request, answer):
        self.mode, answer.success = request.mode, True
        return answer

    def on_reset(self, request, answer):
        self.asked.append(f'reset {request.seed}')
        self.seed, self.blocked, answer.success = request.seed, False, True
        return answer

    def on_move(self, goal):
        from mimic_interfaces.action import MoveTo

        self.asked.append(goal.request.posture)
        (goal.abort if self.blocked else goal.succeed)()
        return MoveTo.Result(success=not self.blocked, message='a box is in the way')

    async def on_run(self, goal):
        from rclpy.task import Future

        from mimic_interfaces.action import RunPolicy

        self.asked.append('run')
        self.goal, self.begun, self.run = goal, self.time, Future()
        self.path = self.folder / f'episode_{self.seed}'
        self.path.mkdir()
        self.record(1)
        failure = await self.run
        self.run = None
        self.record(2)
        goal.abort()
        return RunPolicy.Result(success=False, message=failure)

    def record(self, state):
        self.episode.state, self.episode.path = state, str(self.path)
        self.pubs['episode/status'].publish(self.episode)

    def tick(self):
        from mimic_core.ros import to_stamp
        from mimic_interfaces.msg import ControlStatus, PolicyStatus, TwinStatus

        self.time += PERIOD
        stamp, elapsed = to_stamp(self.time), self.time - self.begun
        state, reason, chunks = PolicyStatus.IDLE, '', 0
        if self.run is not None:
            chunks = int(5.0 * elapsed)
            state = PolicyStatus.RUNNING if chunks else PolicyStatus.HOLD
            reason = '' if chunks else FIRST_CHUNK
            if self.goal.is_cancel_requested and not self.run.done():
                self.run.set_result('cancelled')
            if self.seed == 2 and elapsed > 1.0 and not self.run.done():
                self.run.set_result('mode policy was left: another was chosen')
        policy = PolicyStatus(state=int(state), reason=reason, chunks=chunks, holds=1)
        policy.inference, policy.latency = 0.05, 0.1
        done = self.run is not None and self.seed == 0 and elapsed > NEEDED
        # Before a start the last one's success still stands.
        twin = TwinStatus(success=done or self.run is None, real_time_factor=0.9)
        policy.header.stamp = twin.header.stamp = stamp
        self.pubs['policy/status'].publish(policy)
        self.pubs['twin/status'].publish(twin)
        self.pubs['control/status'].publish(ControlStatus(mode=int(self.mode)))
        if self.seed is None:
            self.pubs['episode/status'].publish(self.episode)

    def close(self):
        self.executor.shutdown()
        self.thread.join(timeout=10)
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def world(ros_domain, tmp_path):
    graph = Graph(tmp_path)
    yield graph
    graph.close()


@pytest.fixture
def launcher():
    process = subprocess.Popen(['sleep', '300'])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def log(tmp_path):
    file = tmp_path / 'launch.log'
    file.write_text('[INFO] [twin-2]: process started\n')
    return file


def test_each_start_is_judged_and_its_recording_deleted(world, launcher, log, tmp_path):
    from benchmarks.policy_launch_node import measure

    good, bad, left = measure([0, 1, 2], 3.0, launcher, log)
    assert good.success and good.duration == pytest.approx(NEEDED, abs=0.2) and good.ended == ''
    assert good.reasons == {FIRST_CHUNK} and good.holds == 1
    assert 5 <= len(good.inference) <= 14 and good.latency[0] == pytest.approx(0.1)
    assert good.real_time == pytest.approx(0.9)
    assert not bad.success and bad.duration == pytest.approx(3.0, abs=0.1) and bad.ended == ''
    assert not left.success and left.ended == 'mode policy was left: another was chosen'
    assert world.asked == [step for seed in range(3) for step in ('home', f'reset {seed}', 'run')]
    assert list(tmp_path.glob('episode_*')) == []  # two cameras would fill a disk


def test_what_is_in_the_way_is_reset_once(world, launcher, log):
    from benchmarks.policy_launch_node import measure

    world.blocked = True
    (trial,) = measure([0], 3.0, launcher, log)
    assert trial.success
    assert world.asked == ['home', 'reset 0', 'home', 'reset 0', 'run']


def test_a_node_that_dies_ends_it_with_the_log(world, launcher, log):
    from benchmarks.policy_launch_node import measure

    starts = measure([0, 1], 3.0, launcher, log)
    next(starts)
    log.write_text(
        log.read_text() + '[ERROR] [policy-4]: process has died [pid 1, exit code -9]\n'
    )
    begin = time.monotonic()
    with pytest.raises(DeviceError, match='policy-4'):
        next(starts)
    assert time.monotonic() - begin < 30.0
