import dataclasses

import pytest

from mimic_rl.params import PracticeParams, RandomisationParams
from mimic_rl.shown import show
from mimic_rl.synergies import robot_synergies


@pytest.fixture(scope='session')
def run():
    return show('box_push', 'iiwa14', 'allegro')


@pytest.fixture(scope='session')
def synergies(run):
    return robot_synergies(run.robot())


@pytest.fixture
def quiet():
    """No chance at all."""
    names = [f.name for f in dataclasses.fields(RandomisationParams)]
    return RandomisationParams(**{n: 0 if n.endswith('delay') else 0.0 for n in names})


@pytest.fixture
def params():
    return PracticeParams()
