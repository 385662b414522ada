import dataclasses

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimic_core.errors import ConfigError, NotFiniteError, ShapeError
from mimic_core.frames import PALM
from mimic_core.primitives import Primitive
from mimic_description import load_robot
from mimic_rl import Practice, PracticeParams, RandomisationParams, robot_synergies
from mimic_rl.run_folder import axes_anchors
from mimic_rl.shown import known_shown, show, shown_task
from mimic_rl.starts import params_for, places_around, synergies_for
from mimic_rl.surroundings import Surroundings
from mimic_rl.world import build_world
from mimic_sim.tasks import load_task
from mimic_sim.twin import work_area


def _practice(run, synergies, **kwargs):
    kwargs.setdefault('count', 4)
    kwargs.setdefault('threads', 1)
    return Practice(run, synergies, **kwargs)


def _roll(practice, steps, seed=0):
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(steps):
        step = practice.step(rng.normal(0, 0.5, (practice.count, practice.actions)))
        out.append((step.actor.copy(), step.critic.copy(), step.reward, step.done))
    return out


def test_same_seed_same_numbers_whatever_the_threads(run, synergies):
    runs = []
    for threads in (1, 2):
        practice = _practice(run, synergies, seed=5, threads=threads)
        practice.level = 1.0
        practice.reset()
        runs.append(_roll(practice, 60))
        practice.close()
    for a, b in zip(*runs, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


def test_what_is_seen_is_finite_and_near_one(run, synergies):
    practice = _practice(run, synergies, count=16)
    practice.level = 1.0
    for actor, critic, reward, _ in _roll(practice, 80):
        assert np.isfinite(actor).all() and np.isfinite(critic).all()
        assert np.abs(actor).max() <= 10.0
        assert (reward >= 0.0).all() and (reward <= 1.0).all()


def test_go_on_from_a_snapshot(run, synergies):
    practice = _practice(run, synergies, seed=1)
    practice.level = 1.0
    _roll(practice, 20)
    arrays, values = practice.snapshot()
    wanted = _roll(practice, 40, seed=3)
    other = _practice(run, synergies, seed=99)
    other.restore(arrays, values)
    np.testing.assert_array_equal(other.observer.actor, arrays['actor'])
    for a, b in zip(wanted, _roll(other, 40, seed=3), strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)
    arrays['state'] = arrays['state'][:2]
    with pytest.raises(ShapeError, match='state'):
        other.restore(arrays, values)


def test_a_shown_motion_moves_the_object_as_shown(run, synergies, quiet):
    practice = _practice(run, synergies, randomisation=quiet)
    shown = practice.demonstration
    for t in range(practice.length):
        step = practice.step_joints(np.tile(shown[min(t + 1, len(shown) - 1)], (4, 1)))
    assert len(step.ended.rows) == 4
    assert step.ended.success.all()
    assert (step.ended.steps == practice.length).all()
    assert (step.ended.reward > 0.5 * practice.length).all()


def test_without_motion_nothing_succeeds(run, synergies, quiet):
    practice = _practice(run, synergies, randomisation=quiet)
    steps = []
    for _ in range(practice.length):
        step = practice.step(np.zeros((4, practice.actions)))
        steps.append(step)
        if len(step.ended.rows):
            break
    assert not steps[-1].ended.success.any()


def test_an_object_too_far_from_its_target_ends_the_episode(run, synergies, quiet):
    practice = _practice(run, synergies, randomisation=quiet)
    first = 1 + practice.world.object_qpos
    practice.state[2, first] += 0.3
    step = practice.step(np.zeros((4, practice.actions)))
    assert step.ended.rows.tolist() == [2]
    assert not step.ended.success.any()
    assert practice.time.tolist() == [1, 1, 0, 1]
    np.testing.assert_allclose(practice.pose[2], run.trajectory[0], atol=1e-9)


def test_physics_that_breaks_ends_the_episode_and_nothing_else(run, synergies, quiet):
    practice = _practice(run, synergies, randomisation=quiet)
    practice.step(np.zeros((4, practice.actions)))
    speed = 1 + practice.world.model.nq + practice.world.object_dof
    practice.state[1, 1 + practice.world.object_qpos] = np.nan  # MuJoCo puts all back to zero
    practice.state[2, speed] = 1e6  # [m/s]
    step = practice.step(np.zeros((4, practice.actions)))
    assert step.ended.rows.tolist() == [1, 2]
    assert not step.ended.success.any()
    assert np.isfinite(step.actor).all() and np.isfinite(step.critic).all()
    assert step.reward[1:3].tolist() == [0.0, 0.0]
    assert step.reward[[0, 3]].min() > 0.1


def test_starts_vary_as_told_and_the_palm_goes_along(run, synergies):
    practice = _practice(run, synergies, count=200)
    practice.level = 1.0
    practice.reset()
    shift = practice.pose[:, :2] - run.trajectory[0, :2]
    assert np.abs(shift).max() <= 0.1 + 1e-9
    assert np.abs(shift).max() > 0.08
    yaw = 2 * np.arctan2(practice.pose[:, 5], practice.pose[:, 6])
    assert np.abs(yaw).max() <= 0.35 and yaw.std() > 0.15
    # The palm in the object's frame is that of the demonstration, but for the joints' own 2°.
    places = practice.motion.places(practice.q)
    cos, sin = np.cos(-yaw), np.sin(-yaw)
    offset = places.palm - practice.pose[:, :3]
    x = cos * offset[:, 0] - sin * offset[:, 1]
    y = sin * offset[:, 0] + cos * offset[:, 1]
    shown = practice.motion.places(run.start[None]).palm[0] - run.trajectory[0, :3]
    assert np.abs(x - shown[0]).max() < 0.1 and np.abs(y - shown[1]).max() < 0.1
    assert np.abs(np.mean(x) - shown[0]) < 0.01


def test_a_joint_that_slides_errs_over_its_range():
    run = show('box_push', 'iiwa14', 'fin_ray')
    practice = _practice(run, robot_synergies(run.robot()))
    arm, limits = len(practice.robot.arm_joints), practice.robot.limits
    span = (limits.upper - limits.lower)[arm:]
    assert span.max() < 0.2  # [m]
    np.testing.assert_array_equal(practice.motion.unit, [1.0] * arm + span.tolist())


def test_a_start_within_something_is_drawn_again(synergies):
    """A wall where the box may begin: it never begins there, nor does a hand in the box."""
    run = show('box_push', 'iiwa14', 'allegro')
    x, y = run.trajectory[0, :2]
    wall = Primitive('box', (0.3, 0.04, 0.1), (float(x), float(y) + 0.09, 0.05))
    blocked = dataclasses.replace(run, fixtures=(wall,))
    practice = _practice(blocked, synergies, count=64)
    practice.level = 1.0
    practice.reset()
    pose = practice.pose
    near = run.object.parts[0].size[1] / 2
    assert (pose[:, 1] + near <= y + 0.07 + 3e-3).all()
    assert np.ptp(pose[:, 0]) > 0.1 and np.ptp(pose[:, 1]) > 0.05  # they still vary
    free = _practice(run, synergies, count=64)
    free.level = 1.0
    free.reset()
    assert (free.pose[:, 1] + near > y + 0.07).any()
    before = free.pose
    free.drive(*3 * [free.motion.q])
    assert np.abs(free.pose[:, :3] - before[:, :3]).max() < 0.02  # nothing flies apart


def test_what_of_a_turn_counts_for_the_start(run, synergies, quiet):
    turned = run.trajectory[[0]].copy()
    turned[:, 3:] = Rotation.from_euler('xz', [0.2, 0.3]).as_quat()  # first about its own x
    yaw = {}
    for symmetry in ((), ('x',), ('z',), ('x', 'z')):
        thing = dataclasses.replace(run, anchors=axes_anchors(symmetry))
        spin = _practice(thing, synergies, count=1, randomisation=quiet).starts.spin(turned)
        yaw[symmetry] = float(2.0 * np.arctan2(spin[0, 2], spin[0, 3]))
    assert yaw[()] == pytest.approx(0.3, abs=1e-9)
    assert yaw['x',] == pytest.approx(0.3, abs=1e-9)  # it lies: its axis has a heading
    assert yaw['z',] == yaw['x', 'z'] == 0.0


def test_physics_varies_in_range_and_outside_of_it(run, synergies):
    practice = _practice(run, synergies, count=64)
    practice.level = 1.0
    practice.reset()
    factors = practice.physics.values[:, :4]
    assert factors.min() >= 0.7 and factors.max() <= 1.3 and factors.std() > 0.1
    model, body = practice.physics.models[3], practice.world.object_body
    assert model.body_mass[body] == pytest.approx(0.3 * factors[3, 0])
    assert model.opt.gravity[2] == pytest.approx(-9.81 - practice.physics.values[3, 4])
    still = practice.world.model
    _, friction, damping, stiffness = factors[3]
    for name, column, factor in (
        ('geom_friction', 0, friction), ('actuator_gainprm', 0, stiffness),
        ('actuator_biasprm', 1, stiffness), ('actuator_biasprm', 2, damping),
    ):  # fmt: skip
        before, now = getattr(still, name)[:, column], getattr(model, name)[:, column]
        assert np.abs(before).max() > 0.0, name
        np.testing.assert_allclose(now, factor * before, err_msg=name)
    practice.outside = 1.5
    practice.reset()
    factors = np.abs(practice.physics.values[:, :4] - 1.0)
    assert factors.min() >= 0.3 and factors.max() <= 0.45 + 1e-9


def test_pushes_move_the_object(run, synergies, quiet):
    for push, moves in ((0.0, False), (1.0, True)):
        varied = dataclasses.replace(quiet, push=push, push_force=50.0)
        practice = _practice(run, synergies, count=16, randomisation=varied)
        practice.level = 1.0
        before = practice.pose
        practice.drive(*3 * [practice.motion.q])
        moved = np.linalg.norm(practice.pose[:, :2] - before[:, :2], axis=1)
        assert (moved > 2e-3).mean() > 0.5 if moves else moved.max() < 1e-4
        if moves:  # each another way
            assert np.abs(practice.pose[:, :2] - before[:, :2]).min(axis=0).max() < moved.max()
            assert len(set(np.sign(practice.pose[:, 0] - before[:, 0]))) == 2


def test_what_is_seen_and_done_is_noisy(run, synergies, quiet):
    joints = len(run.joint_names)
    for name in ('observation_noise', 'action_noise'):
        spread = {}
        for noise in (0.0, 0.1):
            varied = dataclasses.replace(quiet, **{name: noise})
            practice = _practice(run, synergies, count=64, randomisation=varied)
            practice.level = 1.0
            seen, _ = practice.reset()
            practice.step(np.zeros((64, practice.actions)))
            spread[noise] = seen.std(axis=0), practice.motion.q.std(axis=0)
        seen, done = spread[0.0]
        assert seen.max() < 1e-9 and done.max() < 1e-9  # no chance without it
        seen, done = spread[0.1]
        if name == 'observation_noise':
            assert (seen > 1e-3).sum() >= 2 * joints and done.max() < 1e-9  # angles and speeds
        else:
            assert (done > 1e-5).sum() > joints // 2 and seen.max() < 1e-9


@pytest.mark.parametrize('factor', [0.5, 1.0, 1.5])
def test_a_mass_is_the_same_to_gravity_and_to_forces(run, synergies, quiet, factor):
    practice = _practice(run, synergies, count=1, randomisation=quiet)
    practice.physics.values[0, 0] = factor
    practice.physics.apply(0)
    model = practice.physics.models[0]
    data = mujoco.MjData(model)
    first, dof = practice.world.object_qpos, practice.world.object_dof
    data.qpos[first : first + 7] = [0.5, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    data.qfrc_applied[dof + 1] = 0.6  # [N]
    data.qfrc_applied[dof + 5] = 0.01  # [N m]
    for _ in range(12):
        mujoco.mj_step(model, data)
    seconds, mass = 12 * model.opt.timestep, 0.3 * factor
    speed = data.qvel[dof : dof + 6]
    assert speed[2] == pytest.approx(-9.81 * seconds)
    assert speed[1] == pytest.approx(0.6 / mass * seconds)
    inertia = mass / 12 * (0.14**2 + 0.07**2)
    assert speed[5] == pytest.approx(0.01 / inertia * seconds)


def test_eyes_are_late_noisy_and_lost(run, synergies):
    varied = RandomisationParams(
        delay=3, lost=0.5, hidden=0.0, object_position=0.0, object_angle=0.0
    )
    practice = _practice(run, synergies, count=200, randomisation=varied)
    practice.level = 1.0
    pose = practice.pose
    seen = practice.eyes.see(pose, varied, 1.0, practice.rng)
    lost = np.linalg.norm(seen[:, :3] - pose[:, :3], axis=1) > 1e-9
    assert 0.35 < lost.mean() < 0.65
    assert set(practice.eyes.late) == {0, 1, 2, 3}
    moved = pose.copy()
    moved[:, 0] += 1.0
    seen = practice.eyes.see(moved, dataclasses.replace(varied, lost=0.0), 1.0, practice.rng)
    new = np.abs(seen[:, 0] - moved[:, 0]) < 1e-9
    np.testing.assert_array_equal(new, practice.eyes.late == 0)


def test_a_hidden_object_stays_where_it_was_seen(run, synergies):
    varied = RandomisationParams(
        delay=0, lost=0.0, hidden=1.0, hidden_steps=3, object_position=0.0, object_angle=0.0
    )
    practice = _practice(run, synergies, count=300, randomisation=varied)
    pose = practice.pose
    practice.eyes.reset(np.arange(300), pose, practice.rng)
    practice.eyes.see(pose, varied, 1.0, practice.rng)  # seen once, and hidden from now on
    hidden = np.zeros(300, dtype=int)
    still = np.ones(300, dtype=bool)
    for _ in range(4):
        pose[:, 0] += 0.1
        seen = practice.eyes.see(pose, varied, 1.0, practice.rng)
        still &= seen[:, 0] < pose[:, 0] - 0.05
        hidden += still
    assert set(hidden) == {0, 1, 2, 3}
    seen = practice.eyes.see(pose, varied, 0.0, practice.rng)  # at level 0 none is hidden anew
    for _ in range(3):
        seen = practice.eyes.see(pose, varied, 0.0, practice.rng)
    np.testing.assert_array_equal(seen, pose)


def test_starts_are_spread_evenly_over_what_is_free(run, synergies):
    varied = dataclasses.replace(run, start_box=(-0.1, 0.1, 0.01, 0.03))
    practice = _practice(varied, synergies, count=300, randomisation=RandomisationParams())
    practice.level = 1.0
    practice.reset()
    shift = practice.pose[:, :2] - run.trajectory[0, :2]
    assert (np.abs(shift[:, 0]) <= 0.1).all()
    share = (shift[:, 1] - 0.01) / 0.02
    assert share.min() >= -1e-9 and share.max() <= 1.0 + 1e-9
    assert np.histogram(share, 4, (0.0, 1.0))[0].min() > 40


def test_starts_may_be_ahead_of_the_curriculum(run, synergies):
    """Places and turns at the start only: physics and what is seen stay at its level."""
    practice = _practice(run, synergies, count=60, randomisation=RandomisationParams())
    practice.reset()
    near = practice.pose[:, :2] - run.trajectory[0, :2]
    assert np.abs(near).max() < 1e-6
    practice.start_level = 1.0
    practice.reset()
    far = practice.pose[:, :2] - run.trajectory[0, :2]
    assert np.abs(far).max() > 0.08
    np.testing.assert_array_equal(practice.physics.values[:, :4], 1.0)
    np.testing.assert_array_equal(practice.eyes.seen, practice.pose)


def test_a_box_on_a_slope_hardly_creeps(run):
    """The reason why practice leaves out the pass against it; friction holds up to 38.7 deg."""
    robot = run.robot()
    world = build_world(run, robot, 1.0 / 120.0)
    data = mujoco.MjData(world.model)
    angle = np.deg2rad(30.0)
    world.model.opt.gravity[:] = 9.81 * np.array([-np.sin(angle), 0.0, -np.cos(angle)])
    data.qpos[world.robot.full_qpos] = robot.home @ robot.coupling.T + robot.coupling_offset
    data.ctrl[world.robot.ctrl] = robot.home
    place = data.qpos[world.object_qpos : world.object_qpos + 3]
    place[:] = run.trajectory[0, :3]
    mujoco.mj_step(world.model, data, 120)
    before = place.copy()
    mujoco.mj_step(world.model, data, 240)
    speed = np.linalg.norm(place - before) / 2.0
    assert 0.0 < speed < 1e-4


def test_sparse_constraints_give_the_forces_of_dense_ones(run, synergies):
    evaluation = pytest.importorskip('mimic_rl.evaluation', reason='torch is not installed')
    ends = []
    for kind in (mujoco.mjtJacobian.mjJAC_SPARSE, mujoco.mjtJacobian.mjJAC_DENSE):
        practice = Practice(run, synergies, count=4, threads=1, seed=3)
        assert practice.world.model.opt.jacobian == mujoco.mjtJacobian.mjJAC_SPARSE
        for model in practice.physics.models:
            model.opt.jacobian = kind
        practice.reset()
        start = practice.pose
        act = evaluation.Replay(aware=True)
        for _ in range(30):
            act(practice)
        ends.append(practice.state.copy())
        assert np.linalg.norm(practice.pose - start, axis=1).max() > 0.02, 'nothing was pushed'
        practice.close()
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-6)


def test_wrong_actions_are_refused(run, synergies):
    practice = _practice(run, synergies)
    with pytest.raises(ShapeError, match='action'):
        practice.step(np.zeros((4, 3)))
    bad = np.zeros((4, practice.actions))
    bad[1, 2] = np.nan
    with pytest.raises(NotFiniteError, match=r'action\[1, 2\]'):
        practice.step(bad)


@pytest.mark.parametrize('start', ['overhead', 'default'])
def test_other_starts(run, synergies, quiet, start):
    practice = _practice(run, synergies, randomisation=quiet, params=PracticeParams(start=start))
    palm = practice.motion.places(practice.q).palm
    if start == 'overhead':
        np.testing.assert_allclose(palm[0], run.trajectory[0, :3] + [0, 0, 0.22], atol=0.05)
    else:
        np.testing.assert_allclose(practice.q[0], practice.robot.home, atol=1e-9)


def test_other_rewards(run, synergies, quiet):
    fixed = _practice(
        run, synergies, randomisation=quiet, params=PracticeParams(reward='fixed_target')
    )
    assert (fixed.target() == len(fixed.targets) - 1).all()
    free = _practice(run, synergies, randomisation=quiet)
    still = [p.step(np.zeros((4, p.actions))).reward[0] for p in (fixed, free)]
    assert still[0] < 0.2 < still[1]


def test_the_hands_reward_is_of_palm_and_finger_tips(run, synergies, quiet):
    follow = PracticeParams(reward='hand', hand_weight=1.0)
    practice = _practice(run, synergies, randomisation=quiet, params=follow)
    shown = practice.demonstration
    assert shown is not None

    def follow_it(moved: slice) -> float:
        practice.reset()
        for q in shown[1:9]:
            wanted = np.tile(q, (4, 1))
            wanted[:, moved] += 0.6
            step = practice.step_joints(wanted)
        return float(step.reward.mean())

    as_shown, arm = follow_it(slice(0)), len(practice.robot.arm_joints)
    assert as_shown > 0.8
    assert follow_it(slice(0, 2)) < as_shown - 0.05  # the palm elsewhere
    assert follow_it(slice(arm, None)) < as_shown - 0.05  # another posture of the hand
    with pytest.raises(ConfigError, match=r"reward = 'hand' .*: prepare it from a video"):
        _practice(dataclasses.replace(run, demonstration=None), synergies, params=follow)


@pytest.mark.parametrize('task', known_shown())
@pytest.mark.parametrize('hand', ['allegro', 'leap', 'fin_ray', 'robotiq_2f85'])
def test_a_shown_hand_goes_along_without_a_jump(task, hand):
    robot = load_robot('iiwa14', hand)
    run, share = show(task, 'iiwa14', hand), shown_task(task).turn_share
    arm = run.demonstration[:, : len(robot.arm_joints)]
    assert np.abs(np.diff(arm, axis=0)).max() < 0.25  # [rad] in 1/15 s
    palms = np.array([robot.fk(q, PALM)[:3, :3] for q in run.demonstration])
    turns = (Rotation.from_quat(run.trajectory[:, 3:]) *
             Rotation.from_quat(run.trajectory[0, 3:]).inv()).as_rotvec()  # fmt: skip
    there = Rotation.from_matrix(palms @ palms[0].T)
    off = (there * Rotation.from_rotvec(share * turns).inv()).magnitude()
    assert off.max() < 0.06


@pytest.mark.parametrize('hand', ['allegro', 'leap', 'fin_ray', 'robotiq_2f85'])
def test_a_pitcher_is_poured_as_shown(hand, quiet):
    run = show('pitcher_pour', 'iiwa14', hand)
    practice = _practice(run, robot_synergies(run.robot()), count=1, randomisation=quiet)
    shown, rewards = practice.demonstration, []
    for t in range(practice.length):
        step = practice.step_joints(shown[[min(t + 1, len(shown) - 1)]])
        rewards.append(step.reward[0])
    assert step.ended.success.all() and np.mean(rewards) > 0.6


@pytest.mark.parametrize('hand', ['allegro', 'leap', 'fin_ray', 'robotiq_2f85'])
def test_actions_can_pour_a_pitcher(hand, quiet):
    """They are not clipped to less than what was shown: turns of the palm, closing of the hand."""
    run = show('pitcher_pour', 'iiwa14', hand)
    params, synergies = params_for(run), synergies_for(run)
    practice = _practice(run, synergies, count=1, randomisation=quiet, params=params)
    motion, shown = practice.motion, practice.demonstration
    palms = motion.places(shown)
    angles = Rotation.from_matrix(palms.palm_R @ palms.palm_R[0].T).as_euler('xyz')
    hand_start = shown[0, len(practice.robot.arm_joints) :]
    per_step = practice.params.control_rate
    most = 0.8 if hand == 'leap' else 1.0  # its fingers push the pitcher out if they close fully
    for t in range(practice.length):
        row = min(t + 1, len(shown) - 1)
        posture = shown[row, len(practice.robot.arm_joints) :] - hand_start
        action = np.concatenate([
            (palms.palm[row] - motion.palm[0]) / params.palm_speed * per_step,
            (angles[row] - motion.angles[0]) / params.palm_turn * per_step,
            posture @ np.linalg.pinv(synergies.directions),
        ])  # fmt: skip
        assert np.abs(action[6:]).max() < 1.0 + 1e-6
        action[6] = min(action[6], most)
        step = practice.step(np.clip(action, -1.0, 1.0)[None])
    assert step.ended.success.all()


@pytest.mark.parametrize('arm', ['panda', 'iiwa14'])
@pytest.mark.parametrize('task', known_shown())
def test_a_run_lies_where_the_twin_of_its_arm_has_the_task(task, arm):
    """There it is launched, and success is within 4 cm of the mark."""
    run = show(task, arm, 'allegro')
    (mark,) = load_task(task, work_area(run.robot())).markers
    pours = task == 'pitcher_pour'  # over the bowl, which stands on the mark
    target = run.fixtures[0].xyz if pours else run.trajectory[-1]
    np.testing.assert_allclose(target[:2], mark.position, atol=1e-6)
    assert Surroundings(run, run.robot()).touched(run.start) == ''
    assert places_around(run)[1].mean() > 0.97


def test_synergies_are_as_wide_as_the_hand_where_that_is_enough(run):
    own = robot_synergies(run.robot())
    assert np.array_equal(synergies_for(run).directions, own.directions)  # box_push: no closing
    unknown = dataclasses.replace(show('pitcher_pour', 'iiwa14', 'allegro'), demonstration=None)
    own = robot_synergies(unknown.robot())
    assert np.array_equal(synergies_for(unknown).directions, own.directions)


@pytest.mark.parametrize('task', known_shown())
@pytest.mark.parametrize('hand', ['allegro', 'leap', 'fin_ray', 'robotiq_2f85'])
def test_every_task_with_every_hand_starts_in_peace(task, hand):
    run = show(task, 'iiwa14', hand)
    assert Surroundings(run, run.robot()).touched(run.start) == ''
    practice = _practice(
        run, robot_synergies(run.robot()), randomisation=RandomisationParams(push=0.0)
    )
    practice.level = 0.0
    practice.reset()
    for _ in range(4):
        step = practice.step(np.zeros((4, practice.actions)))
    # Nothing touches the object yet: it stays where it lies.
    offset = np.linalg.norm(practice.pose[:, :3] - run.trajectory[0, :3], axis=1)
    assert not step.done.any()
    assert offset.max() < 0.01
