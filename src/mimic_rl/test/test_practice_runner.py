"""The runner with a policy that is known, poses that come late and joints that follow."""

import dataclasses

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimic_core.errors import LimitError, MimicError, NotFiniteError, StaleInputError
from mimic_core.frames import from_xyz_quat, transform
from mimic_core.policy_run import State
from mimic_object_tracking.symmetry import symmetry_of
from mimic_rl.practice_runner import Phase, PracticeRunner
from mimic_rl.runner_params import PracticeRunnerParams

TICK = 1 / 60  # [s]
CENTRE = np.zeros(3)


class Scripted:
    """Turns the first joint by the same angle in each step, and remembers what it was shown."""

    rate = 15.0
    max_distance = 0.25
    step_angle = 0.01  # [rad]

    def __init__(self, run, length=45):
        self.run, self.robot, self.length = run, run.robot(), length
        self.seen, self.begun, self.out_of_reach, self.lies = [], [], False, 0.0
        self.give, self.practised = None, (0.2, 3.0)  # [m] along y, [rad]

    @property
    def done(self):
        return len(self.seen) >= self.length

    @property
    def target(self):
        return self.run.trajectory[0]

    def start_beside(self, pose):
        if self.out_of_reach:
            raise LimitError('no posture reaches the start beside the object')
        q = self.run.start.copy()
        q[0] += np.arctan2(pose[1], pose[0]) - np.arctan2(*self.target[[1, 0]])
        return q

    def tilt(self, pose):
        return self.lies

    def beyond_starts(self, pose, margin, turn_margin):
        place, turn = abs(pose[1] - self.target[1]), 2.0 * abs(np.arctan2(pose[5], pose[6]))
        most, farthest = self.practised
        inside = place <= most + margin and turn <= farthest + turn_margin
        return '' if inside else f'y {place:.2f} m, turn {turn:.2f} rad'

    def reset(self, q):
        self.q, self.seen = q.copy(), []
        self.begun.append(q.copy())

    def step(self, q, speed, pose):
        self.seen.append((q.copy(), speed.copy(), pose.copy()))
        self.q = self.q.copy()
        self.q[0] += self.step_angle
        return self.q if self.give is None else np.full_like(q, self.give)


class World:
    """Joints at 100 Hz that do what was commanded; poses at 30 Hz, each `delay` late."""

    def __init__(self, run, symmetry='none', delay=0.06, **params):
        self.policy = Scripted(run)
        self.runner = PracticeRunner(
            self.policy, symmetry_of(symmetry, CENTRE), PracticeRunnerParams(**params)
        )
        self.names = self.runner.joint_names
        self.q = self.policy.robot.home.copy()
        first = run.trajectory[0]
        self.object = from_xyz_quat(first[:3], first[3:])
        self.now, self.delay, self.sees, self.follows, self.measures = (
            10.0,
            delay,
            True,
            True,
            True,
        )
        self.queue, self.next_picture, self.next_joints = [], 10.0, 10.0
        self.commands, self.last = [], None

    def tick(self, driving=True, enabled=True):
        while self.next_joints <= self.now:
            if self.measures:
                self.runner.history.add(self.names, self.q, self.next_joints)
            self.next_joints += 0.01
        while self.next_picture <= self.now:
            if self.sees:
                self.queue.append((self.next_picture, self.object.copy()))
            self.next_picture += 1 / 30
        while self.queue and self.queue[0][0] + self.delay <= self.now:
            stamp, pose = self.queue.pop(0)
            self.runner.see(pose, stamp)
        self.last = self.runner.tick(self.now, driving, enabled)
        if self.last.q is not None:
            self.commands.append((self.now, self.last.q))
            if self.follows:
                self.q = self.last.q.copy()
        self.now += TICK
        return self.last

    def go(self, seconds, **options):
        for _ in range(round(seconds / TICK)):
            self.tick(**options)
        return self.last

    def until(self, condition, seconds=60.0):
        for _ in range(round(seconds / TICK)):
            self.tick()
            if condition():
                return self.last
        raise AssertionError(f'{self.runner.phase}: {self.last}')

    def follow(self):
        self.runner.start(self.now)
        self.until(lambda: self.runner.phase is Phase.FOLLOW)
        return self.go(0.5)


@pytest.fixture
def world(run):
    return World(run)


def speeds(commands):
    times, q = np.array([t for t, _ in commands]), np.array([q for _, q in commands])
    return np.diff(q, axis=0) / np.diff(times)[:, None]


def test_it_goes_beside_the_object_slowly_then_follows_at_the_rate_of_the_policy(world):
    world.object[1, 3] += 0.05
    world.runner.start(world.now)
    assert 'not seen yet' in world.tick().reason
    world.until(lambda: world.runner.phase is Phase.FOLLOW)
    limit = world.runner.params.approach_speed * world.policy.robot.limits.max_speed
    assert (np.abs(speeds(world.commands)).max(axis=0) <= limit * 1.001).all()
    assert np.abs(speeds(world.commands)).max() > 0.05
    wanted = world.policy.start_beside(world.runner._sightings.pose)
    np.testing.assert_allclose(world.policy.begun, [wanted], atol=1e-9)
    world.commands.clear()
    before = len(world.policy.seen)
    world.go(2.0)
    assert len(world.policy.seen) - before == 30
    first = speeds(world.commands)[4:, 0]  # after the step in which it speeds up
    assert first == pytest.approx(world.policy.step_angle * world.policy.rate, rel=1e-3)  # ticks
    counts = world.runner.counts
    assert counts.gaps == 0 and counts.chunks == len(world.policy.seen)
    assert world.delay <= counts.age <= world.delay + 1 / 30 + TICK + 1e-6


def test_the_policy_sees_late_poses_and_the_joints_of_now(world):
    world.follow()
    q, speed, pose = world.policy.seen[-1]
    assert abs(q[0] - world.q[0]) <= 0.01 + 1e-9
    assert speed[0] == pytest.approx(world.policy.step_angle * world.policy.rate, rel=0.2)
    world.object[0, 3] += 0.03
    shift = world.object[0, 3] - pose[0]
    moved = world.now
    while world.policy.seen[-1][2][0] < pose[0] + 0.5 * shift:
        world.tick()
    assert world.delay <= world.now - moved <= world.delay + 1 / 30 + 1 / 15 + 2 * TICK


@pytest.mark.parametrize('turn', [0.5 * np.pi, np.pi, -0.5 * np.pi])
def test_of_poses_that_look_the_same_the_one_that_was_shown_is_meant(run, turn):
    world = World(run, symmetry='z4')
    true = world.object.copy()
    world.object = true @ transform(Rotation.from_rotvec([0, 0, turn]).as_matrix(), CENTRE)
    world.follow()
    pose = world.policy.seen[-1][2]
    np.testing.assert_allclose(from_xyz_quat(pose[:3], pose[3:]), true, atol=1e-6)


def test_a_lost_object_holds_and_goes_on_where_it_was(world):
    world.follow()
    world.sees = False
    steps = len(world.policy.seen)
    held = world.until(lambda: world.last.state == State.HOLD, 2.0)
    assert "'box' is lost: last seen" in held.reason and held.command is None
    stopped = len(world.policy.seen)
    assert (stopped - steps) / world.policy.rate <= world.runner.params.max_object_age + 0.1
    q = world.q.copy()
    world.go(1.0)
    assert len(world.policy.seen) == stopped and world.runner.over is None
    world.sees, came = True, world.now
    world.runner.see_others(['cup'])
    assert 'seen: cup' in world.tick().reason
    world.until(lambda: world.last.state == State.RUNNING, 2.0)
    assert world.now - came >= world.runner.params.steady_time
    assert np.abs(world.last.q - q).max() < 0.011  # where it stopped, not where it would be
    world.go(0.3)
    assert len(world.policy.seen) > stopped


def test_a_lost_object_that_comes_back_elsewhere_ends_the_run(world):
    world.follow()
    world.sees = False
    world.go(1.0)
    world.sees = True
    world.object[0, 3] += 0.08
    last = world.go(1.0)
    assert last.q is None and 'from where it was lost' in last.reason
    assert 'start again' in world.runner.over
    world.runner.stop()
    world.runner.start(world.now)
    world.until(lambda: world.runner.phase is Phase.FOLLOW)
    assert len(world.policy.begun) == 2


def test_flickering_poses_do_not_count_as_seen(world):
    world.follow()
    world.sees = False
    world.go(1.0)
    place = world.object.copy()
    for turn in range(60):
        world.object[0, 3] = place[0, 3] + 0.1 * (turn % 2)
        world.sees = True
        assert world.go(1 / 30).state == State.HOLD
    assert world.runner.over is None


def test_it_ends_when_the_policy_is_done(world):
    world.follow()
    last = world.until(lambda: world.runner.over is not None, 10.0)
    assert world.runner.over == '' and last.q is None
    assert last.reason.startswith("done: 'box' is 0.000 m")
    assert len(world.policy.seen) == world.policy.length


@pytest.mark.parametrize('measures', [False, True])
def test_joints_that_are_gone_hold(world, measures):
    if measures:
        world.follow()
    world.runner.start(world.now)
    world.measures = False
    world.go(1.0)
    assert ('joint' in world.last.reason) and world.last.q is None


def test_a_start_out_of_reach_holds_until_the_object_is_elsewhere(world):
    world.policy.out_of_reach = True
    world.runner.start(world.now)
    assert 'no posture reaches' in world.go(2.0).reason and world.commands == []
    world.policy.out_of_reach = False
    world.until(lambda: world.runner.phase is Phase.FOLLOW)
    world.runner.start(world.now)
    world.policy.lies = 0.2
    assert 'lies otherwise' in world.go(2.0).reason


def test_an_object_outside_the_starts_of_practice_is_waited_for(world):
    world.policy.practised = (0.1, 0.349)
    shown = world.object.copy()
    turn = Rotation.from_rotvec([0, 0, np.radians(60)]).as_matrix()
    for moved, words in (
        (transform(np.eye(3), [0, 0.13, 0]) @ shown, 'y 0.13 m, turn 0.00 rad'),
        (shown @ transform(turn, CENTRE), 'y 0.00 m, turn 1.05 rad'),
    ):
        world.runner.start(world.now)
        world.object = moved
        last = world.go(1.0)
        assert last.state == State.HOLD and world.commands == []
        assert last.reason == f"'box' is where it was not practised: {words}"
    world.object = transform(np.eye(3), [0, 0.11, 0]) @ shown  # within what trackers miss
    world.until(lambda: world.runner.phase is Phase.FOLLOW)


@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_a_pose_that_is_none_is_refused(world, bad):
    world.follow()
    pose = world.object.copy()
    pose[0, 3] = bad
    with pytest.raises(NotFiniteError):
        world.runner.see(pose, world.now)
    assert world.go(0.2).state == State.RUNNING


def test_stamps_that_go_back_or_ahead_are_refused(world):
    world.follow()
    with pytest.raises(StaleInputError, match='goes back'):
        world.runner.see(world.object, world.now - 0.5)
    world.sees, world.queue = False, []
    world.runner.see(world.object, world.now + 5.0)
    assert 'ahead of the clock' in world.tick().reason


def test_a_policy_that_gives_nan_ends_the_run(world):
    world.follow()
    world.policy.give = np.nan
    last = world.go(0.2)
    assert last.q is None and world.runner.over == 'the policy gave NaN: start again'
    assert world.runner.counts.refused == 1


def test_an_object_that_is_carried_off_ends_the_run(world):
    world.follow()
    world.object[1, 3] += 0.3
    steady = world.runner.params.steady_time
    world.until(lambda: world.last.state == State.HOLD, 0.5)
    assert 'from where it should be' in world.last.reason and world.runner.over is None
    began = world.now
    world.until(lambda: world.runner.over is not None, 1.0)
    assert 'start again' in world.runner.over
    assert world.now - began == pytest.approx(steady, abs=0.1)


@pytest.mark.parametrize('when', range(4))
def test_one_wrong_pose_only_holds(world, when):
    """It comes at a decision or between two of them: the next ones are right again."""
    world.follow()
    world.go(when * TICK)
    place, steps = world.object.copy(), len(world.policy.seen)
    world.object[1, 3] += 0.26
    world.go(1 / 30)  # one picture
    world.object = place
    world.go(0.5)
    assert world.runner.over is None and world.last.state == State.RUNNING
    assert len(world.policy.seen) >= steps + 5
    assert all(abs(pose[1] - place[1, 3]) < 0.1 for *_, pose in world.policy.seen)


@pytest.mark.parametrize('when', range(4))
def test_a_jump_is_not_acted_on_and_ends_the_run_where_it_stays(world, when):
    """A tracker that slips onto the hand stays there: within what practice gave up."""
    world.follow()
    world.go(when * TICK)
    place, steps, slipped = world.object[1, 3], len(world.policy.seen), world.now
    world.object[1, 3] += 0.10
    world.until(lambda: world.runner.over is not None, 1.0)
    assert "'box' is 0.10 m from where it was before it jumped" in world.runner.over
    assert world.now - slipped == pytest.approx(world.runner.params.steady_time, abs=0.15)
    assert len(world.policy.seen) >= steps + 3  # it went on meanwhile
    assert all(abs(pose[1] - place) < 1e-6 for *_, pose in world.policy.seen)
    assert world.runner.counts.age > 0.2  # of the pose on which it acts


@pytest.mark.parametrize('when', range(4))
def test_one_pose_that_jumps_stops_nothing(world, when):
    world.follow()
    world.go(when * TICK)
    place, steps = world.object.copy(), len(world.policy.seen)
    holds = world.runner.counts.holds
    world.object[1, 3] += 0.10
    world.go(1 / 30)
    world.object = place
    world.go(0.5)
    assert len(world.policy.seen) >= steps + 7 and world.runner.counts.holds == holds
    assert all(abs(pose[1] - place[1, 3]) < 1e-6 for *_, pose in world.policy.seen)
    assert world.runner.counts.age < world.delay + 1 / 30 + TICK + 1e-6  # the newest again


def test_poses_that_jump_about_hold_as_a_lost_object(world):
    world.follow()
    place = world.object.copy()
    for turn in range(30):
        world.object[:3, 3] = place[:3, 3] + 0.1 * np.eye(3)[turn % 3]
        world.go(1 / 30)
    assert world.last.state == State.HOLD and world.runner.over is None
    assert all(np.linalg.norm(pose[:3] - place[:3, 3]) < 1e-6 for *_, pose in world.policy.seen)
    world.object = place
    world.go(0.8)
    assert world.last.state == State.RUNNING


def tipping_over():
    """(T, 4, 4) each millisecond: the box of box_pivot falls from its edge onto its side."""
    model = mujoco.MjModel.from_xml_string(
        '<mujoco><option timestep="0.001"/><worldbody><geom type="plane" size="2 2 0.1"/>'
        '<body name="box" pos="0.5 0 0.0938" euler="60 0 0"><freejoint/>'
        '<geom type="box" size="0.06 0.08 0.025" mass="0.25" friction="0.8 0.005 0.0001"/>'
        '</body></worldbody></mujoco>'
    )
    data, path = mujoco.MjData(model), []
    for _ in range(1200):
        mujoco.mj_step(model, data)
        path.append(from_xyz_quat(data.qpos[:3], data.qpos[[4, 5, 6, 3]]))
    return np.array(path)


def test_a_box_that_a_policy_tips_is_followed(world):
    """From rest and to rest within a picture, as fast as boxes of box_pivot behind the gate."""
    world.follow()
    tilt = Rotation.from_rotvec([0.45, 0.0, 0.0]).as_matrix()
    for turn in range(6):
        if turn % 3:
            world.object[:3, :3] = tilt @ world.object[:3, :3]
            world.object[1, 3] += 0.03
        world.go(1 / 30)
        assert world.last.state == State.RUNNING
        assert world.runner.counts.age < world.delay + 1 / 30 + TICK + 1e-6


@pytest.mark.parametrize('when', range(4))
def test_a_box_that_really_tips_over_is_followed(world, when):
    path = tipping_over()
    assert path[0, 2, 2] < 0.6 and path[-1, 2, 2] > 0.99  # it fell flat
    world.object = path[0]
    world.follow()
    world.go(when * TICK)
    fell = world.now
    while world.now - fell < 1.1:
        world.object = path[int(1000 * (world.now - fell))]
        assert world.tick().state == State.RUNNING
        assert world.runner.counts.age < world.delay + 1 / 30 + TICK + 1e-6


def test_a_robot_that_does_not_follow_holds(world):
    world.follow()
    world.follows = False
    world.q[3] += 1.2
    world.go(0.2)
    assert 'iiwa_joint_4 is 1.2' in world.runner.over


def test_an_object_that_moves_before_the_start_is_approached_anew(world):
    world.runner.start(world.now)
    world.until(lambda: world.runner.phase is Phase.APPROACH)
    world.go(1.0)
    world.object[1, 3] += 0.06
    world.until(lambda: world.last.state == State.HOLD, 1.0)
    assert 'moved' in world.last.reason
    world.until(lambda: world.runner.phase is Phase.FOLLOW)
    wanted = world.policy.start_beside(world.runner._sightings.pose)
    np.testing.assert_allclose(world.policy.begun, [wanted], atol=1e-9)


def test_after_a_person_it_begins_anew(world):
    world.follow()
    assert world.go(0.5, driving=False).state == State.PERSON
    world.q = world.policy.robot.home.copy()
    world.commands.clear()
    world.until(lambda: world.runner.phase is Phase.FOLLOW)
    assert len(world.policy.begun) == 2
    np.testing.assert_allclose(world.commands[0][1], world.policy.robot.home, atol=1e-6)


def test_the_way_waits_for_the_deadman_switch(world):
    """What was planned does not run on without the robot, which then would cut across."""
    world.runner.start(world.now)
    assert world.go(5.0, enabled=False).reason == 'control/enable is not held'
    assert not world.commands and world.runner.phase is Phase.SEEK
    world.until(lambda: world.runner.phase is Phase.APPROACH)
    world.go(1.0)
    world.go(5.0, enabled=False)
    stood, world.commands = world.q.copy(), []
    world.until(lambda: world.runner.phase is Phase.FOLLOW)
    np.testing.assert_allclose(world.commands[0][1], stood, atol=1e-6)
    moves = np.abs(np.diff([q for _, q in world.commands], axis=0)).max(axis=0)
    assert (moves <= world.policy.robot.limits.max_speed * TICK * 1.01).all()


def test_the_policy_waits_for_the_deadman_switch(world):
    world.follow()
    decided, stood = len(world.policy.seen), world.q.copy()
    assert world.go(20.0, enabled=False).reason == 'control/enable is not held'
    assert len(world.policy.seen) == decided and world.runner.over is None
    world.commands.clear()
    assert world.go(0.5).state == State.RUNNING
    assert world.runner.phase is Phase.FOLLOW and len(world.policy.begun) == 1
    assert len(world.policy.seen) > decided
    assert np.abs(world.commands[0][1] - stood).max() < 0.05


def test_a_clock_that_was_set_back_begins_anew(world):
    world.follow()
    world.now = world.next_joints = world.next_picture = 2.0
    world.queue = []
    world.until(lambda: world.runner.phase is Phase.FOLLOW)
    assert len(world.policy.begun) == 2


def test_nothing_is_commanded_before_the_start_and_after_the_stop(world):
    assert world.go(1.0).state == State.IDLE
    world.follow()
    world.runner.stop()
    count = len(world.commands)
    assert world.go(1.0).state == State.IDLE and len(world.commands) == count


CHANGED = {
    'rate': 200.0, 'max_state_age': 0.02, 'max_object_age': 0.05, 'steady_time': 2.0,
    'start_margin': 0.0, 'start_turn_margin': 0.0, 'approach_speed': 0.1, 'clearance': 0.02,
    'start_tolerance': 0.001, 'max_lead': 0.02, 'resume_distance': 0.0,
}  # fmt: skip


def story(run, **params):
    """What happens to a robot that lags, whose object is lost for a moment."""
    world = World(run, **params)
    world.policy.practised = (0.0, 0.0)
    turn = Rotation.from_rotvec([0, 0, 0.02]).as_matrix()
    world.object = world.object @ transform(turn, CENTRE)
    world.object[1, 3] += 0.01
    world.follows = False
    world.runner.start(world.now)
    said, following = [], 0
    for count in range(2000):
        following += world.runner.phase is Phase.FOLLOW
        world.sees = not 30 < following < 70
        if count % 10 == 0:
            world.object[0, 3] += 1e-5
        world.measures = count % 8 != 0
        tick = world.tick()
        if tick.q is not None:
            world.q = world.q + np.clip(0.3 * (tick.q - world.q), -0.03, 0.03)
        said.append(
            (tick.state, tick.reason, None if tick.q is None else tick.q.round(6).tolist())
        )
    return said, world.runner.counts.gaps


def test_every_parameter_counts(run):
    assert set(CHANGED) == {field.name for field in dataclasses.fields(PracticeRunnerParams)}
    plain = story(run)
    assert any('is lost' in reason for _, reason, _ in plain[0])
    assert plain[0][-1][1].startswith('done')
    for name, value in CHANGED.items():
        try:
            assert story(run, **{name: value}) != plain, name
        except MimicError as error:
            raise AssertionError(name) from error
