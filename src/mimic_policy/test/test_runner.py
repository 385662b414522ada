import threading
import time

import numpy as np
import pytest
from scripted_policy import Recorded, actions_of

from mimic_description import load_robot
from mimic_policy.execution_params import ExecutionParams
from mimic_policy.predictor import ModelledPredictor, ThreadPredictor, predict
from mimic_policy.runner import Runner, State

PERIOD = 0.01


@pytest.fixture(scope='module')
def robot():
    return load_robot('iiwa14', 'robotiq_2f85')


class World:
    """A robot that does as it is told, at once, up to what its hand holds, and its cameras."""

    def __init__(self, robot, *, delay=0.06, **changed) -> None:
        self.robot = robot
        times = np.linspace(0.0, 10.0, 101)
        sway = robot.home + 0.2 * np.sin(times)[:, None]
        self.policy = Recorded(robot, actions_of(robot, times, sway))
        self.predictor = ModelledPredictor(self.policy, np.random.default_rng(0), delay)
        params = ExecutionParams(**changed)
        self.runner = Runner(robot, self.policy.meta, params, self.predictor)
        self.q, self.ticks = robot.home.copy(), 0  # q: as the gate sent it
        self.cameras, self.joints = {'agent', 'wrist'}, True
        self.held_at = np.inf  # where a thing in the hand holds up its joint [rad]

    @property
    def time(self):
        return self.ticks * PERIOD

    @property
    def measured(self):
        return np.append(self.q[:7], np.minimum(self.q[7:], self.held_at))

    def run(self, duration, *, driving=True, enabled=True):
        """Go on; returns what was said, at the rate of commands."""
        said = []
        for _ in range(round(duration / PERIOD)):
            now = self.time
            if self.joints:
                self.runner.observer.joints.add(self.robot.joint_names, self.measured, now)
            self.runner.observer.sent(self.robot.hand_joints, self.q[7:], now)
            if self.ticks % 3 == 0:
                for camera in self.cameras:
                    blank = np.zeros((480, 640, 3), np.uint8)
                    self.runner.observer.picture(camera, lambda b=blank: b, now)
                self.policy.time = now
                said.append(self.runner.tick(now, driving, enabled))
                if said[-1].q is not None:
                    self.q = said[-1].q
            self.ticks += 1
        return said


def test_it_follows_without_gaps(robot):
    world = World(robot, delay=0.1)
    world.runner.start(0.0)
    said = world.run(5.0)
    waiting = [tick.reason for tick in said if tick.q is None]
    assert set(waiting) == {'waiting for the first chunk'} and len(waiting) < 8
    counts = world.runner.counts
    assert counts.gaps == 0 and counts.holds == 1 and counts.refused == 0
    assert counts.commands == len(said) - len(waiting)
    assert counts.latency == pytest.approx(0.12, abs=0.03)
    assert 0.1 < counts.age < 0.5


def test_idle_until_it_is_started_and_after_it_is_stopped(robot):
    world = World(robot)
    assert {tick.state for tick in world.run(0.3)} == {State.IDLE}
    world.runner.start(world.time)
    assert world.run(1.0)[-1].state == State.RUNNING
    world.runner.stop()
    assert {tick.q is None for tick in world.run(0.3)} == {True}
    assert len(world.policy.seen) < 8


@pytest.mark.parametrize('lost', ['agent', 'wrist', 'joints'])
def test_what_is_gone_holds_and_comes_back(robot, lost):
    world = World(robot)
    world.runner.start(0.0)
    assert world.run(1.0)[-1].q is not None
    if lost == 'joints':
        world.joints = False
    else:
        world.cameras.discard(lost)
    said = world.run(1.0)
    assert said[-1].state == State.HOLD and lost[:5] in said[-1].reason
    held = next(i for i, tick in enumerate(said) if tick.q is None) * 0.03
    assert held == pytest.approx(0.3 if lost != 'joints' else 0.25, abs=0.05)
    world.cameras, world.joints = {'agent', 'wrist'}, True
    before = world.q.copy()
    said = world.run(1.0)
    assert said[-1].state == State.RUNNING
    first = next(tick.q for tick in said if tick.q is not None)
    assert np.abs(first - before).max() < 1e-6  # from where it is
    assert world.runner.counts.holds == 2


def test_a_hold_does_not_let_go_of_what_the_hand_holds(robot):
    """Position drives press as far as they are sent beyond where a thing holds them up."""
    world = World(robot)
    world.held_at = 0.05
    world.runner.start(0.0)
    sent = world.run(1.0)[-1].q[7]
    assert sent > world.measured[7] + 0.1
    world.cameras.discard('agent')
    assert world.run(0.6)[-1].state == State.HOLD
    sent = world.q[7]
    world.cameras.add('agent')
    resumed = [tick.q[7] for tick in world.run(0.3) if tick.q is not None]
    assert resumed[0] == pytest.approx(sent, abs=1e-6)
    assert min(resumed) > sent - 0.05


@pytest.mark.parametrize('wrong', ['agent', 'joints'])
def test_a_clock_that_is_ahead_holds(robot, wrong):
    """A picture of the future would never grow old: a camera that stops would not be missed."""
    world = World(robot)
    world.runner.start(0.0)
    assert world.run(1.0)[-1].q is not None
    ahead = world.time + 5.0
    if wrong == 'agent':
        world.cameras.discard('agent')
        blank = np.zeros((480, 640, 3), np.uint8)
        world.runner.observer.picture('agent', lambda: blank, ahead)
    else:
        world.joints = False
        world.runner.observer.joints.add(robot.joint_names, world.q, ahead)
    said = world.run(0.5)
    assert {tick.state for tick in said} == {State.HOLD}
    assert wrong[:5] in said[-1].reason and 's ahead of the clock' in said[-1].reason


def test_nan_from_the_network_holds_and_comes_back(robot):
    world = World(robot)
    world.runner.start(0.0)
    world.run(1.0)
    world.policy.fail = 'the network gave actions that are not finite'
    said = world.run(2.5)
    assert said[-1].state == State.HOLD and said[-1].reason == world.policy.fail
    assert world.runner.counts.refused > 10  # it does not wait for the next period to try again
    world.policy.fail = ''
    assert world.run(0.5)[-1].state == State.RUNNING


def test_a_short_motion_at_the_beginning_of_a_chunk_is_done_with_the_next_one(robot):
    """A policy that always wants to nod at once, and again a second later, does nod.

    The first nod of each chunk is over when the chunk comes. With predictions that follow each
    other quickly the second one is never reached, since each begins anew.
    """
    depth = {}
    for period in (0.2, ExecutionParams().replan_period):
        world = World(robot, delay=0.15, replan_period=period)
        home = actions_of(robot, np.array([0.0, 1.0]), np.stack([robot.home] * 2))[:1]
        rows = np.tile(home, (32, 1))
        rows[[1, 2, 9, 10], 2] -= 0.05  # [m], for 0.2 s each
        world.policy.predict = lambda observation, rng, rows=rows: rows
        world.runner.start(0.0)
        heights = [
            world.runner.executor.ik.pose(tick.q[:7])[2, 3]
            for tick in world.run(4.0)
            if tick.q is not None
        ]
        depth[period] = heights[0] - min(heights)
    assert depth[0.2] < 0.035 and depth[ExecutionParams().replan_period] > 0.045


def test_inference_that_takes_too_long_holds(robot):
    world = World(robot, delay=1.5)
    world.runner.start(0.0)
    said = world.run(4.0)
    reasons = {tick.reason for tick in said if tick.q is None}
    assert any('inference is late' in reason for reason in reasons)
    assert all(tick.q is None for tick in said)


def test_a_person_drives_and_hands_back(robot):
    """Predictions before the hand-back are not followed; it begins where the robot is.

    The hand holds a thing by then, and is sent further than it can close.
    """
    world = World(robot)
    world.runner.start(0.0)
    before = world.run(1.0)[-1].q
    said = world.run(1.0, driving=False)
    assert {tick.state for tick in said} == {State.PERSON}
    world.q = world.q + np.append(np.full(7, 0.1), 0.3)
    world.held_at = 0.2
    handed = world.q.copy()
    asked = len(world.policy.seen)
    said = world.run(1.0)
    assert len(world.policy.seen) > asked
    assert said[0].reason == 'waiting for the first chunk'
    first = next(tick.q for tick in said if tick.q is not None)
    assert first == pytest.approx(handed, abs=1e-6) and np.abs(first - before).min() > 0.05
    assert np.abs(first - said[-1].q).max() > 0.02  # it goes on, to what it wants itself
    moves = np.abs(np.diff([t.q for t in said if t.q is not None], axis=0)).max(axis=0)
    assert (moves <= robot.limits.max_speed * 0.031).all()


def test_it_waits_for_the_deadman_switch(robot):
    """What was predicted before is not followed after; it begins where the robot is."""
    world = World(robot)
    world.runner.start(0.0)
    world.run(1.0)
    said = world.run(1.0, enabled=False)
    assert {(t.state, t.reason) for t in said} == {(State.HOLD, 'control/enable is not held')}
    stood, asked = world.q.copy(), len(world.policy.seen)
    said = world.run(1.0)
    assert len(world.policy.seen) > asked and said[0].reason == 'waiting for the first chunk'
    assert next(t.q for t in said if t.q is not None) == pytest.approx(stood, abs=1e-6)


def test_a_clock_that_is_set_back(robot):
    world = World(robot)
    world.ticks = 1000
    world.runner.start(world.time)
    assert world.run(1.0)[-1].q is not None
    world.ticks = 0
    said = world.run(1.0)
    assert said[-1].state == State.RUNNING


def test_every_parameter_counts(robot):
    def outcome(**changed):
        world = World(robot, **changed)
        world.runner.start(0.0)
        world.run(1.0)
        world.cameras.discard('wrist')
        said = world.run(0.5)
        world.cameras.add('wrist')
        said += world.run(0.5)
        world.joints = False
        said += world.run(0.5)
        commands = [tick.q is None for tick in said], world.runner.counts.gaps
        return len(world.policy.seen), commands

    usual = outcome()
    other = dict(replan_period=0.05, max_picture_age=0.1, max_state_age=0.1, rate=60.0)
    assert [name for name, value in other.items() if outcome(**{name: value}) == usual] == []


def collected(predictor, world):
    """Look, and return what the thread makes of it."""
    predictor.submit(*world.runner.observer.look(), world.time)
    assert predictor.busy
    for _ in range(1000):
        if (result := predictor.collect(world.time)) is not None:
            break
        time.sleep(0.005)
    assert not predictor.busy
    return result


def test_the_thread_predicts_and_ends(robot):
    world = World(robot)
    world.run(0.1)
    predictor = ThreadPredictor(world.policy, np.random.default_rng(0))
    assert not predictor.busy and predictor.collect(0.0) is None
    result = collected(predictor, world)
    assert result.rows.shape == (32, 7) and result.failure == ''
    assert result.stamp == pytest.approx(world.time - PERIOD)
    (thread,) = [t for t in threading.enumerate() if t.name.startswith('policy')]
    predictor.close()
    thread.join(2.0)
    assert not thread.is_alive()


def test_a_mistake_in_the_thread_is_raised_where_it_is_collected(robot):
    """Else it would end the thread unseen, and the reason be "inference is late" for ever."""
    world = World(robot)
    world.run(0.1)
    predictor = ThreadPredictor(world.policy, np.random.default_rng(0))
    good, world.policy.predict = world.policy.predict, lambda *_: {}['a mistake']
    with pytest.raises(KeyError, match='a mistake'):
        collected(predictor, world)
    assert not predictor.busy
    world.policy.predict = good
    assert collected(predictor, world).rows is not None
    predictor.close()


@pytest.mark.parametrize(
    ('error', 'why'),
    [
        (RuntimeError('CUDA error: out of memory'), 'CUDA error: out of memory'),
        (MemoryError(), 'out of memory'),
    ],
)
def test_a_failure_of_torch_is_told_and_the_next_prediction_works(robot, error, why):
    world = World(robot)
    world.run(0.2)
    observation, stamp = world.runner.observer.look()
    good = predict(world.policy, observation, stamp, np.random.default_rng(0))
    assert good.rows is not None

    def lost(*_):
        raise error

    world.policy.predict = lost
    failed = predict(world.policy, observation, stamp, np.random.default_rng(0))
    assert failed.rows is None
    assert failed.failure == f'the network failed: {why}'
