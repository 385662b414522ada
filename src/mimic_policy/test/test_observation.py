import numpy as np
import pytest
from scripted_policy import meta_of

from mimic_core.errors import NotFiniteError, ShapeError, StaleInputError
from mimic_core.frames import PALM, to_quat_xyzw
from mimic_core.joint_history import JointHistory
from mimic_dataset.video import resized
from mimic_description import load_robot
from mimic_policy.execution_params import ExecutionParams
from mimic_policy.meta import WrongRobotError
from mimic_policy.observation import Observer
from mimic_retargeting import ArmIK


@pytest.fixture(scope='module')
def robot():
    return load_robot('iiwa14', 'robotiq_2f85')


@pytest.fixture(scope='module')
def ik(robot):
    return ArmIK(robot, PALM)


@pytest.fixture
def observer(robot, ik):
    return Observer(robot, meta_of(robot), ExecutionParams(), ik)


def picture(level: float):
    return np.full((480, 640, 3), int(level), np.uint8)


def see(observer, robot, start: float, stop: float) -> None:
    """Both cameras at 30 Hz with the level of ten times the time, joints at 100 Hz."""
    for time in np.arange(start, stop, 1 / 30):
        for camera, more in (('agent', 0), ('wrist', 100)):
            observer.picture(camera, lambda t=time, m=more: picture(100 * t + m), float(time))
    for time in np.arange(start, stop, 0.01):
        q = robot.home + 0.1 * time
        observer.joints.add(robot.arm_joints, q[:7], float(time))
        observer.joints.add(robot.hand_joints, q[7:], float(time) + 0.003)


def test_an_observation_is_what_was_there_at_its_moments(observer, robot, ik):
    see(observer, robot, 0.0, 1.0)
    seen, stamp = observer.look()
    assert stamp == pytest.approx(29 / 30)
    assert seen.agent.shape == seen.wrist.shape == (2, 24, 32, 3)
    assert seen.agent[:, 0, 0, 0].tolist() == [86, 96]  # 0.1 s apart
    assert seen.wrist[:, 0, 0, 0].tolist() == [186, 196]
    q = robot.home + 0.1 * (stamp - 0.1)
    pose = ik.pose(q[:7])
    assert seen.state[0, :3] == pytest.approx(pose[:3, 3], abs=1e-6)
    assert seen.state[0, 3:7] == pytest.approx(to_quat_xyzw(pose), abs=1e-6)
    # The hand's joints came 3 ms later and are taken at the stamp of the picture.
    assert seen.state[0, 7:] == pytest.approx(q[7:] - 0.0003, abs=1e-6)


def test_the_hand_is_where_it_was_sent_not_where_it_was_measured(observer, robot):
    see(observer, robot, 0.0, 0.5)
    measured = observer.look()[0].state[-1, 7:]
    for now, q in ((0.2, 0.7), (0.2, 0.1), (0.3, 0.6)):  # two of one moment: the first counts
        observer.sent(robot.hand_joints, np.full(len(robot.hand_joints), q), now)
    assert observer.look()[0].state[-1, 7:] == pytest.approx(0.6)  # it stands until the next
    observer.clear()
    see(observer, robot, 0.0, 0.5)
    assert observer.look()[0].state[-1, 7:] == pytest.approx(measured)
    with pytest.raises(NotFiniteError, match='is NaN'):
        observer.sent(robot.hand_joints, np.full(len(robot.hand_joints), np.nan), 0.6)


def test_pictures_are_scaled_as_those_of_training(observer, robot):
    see(observer, robot, 0.0, 0.5)
    image = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    for camera in ('agent', 'wrist'):
        observer.picture(camera, lambda: image, 0.6)
    assert (observer.look()[0].agent[-1] == resized(image, (24, 32))).all()


def test_pictures_of_another_shape_are_refused_when_they_come(observer, robot):
    see(observer, robot, 0.0, 0.5)
    observer.picture('wrist', lambda: np.zeros((720, 1280, 3), np.uint8), 0.6)
    observer.picture('agent', lambda: picture(0), 0.6)
    with pytest.raises(WrongRobotError, match='wrist gives pictures of 1280 × 720'):
        observer.look()


def test_the_beginning_repeats_the_first_picture(observer, robot):
    see(observer, robot, 0.0, 0.02)
    seen, stamp = observer.look()
    assert stamp == 0.0 and seen.agent[:, 0, 0, 0].tolist() == [0, 0]


def test_what_is_missing_or_old_is_named(observer, robot):
    def why(now):
        with pytest.raises(StaleInputError) as caught:
            observer.check(now)
        return str(caught.value)

    said = ' camera: no picture yet, and the policy was trained with one: start that camera'
    assert why(0.0) == f'agent{said}'
    observer.picture('agent', lambda: picture(0), 0.0)
    assert why(0.0) == f'wrist{said}'
    observer.picture('wrist', lambda: picture(0), 0.0)
    assert 'no joint state of iiwa_joint_1' in why(0.0)
    observer.joints.add(robot.joint_names, robot.home, 0.0)
    observer.check(0.1)
    assert 'joint_states: iiwa_joint_1 is 0.28 s old (bound 0.25 s)' in why(0.28)
    observer.joints.add(robot.joint_names, robot.home, 0.5)
    observer.picture('wrist', lambda: picture(0), 0.5)
    assert 'agent camera: the last picture is 0.50 s old (bound 0.3 s)' in why(0.5)


def test_one_of_two_drivers_that_is_gone_is_named(observer, robot):
    see(observer, robot, 0.0, 1.0)
    observer.joints.add(robot.arm_joints, robot.home[:7], 1.3)
    for camera in ('agent', 'wrist'):
        observer.picture(camera, lambda: picture(0), 1.3)
    with pytest.raises(StaleInputError, match=robot.hand_joints[0]):
        observer.check(1.3)


def test_a_gap_in_the_pictures_is_no_observation(observer, robot):
    see(observer, robot, 0.0, 0.5)
    see(observer, robot, 0.8, 0.82)
    with pytest.raises(StaleInputError, match='no picture within'):
        observer.look()


def test_stamps_that_go_back(observer, robot):
    see(observer, robot, 5.0, 6.0)
    with pytest.raises(StaleInputError, match='agent camera: stamp goes back by 0'):
        observer.picture('agent', lambda: picture(0), 5.9)
    with pytest.raises(StaleInputError, match='joint_states'):
        observer.joints.add(robot.arm_joints, robot.home[:7], 5.9)
    see(observer, robot, 0.0, 1.0)  # the clock was set back
    assert observer.look()[1] < 1.0


def test_what_is_no_picture_and_no_joint_state(observer, robot):
    see(observer, robot, 0.0, 0.5)
    observer.picture('agent', lambda: np.zeros((480, 640), np.uint16), 0.6)
    with pytest.raises(ShapeError, match='agent camera'):
        observer.look()
    with pytest.raises(NotFiniteError, match='iiwa_joint_2 is NaN'):
        observer.joints.add(robot.arm_joints, np.array([0.0, np.nan, *[0.0] * 5]), 1.0)
    with pytest.raises(ShapeError, match='6 positions of 7 joints'):
        observer.joints.add(robot.arm_joints, np.zeros(6), 1.0)


def test_joints_of_others_are_left_out():
    joints = JointHistory(('b',), 1.0)
    joints.add(('a',), np.zeros(1), 0.0)
    with pytest.raises(StaleInputError, match='no joint state of b'):
        joints.at(0.0)
    joints.add(('a', 'b'), np.array([1.0, 2.0]), 1.0)
    joints.add(('a', 'b'), np.array([1.0, 4.0]), 2.0)
    assert joints.at(1.25) == pytest.approx([2.5])
