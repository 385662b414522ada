"""A run waits for nobody for ever, and leaves nothing behind that it has given up.

No message is sent: the clock and those who answer are the test's.
"""

from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.ros


class Answers:
    """In place of a client: keeps what it was asked, and is answered when the test says so."""

    def __init__(self):
        from rclpy.task import Future

        self._future, self.asked = Future, []

    def call_async(self, request):
        self.asked.append((request, self._future()))
        return self.asked[-1][1]

    send_goal_async = call_async

    def service_is_ready(self):
        return True

    server_is_ready = service_is_ready

    def answer(self, **values):
        self.asked[-1][1].set_result(SimpleNamespace(**values))


class Goal:
    """A motion under way."""

    def __init__(self, result):
        self.accepted, self.cancelled, self._result = True, False, result

    def get_result_async(self):
        return self._result

    def cancel_goal_async(self):
        self.cancelled = True


@pytest.fixture
def world(ros_domain, monkeypatch):
    import rclpy

    from mimic_core.policy_run import Counts
    from mimic_core.policy_run import ros as module
    from mimic_interfaces.msg import ControlStatus

    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node('policy', context=context)
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(module.ros, 'now', lambda _: clock.now)
    runner = SimpleNamespace(counts=Counts(), over=None, running=False)
    runner.start = lambda now: setattr(runner, 'running', True)
    runner.stop = lambda: setattr(runner, 'running', False)
    server = module.RunServer(node, runner, 'push')
    gate = server._gate
    server._begin_episode, server._end_episode = Answers(), Answers()
    gate._modes, gate._moves = Answers(), Answers()

    def status(mode):
        gate._on_status(ControlStatus(mode=mode))

    def obey():
        """The gate does what it is asked."""
        if gate._modes.asked and not gate._modes.asked[-1][1].done():
            gate._modes.answer(success=True)
            status(gate._modes.asked[-1][0].mode)

    def go(seconds, gate_there=True):
        """Let time go by, until the run is over."""
        for _ in range(round(seconds / 0.1)):
            clock.now += 0.1
            if gate_there:
                status(gate.status.mode)
                obey()
            server.step(clock.now)

    status(ControlStatus.IDLE)
    yield SimpleNamespace(server=server, gate=gate, runner=runner, go=go, status=status)
    node.destroy_node()
    context.try_shutdown()


def test_it_is_known_that_the_gate_waits_for_the_deadman_switch(world):
    from mimic_interfaces.msg import ControlStatus

    assert world.server.enabled
    world.gate._on_status(ControlStatus(mode=ControlStatus.POLICY, enable_missing=True))
    assert not world.server.enabled
    world.gate._on_status(ControlStatus(mode=ControlStatus.POLICY))
    assert world.server.enabled


def test_a_motion_that_never_ends_is_cancelled(world):
    from rclpy.task import Future

    from mimic_core.gate.ros import MOTION

    world.server.start(0.0, 'home')
    world.go(1.0)
    goal = Goal(Future())
    world.gate._moves.asked[-1][1].set_result(goal)
    world.go(MOTION - 1.0)
    assert world.server.outcome == '' and not goal.cancelled
    world.go(3.0)
    assert world.server.outcome == 'control/move_to takes longer than 60 s'
    assert goal.cancelled and not world.runner.running


def test_a_motion_that_is_accepted_too_late_is_cancelled(world):
    from rclpy.task import Future

    world.server.start(0.0, 'home')
    world.go(8.0)
    assert world.server.outcome == 'control/move_to takes longer than 5 s'
    goal, sent = Goal(Future()), world.gate._moves.asked[-1][1]
    sent.set_result(goal)
    assert goal.cancelled


def test_a_gate_that_dies_while_the_robot_moves_ends_the_run(world):
    from rclpy.task import Future

    world.server.start(0.0, 'home')
    world.go(1.0)
    goal = Goal(Future())
    world.gate._moves.asked[-1][1].set_result(goal)
    world.go(0.5)
    world.go(1.5, gate_there=False)
    assert world.server.outcome == 'the gate is gone: no control/status' and goal.cancelled


def test_a_gate_that_dies_while_the_policy_drives_is_why_the_run_ended(world):
    """Not that it does not answer afterwards, which is no news."""
    world.server.start(0.0)
    world.go(6.0)
    assert world.runner.running
    world.go(1.5, gate_there=False)
    assert not world.runner.running
    world.go(6.0, gate_there=False)
    assert world.server.outcome == 'the gate is gone: no control/status'


def test_an_episode_that_begins_too_late_is_ended(world):
    """The run goes on without it; a recorder that nobody stops would fill the disk."""
    world.server.start(2.0)
    world.go(6.0)
    assert world.runner.running
    world.go(4.0)
    assert not world.runner.running and not world.server._end_episode.asked
    late = world.server._begin_episode.asked[-1][1]
    late.set_result(SimpleNamespace(success=True, message=''))
    assert len(world.server._end_episode.asked) == 1


def test_an_episode_that_begins_in_time_is_ended_once(world):
    world.server.start(2.0)
    world.go(1.0)
    world.server._begin_episode.answer(success=True, message='')
    world.go(4.0)
    assert not world.runner.running and len(world.server._end_episode.asked) == 1


@pytest.mark.parametrize('duration', [-1.0, float('nan'), float('inf'), 0.0, 2.5])
def test_a_run_of_no_duration_is_refused_and_told(world, capfd, duration):
    """One of -1 s ended at once, as a success."""
    from rclpy.action import GoalResponse

    from mimic_interfaces.action import RunPolicy

    answer = world.server._on_goal(RunPolicy.Goal(duration=duration))
    said = capfd.readouterr().err
    if duration in (0.0, 2.5):
        assert answer == GoalResponse.ACCEPT and not said
    else:
        assert answer == GoalResponse.REJECT
        assert f'policy/run refused: its duration is {duration:g} s, not at least 0' in said
