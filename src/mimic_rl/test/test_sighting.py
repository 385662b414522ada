"""One name for each of the turns that look the same, while the object is followed."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimic_core.frames import from_xyz_quat
from mimic_core.primitives import Primitive
from mimic_object_tracking.symmetry import symmetry_of
from mimic_rl.practice_runner import Phase, PracticeRunner
from mimic_rl.run_folder import axes_anchors
from mimic_rl.runner_params import PracticeRunnerParams
from mimic_rl.shapes import object_mesh
from mimic_rl.sighting import SETTLED, Sightings, symmetry_of_run

BOX = symmetry_of('x2,y2,z2', np.zeros(3))
PERIOD = 1 / 30  # [s]
PLACE = np.array([0.5, 0.0, 0.05])
FLAT = np.array([*PLACE, 0.0, 0.0, 0.0, 1.0])


def tilted(angle):
    """(7,) turned about x [rad], as a box that is pivoted."""
    return np.array([*PLACE, *Rotation.from_euler('x', angle).as_quat()])


def told(pose, turn=0):
    """(4, 4) as a tracker may tell a pose: as any of the equal turns."""
    return BOX.equivalents(from_xyz_quat(pose[:3], pose[3:]))[turn]


def angle_of(sightings):
    """[rad] about x, of the pose as it is named."""
    return Rotation.from_quat(sightings.pose[3:]).as_rotvec()[0]


@pytest.fixture
def sightings():
    return Sightings(BOX, axes_anchors(), 0.2)


def test_a_box_that_turns_far_keeps_its_name(sightings):
    sightings.add(told(FLAT), 0.0, FLAT)
    rng = np.random.default_rng(0)
    for step in range(1, 91):  # half a turn in 3 s, told as any of the four
        angle = np.pi * 0.9 * step / 90
        sightings.add(told(tilted(angle), rng.integers(4)), step * PERIOD, None)
        assert angle_of(sightings) == pytest.approx(angle, abs=1e-6)
    assert sightings.steady == pytest.approx(90 * PERIOD)


def test_a_wrong_pose_names_nothing(sightings):
    sightings.add(told(FLAT), 0.0, FLAT)
    for step in range(1, 40):
        wrong = step in (20, 21)  # two pictures, turned by more than a quarter
        sightings.add(told(tilted(1.8) if wrong else FLAT), step * PERIOD, None)
    assert angle_of(sightings) == pytest.approx(0.0, abs=1e-6)
    assert sightings.steady > SETTLED


def test_after_a_gap_it_is_named_as_before(sightings):
    sightings.add(told(FLAT), 0.0, FLAT)
    for step in range(1, 60):
        sightings.add(told(tilted(np.pi / 3 * step / 30)), step * PERIOD, None)
    before = angle_of(sightings)
    sightings.add(told(tilted(before), 1), 5.0, None)
    assert angle_of(sightings) == pytest.approx(before, abs=1e-6)
    sightings.clear()
    sightings.add(told(FLAT, 1), 0.0, None)  # as it is told
    assert sightings.pose is not None


def test_a_box_left_behind_its_target_is_not_renamed(run):
    """The target is past a quarter turn, from where another turn of the flat box is nearer."""
    policy = SimpleNamespace(robot=run.robot(), run=run, rate=15.0, target=tilted(1.7))
    runner = PracticeRunner(policy, BOX, PracticeRunnerParams())
    runner.see(told(run.trajectory[0]), 0.0)
    seen = runner._sightings
    before = seen.pose
    runner.phase = Phase.FOLLOW
    for step in range(1, 5):
        runner.see(told(run.trajectory[0]), step * PERIOD)
        np.testing.assert_allclose(seen.pose, before, atol=1e-9)


@pytest.mark.parametrize('mesh', ['', 'jug.obj'])
def test_turns_that_count_as_equal_are_those_that_were_prepared(run, tmp_path, mesh):
    """A jug whose handle tells its turn, unless it was said not to count."""
    body = Primitive('cylinder', (0.05, 0.2))
    jug = replace(
        run.object, mesh=mesh, parts=(body, Primitive('box', (0.08, 0.03, 0.1), (0.1, 0, 0)))
    )
    object_mesh(jug).export(tmp_path / 'jug.obj')
    found = {
        said: symmetry_of_run(replace(run, object=replace(jug, symmetry=said)), tmp_path)
        for said in ('auto', 'z', 'none')
    }
    assert found['auto'].axis is None and found['none'].axis is None
    assert len(found['none'].turns) == 1
    np.testing.assert_allclose(found['z'].axis, [0.0, 0.0, 1.0])
    np.testing.assert_allclose(found['z'].centre, 0.0)  # about the body, not about the whole
