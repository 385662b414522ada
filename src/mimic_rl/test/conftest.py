import dataclasses
import sys
from pathlib import Path

import pytest

from mimic_rl.params import PracticeParams, RandomisationParams
from mimic_rl.shown import show
from mimic_rl.synergies import robot_synergies

sys.path.insert(0, str(Path(__file__).parent))


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


@pytest.fixture
def settings(synergies):
    """Those of a training that takes seconds."""
    from small_training import SMALL

    from mimic_rl.checkpoint import Settings  # torch is not there everywhere

    return Settings(3, PracticeParams(), RandomisationParams(), SMALL, synergies)


@pytest.fixture
def one_thread():
    """Of torch, since other tests run beside these."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
