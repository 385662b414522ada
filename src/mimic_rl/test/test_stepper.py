"""What moves the physics: threads of MuJoCo, and MuJoCo Warp where it is installed."""

import sys

import numpy as np
import pytest

from mimic_core.errors import ConfigError, UnknownNameError
from mimic_rl import Practice, RandomisationParams, robot_synergies
from mimic_rl.shown import show
from mimic_rl.stepper import make_stepper


def test_unknown_physics_are_refused():
    with pytest.raises(UnknownNameError, match=r"physics 'bullet'.*threads"):
        make_stepper('bullet', [], 8, 1)


def test_warp_that_is_not_installed_says_how(monkeypatch):
    monkeypatch.setitem(sys.modules, 'mujoco_warp', None)
    monkeypatch.delitem(sys.modules, 'mimic_rl.warp_stepper', raising=False)
    with pytest.raises(ConfigError, match=r'mujoco_warp.*requirements-warp\.txt'):
        make_stepper('warp', [], 8, 1)


@pytest.fixture(scope='module')
def both():
    pytest.importorskip('mujoco_warp', reason='needs requirements-warp.txt')
    run = show('box_push', 'iiwa14', 'allegro')
    varied = RandomisationParams(push=0.0)  # a push may tip a box, or nearly
    practices = [
        Practice(
            run, robot_synergies(run.robot()), count=6, seed=3, threads=1, physics=kind,
            randomisation=varied,
        )
        for kind in ('threads', 'warp')
    ]  # fmt: skip
    yield practices
    for practice in practices:
        practice.close()


def test_warp_moves_robot_and_object_as_mujoco_does(both):
    practices = both
    rng = np.random.default_rng(0)
    for practice in practices:
        practice.level = 1.0  # all numbers of the physics differ between twins
        practice.reset()
    start = practices[0].pose
    for _ in range(5):  # some boxes tip over later, where small differences grow
        action = rng.normal(0.0, 0.5, size=(6, practices[0].actions))
        action[:, 1] = 1.0  # forth, where the object is
        steps = [practice.step(action) for practice in practices]
        assert not steps[0].done.any()
    threads, warp = practices
    np.testing.assert_allclose(warp.state[:, 0], threads.state[:, 0])
    np.testing.assert_allclose(warp.q, threads.q, atol=1e-3)
    np.testing.assert_allclose(warp.pose[:, :3], threads.pose[:, :3], atol=1e-3)
    moved = np.linalg.norm(threads.pose[:, :2] - start[:, :2], axis=1)
    assert moved.max() > 0.01, 'nothing was touched'


def test_warp_takes_numbers_that_were_drawn_again(both):
    practice = both[1]
    practice.level = 0.0
    practice.reset()
    heavy = practice.physics.models[2]
    heavy.opt.gravity[2] = 3.0  # upwards
    heavy.body_gravcomp[:] = 0.0
    practice._stepper.redrawn(np.array([2]))
    still = practice.motion.q.copy()
    height = practice.pose[:, 2].copy()
    for _ in range(4):
        practice.drive(still, still, still)
    rise = practice.pose[:, 2] - height
    seconds = 4 * practice.params.substeps * practice.world.model.opt.timestep
    assert rise[2] == pytest.approx(0.5 * 3.0 * seconds**2, rel=0.1)
    assert np.abs(np.delete(rise, 2)).max() < 1e-3
