"""Practice in the twin from one demonstration."""

from mimic_rl.environment import Ended, Practice, Step
from mimic_rl.params import PracticeParams, RandomisationParams
from mimic_rl.run_folder import (
    PracticeObject,
    PracticeRun,
    WrongRobotError,
    load_run,
    save_run,
)
from mimic_rl.synergies import Synergies, robot_synergies

__all__ = [
    'Ended',
    'Practice',
    'PracticeObject',
    'PracticeParams',
    'PracticeRun',
    'RandomisationParams',
    'Step',
    'Synergies',
    'WrongRobotError',
    'load_run',
    'robot_synergies',
    'save_run',
]
