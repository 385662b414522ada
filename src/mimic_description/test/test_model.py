import numpy as np
import pinocchio as pin
import pytest

from mimic_core.errors import ConfigError, NotFiniteError, ShapeError, UnknownNameError
from mimic_description import (
    UnknownFrameError,
    hand_model,
    known_devices,
    load_device,
    load_robot,
    render_urdf,
)
from mimic_description.model import build_model

ARMS = known_devices('arm')
HANDS = known_devices('hand')
DEXTEROUS = [h for h in HANDS if load_device(h).grasp.kind == 'dexterous']
PARALLEL = [h for h in HANDS if h not in DEXTEROUS]


def tips(robot, posture):
    q = robot.posture(posture)
    return {f: robot.fk(q, link, 'palm')[:3, 3] for f, link in robot.tip_frames().items()}


@pytest.mark.parametrize('arm', [*ARMS, 'none'])
@pytest.mark.parametrize('hand', [*HANDS, 'none'])
def test_registry_and_urdf_agree(arm, hand):
    robot = load_robot(arm, hand)
    names = [*(load_device(arm).joints if arm != 'none' else ())]
    names += [*(load_device(hand).joints if hand != 'none' else ())]
    assert robot.joint_names == tuple(names)
    assert robot.joint_names == robot.arm_joints + robot.hand_joints
    assert robot.coupling.shape == (robot.pin_model.nq, len(names))
    assert len(robot.limits) == len(robot.home) == len(robot.max_effort) == len(names)
    # No limits of ours beside those of the URDF.
    rows = list(robot.q_index)
    np.testing.assert_array_equal(robot.limits.lower, robot.pin_model.lowerPositionLimit[rows])
    np.testing.assert_array_equal(robot.limits.upper, robot.pin_model.upperPositionLimit[rows])
    np.testing.assert_array_equal(robot.limits.max_speed, robot.pin_model.upperVelocityLimit[rows])
    np.testing.assert_array_equal(robot.max_effort, robot.pin_model.upperEffortLimit[rows])
    assert robot.limits.contains(robot.home)
    for posture in robot.hand.postures if robot.hand else ():
        assert robot.limits.contains(robot.posture(posture), tolerance=1e-3), posture


@pytest.mark.parametrize('hand', HANDS)
def test_coupled_joints_follow_their_multipliers(hand):
    robot = hand_model(hand)
    rng = np.random.default_rng(1)
    for _ in range(5):
        q = rng.uniform(robot.limits.lower, robot.limits.upper)
        full = robot.full(q)
        value = dict(zip(robot.joint_names, q, strict=True))
        seen = 0
        for joint in robot.tree.joints:
            if joint.kind == 'fixed':
                continue
            row = robot.pin_model.joints[robot.pin_model.getJointId(joint.name)].idx_q
            wanted = value.get(joint.name)
            if joint.coupling is not None:
                c = joint.coupling
                wanted = c.multiplier * value[c.joint] + c.offset
                assert joint.lower - 1e-3 <= wanted <= joint.upper + 1e-3
            assert full[row] == pytest.approx(wanted, abs=1e-15)
            seen += 1
        assert seen == robot.pin_model.nq


def test_couplings_are_the_vendors():
    robotiq, ability = hand_model('robotiq_2f85'), hand_model('ability')
    signs = {
        'right_knuckle': -1,
        'left_inner_knuckle': 1,
        'right_inner_knuckle': -1,
        'left_finger_tip': -1,
        'right_finger_tip': 1,
    }
    for name, sign in signs.items():
        coupling = robotiq.tree.joint(f'robotiq_{name}_joint').coupling
        assert coupling.joint == 'robotiq_left_knuckle_joint'
        assert (coupling.multiplier, coupling.offset) == (sign, 0)
    for finger in ('index', 'middle', 'ring', 'pinky'):
        coupling = ability.tree.joint(f'ability_{finger}_q2').coupling
        assert coupling.joint == f'ability_{finger}_q1'
        assert coupling.multiplier == pytest.approx(1.05851325, abs=1e-9)


# Positions [m] of the data sheets and vendors' models, at postures of the registry.
@pytest.mark.parametrize(
    ('arm', 'flange'),
    [
        ('iiwa14', (0.5564, 0.0, 0.3977)),
        ('iiwa7', (0.5464, 0.0, 0.3604)),
        ('panda', (0.3069, 0.0, 0.4869 + 0.1034)),
        ('so101', (0.2321, -0.0002, 0.1733)),
    ],
)
def test_golden_flange_at_home(arm, flange):
    robot = load_robot(arm, 'none')
    pose = robot.fk(robot.home, 'flange')
    np.testing.assert_allclose(pose[:3, 3], flange, atol=1e-4)
    np.testing.assert_allclose(pose[:3, 2], [0, 0, -1], atol=1e-4)  # points down
    assert pose[0, 0] < -0.998  # x back to the base; the so101's servos are not quite square


def test_golden_zero_pose():
    robot = load_robot('iiwa14', 'none')
    pose = robot.fk(np.zeros(7), 'flange')
    np.testing.assert_allclose(pose[:3, 3], [0, 0, 1.306], atol=1e-6)


@pytest.mark.parametrize(
    ('hand', 'posture', 'finger', 'place'),
    [
        ('allegro', 'open', 'thumb', (0.0291, 0.1728, 0.0085)),
        ('allegro', 'open', 'index', (0.0, 0.0564, 0.2404)),
        ('allegro', 'closed', 'ring', (0.0253, -0.0405, 0.0595)),
        ('leap', 'open', 'thumb', (0.0219, 0.1747, 0.0157)),
        ('leap', 'closed', 'middle', (0.0974, 0.0002, 0.0403)),
        ('ability', 'open', 'thumb', (-0.004, 0.115, 0.0757)),
        ('ability', 'closed', 'index', (0.0457, 0.0207, 0.0704)),
        ('allegro', 'wide', 'middle', (0.0932, 0.0396, 0.1595)),
        ('ability', 'pinch', 'thumb', (0.0597, 0.0063, 0.1078)),
        ('ability', 'wide', 'index', (0.0354, 0.0243, 0.1636)),
    ],
)
def test_golden_tips_in_the_palm(hand, posture, finger, place):
    np.testing.assert_allclose(tips(hand_model(hand), posture)[finger], place, atol=1e-4)


@pytest.mark.parametrize(
    ('hand', 'posture', 'gap'),
    [
        ('robotiq_2f85', 'open', 0.0849),
        ('robotiq_2f85', 'closed', 0.0001),
        ('fin_ray', 'open', 0.108),
        ('fin_ray', 'home', 0.09),
        ('panda_hand', 'open', 0.08),
        ('so101_gripper', 'open', 0.14),
        ('so101_gripper', 'closed', 0.005),
        ('allegro', 'pinch', 0.0119),
        ('leap', 'pinch', 0.022),
        ('ability', 'pinch', 0.0137),
        ('ability', 'wide', 0.1094),
        ('ability', 'open', 0.1346),
    ],
)
def test_golden_gap_of_thumb_and_index(hand, posture, gap):
    places = tips(hand_model(hand), posture)
    assert np.linalg.norm(places['thumb'] - places['index']) == pytest.approx(gap, abs=1.5e-4)


@pytest.mark.parametrize('hand', DEXTEROUS)
def test_palm_of_a_dexterous_hand(hand):
    robot = hand_model(hand)
    opened, closed, pinch = (tips(robot, p) for p in ('open', 'closed', 'pinch'))
    fingers = [f for f in opened if f != 'thumb']
    for finger in fingers:
        assert opened[finger][2] > 0.15  # z to the fingers
        assert closed[finger][0] > opened[finger][0] + 0.02  # closing goes out of the palm, +x
        assert opened['thumb'][1] > opened[finger][1] + 0.05  # thumb at +y
    ordered = [opened[f][1] for f in ('index', 'middle', 'ring')]
    assert ordered == sorted(ordered, reverse=True)  # a right hand
    middle = (pinch['thumb'] + pinch['index']) / 2
    if 'wide' in robot.hand.postures:  # the middle finger pinches beside the index finger
        wide, shut = robot.pinch_way
        for share in np.linspace(0.0, 1.0, 101):  # until they are around a thing of 60 mm
            q = wide + share * (shut - wide)
            held = {f: robot.fk(q, link, 'palm')[:3, 3] for f, link in robot.tip_frames().items()}
            met = (held['index'] + held['middle']) / 2
            if np.linalg.norm(held['thumb'] - met) < 0.06:
                break
        middle = (held['thumb'] + met) / 2
        if hand == 'allegro':  # whose round tips are to be 5 mm deeper
            middle[0] -= 0.005
    centre = robot.fk(robot.home, 'grasp_center', 'palm')
    np.testing.assert_allclose(centre[:3, 3], middle, atol=2e-3)
    np.testing.assert_allclose(centre[:3, :3], np.eye(3), atol=1e-12)


@pytest.mark.parametrize('hand', PARALLEL)
def test_palm_of_a_gripper(hand):
    robot = hand_model(hand)
    opened, closed = tips(robot, 'open'), tips(robot, 'closed')
    gap = opened['thumb'] - opened['index']
    assert gap[0] > 0.07 and abs(gap[1]) < 1e-3  # the thumb is at +x, the jaws close along x
    assert closed['thumb'][2] > 0.1 and closed['index'][2] > 0.1  # z to the fingers
    assert abs(closed['thumb'][0] - closed['index'][0]) < 0.006
    centre = robot.fk(robot.home, 'grasp_center', 'palm')
    np.testing.assert_allclose(centre[:3, :3], np.eye(3), atol=1e-12)
    assert 0.005 < closed['thumb'][2] - centre[2, 3] < 0.03  # just inside the tips
    assert opened['index'][0] < centre[0, 3] < opened['thumb'][0]


@pytest.mark.parametrize('hand', HANDS)
def test_hand_is_mounted_with_its_palm_along_the_flange(hand):
    pose = hand_model(hand).fk(hand_model(hand).home, 'palm', 'flange')
    assert pose[2, 2] == pytest.approx(1.0)  # z out of the flange
    assert pose[2, 3] >= 0
    if hand != 'panda_hand':  # which its vendor mounts at an angle of its own
        np.testing.assert_allclose(pose[:3, :3], np.eye(3), atol=1e-9)


def test_fk_relative_to_another_frame_and_base_pose():
    robot = load_robot(
        'iiwa14', 'allegro', 'left_', base_xyz=(1.0, 2.0, 3.0), base_rpy=(0, 0, 0.5)
    )
    plain = load_robot('iiwa14', 'allegro')
    rng = np.random.default_rng(2)
    q = rng.uniform(robot.limits.lower, robot.limits.upper)
    np.testing.assert_allclose(
        robot.fk(q, 'palm', 'base_link'), plain.fk(q, 'palm', 'base_link'), atol=1e-12
    )
    np.testing.assert_allclose(robot.fk(q, 'base_link')[:3, 3], [1, 2, 3])
    # A frame is known with and without the prefix.
    assert robot.frame('palm') == robot.frame('left_palm')


def test_missing_frame_names_the_near_ones():
    robot = load_robot('panda', 'panda_hand')
    with pytest.raises(UnknownFrameError, match=r"unknown frame 'grasp_centre'.*'grasp_center'"):
        robot.fk(robot.home, 'grasp_centre')
    with pytest.raises(UnknownFrameError, match='palm'):
        load_robot('panda', 'none').frame('palm')


def test_urdf_without_a_named_tip_is_refused():
    urdf = render_urdf('none', 'allegro').replace('allegro_ring_tip', 'allegro_ring_end')
    with pytest.raises(UnknownFrameError, match=r"allegro\.yaml.*'allegro_ring_tip'"):
        build_model(None, load_device('allegro'), '', urdf)


def test_urdf_without_a_listed_joint_is_refused():
    urdf = render_urdf('panda', 'none').replace('panda_joint_3', 'panda_joint_x')
    with pytest.raises(UnknownNameError, match="'panda_joint_3'"):
        build_model(load_device('panda'), None, '', urdf)


def test_urdf_with_a_joint_that_nobody_lists_is_refused():
    with pytest.raises(ConfigError, match='panda_joint_1'):
        build_model(None, None, '', render_urdf('panda', 'none'))


def test_bad_positions_are_refused():
    robot = load_robot('so101', 'so101_gripper')
    with pytest.raises(ShapeError):
        robot.full(np.zeros(5))
    with pytest.raises(NotFiniteError):
        robot.fk(np.full(6, np.nan), 'palm')


def test_models_are_shared_and_read_only():
    robot = load_robot('iiwa14', 'allegro')
    assert load_robot('iiwa14', 'allegro') is robot
    for array in (robot.home, robot.coupling, robot.limits.lower, robot.max_effort):
        with pytest.raises(ValueError, match='read-only'):
            array[0] = 1.0


@pytest.mark.parametrize('arm', ARMS)
@pytest.mark.parametrize('hand', [*HANDS, 'none'])
def test_no_self_collision_at_home(arm, hand):
    robot = load_robot(arm, hand)
    geometry = robot.collision_model()
    data, geometry_data = robot.pin_model.createData(), geometry.createData()
    q = robot.full(robot.home)
    pin.computeDistances(robot.pin_model, data, geometry, geometry_data, q)
    for pair, result in zip(geometry.collisionPairs, geometry_data.distanceResults, strict=True):
        names = [geometry.geometryObjects[i].name for i in (pair.first, pair.second)]
        assert result.min_distance > 0.001, names


def test_collisions_are_found():
    """An arm folded onto itself touches; neighbours never count, nor fingers where not asked."""
    robot = load_robot('iiwa14', 'allegro')
    q = robot.home.copy()
    q[[1, 3, 5]] = 0.0, -2.09, 2.09  # elbow and wrist bring the fingers to the upper arm
    for within_hand, posture, wanted in ((False, q, True), (True, robot.home, False)):
        geometry = robot.collision_model(within_hand=within_hand)
        data = robot.pin_model.createData()
        full = robot.full(posture)
        hit = pin.computeCollisions(
            robot.pin_model, data, geometry, geometry.createData(), full, True
        )
        assert hit is wanted
    links = robot._hand_links
    objects = robot.collision_model().geometryObjects
    for pair in robot.collision_model(within_hand=False).collisionPairs:
        a, b = (objects[i].name.split(':')[0] for i in (pair.first, pair.second))
        assert not (a in links and b in links)
        assert frozenset((a, b)) not in robot.ignored_pairs


# Pointing down, the so101 reaches no higher than 0.18 m, and these fingers are longer: it would
# need a base above its table (base_xyz).
TOO_LONG = {('so101', 'fin_ray')}


@pytest.mark.parametrize(
    ('arm', 'hand'), [(a, h) for a in ARMS for h in HANDS if (a, h) not in TOO_LONG]
)
def test_home_lies_in_the_workspace(arm, hand):
    robot = load_robot(arm, hand)
    place, space = robot.fk(robot.home, 'grasp_center', 'base_link')[:3, 3], robot.arm.workspace
    assert (place > space.box_min).all() and (place < space.box_max).all()
    assert place[2] > space.min_height
