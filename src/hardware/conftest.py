"""Lets the tests of every driver import what they share, which stands in `test` beside this."""

import sys
from pathlib import Path

import pytest

SHARED = Path(__file__).parent / 'test'
sys.path.insert(0, str(SHARED))
pytest.register_assert_rewrite(*(path.stem for path in SHARED.glob('*.py')))
