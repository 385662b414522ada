import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimic_core.errors import NotFiniteError, ShapeError
from mimic_core.frames import transform
from mimic_description import load_robot
from mimic_description.params import StatePublisherParams
from mimic_description.transforms import LinkTransforms, RateLimit


def chain(links: LinkTransforms, names, positions) -> dict[str, np.ndarray]:
    """The pose of each link in world, from the transforms that a listener of TF would have."""
    poses = {j.child: (j.parent, j.parent_T_child) for j in links.fixed}
    moved = links.move(names, positions)
    for row, xyz, quat in zip(moved.links, moved.translation, moved.quat_xyzw, strict=True):
        joint = links.moving[row]
        rotation = Rotation.from_quat(quat).as_matrix()
        poses[joint.child] = (joint.parent, transform(rotation, xyz))

    def world(link: str) -> np.ndarray:
        if link not in poses:
            return np.eye(4)
        parent, pose = poses[link]
        return world(parent) @ pose

    return {link: world(link) for link in poses}


@pytest.mark.parametrize(
    ('arm', 'hand'),
    [('iiwa14', 'robotiq_2f85'), ('panda', 'ability'), ('so101', 'fin_ray'), ('none', 'leap')],
)
def test_tree_equals_forward_kinematics(arm, hand):
    robot = load_robot(arm, hand, 'x_')
    links = LinkTransforms(robot.tree)
    rng = np.random.default_rng(5)
    q = rng.uniform(robot.limits.lower, robot.limits.upper)
    poses = chain(links, robot.joint_names, q.tolist())
    assert set(poses) == set(robot.tree.links) - {'world'}
    for link, pose in poses.items():
        np.testing.assert_allclose(pose, robot.fk(q, link), atol=1e-9)


def test_only_what_is_named_moves_with_what_follows_it():
    robot = load_robot('iiwa7', 'robotiq_2f85')
    links = LinkTransforms(robot.tree)
    assert len(links.move(['iiwa_joint_2', 'of_another_robot'], [0.1, 5.0]).links) == 1
    assert len(links.move(['robotiq_left_knuckle_joint'], [0.4]).links) == 6
    # A coupled joint that a driver reports by itself does not move against its motor.
    assert links.move(['robotiq_right_knuckle_joint'], [0.4]).links == ()
    assert links.move([], []).links == ()


def test_bad_messages_are_refused():
    links = LinkTransforms(load_robot('panda', 'none').tree)
    with pytest.raises(ShapeError, match='2 joint names but 1 positions'):
        links.move(['panda_joint_1', 'panda_joint_2'], [0.0])
    with pytest.raises(NotFiniteError, match="'panda_joint_2' is nan"):
        links.move(['panda_joint_1', 'panda_joint_2'], [0.0, float('nan')])


def test_rate_limit():
    limit = RateLimit(25.0)
    assert [limit.due('arm', 0.01 * k) for k in range(9)] == [k % 4 == 0 for k in range(9)]
    assert limit.due('hand', 0.085)  # a key of its own
    assert limit.due('arm', 0.0)  # time went back: a new bag
    assert not limit.due('arm', 0.01)
    same = RateLimit(100.0)
    assert all(same.due('arm', 0.01 * k) for k in range(100))


@pytest.mark.parametrize(
    'change',
    [
        {'robot_description': '<robot name="mine"><link name="world"/></robot>'},
        {'arm': 'panda'},
        {'hand': 'leap'},
        {'prefix': 'left_'},
        {'base_xyz': (0.0, 0.0, 0.5)},
        {'base_rpy': (0.0, 0.0, 0.5)},
    ],
)
def test_each_parameter_changes_the_description(change):
    assert StatePublisherParams(**change).urdf() != StatePublisherParams().urdf()
