"""The contract of every learned policy that drives a robot: what it says, and who lets it."""

from mimic_core.policy_run.params import RunParams
from mimic_core.policy_run.state import NOT_ENABLED, Counts, PolicyRunner, State, Tick

__all__ = ['NOT_ENABLED', 'Counts', 'PolicyRunner', 'RunParams', 'State', 'Tick']
