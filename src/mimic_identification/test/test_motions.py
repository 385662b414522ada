"""Planned motions pass the gate unhindered; where there is no room none is planned."""

import numpy as np
import pytest

from mimic_control import Gate
from mimic_core.command import NamedPositions
from mimic_core.errors import UnknownNameError
from mimic_description import load_robot
from mimic_identification.motions import MotionPlanner, chosen_joints


@pytest.mark.parametrize(('arm', 'hand'), [('iiwa14', 'robotiq_2f85'), ('so101', 'so101_gripper')])
def test_the_gate_lets_planned_motions_through(arm, hand):
    robot = load_robot(arm, hand)
    planner = MotionPlanner(robot)
    for joint in robot.joint_names[1::3]:
        motion = planner.plan(joint, robot.home)
        gate = Gate(robot)
        gate.set_mode('replay')
        index, q, worst = robot.joint_names.index(joint), robot.home, 0.0
        hindered = set()
        gate.tick(0.0, q)
        for number, wish in enumerate(motion.positions[::1], 1):
            now = number * 0.01
            gate.offer('replay', NamedPositions.single([joint], np.array([wish]), now), now)
            out = gate.tick(now, q)
            q = out.q
            hindered |= {text for text in out.limited if 'workspace' in text or '/' in text}
            worst = max(worst, abs(float(q[index]) - wish))
        assert hindered == set()
        assert worst < 0.1 * motion.amplitude + 0.03  # it follows, behind by a few periods
        assert abs(float(q[index]) - motion.positions[-1]) < 0.01


def test_a_joint_without_room_is_not_moved():
    robot = load_robot('iiwa14', 'none')
    planner = MotionPlanner(robot)
    low = robot.home.copy()
    low[1], low[3], low[5] = 1.9, -0.3, 0.0  # the flange is in the table
    assert planner.plan('iiwa_joint_2', low) is None


def test_names():
    robot = load_robot('iiwa14', 'robotiq_2f85')
    with pytest.raises(UnknownNameError, match='iiwa_joint_9'):
        MotionPlanner(robot).plan('iiwa_joint_9', robot.home)
    with pytest.raises(UnknownNameError, match="Did you mean 'iiwa_joint_1'"):
        chosen_joints(robot, ['iwa_joint_1'])
    assert chosen_joints(robot, []) == robot.joint_names
    chosen = chosen_joints(robot, ['iiwa_joint_5', 'iiwa_joint_2'])
    assert chosen == ('iiwa_joint_2', 'iiwa_joint_5')
