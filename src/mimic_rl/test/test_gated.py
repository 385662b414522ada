"""Policies through the gate in the twin, as they would run on a robot."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='what learning needs is not installed')

from mimic_control import Gate, GateParams  # noqa: E402
from mimic_control.active import ActiveLimit  # noqa: E402
from mimic_object_tracking.symmetry import symmetry_of  # noqa: E402
from mimic_rl import (  # noqa: E402
    Practice,
    PracticeParams,
    RandomisationParams,
    gated,
    robot_synergies,
)
from mimic_rl.checkpoint import Settings  # noqa: E402
from mimic_rl.comparison import late_course  # noqa: E402
from mimic_rl.evaluation import OUTSIDE  # noqa: E402
from mimic_rl.gated import Course, CourseParams, GatedTwin, through_gate  # noqa: E402
from mimic_rl.network import Actor  # noqa: E402
from mimic_rl.params import LearningParams  # noqa: E402
from mimic_rl.policy import PracticePolicy, ReplayPolicy  # noqa: E402
from mimic_rl.practice_runner import PracticeRunner  # noqa: E402
from mimic_rl.runner_params import PracticeRunnerParams  # noqa: E402
from mimic_rl.shown import show  # noqa: E402

FAST = PracticeRunnerParams(approach_speed=0.6)


@pytest.fixture(scope='module')
def run():
    return show('box_push', 'iiwa14', 'robotiq_2f85')


@pytest.fixture(scope='module')
def settings(run):
    synergies = robot_synergies(run.robot())
    return Settings(0, PracticeParams(), RandomisationParams(), LearningParams(), synergies)


def _twin(policy, randomisation, **params):
    symmetry = symmetry_of('none', np.zeros(3))
    course = CourseParams(runner=FAST, **params)
    return GatedTwin(policy, symmetry, PracticeParams(), randomisation, course)


def test_a_shown_motion_goes_through_the_gate(run, settings, quiet):
    twin = _twin(ReplayPolicy(run, settings, aware=True), quiet)
    course = twin.run(np.random.default_rng(0))
    assert course.success and course.reason == ''
    assert course.distance < 0.04 and course.reward > 0.5
    assert course.limited == 0.0  # practice asks for nothing that the gate would not let through
    again = twin.run(np.random.default_rng(0))
    assert again == course  # the same, number by number


def test_a_target_that_stands_at_the_end_is_far_away_at_first(run, settings):
    fixed = dataclasses.replace(settings, practice=PracticeParams(reward='fixed_target'))
    assert ReplayPolicy(run, fixed, aware=True).max_distance == np.inf
    assert ReplayPolicy(run, settings, aware=True).max_distance == 0.25


def test_what_does_not_come_to_its_end_is_no_success_and_says_why(run, settings, quiet):
    policy = ReplayPolicy(run, settings, aware=True)
    blind = _twin(policy, quiet, camera_rate=1.0, longest=2.9)
    score, remarks = through_gate(blind, 'blind', 2, 0)
    assert score.rate == 0.0 and remarks.startswith("2 × 'box' is")  # lost, or not seen steadily
    stopped = _twin(policy, quiet, gate=GateParams(min_height_offset=0.2), longest=12.0)
    course = stopped.run(np.random.default_rng(0))
    assert not course.success and course.reason  # the gate keeps it from the start


@pytest.mark.parametrize(
    ('limit', 'share'), [('workspace z low 0.010 m of palm', 1.0), ('iiwa_joint_4 speed', 0.0)]
)
def test_what_is_in_the_way_is_counted_whatever_else_is_said(
    run, settings, quiet, monkeypatch, limit, share
):
    class Told(Gate):
        def tick(self, now, q):
            limits = (ActiveLimit(limit, 0.0, 0.0),)
            return dataclasses.replace(super().tick(now, q), limits=limits, reason='another one')

    monkeypatch.setattr(gated, 'Gate', Told)
    twin = _twin(ReplayPolicy(run, settings, aware=True), quiet)
    assert twin.run(np.random.default_rng(0)).limited == share


def test_reasons_that_differ_in_numbers_are_one():
    far = "'box' is {} m from where it should be (bound 0.25 m): start again"
    off = 'iiwa_joint_4 is {} off its command (bound 0.5): start again'
    reasons = iter([far.format(0.32), off.format(0.61), far.format(0.29), far.format(1), ''])
    twin = SimpleNamespace(run=lambda _: Course(False, 0.3, 0.1, 0.2, next(reasons), 0.0, 5.0))
    remarks = through_gate(twin, 'replay', 5, 0)[1]
    assert remarks.startswith(
        "3 × 'box' is # m from where it should be; 1 × iiwa_joint_4 is # off its command; "
    )


def test_what_practice_has_not_seen(run, settings, quiet, monkeypatch):
    policy = ReplayPolicy(run, settings, aware=True)
    firsts, ages, ticks = [], [], []
    advance, see = GatedTwin._advance, PracticeRunner.see

    def advanced(self, q, periods=1):
        ticks.append(q is not None)
        advance(self, q, periods)

    def seen(self, pose, stamp):
        ages.append(max(self._now, 0.0) - stamp)
        see(self, pose, stamp)

    monkeypatch.setattr(GatedTwin, '_advance', advanced)
    monkeypatch.setattr(PracticeRunner, 'see', seen)
    late = late_course(settings)
    assert late.camera_delay == pytest.approx(3 / 15)  # practice: 2 steps at 15 Hz at most
    # Commands come when the object has been seen steadily, so only one of the two is late here.
    for delay in (0.0, late.command_delay):
        ticks.clear()
        _twin(policy, quiet, command_delay=delay, longest=2.0).run(np.random.default_rng(0))
        firsts.append(ticks.index(True))
    assert late.command_delay == 0.04 and firsts[1] - firsts[0] == 4  # periods of 0.01 s
    ages.clear()
    course = _twin(policy, quiet, camera_delay=late.camera_delay).run(np.random.default_rng(0))
    assert course.reason == '' and min(ages) > 0.2 - 1.5 / FAST.rate
    symmetry, varied = symmetry_of('none', np.zeros(3)), RandomisationParams()
    twin = GatedTwin(
        policy, symmetry, PracticeParams(), varied, CourseParams(longest=0.02), OUTSIDE
    )
    for row in range(4):
        twin.run(np.random.default_rng(row))
        off = np.abs(twin._physics.values[0, :4] - 1.0)
        assert (off >= 0.3 - 1e-9).all() and (off <= 0.45 + 1e-9).all()


def test_a_network_runs_and_everything_varies(run, settings):
    torch.manual_seed(0)
    practice = Practice(run, settings.synergies, count=1, threads=1)
    seen, actions = practice.observer.actor.shape[1], practice.actions
    practice.close()
    policy = PracticePolicy(run, settings, Actor(seen, actions, (8,), 4, 0.5))
    varied = RandomisationParams(object_position=0.005, object_angle=0.05, lost=0.02)
    twin = _twin(policy, varied)
    ends = [twin.run(np.random.default_rng([7, row])) for row in range(2)]
    # To its end, or until the box is so far from its target that practice gave up.
    assert all(c.reason == '' or 'from where it should be' in c.reason for c in ends)
    assert ends[0].distance != ends[1].distance
    assert (twin._physics.values[0] != [1.0, 1.0, 1.0, 1.0, 0.0]).all()
