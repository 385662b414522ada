import mujoco
import numpy as np
import pinocchio as pin
import pytest

from mimic_core.errors import ConfigError, NotFiniteError, UnknownNameError
from mimic_description import hand_model, known_devices, load_device, load_robot, render_urdf
from mimic_description.model import build_model
from mimic_description.mujoco_model import robot_indices, robot_spec, site_pose

ARMS = [*known_devices('arm'), 'none']
HANDS = [*known_devices('hand'), 'none']
PAIRS = [(arm, hand) for arm in ARMS for hand in HANDS if (arm, hand) != ('none', 'none')]
GRIPPERS = [h for h in known_devices('hand') if load_device(h).grasp.kind == 'parallel']


def compiled(robot, spec=None):
    model = (spec or robot_spec(robot)).compile()
    return model, mujoco.MjData(model), robot_indices(robot, model)


def run(model, data, indices, targets):
    for target in targets:
        data.ctrl[indices.ctrl] = target
        mujoco.mj_step(model, data)


@pytest.mark.parametrize(('arm', 'hand'), PAIRS)
def test_holds_home_and_stays_finite_when_stirred(arm, hand):
    robot = load_robot(arm, hand)
    model, data, indices = compiled(robot)
    indices.place(robot, data, robot.home)
    mujoco.mj_forward(model, data)
    assert data.ncon == 0
    run(model, data, indices, [robot.home] * 1000)  # 2 s
    np.testing.assert_allclose(data.qpos[indices.qpos], robot.home, atol=0.01)

    # One second of targets anywhere within the limits, a new one each 50 ms.
    rng = np.random.default_rng(3)
    for _ in range(20):
        target = rng.uniform(robot.limits.lower, robot.limits.upper)
        run(model, data, indices, [target] * 25)
    assert np.isfinite(data.qpos).all() and np.isfinite(data.qvel).all()
    assert not any(warning.number for warning in data.warning)
    span = robot.limits.upper - robot.limits.lower
    low, high = robot.limits.lower - 0.05 * span, robot.limits.upper + 0.05 * span
    assert (data.qpos[indices.qpos] > low).all() and (data.qpos[indices.qpos] < high).all()


@pytest.mark.parametrize(('arm', 'hand'), PAIRS)
def test_same_kinematics_and_inertia_as_pinocchio(arm, hand):
    robot = load_robot(arm, hand)
    compare(robot)


def test_same_kinematics_with_another_base():
    compare(
        load_robot('iiwa14', 'ability', 'l_', base_xyz=(0.3, -0.1, 0.2), base_rpy=(0.1, 0.2, 0.3))
    )


def compare(robot):
    model, data, indices = compiled(robot)
    rng = np.random.default_rng(4)
    q = rng.uniform(robot.limits.lower, robot.limits.upper)
    indices.place(robot, data, q)
    mujoco.mj_forward(model, data)
    assert model.nsite > 1
    for i in range(model.nsite):
        name = model.site(i).name
        np.testing.assert_allclose(site_pose(model, data, name), robot.fk(q, name), atol=1e-9)

    full = robot.full(q)
    reference = robot.pin_model.createData()
    pin.crba(robot.pin_model, reference, full, pin.Convention.WORLD)
    mass = np.triu(reference.M) + np.triu(reference.M, 1).T
    ours = np.zeros((model.nv, model.nv))
    mujoco.mj_fullM(model, data, ours)
    ours -= np.diag(model.dof_armature)
    # full_qpos gives the order; all joints have one degree of freedom, so qpos and qvel agree.
    order = indices.full_qpos
    np.testing.assert_allclose(ours[np.ix_(order, order)], mass, rtol=2e-3, atol=2e-6)


def test_actuators_carry_the_limits_of_the_urdf():
    robot = load_robot('panda', 'ability')
    model, _, indices = compiled(robot)
    np.testing.assert_array_equal(model.actuator_ctrlrange[indices.ctrl, 0], robot.limits.lower)
    np.testing.assert_array_equal(model.actuator_ctrlrange[indices.ctrl, 1], robot.limits.upper)
    np.testing.assert_array_equal(model.actuator_forcerange[indices.ctrl, 1], robot.max_effort)
    assert [model.actuator(i).name for i in indices.ctrl] == list(robot.joint_names)
    assert model.nu == len(robot.joint_names)


@pytest.mark.parametrize('hand', ['robotiq_2f85', 'ability', 'fin_ray', 'panda_hand'])
def test_coupled_joints_follow_in_motion(hand):
    robot = hand_model(hand)
    model, data, indices = compiled(robot)
    opened, closed = robot.hand_open, robot.hand_closed
    indices.place(robot, data, opened)
    worst = 0.0
    for step in range(500):  # open to closed in 1 s
        data.ctrl[indices.ctrl] = opened + (closed - opened) * step / 500
        mujoco.mj_step(model, data)
        full = robot.full(data.qpos[indices.qpos])
        worst = max(worst, float(np.abs(data.qpos[indices.full_qpos] - full).max()))
    assert worst < 0.005  # [rad] or [m]: 0.3 degrees


@pytest.mark.parametrize(('arm', 'hand'), [('iiwa14', 'allegro'), ('panda', 'panda_hand')])
def test_follows_a_moving_target_with_its_known_lag(arm, hand):
    """At a constant speed the lag is 2 / natural frequency = 25 ms, dry friction aside."""
    robot = load_robot(arm, hand)
    model, data, indices = compiled(robot)
    indices.place(robot, data, robot.home)
    speed = 0.3  # [rad/s]
    moving = np.zeros(len(robot.joint_names))
    moving[[0, 3]] = speed
    run(model, data, indices, [robot.home + moving * 0.002 * k for k in range(250)])
    lag = (data.ctrl[indices.ctrl] - data.qpos[indices.qpos])[[0, 3]] / speed
    np.testing.assert_allclose(lag, 0.025, atol=0.006)


@pytest.mark.parametrize('hand', GRIPPERS)
def test_gripper_holds_a_cube_when_its_support_goes(hand):
    """A cube of 45 mm and 60 g stays in the grip after its support sinks away."""
    robot = load_robot('none', hand, base_xyz=(0, 0, 0.5), base_rpy=(np.pi, 0, 0))
    q = robot.hand_posture('home' if hand == 'so101_gripper' else 'open').copy()
    place = robot.fk(q, 'grasp_center')[:3, 3]
    spec = robot_spec(robot)
    cube = spec.worldbody.add_body(name='cube', pos=place)
    cube.add_freejoint()
    cube.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.0225] * 3, mass=0.06, condim=4, name='cube'
    )
    support = spec.worldbody.add_body(
        name='support', pos=place - [0, 0, 0.0225 + 0.05], mocap=True
    )
    support.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.02, 0.02, 0.05])
    model, data, indices = compiled(robot, spec)
    indices.place(robot, data, q)
    mujoco.mj_forward(model, data)
    closed = robot.hand_closed
    run(model, data, indices, [q + (closed - q) * k / 400 for k in range(400)])
    run(model, data, indices, [closed] * 100)
    height = data.body('cube').xpos[2]
    for _ in range(300):
        data.mocap_pos[0, 2] -= 0.001
        run(model, data, indices, [closed])
    before = data.body('cube').xpos.copy()
    run(model, data, indices, [closed] * 500)
    assert data.body('cube').xpos[2] == pytest.approx(height, abs=0.006)
    # A soft contact may tremble; in a second the cube creeps by less than a millimetre.
    assert np.linalg.norm(data.body('cube').xpos - before) < 0.001
    assert np.linalg.norm(data.qvel[-3:]) < 0.1
    assert min(contact.dist for contact in data.contact) > -0.002  # pads do not sink in


def test_specs_can_be_attached_to_a_scene():
    left, right = load_robot('so101', 'so101_gripper', 'l_'), load_robot('panda', 'leap', 'r_')
    scene = mujoco.MjSpec()
    option = robot_spec(left).option
    scene.option.integrator, scene.option.cone = option.integrator, option.cone
    scene.option.impratio, scene.option.timestep = option.impratio, option.timestep
    scene.attach(robot_spec(left), frame=scene.worldbody.add_frame(pos=[0, 1, 0]), prefix='a/')
    scene.attach(robot_spec(right), frame=scene.worldbody.add_frame(), prefix='b/')
    model = scene.compile()
    data = mujoco.MjData(model)
    for robot, prefix in ((left, 'a/'), (right, 'b/')):
        indices = robot_indices(robot, model, name_prefix=prefix)
        indices.place(robot, data, robot.home)
        names = [model.actuator(i).name for i in indices.ctrl]
        assert names == [prefix + n for n in robot.joint_names]
    mujoco.mj_forward(model, data)
    palm = site_pose(model, data, 'a/l_palm')
    np.testing.assert_allclose(palm[:3, 3], left.fk(left.home, 'palm')[:3, 3] + [0, 1, 0])
    assert model.camera('b/r_wrist_camera').id >= 0
    with pytest.raises(UnknownNameError, match='joint of the MuJoCo model'):
        robot_indices(left, model)


def test_every_name_takes_the_prefix():
    robot = load_robot('so101', 'robotiq_2f85')
    model = robot_spec(robot, name_prefix='twin_').compile()
    data = mujoco.MjData(model)
    robot_indices(robot, model, name_prefix='twin_').place(robot, data, robot.home)
    named = [model.body(i).name for i in range(1, model.nbody)]
    named += [model.site(i).name for i in range(model.nsite)]
    named += [model.geom(i).name for i in range(model.ngeom)]
    named += [model.jnt(i).name for i in range(model.njnt)]
    assert named and all(name.startswith('twin_') for name in named)


def test_wrist_camera_looks_along_the_palm():
    for hand in known_devices('hand'):
        robot = hand_model(hand)
        model, data, indices = compiled(robot)
        indices.place(robot, data, robot.home)
        mujoco.mj_forward(model, data)
        view = -data.cam('wrist_camera').xmat.reshape(3, 3)[:, 2]  # cameras look along -z
        palm = robot.fk(robot.home, 'palm')
        assert view @ palm[:3, 2] > 0.85
        # The grasp centre is in the picture: within half of the field of view.
        ray = robot.fk(robot.home, 'grasp_center')[:3, 3] - data.cam('wrist_camera').xpos
        angle = np.degrees(np.arccos(ray @ view / np.linalg.norm(ray)))
        assert angle < model.cam('wrist_camera').fovy[0] / 2


def test_impossible_inertia_is_refused():
    urdf = render_urdf('panda', 'none').replace('mass value="1.353"', 'mass value="0"')
    robot = build_model(load_device('panda'), None, '', urdf)
    with pytest.raises(ConfigError, match=r"link 'panda_link_6'.*is not physical"):
        robot_spec(robot)


def test_place_refuses_nan():
    robot = hand_model('leap')
    _, data, indices = compiled(robot)
    with pytest.raises(NotFiniteError):
        indices.place(robot, data, np.full(16, np.nan))
