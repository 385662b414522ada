"""Which moment is the start when the robot is in the way, and what is told when there is none."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mimic_core.errors import ConfigError
from mimic_rl.prepare import HandNotSeenError, PrepareParams
from mimic_rl.prepare.posture import BlockedStartError, UnreachableStartError
from mimic_rl.prepare.prepare import _begin
from mimic_rl.shown import show


class Tried:
    """What was seen, and the postures: each lead has its error, or none."""

    def __init__(self, errors):
        self.params = PrepareParams(lead=30, earlier=10)
        self.robot, self._errors, self._lead = SimpleNamespace(home=None), errors, 0

    def path(self, lead):
        self._lead = lead
        if isinstance(self._errors[lead], ConfigError):
            raise self._errors[lead]
        return SimpleNamespace(poses=np.tile(np.eye(4), (2, 1, 1))), 0.0

    def hands(self, path):
        if isinstance(self._errors[self._lead], HandNotSeenError):
            raise self._errors[self._lead]
        return 'hand', [SimpleNamespace(lead=self._lead, base_T_hand=np.eye(4))]

    def guessed(self, human):
        return False

    def target(self, human):
        return np.eye(4)

    def start(self, human, run, near, rng, skipped):
        if self._errors[self._lead] is not None:
            raise self._errors[self._lead]
        return human


@pytest.fixture(scope='module')
def draft():
    return replace(show('box_push', 'iiwa14', 'allegro'), demonstration=None)


BLOCKED = BlockedStartError('the palm reaches 5 mm into the object')


@pytest.mark.parametrize(
    'later',
    [
        [HandNotSeenError('no hand'), HandNotSeenError('no hand')],
        [BlockedStartError('the table'), HandNotSeenError('no hand')],
        [UnreachableStartError('too far'), ConfigError('it floats')],
        [BlockedStartError('the table'), BlockedStartError('the table')],
    ],
)
def test_a_start_that_is_not_free_is_told_whatever_is_wrong_earlier(draft, later):
    tried = Tried(dict(zip((30, 35, 40), [BLOCKED, *later], strict=True)))
    with pytest.raises(BlockedStartError, match='5 mm into the object'):
        _begin(tried, draft, tried)


def test_an_earlier_start_that_is_free_is_taken(draft):
    tried = Tried({30: BLOCKED, 35: HandNotSeenError('no hand'), 40: None})
    assert _begin(tried, draft, tried).posture.lead == 40


@pytest.mark.parametrize('error', [HandNotSeenError('no hand'), UnreachableStartError('too far')])
def test_another_fault_of_the_asked_lead_is_told_at_once(draft, error):
    tried = Tried({30: error})
    with pytest.raises(type(error), match=str(error)):
        _begin(tried, draft, tried)
