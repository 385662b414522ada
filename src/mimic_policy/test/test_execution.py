import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimic_core.errors import NotFiniteError, ShapeError
from mimic_description import load_robot
from mimic_policy.execution import Chunk, Executor, mean_path
from mimic_policy.execution_params import ExecutionParams

FPS = 10.0
PERIOD = 1.0 / 30.0


@pytest.fixture(scope='module')
def robot():
    return load_robot('iiwa14', 'robotiq_2f85')


@pytest.fixture
def executor(robot):
    return Executor(robot, ExecutionParams(), FPS)


def rows_of(
    executor, *, move=(0.0, 0.0, 0.0), turn=(0.0, 0.0, 0.0), start=0.0, count=32, grip=0.0
):
    """Return a chunk that moves the palm from home at constant speeds [m/s], [rad/s]."""
    arms = len(executor.robot.arm_joints)
    home = executor.ik.pose(executor.robot.home[:arms])
    times = start + np.arange(count) / FPS
    place = home[:3, 3] + times[:, None] * np.array(move)
    turns = Rotation.from_rotvec(times[:, None] * np.array(turn)) * Rotation.from_matrix(
        home[:3, :3]
    )
    joints = np.full((count, len(executor.robot.hand_joints)), grip)
    return np.hstack([place, turns.as_rotvec(), joints])


def run(executor, start, stop, at=None, chunks=()):
    """Step with chunks (arrival, stamp, rows); the robot does as it is told."""
    q = executor.robot.home.copy() if at is None else at
    steps, waiting = [], sorted(chunks, key=lambda c: c[0])
    for now in np.arange(start, stop, PERIOD):
        while waiting and waiting[0][0] <= now:
            _, stamp, rows = waiting.pop(0)
            executor.add(rows, stamp, float(now))
        step = executor.step(float(now), q)
        q = q if step.q is None else step.q
        steps.append((float(now), step))
    return steps


def palms(executor, steps):
    arms = len(executor.robot.arm_joints)
    return np.array([executor.ik.pose(s.q[:arms])[:3, 3] for _, s in steps if s.q is not None])


def test_rows_are_for_their_time_whenever_they_come(executor):
    """A chunk that is late by 0.3 s goes on where the time is, not where it begins."""
    rows = rows_of(executor, move=(0.0, 0.1, 0.0))
    steps = run(executor, 0.3, 1.5, chunks=[(0.3, 0.0, rows), (0.78, 0.7, rows[7:])])
    y = palms(executor, steps)[:, 1]
    time = np.array([now for now, step in steps if step.q is not None])
    home = executor.ik.pose(executor.robot.home[:7])[1, 3]
    after = time > 0.9
    assert len(time) == len(steps)
    assert np.abs(y[after] - home - 0.1 * time[after]).max() < 0.002


@pytest.mark.parametrize('delay', [0.05, 0.2, 0.4])
def test_no_jump_whatever_the_delay(executor, delay):
    """Chunks of a path that is predicted anew, each with an offset of 2 cm."""
    rng = np.random.default_rng(0)
    chunks = []
    for stamp in np.arange(0.0, 3.0, 0.2):
        rows = rows_of(executor, move=(0.0, 0.08, 0.0), start=stamp)
        rows[:, :3] += rng.uniform(-0.02, 0.02, 3)
        chunks.append((stamp + delay, stamp, rows))
    steps = run(executor, 0.0, 3.0, chunks=chunks)
    moved = np.linalg.norm(np.diff(palms(executor, steps), axis=0), axis=1)
    assert moved.max() < 0.012  # [m] in a period; unspliced it is up to 0.04
    assert [s.reason for n, s in steps if n > delay + PERIOD and s.q is None] == []


@pytest.mark.parametrize(('fps', 'weight'), [(30.0, 0.8), (FPS, 0.3)])
def test_no_jump_where_the_last_chunk_counts_no_more(robot, fps, weight):
    """Of many rows or with a small weight the one before is nothing beside a new chunk."""
    params = ExecutionParams(ensemble_weight=weight, start_time=0.0, splice_time=0.5)
    executor = Executor(robot, params, fps)
    near = rows_of(executor, count=round(3.2 * fps))
    far = near.copy()
    far[:, 1] += 0.03
    steps = run(executor, 0.1, 2.0, chunks=[(0.1, 0.0, near), (0.9, 0.8, far)])
    y = palms(executor, steps)[:, 1] - near[0, 1]
    time = np.array([now for now, _ in steps])
    wanted = 0.03 * np.clip((time - 0.9) / 0.5, 0.0, 1.0)
    assert len(y) == len(time) and np.abs(y - wanted).max() < 0.003


def test_after_a_hold_the_last_chunk_is_not_spliced_in(robot):
    """What was too old to be followed is no way to the new chunk."""
    executor = Executor(robot, ExecutionParams(start_time=0.0, splice_time=1.0), FPS)
    near = rows_of(executor, count=50)
    far = near.copy()
    far[:, 1] += 0.03
    steps = run(executor, 0.0, 3.4, chunks=[(0.0, 0.0, near), (2.9, 2.8, far)])
    assert 'late' in steps[60][1].reason and steps[-1][1].q is not None
    assert palms(executor, steps)[-1, 1] - near[0, 1] == pytest.approx(0.03, abs=1e-3)


def test_the_weight_of_a_chunk_falls_with_its_age(robot):
    params = ExecutionParams(ensemble_weight=0.5, splice_time=0.0, start_time=0.0)
    executor = Executor(robot, params, FPS)
    near = rows_of(executor)
    far = near.copy()
    far[:, 1] += 0.03
    run(executor, 0.0, 0.15, chunks=[(0.0, 0.0, near)])
    executor.add(far, 0.1, 0.15)
    steps = run(executor, 0.2, 0.7, at=executor.robot.home)
    offset = palms(executor, steps)[-1, 1] - near[0, 1]
    assert offset == pytest.approx(0.03 * 1.0 / 1.5, abs=5e-4)  # weights 0.5 and 1


def test_rotations_are_averaged_as_rotations():
    """Near half a turn the axis-angles of two near rotations are far apart."""
    a, b = Rotation.from_rotvec([np.pi - 0.05, 0, 0]), Rotation.from_rotvec([-np.pi + 0.05, 0, 0])
    said = np.array([[[0, 0, 0, *turn.as_quat(), 0]] for turn in (a, b)])
    mean = mean_path(said, np.array([1.0, 1.0])).rotation[0]
    assert abs(mean.as_rotvec()[0]) == pytest.approx(np.pi, abs=1e-6)
    third = mean_path(said, np.array([3.0, 1.0])).rotation[0]
    assert (a.inv() * third).magnitude() == pytest.approx(0.025, abs=1e-3)


def test_a_chunk_between_its_rows():
    rows = np.zeros((3, 7))
    rows[1, :3], rows[1, 3:6], rows[1, 6] = 0.2, (0.0, 0.0, 1.0), 0.4
    chunk = Chunk(rows, 5.0, FPS)
    half, before, behind = chunk.at(np.array([5.05, 0.0, 9.0]))
    assert half[:3] == pytest.approx([0.1] * 3)
    assert Rotation.from_quat(half[3:7]).as_rotvec() == pytest.approx([0, 0, 0.5])
    assert half[7:] == pytest.approx([0.2])
    assert before[:3] == pytest.approx([0.0] * 3)
    assert behind[7:] == pytest.approx([0.0])
    with pytest.raises(ShapeError):
        Chunk(rows[:1], 0.0, FPS)
    rows[1, 2] = np.nan
    with pytest.raises(NotFiniteError):
        Chunk(rows, 0.0, FPS)


def test_between_rows_a_rotation_keeps_to_the_arc():
    """Also where the axis-angle flips: rows are 0.3 rad apart, across half a turn."""
    angles = np.pi - 0.45 + 0.3 * np.arange(4)
    turns = Rotation.from_rotvec(np.outer(angles, [1.0, 0.0, 0.0]))
    rows = np.hstack([np.zeros((4, 3)), turns.as_rotvec(), np.zeros((4, 1))])
    assert np.abs(np.diff(rows[:, 3])).max() > 5.0
    times = np.linspace(0.0, 3.0 / FPS, 91)
    said = Rotation.from_quat(Chunk(rows, 0.0, FPS).at(times)[:, 3:7])
    exact = Rotation.from_rotvec(np.outer(angles[0] + 0.3 * FPS * times, [1.0, 0.0, 0.0]))
    assert (said.inv() * exact).magnitude().max() < np.radians(0.1)


def test_it_starts_where_the_robot_is(executor):
    """The first command is the measured position, whatever the chunk begins with."""
    q = executor.robot.home.copy()
    q[:7] += 0.1
    steps = run(executor, 0.0, 0.75, at=q, chunks=[(0.0, 0.0, rows_of(executor, grip=0.5))])
    assert steps[0][1].q == pytest.approx(q)
    moved = np.abs(np.diff([s.q for _, s in steps], axis=0)).max(axis=0) / PERIOD
    assert (moved[:7] <= executor.robot.limits.max_speed[:7] + 1e-6).all()
    end = executor.ik.pose(steps[-1][1].q[:7])
    assert end[:3, 3] == pytest.approx(rows_of(executor)[0, :3], abs=1e-3)
    assert steps[-1][1].q[7] == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(('away', 'turned'), [(0.3, 0.0), (0.05, 1.0)])
def test_from_far_off_it_joins_the_path_slowly(executor, away, turned):
    """As after a person let go: in `start_time` alone it would be three times as fast."""
    chunks = []
    for stamp in np.arange(0.0, 3.0, 0.2):
        rows = rows_of(executor, move=(0.0, 0.02, 0.0), start=stamp)
        rows[:, :3] += np.array([0.0, 0.6, -0.8]) * away
        turns = Rotation.from_rotvec(rows[:, 3:6]) * Rotation.from_rotvec([0.0, 0.0, turned])
        rows[:, 3:6] = turns.as_rotvec()
        chunks.append((stamp + 0.1, stamp, rows))
    steps = run(executor, 0.0, 3.0, chunks=chunks)
    assert {step.reason for _, step in steps} == {'', 'waiting for the first chunk'}
    q = np.array([step.q[:7] for _, step in steps if step.q is not None])
    poses = np.array([executor.ik.pose(joints) for joints in q])
    moved = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1) / PERIOD
    bound = executor.params.start_speed
    assert moved.max() < bound + 0.03  # the path itself moves at 0.02 m/s
    parts = Rotation.from_matrix(poses[:, :3, :3])
    assert (parts[:-1].inv() * parts[1:]).magnitude().max() / PERIOD < bound / 0.3 + 0.05
    wanted = rows_of(executor, move=(0.0, 0.02, 0.0), start=2.9)[0, :3]
    wanted += np.array([0.0, 0.6, -0.8]) * away
    assert poses[-1, :3, 3] == pytest.approx(wanted, abs=0.005)


def test_late_inference_holds_and_recovers(executor):
    """Without a newer observation than `max_age` nothing is commanded; then it goes on."""
    executor_age = executor.params.max_age
    steps = run(executor, 0.0, 2.0, chunks=[(0.0, 0.0, rows_of(executor))])
    held = [(now, s.reason) for now, s in steps if s.q is None]
    assert held[0][0] == pytest.approx(executor_age, abs=0.05)
    assert 'inference is late' in held[0][1] and f'{executor_age:g}' in held[0][1]
    executor.add(rows_of(executor, start=2.0), 2.0, 2.1)
    assert executor.step(2.1, executor.robot.home).q == pytest.approx(executor.robot.home)


def test_a_chunk_that_ended_holds(robot):
    executor = Executor(robot, ExecutionParams(max_age=10.0), FPS)
    assert executor.step(0.0, robot.home).reason == 'waiting for the first chunk'
    steps = run(executor, 0.0, 4.0, chunks=[(0.0, 0.0, rows_of(executor))])
    held = [(now, s.reason) for now, s in steps if s.q is None]
    assert held[0][0] == pytest.approx(3.1, abs=0.05)
    assert 'the last chunk ended' in held[0][1]
    assert 'ended' in executor.add(rows_of(executor), 1.0, 4.5)


@pytest.mark.parametrize(
    ('spoil', 'text'),
    [
        (lambda rows: rows.__setitem__((3, 2), np.nan), 'is nan'),
        (lambda rows: rows.__setitem__((slice(None), 0), 3.0), 'out of reach'),
        (lambda rows: rows.__setitem__((slice(20, None), 2), np.inf), 'is inf'),
    ],
)
def test_bad_chunks_are_not_followed(executor, spoil, text):
    rows = rows_of(executor)
    spoil(rows)
    assert text in executor.add(rows, 0.0, 0.0)
    step = executor.step(0.0, executor.robot.home)
    assert step.q is None and text in step.reason
    assert executor.add(rows_of(executor), 0.1, 0.1) == ''
    assert executor.step(0.1, executor.robot.home).q is not None


def test_a_bad_chunk_does_not_stop_the_last_good_one(executor):
    executor.add(rows_of(executor), 0.0, 0.0)
    assert executor.refuse('the network gave NaN') == 'the network gave NaN'
    assert executor.step(0.5, executor.robot.home).q is not None
    late = executor.params.max_age + 0.1
    assert executor.step(late, executor.robot.home).reason == 'the network gave NaN'
    assert 'shape' in executor.add(rows_of(executor)[:, :-1], late, late)
    assert 'older' in executor.add(rows_of(executor), -1.0, late)


def test_an_arm_that_does_not_follow_begins_anew(executor):
    """The robot stands, whatever it is told (somebody holds it, or the gate does)."""
    home, held = executor.robot.home, []
    for now in np.arange(0.0, 6.0, PERIOD):
        if round(now / PERIOD) % 6 == 0:
            executor.add(rows_of(executor, move=(0.0, 0.2, 0.0), start=now), now, now)
        step = executor.step(now, home)
        held += [step.reason] if step.q is None else []
        if step.q is not None:
            assert np.abs(step.q - home)[:7].max() < executor.params.max_lead + 0.1
    assert any('behind' in reason for reason in held)


def test_every_parameter_counts(robot):
    """Each field changes what is commanded, or when it is held."""

    def outcome(**changed):
        params = ExecutionParams(**changed)
        executor = Executor(robot, params, FPS)
        chunks = []
        for stamp in (0.0, 0.3, 0.6):
            rows = rows_of(executor, move=(0.0, 0.3, 0.1), start=stamp, turn=(0.0, 0.0, 0.5))
            rows[:, 0] += 0.02 * stamp
            chunks.append((stamp + 0.1, stamp, rows))
        steps = run(executor, 0.0, 2.0, chunks=chunks)
        executor.reset()
        held, q = [], robot.home
        leap = rows_of(executor)
        leap[6:, 1] += 0.25
        for now in np.arange(3.0, 4.0, PERIOD):
            executor.add(rows_of(executor, move=(0.0, 0.5, 0.0), start=now - 3.0), now, now)
            held.append(executor.step(now, robot.home).reason)
        executor.reset()
        executor.add(leap, 5.0, 5.0)
        for now in np.arange(5.0, 5.75, PERIOD):
            step = executor.step(now, q)
            q = q if step.q is None else step.q
            held.append(step.reason)
        said = [s.reason if s.q is None else np.vstack([s.q, s.ahead[0]]) for _, s in steps]
        return repr([*said, *held])

    usual = outcome()
    other = dict(
        max_age=0.5, ensemble_weight=0.3, splice_time=0.4, start_time=0.2, start_speed=0.05,
        lead=0.1, preview=0.1, max_lag=0.03, max_lead=0.1,
    )  # fmt: skip
    assert [name for name, value in other.items() if outcome(**{name: value}) == usual] == []
    elsewhere = {'rate', 'replan_period', 'max_picture_age', 'max_state_age'}  # test_runner.py
    assert {f.name for f in dataclasses.fields(ExecutionParams)} == set(other) | elsewhere


def test_a_command_says_what_comes_next(executor):
    """The points ahead are where later commands will be, if nothing new comes."""
    rows = rows_of(executor, move=(0.0, 0.15, 0.05), turn=(0.0, 0.0, 0.3), grip=0.3)
    steps = run(executor, 0.0, 0.75, chunks=[(0.0, 0.0, rows)])
    points, times = steps[12][1].ahead
    assert times == pytest.approx(PERIOD * np.array([1, 3, 5, 7]))
    later = np.array([steps[12 + k][1].q for k in (1, 3, 5, 7)])
    assert points == pytest.approx(later, abs=0.004)
    command = steps[12][1].command(executor.robot.joint_names, 5.0)
    assert command.points == pytest.approx(points) and command.stamp == 5.0


def test_without_preview_a_command_is_one_point(robot):
    executor = Executor(robot, ExecutionParams(preview=0.0), FPS)
    (_, step), *_ = run(executor, 0.0, 0.05, chunks=[(0.0, 0.0, rows_of(executor))])
    command = step.command(robot.joint_names, 0.0)
    assert step.ahead is None and command.points == pytest.approx(step.q[None])
