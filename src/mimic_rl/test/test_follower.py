"""What is sent to robots in practice, beside what the gate itself sends."""

import numpy as np
import pytest

from mimic_control import Gate, GateParams
from mimic_control.limiter import JointLimiter
from mimic_control.reference import carried_speed
from mimic_core.command import NamedPositions
from mimic_description import load_robot
from mimic_rl.follower import Follower
from mimic_rl.motion import curve

RATE, SUBSTEPS, STEPS = 15.0, 8, 45
COMMANDS, PERIOD = 60.0, 0.01  # [Hz] of a runner, [s] of the gate
TURNED, BENT = 6, 8  # the last joint of the arm, one of a finger


@pytest.fixture(scope='module')
def robot():
    return load_robot('iiwa14', 'allegro')


def _targets(robot, share):
    """(T, J) targets that turn a joint of the arm with a share of its acceleration, and a finger.

    Both change their minds now and then, as policies do.
    """
    rng = np.random.default_rng(0)
    targets = np.tile(robot.home, (STEPS + 3, 1))
    most = share * robot.limits.max_acceleration[TURNED] / RATE**2
    fastest = 0.35 * robot.limits.max_speed[BENT] / RATE
    change = place = bend = 0.0
    for step in range(3, STEPS + 3):
        if step % 5 == 3:
            goal, bent = rng.uniform(-0.5, 0.5), rng.uniform(0.0, 0.6)
        change = np.clip(np.clip(0.5 * (goal - place), -0.1, 0.1), change - most, change + most)
        place += change
        bend += np.clip(bent - bend, -fastest, fastest)
        targets[step, [TURNED, BENT]] += place, bend
    return targets


def _through_gate(robot, targets):
    """Return times (N,) [s], and (N, J) what the gate sends and what was asked for then."""
    gate, q, command = Gate(robot, GateParams()), robot.home.copy(), 0
    gate.set_mode('policy')
    sent, asked = [], []

    def at(time):
        step = min(int(time * RATE + 1e-6), STEPS - 1)
        return curve(*targets[step : step + 3], min(time * RATE - step, 1.0))

    ticks = np.arange(round(STEPS / RATE / PERIOD)) * PERIOD
    for now in ticks:
        if now >= command / COMMANDS - 1e-9:
            command += 1
            gate.offer('policy', NamedPositions.single(robot.joint_names, at(now), now), now)
        q = gate.tick(now, q).q.copy()
        sent.append(q)
        asked.append(at(now + PERIOD))
    return ticks + PERIOD, np.array(sent), np.array(asked)


def _follower(robot, count=1):
    follower = Follower(robot.limits, RATE, SUBSTEPS, count)
    follower.begin(np.arange(count), np.tile(robot.home, (count, 1)))
    return follower


def test_practice_is_sent_what_the_gate_sends(robot):
    targets = _targets(robot, 0.6)
    times, sent, asked = _through_gate(robot, targets)
    follower = _follower(robot)
    steps = [follower.follow(*targets[None, k : k + 3].swapaxes(0, 1))[0] for k in range(STEPS)]
    own, own_times = np.concatenate(steps), np.arange(1, STEPS * SUBSTEPS + 1) / RATE / SUBSTEPS
    for joint in (TURNED, BENT):
        alike = np.interp(times, own_times, own[:, joint]) - sent[:, joint]
        missed = asked[:, joint] - sent[:, joint]
        assert np.sqrt(np.mean(missed**2)) > 0.008  # which practice without it would not know
        assert np.sqrt(np.mean(alike**2)) < 0.4 * np.sqrt(np.mean(missed**2))
    still = np.delete(np.arange(len(robot.home)), [TURNED, BENT])
    np.testing.assert_allclose(own[:, still], np.tile(robot.home[still], (len(own), 1)), atol=1e-9)


class _Carried:
    """A point that goes on at a speed, as a reference of the gate's limiter."""

    def __init__(self, point, speed, elapsed):
        self._point, self._speed, self._elapsed = point, speed, elapsed

    def at(self, times):
        ahead = (self._elapsed + times - times[0])[:, None]
        return self._point + ahead * self._speed, np.tile(self._speed, (len(times), 1))


def test_paths_are_those_of_the_limiter(robot):
    """On a motion that its quintics follow, both send the same numbers."""
    period, every = 1.0 / RATE / SUBSTEPS, round(RATE * SUBSTEPS / COMMANDS)
    limiter, follower = JointLimiter(robot.limits, period), _follower(robot)
    limiter.reset(robot.home)
    times = np.maximum(np.arange(-2, STEPS + 1), 0) / RATE
    size = np.linspace(0.02, 0.06, len(robot.home))  # [rad], other for each joint
    targets = robot.home + size * (1.0 - np.cos(2.0 * np.pi * 0.4 * times[:, None]))
    point, change = robot.home, np.zeros_like(robot.home)
    for k in range(STEPS):
        sent = follower.follow(*targets[None, k : k + 3].swapaxes(0, 1))[0]
        for step in range(SUBSTEPS):
            if step % every == 0:
                earlier, last = change, point
                point = curve(*targets[k : k + 3], step / SUBSTEPS)
                change = (point - last) / (every * period)
            speed = carried_speed(change, earlier)
            reference = _Carried(point, speed, step % every * period)
            limiter.accept(limiter.propose(reference, 0.0))
            np.testing.assert_allclose(sent[step], limiter.state.q, rtol=0.0, atol=1e-12)
    assert np.abs(follower.a).max() > 0.05


def test_bounds_hold_where_what_is_asked_for_breaks_them(robot):
    rng = np.random.default_rng(1)
    follower, limits, dt = _follower(robot, 4), robot.limits, 1.0 / RATE / SUBSTEPS
    q = np.tile(robot.home, (4, 1))
    earlier = before = q
    for _ in range(20):
        after = rng.uniform(limits.lower - 1.0, limits.upper + 1.0, size=q.shape)
        a = follower.a.copy()
        sent = follower.follow(earlier, before, after)
        assert (sent >= limits.lower).all() and (sent <= limits.upper).all()
        assert (np.abs(follower.a) <= limits.max_acceleration + limits.max_jerk * dt).all()
        assert (np.abs(follower.a - a) <= SUBSTEPS * limits.max_jerk * dt * 1.5).all()
        earlier, before = before, after
    assert np.abs(follower.v).max() > 0.1


def test_it_arrives_and_rows_begin_anew(robot):
    follower = _follower(robot, 2)
    home = np.tile(robot.home, (2, 1))
    there = home + 0.1
    follower.follow(home, home, there)
    for _ in range(30):
        sent = follower.follow(there, there, there)
    np.testing.assert_allclose(sent[:, -1], there, atol=1e-3)
    follower.begin(np.array([1]), home[:1])
    sent = follower.follow(np.stack([there[0], home[0]]), np.stack([there[0], home[0]]),
                           np.stack([there[0], home[0]]))  # fmt: skip
    np.testing.assert_allclose(sent[1], home[[0] * SUBSTEPS], atol=1e-12)
    np.testing.assert_allclose(sent[0], there[[0] * SUBSTEPS], atol=1e-3)
