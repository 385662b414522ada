import numpy as np
import pytest

from mimic_core.errors import ConfigError
from mimic_description import hand_model, known_devices, load_robot
from mimic_sim.scripted import ScriptedOperator, find_grasp
from mimic_sim.twin import Twin

HANDS = ('robotiq_2f85', 'fin_ray', 'allegro', 'leap', 'ability', 'panda_hand', 'so101_gripper')
LIFT = 0.10  # [m]


@pytest.mark.parametrize('hand', HANDS)
def test_lifts_the_cube_and_holds_it(hand: str) -> None:
    twin = Twin(load_robot('iiwa14', hand), seed=1)
    operator = ScriptedOperator(twin)
    start = operator.object_pose()[2, 3]
    assert twin.contact_force() == 0.0
    operator.pick(LIFT + 0.01)
    lifted = operator.object_pose()
    assert lifted[2, 3] - start > LIFT - 0.005  # [m], it may slip that much while it is gripped
    assert twin.contact_force() > 2 * 0.08 * 9.81 / 2.4  # [N], what two pads need at friction 1.2
    assert sum(twin.tactile().values()) > 0.0
    operator.wait(2.0)
    held = operator.object_pose()
    assert np.linalg.norm(held[:3, 3] - lifted[:3, 3]) < 0.0015  # [m] in 2 s


@pytest.mark.parametrize(
    ('arm', 'hand', 'task'),
    [
        ('iiwa14', 'robotiq_2f85', 'tiles'),
        ('iiwa14', 'fin_ray', 'tiles'),
        ('iiwa14', 'allegro', 'tiles'),
        ('so101', 'so101_gripper', 'tiles'),
        ('panda', 'panda_hand', 'pick_place'),
        ('iiwa14', 'leap', 'pick_place'),
        ('iiwa7', 'robotiq_2f85', 'pick_place'),
    ],
)
def test_every_start_can_be_done(arm: str, hand: str, task: str) -> None:
    twin = Twin(load_robot(arm, hand), task)
    for seed in range(5 if task == 'tiles' else 2):
        twin.reset(seed)
        assert ScriptedOperator(twin).pick_and_place(), f'seed {seed}'


def test_a_missed_grasp_is_no_success() -> None:
    twin = Twin(load_robot('iiwa14', 'robotiq_2f85'))
    operator = ScriptedOperator(twin)
    pose = twin.objects()['cube']
    pose[1, 3] += 0.1
    twin.set_state(twin.robot.home, {'cube': pose})
    elsewhere = pose - np.outer([0, 0.1, 0, 0], [0, 0, 0, 1])
    operator.object_pose = lambda: elsewhere
    assert not operator.pick_and_place()


def test_the_grasp_fits_the_thing() -> None:
    for hand in known_devices('hand'):
        robot = hand_model(hand)
        grasp = find_grasp(robot, 0.03)
        assert (grasp.preshape >= robot.limits.lower - 1e-9).all()
        assert (grasp.squeeze <= robot.limits.upper + 1e-9).all()
        np.testing.assert_allclose(
            grasp.palm_T_grip[:3, :3].T @ grasp.palm_T_grip[:3, :3], np.eye(3), atol=1e-9
        )
    with pytest.raises(ConfigError, match=r'robotiq_2f85 opens to 0\.085 m, not to 0\.2'):
        find_grasp(hand_model('robotiq_2f85'), 0.2)
    with pytest.raises(ConfigError, match='without a hand'):
        find_grasp(load_robot('iiwa14', 'none'), 0.03)
