"""Which steps of a person's motion are taken over, with an arm that goes where it is told."""

import numpy as np
import pytest

from mimic_rl.prepare.params import PrepareParams
from mimic_rl.prepare.retarget import follow

PARAMS = PrepareParams()


class OneJoint:
    """The postures of an arm with one joint, whose palms are angles [rad]."""

    def nearby(self, target, start):
        return np.array([target]), 0.0, 0.0

    def arm(self, target, near, starts, rng):
        return self.nearby(target, near)

    def accepted(self, place, angle):
        return True


def used(angles, params=PARAMS):
    """Return which steps are taken over."""
    return np.isfinite(follow(OneJoint(), angles, np.zeros(1), params)[:, 0]).tolist()


def test_a_step_that_jumps_is_skipped():
    step = 0.9 * PARAMS.max_jump
    assert used([0.0, step, 2 * step, 2.0, 4 * step]) == [True, True, True, False, True]
    assert used([0.0, 0.2], PrepareParams(max_jump=0.1)) == [True, False]


@pytest.mark.parametrize('gap', [4, 12, 40])
def test_after_a_gap_a_joint_may_be_four_jumps_away_and_no_farther(gap):
    """However long the hand was away: what is farther is another solution of the arm."""
    away = [None] * (gap - 1)
    assert used([0.0, *away, 3.9 * PARAMS.max_jump])[-1]
    assert not used([0.0, *away, 4.1 * PARAMS.max_jump])[-1]
    assert not used([0.0, None, 2.1 * PARAMS.max_jump])[-1]
