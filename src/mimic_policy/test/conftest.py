"""Tests share what stands beside them; one thread, since other tests run beside these."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
torch.set_num_threads(1)


@pytest.fixture(scope='session')
def episodes():
    """Two of a robot, three of people; not to be changed."""
    from reaching import dataset

    return dataset(robots=2, humans=3)
