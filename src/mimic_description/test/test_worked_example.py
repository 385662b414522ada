"""The example of docs/adding_a_robot.md, taken from its text, through everything."""

import re
from pathlib import Path

import mujoco
import numpy as np
import pinocchio as pin
import pytest

from mimic_description import known_devices, load_device, load_robot
from mimic_description.mujoco_model import robot_indices, robot_spec, site_pose
from mimic_description.transforms import LinkTransforms

DOCUMENT = Path(__file__).resolve().parents[3] / 'docs' / 'adding_a_robot.md'
FILES = ('robots/pincer.yaml', 'urdf/hands/pincer.urdf.xacro')


@pytest.fixture
def pincer(tmp_path, monkeypatch):
    blocks = re.findall(r'^```\w+\n(.*?)^```$', DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    for file in FILES:
        (text,) = [b for b in blocks if file in b.splitlines()[0]]
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    monkeypatch.setenv('MIMIC_ROBOT_PATH', str(tmp_path))


def test_it_is_known(pincer):
    assert 'pincer' in known_devices('hand')
    assert load_device('pincer').grasp.kind == 'parallel'


@pytest.mark.parametrize('arm', [*known_devices('arm'), 'none'])
def test_it_fits_every_arm(pincer, arm):
    robot = load_robot(arm, 'pincer', 'p_')
    assert robot.hand_joints == ('p_pincer_joint',)
    tips = {f: robot.fk(robot.home, link, 'palm')[:3, 3] for f, link in robot.tip_frames().items()}
    np.testing.assert_allclose(tips['thumb'], [0.03, 0, 0.112], atol=1e-9)
    np.testing.assert_allclose(tips['index'], [-0.03, 0, 0.112], atol=1e-9)

    geometry, data = robot.collision_model(), robot.pin_model.createData()
    q = robot.full(robot.home)
    pin.computeDistances(
        robot.pin_model, data, geometry, geometry_data := geometry.createData(), q
    )
    assert min(r.min_distance for r in geometry_data.distanceResults) > 0.001

    assert len(LinkTransforms(robot.tree).move(['p_pincer_joint'], [0.01]).links) == 2

    model = robot_spec(robot).compile()
    physics = mujoco.MjData(model)
    indices = robot_indices(robot, model)
    indices.place(robot, physics, robot.home)
    target = robot.posture('closed')
    target[-1] = 0.015
    for _ in range(500):
        physics.ctrl[indices.ctrl] = target
        mujoco.mj_step(model, physics)
    np.testing.assert_allclose(physics.qpos[indices.qpos], target, atol=1e-3)
    gap = site_pose(model, physics, 'p_pincer_thumb_tip', 'p_pincer_index_tip')[0, 3]
    assert gap == pytest.approx(0.03, abs=1e-3)
