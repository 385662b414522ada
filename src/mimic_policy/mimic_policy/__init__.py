"""Diffusion policies: training, checkpoints, and running them.

What needs torch is imported from its own module: `checkpoint`, `inference`, `training`.
"""

from mimic_policy.interface import Observation, Policy
from mimic_policy.meta import PolicyMeta, Range, WrongRobotError

__all__ = ['Observation', 'Policy', 'PolicyMeta', 'Range', 'WrongRobotError']
