import numpy as np
import pytest

from mimic_core.limits import JointLimits
from mimic_recording import BagError, Episode, check_track, load_track
from mimic_recording.player import Phase, Player, PlayerOptions
from mimic_recording.replay import CommandTrack

from .conftest import SECOND, T0

TRAJECTORY = 'trajectory_msgs/msg/JointTrajectory'
ARM, HAND = '/arm_controller/joint_trajectory', '/hand_controller/joint_trajectory'


@pytest.fixture
def command(make, store):
    """command(topic, t, names, points, delays) returns a row of an episode."""

    def build(topic, t, names, points, delays=None):
        point = store.types['trajectory_msgs/msg/JointTrajectoryPoint']
        duration = store.types['builtin_interfaces/msg/Duration']
        none = np.zeros(0)
        made = []
        for k, values in enumerate(points):
            delay = 0 if delays is None else int(delays[k] * SECOND)
            made.append(
                point(
                    positions=np.array(values, dtype=float), velocities=none, accelerations=none,
                    effort=none,
                    time_from_start=duration(sec=delay // SECOND, nanosec=delay % SECOND),
                )
            )  # fmt: skip
        return (topic, TRAJECTORY, t, make(TRAJECTORY, joint_names=list(names), points=made), 1)

    return build


@pytest.fixture
def gate_rows(command, make, header):
    """Two seconds of the gate at 100 Hz: arm a, b and, 1 ms later, hand f."""
    rows = []
    for i in range(200):
        t = T0 + i * SECOND // 100
        rows.append(command(ARM, t, ['a', 'b'], [[0.01 * i, -0.005 * i]]))
        rows.append(command(HAND, t + 1_000_000, ['f'], [[0.002 * i]]))
        state = make(
            'sensor_msgs/msg/JointState', header=header(t), name=['f', 'a', 'b', 'other'],
            position=np.array([0.002 * i, 0.01 * i - 0.03, -0.005 * i, 9.0]),
        )  # fmt: skip
        rows.append(('/joint_states', 'sensor_msgs/msg/JointState', t, state, i + 1))
    return rows


def track_of(bench, rows):
    with Episode(bench.episode(rows)) as episode:
        return load_track(episode)


def test_arm_and_hand_become_one_command(bench, gate_rows):
    track = track_of(bench, gate_rows)
    assert track.names == ('a', 'b', 'f') and track.source == 'gate'
    # The first arm command without a hand command is left out.
    assert len(track.times) == 199
    assert track.duration == pytest.approx(1.98)
    i = np.arange(1, 200)
    np.testing.assert_allclose(track.points[:, 0], 0.01 * i, atol=1e-12)
    np.testing.assert_allclose(track.points[:, 1], -0.005 * i, atol=1e-12)
    np.testing.assert_allclose(track.points[:, 2], 0.002 * (i - 1), atol=1e-12)
    assert track.tracking_error == pytest.approx(0.03)
    np.testing.assert_allclose(track.sample(0.995), [1.005, -0.5025, 0.199], atol=1e-9)
    np.testing.assert_allclose(track.sample(-5), track.points[0])
    np.testing.assert_allclose(track.sample(99), track.points[-1])
    assert track.command(0.5, 7.0).stamp == 7.0


def test_a_source_is_played_where_there_was_no_gate(bench, command):
    rows = [
        command('/shadow/command', T0, ['a'], [[0.0], [1.0], [2.0]], [0.0, 0.1, 0.2]),
        command('/shadow/command', T0 + SECOND // 5, ['a'], [[5.0]]),  # replaces what was to come
    ]
    track = track_of(bench, rows)
    assert track.source == '/shadow/command'
    np.testing.assert_allclose(track.times, [0.0, 0.1, 0.2], atol=1e-9)
    np.testing.assert_allclose(track.points[:, 0], [0.0, 1.0, 5.0])


def test_a_stream_that_is_always_a_period_ahead_keeps_every_point(bench, command):
    rng = np.random.default_rng(0)
    times = T0 + np.arange(50) * SECOND // 100 + rng.integers(0, 4_000_000, 50)
    rows = [command(ARM, int(t), ['a'], [[0.01 * i]], [0.01]) for i, t in enumerate(times)]
    track = track_of(bench, rows)
    np.testing.assert_allclose(track.points[:, 0], 0.01 * np.arange(50))
    np.testing.assert_allclose(track.times, (times - times[0]) / SECOND, atol=1e-9)


def test_an_episode_without_commands_says_what_it_looked_for(bench, rows):
    with pytest.raises(BagError, match='arm_controller/joint_trajectory'):
        track_of(bench, rows)


def test_bad_commands_are_refused(bench, command):
    for name, rows, why in (
        ('x1', [command(ARM, T0, ['a'], [[np.nan]])], 'nan'),
        ('x2', [command(ARM, T0, ['a', 'b'], [[1.0]])], 'shape'),
        ('x3', [command(ARM, T0, ['a'], [[1]]), command(ARM, T0 + 9, ['b'], [[1]])], 'change'),
        ('x4', [command(ARM, T0, ['a'], [[1]]), command(HAND, T0, ['a'], [[1]])], 'two topics'),
        ('x5', [command(ARM, T0, ['a'], [])], 'no points'),
        ('x6', [command(ARM, T0, ['a'], [[1], [2]], [0.1, 0.1])], 'go back'),
    ):
        with Episode(bench.episode(rows, name)) as episode, pytest.raises(BagError, match=why):
            load_track(episode)


def limits(**changes) -> JointLimits:
    values = {
        'lower': np.full(3, -3.0), 'upper': np.full(3, 3.0), 'max_speed': np.full(3, 2.0),
        'max_acceleration': np.full(3, 10.0), 'max_jerk': np.full(3, 100.0), **changes,
    }  # fmt: skip
    return JointLimits(**values)


def test_the_preview_names_joint_value_bound_and_time(bench, gate_rows):
    track = track_of(bench, gate_rows)
    joints = ('f', 'a', 'b')
    assert check_track(track, joints, limits()) == ()
    (high,) = check_track(track, joints, limits(upper=np.array([3.0, 1.5, 3.0])))
    assert (high.joint, high.kind, high.bound) == ('a', 'position', 1.5)
    assert high.value == pytest.approx(1.99) and high.time == pytest.approx(1.98)
    assert str(high) == 'a position 1.99 is beyond 1.5 at 1.98 s'
    (low,) = check_track(track, joints, limits(lower=np.array([-3.0, -3.0, -0.5])))
    assert (low.joint, low.bound) == ('b', -0.5)
    slow = limits(max_speed=np.array([2.0, 0.9, 2.0]))
    (fast,) = check_track(track, joints, slow)
    assert (fast.joint, fast.kind) == ('a', 'speed') and fast.value == pytest.approx(1.0)
    assert check_track(track, joints, slow, speed=0.8) == ()


def test_another_robot_is_refused_by_joint_name(bench, gate_rows):
    track = track_of(bench, gate_rows)
    with pytest.raises(BagError, match='no joint f; it has a, b, c'):
        check_track(track, ('a', 'b', 'c'), limits())


def straight(duration=1.0, speed=0.5):
    times = np.linspace(0, duration, 101)
    points = np.stack([0.2 + speed * times, 0 * times], axis=1)
    return CommandTrack(('a', 'b'), times, points, points * np.nan, 'gate')


def run(track, options, robot, gate=None, until=30.0):
    """Let a robot follow: robot(q, command) -> q, gate(command) -> commanded."""
    player = Player(track, options, now=100.0)
    q, commanded, sent, now = {'a': 0.0, 'b': 0.0}, {}, [], 100.0
    while now < 100.0 + until:
        command = player.step(now, q, commanded)
        if command is None:
            break
        target = dict(zip(command.names, command.points[0], strict=True))
        sent.append((now, target))
        q = robot(q, target)
        commanded = gate(target) if gate else dict(target)
        now += 0.01
    return player, sent


def follow(q, target):
    return {n: v + float(np.clip(target[n] - v, -0.01, 0.01)) for n, v in q.items()}


def test_the_player_waits_at_the_first_command_and_then_plays():
    track = straight()
    player, sent = run(track, PlayerOptions(), follow)
    assert player.phase == Phase.DONE and player.progress == 1.0 and player.reason == ''
    values = [target['a'] for _, target in sent]
    assert values[0] == 0.2  # the approach
    moving = [i for i, v in enumerate(values) if v > 0.2 + 1e-12]
    assert moving[0] >= 18  # the robot needs 0.2 / 0.01 steps, less the tolerance
    assert len(values) - moving[0] == pytest.approx(100, abs=2)
    np.testing.assert_allclose(np.diff(values[moving[0] :]), 0.005, atol=1e-9)
    assert player.sent == len(sent) and player.max_error < 0.01


def test_half_speed_takes_twice_as_long():
    player, sent = run(straight(), PlayerOptions(speed=0.5), follow)
    moving = [t for t, target in sent if target['a'] > 0.2 + 1e-12]
    assert player.phase == Phase.DONE
    assert moving[-1] - moving[0] == pytest.approx(2.0, abs=0.05)


def test_a_robot_that_does_not_come_ends_the_run():
    stuck, _ = run(straight(), PlayerOptions(approach_timeout=2.0), lambda q, _: q)
    assert stuck.phase == Phase.FAILED and stuck.reason.startswith('a did not reach')
    assert '0.200 away' in stuck.reason
    gone, _ = run(straight(), PlayerOptions(approach_timeout=1.0), lambda q, _: {'a': 0.2})
    assert (
        gone.phase == Phase.FAILED
        and 'b did not' in gone.reason
        and 'no joint state' in gone.reason
    )


def test_a_gate_that_does_something_else_ends_the_run():
    def held(target):
        return {'a': 0.2, 'b': 0.0}

    player, sent = run(straight(speed=2.0), PlayerOptions(max_deviation=0.3), follow, held)
    assert player.phase == Phase.FAILED
    assert player.reason.startswith('the gate commands a 0.3')
    assert max(target['a'] for _, target in sent) < 0.2 + 0.35
