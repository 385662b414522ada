"""Planning in its own process: replies, errors, cancelling, and a loop that is never held up."""

import dataclasses
import os
import time

import numpy as np
import pytest

from mimic_core.errors import LimitError
from mimic_description import load_robot
from mimic_planning import PlanningProcess, SceneParams

ROBOT = load_robot('so101', 'so101_gripper')


def wait(process: PlanningProcess, limit: float = 120.0):
    """Poll as a control loop does; returns the reply and the times of the polls [s]."""
    took, end = [], time.monotonic() + limit
    while time.monotonic() < end:
        began = time.perf_counter()
        reply = process.poll(time.monotonic())
        took.append(time.perf_counter() - began)
        if reply is not None:
            return reply, took
        time.sleep(0.01)
    raise AssertionError('no reply')


@pytest.fixture(scope='module')
def process():
    process = PlanningProcess(ROBOT)
    yield process
    process.cancel()


def goal(pan: float) -> np.ndarray:
    q = ROBOT.home.copy()
    q[0] = pan
    return q


def test_a_plan_comes_back_and_nobody_waits(process: PlanningProcess):
    process.plan(ROBOT.home, goal(0.3), time.monotonic())
    assert process.busy
    with pytest.raises(LimitError, match='at work already'):
        process.plan(ROBOT.home, goal(0.2), time.monotonic())
    reply, took = wait(process)
    assert (reply.error, reply.kind) == ('', 'direct')
    np.testing.assert_allclose(reply.points, [ROBOT.home, goal(0.3)])
    assert len(took) > 10, 'one that waits for the process to start polls once or twice'
    assert np.median(took) < 0.001  # [s] of 10 ms a tick
    assert not process.busy


def test_it_gives_up_the_priority_of_a_control_process(process: PlanningProcess):
    process.plan(ROBOT.home, goal(0.3), time.monotonic())
    assert wait(process)[0].error == ''
    pid = process._process.pid
    assert os.sched_getscheduler(pid) == os.SCHED_OTHER
    assert os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, 0)


def test_errors_come_back_as_words(process: PlanningProcess):
    process.plan(ROBOT.home, goal(9.0), time.monotonic())
    assert 'so101_shoulder_pan = 9.0000 is outside its limits' in wait(process)[0].error
    process.plan(ROBOT.home, goal(0.1)[:3], time.monotonic())
    assert 'goal' in wait(process)[0].error


def test_points_of_another_planner_are_checked(process: PlanningProcess):
    process.check(np.stack([ROBOT.home, goal(0.2)]), time.monotonic())
    assert wait(process)[0].error == ''
    into_the_table = ROBOT.home.copy()
    into_the_table[1] += 1.5
    process.check(np.stack([ROBOT.home, into_the_table, ROBOT.home]), time.monotonic())
    assert wait(process)[0].error.startswith(('collision of', 'workspace of'))


def test_cancelled_and_asked_again(process: PlanningProcess):
    process.plan(ROBOT.home, goal(0.3), time.monotonic())
    process.cancel()
    assert not process.busy
    assert process.poll(time.monotonic()) is None
    process.plan(ROBOT.home, goal(0.1), time.monotonic())
    assert wait(process)[0].error == ''


def test_a_planner_that_dies_is_said_and_replaced(process: PlanningProcess):
    process.plan(ROBOT.home, goal(0.3), time.monotonic())
    wait(process)
    os.kill(process._process.pid, 19)  # stopped, so that it cannot answer before it dies
    process.plan(ROBOT.home, goal(0.3), time.monotonic())
    os.kill(process._process.pid, 9)
    assert 'exit code -9' in wait(process)[0].error
    process.plan(ROBOT.home, goal(0.3), time.monotonic())
    assert wait(process)[0].error == ''


def test_one_that_does_not_answer_is_given_up(process: PlanningProcess):
    process.plan(ROBOT.home, goal(0.3), time.monotonic())
    assert wait(process)[0].error == ''
    os.kill(process._process.pid, 19)  # stopped before it can answer
    process.plan(ROBOT.home, goal(0.3), 0.0, timeout=5.0)
    reply = process.poll(100.0) or process.poll(100.0)
    assert reply.error == 'the planner did not answer in time'


def test_tighter_limits_and_workspace_hold_there():
    arm = ROBOT.arm
    workspace = dataclasses.replace(
        arm.workspace, box_min=(0.06, -0.03, 0.0), box_max=(0.38, 0.03, 0.35)
    )
    limits = dataclasses.replace(ROBOT.limits, upper=np.minimum(ROBOT.limits.upper, 1.7))
    robot = dataclasses.replace(
        ROBOT, arm=dataclasses.replace(arm, workspace=workspace), limits=limits
    )
    process = PlanningProcess(robot, SceneParams())
    try:
        process.plan(robot.home, goal(0.8), time.monotonic())
        assert 'goal outside the workspace' in wait(process)[0].error
        process.plan(robot.home, goal(1.8), time.monotonic())
        assert 'outside its limits' in wait(process)[0].error
    finally:
        process.cancel()
