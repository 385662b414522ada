"""The compiled loops against pinocchio, finite differences and scipy."""

import numpy as np
import pinocchio as pin
import pytest
from scipy.optimize import lsq_linear

from mimic_core.errors import ConfigError, MimicError
from mimic_core.frames import BASE, PALM
from mimic_description import UnknownFrameError, load_robot
from mimic_retargeting import kernels
from mimic_retargeting.arm_ik import ArmIK
from mimic_retargeting.hand_solver import point_positions
from mimic_retargeting.tables import build_chain

ROBOTS = [
    ('iiwa14', 'allegro'),
    ('panda', 'robotiq_2f85'),
    ('so101', 'ability'),
    ('iiwa7', 'leap'),
    ('iiwa14', 'fin_ray'),
]


@pytest.mark.parametrize(('arm', 'hand'), ROBOTS)
def test_points_of_the_hand_are_those_of_pinocchio(arm: str, hand: str) -> None:
    robot = load_robot(arm, hand, prefix='left_')
    links = sorted(robot.tip_frames().values())
    chain = build_chain(robot, robot.hand_joints, PALM, links)
    rng = np.random.default_rng(1)
    for _ in range(10):
        q = rng.uniform(robot.limits.lower, robot.limits.upper)
        points = point_positions(chain, q[len(robot.arm_joints) :])
        for link, point in zip(links, points, strict=True):
            np.testing.assert_allclose(point, robot.fk(q, link, PALM)[:3, 3], atol=1e-12)


@pytest.mark.parametrize(('arm', 'hand'), ROBOTS)
def test_pose_and_jacobian_of_the_arm_are_those_of_pinocchio(arm: str, hand: str) -> None:
    robot = load_robot(arm, hand)
    ik, count = ArmIK(robot), len(robot.arm_joints)
    data, model = robot.pin_model.createData(), robot.pin_model
    rng = np.random.default_rng(2)
    for _ in range(10):
        q = rng.uniform(robot.limits.lower, robot.limits.upper)
        np.testing.assert_allclose(ik.pose(q[:count]), robot.fk(q, PALM, BASE), atol=1e-12)
        pin.computeJointJacobians(model, data, robot.full(q))
        pin.updateFramePlacements(model, data)
        wanted = pin.getFrameJacobian(
            model, data, robot.frame(PALM), pin.ReferenceFrame.LOCAL_WORLD_ALIGNED
        )
        wanted = (wanted @ robot.coupling)[:, :count]
        np.testing.assert_allclose(ik.jacobian(q[:count]), wanted, atol=1e-12)


def test_tool_point_is_fixed_in_the_frame() -> None:
    robot = load_robot('iiwa14', 'allegro')
    ik, tool = ArmIK(robot), np.array([0.1, -0.02, 0.3])
    pose, moved = ik.pose(ik.posture), ik.pose(ik.posture, tool)
    np.testing.assert_allclose(moved[:3, 3], pose[:3, :3] @ tool + pose[:3, 3], atol=1e-12)
    step, numeric = 1e-6, []
    for direction in np.eye(7):
        ahead = ik.pose(ik.posture + step * direction, tool)[:3, 3]
        behind = ik.pose(ik.posture - step * direction, tool)[:3, 3]
        numeric.append((ahead - behind) / (2 * step))
    np.testing.assert_allclose(ik.jacobian(ik.posture, tool)[:3], np.transpose(numeric), atol=1e-9)


@pytest.mark.parametrize('seed', range(30))
def test_box_qp_is_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 20))
    a = rng.normal(size=(n + 3, n)) * 10.0 ** rng.uniform(-2, 2, n)
    b = rng.normal(size=n + 3) * 10
    lower = rng.uniform(-1, 0.2, n)
    upper = lower + rng.uniform(0, 1, n)
    upper[0] = lower[0]  # a fixed variable
    x, state = np.zeros(n), np.zeros(n, dtype=np.int64)
    assert kernels.box_qp(a.T @ a, -a.T @ b, lower, upper, x, state)
    assert (x >= lower).all()
    assert (x <= upper).all()
    best = lsq_linear(a, b, (lower, upper + 1e-12), method='bvls', tol=1e-14).x
    cost = np.linalg.norm(a @ x - b)
    assert cost <= np.linalg.norm(a @ best - b) * (1 + 1e-9)


def test_box_qp_says_when_a_matrix_is_not_definite() -> None:
    x, state = np.zeros(2), np.zeros(2, dtype=np.int64)
    bounds = np.ones(2)
    indefinite = np.array([[1.0, 0.0], [0.0, -1.0]])
    assert not kernels.box_qp(indefinite, np.ones(2), -bounds, bounds, x, state)


def test_missing_frame_is_named() -> None:
    robot = load_robot('iiwa14', 'allegro')
    with pytest.raises(UnknownFrameError, match='allegro_indx_tip'):
        build_chain(robot, robot.hand_joints, PALM, ['allegro_indx_tip'])


def test_joint_between_frames_must_be_known() -> None:
    robot = load_robot('iiwa14', 'allegro')
    with pytest.raises(ConfigError, match='iiwa_joint_1'):
        build_chain(robot, robot.hand_joints, BASE, [PALM])
    with pytest.raises(MimicError, match='does not hang'):
        build_chain(robot, robot.hand_joints, 'allegro_index_tip', ['allegro_thumb_tip'])
