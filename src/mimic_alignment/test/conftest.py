"""Tests of this package share alignment_episodes.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
