"""A practised policy as the runner of one robot; imports torch."""

from pathlib import Path

import torch

from mimic_core.errors import ConfigError
from mimic_rl.policy import load_practice_policy
from mimic_rl.practice_runner import PracticeRunner
from mimic_rl.run_folder import WrongRobotError
from mimic_rl.runner_params import PracticeNodeParams
from mimic_rl.sighting import symmetry_of_run


def load_runner(params: PracticeNodeParams) -> tuple[PracticeRunner, str]:
    """Return the runner that parameters name, and the task that was practised.

    Raises:
        ConfigError: No run folder is named, or something in it is missing, torn or of another.
        WrongRobotError: It is of another robot or task.
    """
    if not params.checkpoint:
        raise ConfigError('checkpoint is empty: give the run folder of ./mimic practise')
    torch.set_num_threads(params.threads)
    folder = Path(params.checkpoint).expanduser()
    policy = load_practice_policy(folder, params.training)
    run = policy.run  # as it was practised: that of the folder may have changed
    run.check_robot(params.arm or run.arm, params.hand or run.hand)
    if params.task not in ('', run.task):
        raise WrongRobotError(f"task: '{run.task}' was practised, not '{params.task}'")
    symmetry = symmetry_of_run(run, folder)
    return PracticeRunner(policy, symmetry, params, params.prefix), run.task
