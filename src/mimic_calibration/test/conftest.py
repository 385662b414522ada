"""Lets the tests of this package import `projected_cell`, which stands beside them."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from projected_cell import Cell


@pytest.fixture(params=['eye_to_hand', 'eye_in_hand'])
def cell(request: pytest.FixtureRequest) -> Cell:
    return Cell(request.param)


@pytest.fixture
def standing() -> Cell:
    return Cell('eye_to_hand')
