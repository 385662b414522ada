"""Tests share what stands beside them; one thread, since other tests run beside these."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
torch.set_num_threads(1)
