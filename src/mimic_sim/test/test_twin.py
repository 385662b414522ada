import numpy as np
import pytest

from mimic_core.errors import NotFiniteError, ShapeError, UnknownNameError
from mimic_core.frames import rotation_angle, transform
from mimic_description import RobotModel, load_robot
from mimic_sim.tasks import known_tasks
from mimic_sim.twin import Twin

BENCH_HANDS = ('robotiq_2f85', 'fin_ray', 'allegro')


@pytest.fixture(scope='module')
def robot() -> RobotModel:
    return load_robot('iiwa14', 'allegro')


@pytest.fixture(scope='module')
def shared_twin(robot: RobotModel) -> Twin:
    return Twin(robot)


@pytest.fixture
def twin(shared_twin: Twin) -> Twin:
    shared_twin.reset(0)
    return shared_twin


def _drive(twin: Twin, seed: int, periods: int = 150) -> list[bytes]:
    """Wild but smooth commands, so that fingers and table touch; the state after each period."""
    rng = np.random.default_rng(seed)
    q, states = twin.robot.home.copy(), []
    speed = np.zeros(len(q))
    for _ in range(periods):
        speed = 0.9 * speed + 0.004 * rng.normal(size=len(q))
        q = twin.robot.limits.clip(q + speed)
        twin.command(q)
        twin.step(0.01)
        states.append(twin.data.qpos.tobytes() + twin.data.qvel.tobytes())
    return states


@pytest.mark.parametrize('hand', BENCH_HANDS)
def test_same_seed_and_commands_same_states_bit_for_bit(hand: str) -> None:
    robot = load_robot('iiwa14', hand)
    first, second = Twin(robot, 'clutter', 4), Twin(robot, 'clutter', 9)
    expected = _drive(first, 1)
    second.reset(4)
    assert _drive(second, 1) == expected  # another twin
    first.reset(4)
    assert _drive(first, 1) == expected  # the same twin again
    first.reset(5)
    assert _drive(first, 1) != expected


def test_steps_add_up_to_the_time_asked_for(twin: Twin) -> None:
    for _ in range(300):
        twin.step(1.0 / 300.0)
    assert twin.time == pytest.approx(1.0, abs=1e-9)
    for _ in range(7):
        twin.step(0.0003)
    assert twin.time == pytest.approx(1.002, abs=1e-9)


@pytest.mark.parametrize('arm', ['iiwa14', 'iiwa7', 'panda', 'so101'])
def test_holds_its_posture_for_two_seconds(arm: str) -> None:
    twin = Twin(load_robot(arm, 'robotiq_2f85' if arm != 'so101' else 'so101_gripper'))
    twin.step(2.0)
    q, v, effort = twin.joint_state()
    assert np.abs(q - twin.robot.home).max() < 0.01
    assert np.abs(v).max() < 0.01
    assert (np.abs(effort) <= twin.robot.max_effort + 1e-9).all()


def test_nan_is_refused_and_the_last_command_stays(twin: Twin) -> None:
    wanted = twin.robot.home + 0.05
    twin.command(wanted)
    for bad in (np.nan, np.inf, -np.inf):
        q = wanted.copy()
        q[3] = bad
        with pytest.raises(NotFiniteError, match=r'command\[3\]'):
            twin.command(q)
    with pytest.raises(ShapeError):
        twin.command(wanted[:-1])
    np.testing.assert_array_equal(twin.commanded, twin.robot.limits.clip(wanted))
    twin.step(1.0)
    assert np.isfinite(twin.data.qpos).all()
    assert np.abs(twin.joint_state()[0] - twin.commanded).max() < 0.02


def test_a_command_beyond_the_bounds_is_clipped(twin: Twin) -> None:
    twin.command(np.full(len(twin.robot.joint_names), 100.0))
    np.testing.assert_array_equal(twin.commanded, twin.robot.limits.upper)


def test_finite_under_adversarial_commands(twin: Twin) -> None:
    rng, limits = np.random.default_rng(0), twin.robot.limits
    for _ in range(200):
        twin.command(np.where(rng.uniform(size=len(limits)) < 0.5, limits.lower, limits.upper))
        twin.step(0.02)
        assert np.isfinite(twin.data.qpos).all() and np.isfinite(twin.data.qvel).all()
    q = twin.joint_state()[0]
    assert (q > limits.lower - 0.1).all() and (q < limits.upper + 0.1).all()


def test_reset_goes_back_home_and_through_seeds(twin: Twin) -> None:
    start = twin.objects()['cube'].copy()
    _drive(twin, 2, 50)
    twin.reset(0)
    np.testing.assert_array_equal(twin.joint_state()[0], twin.robot.home)
    np.testing.assert_array_equal(twin.objects()['cube'], start)
    assert twin.time == 0.0 and not twin.ever_success
    twin.reset()
    assert twin.seed == 1
    assert not np.allclose(twin.objects()['cube'], start)


def test_unknown_task_and_camera_name_the_known_ones(twin: Twin, robot: RobotModel) -> None:
    with pytest.raises(UnknownNameError, match=', '.join(known_tasks())):
        Twin(robot, 'juggle')
    with pytest.raises(UnknownNameError, match='agent'):
        twin.render('front')


def test_frames_agree_with_the_kinematic_model(twin: Twin) -> None:
    twin.command(twin.robot.posture('pinch'))
    twin.step(1.5)
    q = twin.joint_state()[0]
    for name in ('grasp_center', 'palm', *twin.robot.tip_frames().values()):
        expected = twin.robot.fk(q, name)
        measured = twin.frame(name)
        assert np.linalg.norm(expected[:3, 3] - measured[:3, 3]) < 1e-6
        assert rotation_angle(expected[:3, :3], measured[:3, :3]) < 1e-6


def test_a_prefix_and_a_base_somewhere_else() -> None:
    robot = load_robot('iiwa14', 'robotiq_2f85', 'left_', base_xyz=(0.1, 0.4, 0.0))
    twin = Twin(robot)
    assert twin.area.centre == pytest.approx((0.65, 0.4))
    expected = robot.fk(robot.home, 'grasp_center')
    np.testing.assert_allclose(twin.grasp_center(), expected, atol=1e-9)
    twin.step(0.1)


@pytest.mark.parametrize(('arm', 'hand'), [('none', 'allegro'), ('iiwa14', 'none')])
def test_a_hand_or_an_arm_alone(arm: str, hand: str) -> None:
    twin = Twin(load_robot(arm, hand))
    twin.step(0.5)
    assert np.isfinite(twin.data.qpos).all()
    assert ('wrist' in twin.cameras()) == (hand != 'none')


def test_shows_a_recorded_state(twin: Twin) -> None:
    q = twin.robot.posture('closed')
    pose = transform(np.eye(3), np.array([0.5, 0.1, 0.3]))
    target = transform(np.eye(3), np.array([0.45, -0.2, 0.0]))
    twin.set_state(q, {'cube': pose, 'target': target})
    np.testing.assert_allclose(twin.objects()['cube'], pose, atol=1e-12)
    np.testing.assert_allclose(twin.target()[:2, 3], [0.45, -0.2])
    np.testing.assert_allclose(twin.grasp_center(), twin.robot.fk(q, 'grasp_center'), atol=1e-9)
    with pytest.raises(UnknownNameError, match="'cub'"):
        twin.set_state(q, {'cub': pose})
    with pytest.raises(NotFiniteError):
        twin.set_state(q * np.nan)


def test_what_falls_on_the_target_is_a_success_once_it_rests(twin: Twin) -> None:
    pose = twin.target()
    pose[2, 3] += 0.02
    twin.set_state(twin.robot.home, {'cube': pose})
    twin.step(0.02)
    assert not twin.success()
    twin.step(1.0)
    assert twin.success() and twin.ever_success
    assert twin.contact_force() == 0.0
