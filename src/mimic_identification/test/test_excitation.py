"""Test motions stay within the limits of every joint of every robot."""

import numpy as np
import pytest

from mimic_description import load_robot
from mimic_identification.excitation import PERIOD, excite, room

ROBOTS = [('iiwa14', 'allegro'), ('panda', 'panda_hand'), ('so101', 'so101_gripper'),
          ('iiwa7', 'robotiq_2f85'), ('none', 'leap'), ('none', 'ability')]  # fmt: skip


@pytest.mark.parametrize(('arm', 'hand'), ROBOTS)
def test_every_joint_keeps_its_limits_and_comes_back(arm, hand):
    robot = load_robot(arm, hand)
    limits = robot.limits
    for joint, start in enumerate(robot.home):
        centre, amplitude = room(limits, joint, float(start))
        motion = excite(limits, joint, float(start), centre, amplitude)
        q = motion.positions
        assert limits.lower[joint] <= q.min() and q.max() <= limits.upper[joint]
        assert q[0] == pytest.approx(start) and q[-1] == pytest.approx(start)
        speed = np.diff(q) / PERIOD
        # Half of the rates, with a little room for a finite grid
        assert np.abs(speed).max() <= 0.55 * limits.max_speed[joint]
        assert np.abs(np.diff(speed) / PERIOD).max() <= 0.7 * limits.max_acceleration[joint]
        assert np.ptp(q) >= 1.8 * amplitude
        assert motion.duration < 40.0


def test_room_is_inside_even_at_a_bound():
    limits = load_robot('none', 'robotiq_2f85').limits
    centre, amplitude = room(limits, 0, float(limits.lower[0]))
    assert limits.lower[0] < centre - amplitude and centre + amplitude < limits.upper[0]


def test_the_position_is_held_at_the_ends():
    limits = load_robot('iiwa14', 'none').limits
    motion = excite(limits, 0, 0.0, 0.0, 0.1)
    assert motion.at(-1.0) == motion.positions[0]
    assert motion.at(motion.duration + 9.0) == motion.positions[-1]
