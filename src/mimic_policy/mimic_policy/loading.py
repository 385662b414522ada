"""A checkpoint as the policy of one robot; torch is imported when one is loaded."""

from pathlib import Path

from mimic_core.errors import ConfigError
from mimic_description import RobotModel, load_robot
from mimic_policy.interface import Policy
from mimic_policy.meta import WrongRobotError
from mimic_policy.node_params import PolicyNodeParams


def load_threads(path: Path, device: str, steps: int | None, threads: int = 1) -> Policy:
    """Return the policy of a checkpoint, computed with a number of threads.

    Args:
        path: Folder of a checkpoint or of a training run.
        device: Of torch.
        steps: Of DDIM; None: as trained.
        threads: Of torch, in this process.

    Raises:
        CheckpointError: It cannot be read; names the file and the field.
        ConfigError: A field holds what cannot be, or there is no such device.
    """
    import torch

    from mimic_policy.checkpoint import load_policy

    torch.set_num_threads(threads)
    return load_policy(path, device=device, inference_steps=steps)


def load_for(params: PolicyNodeParams) -> tuple[Policy, RobotModel]:
    """Return the policy and the robot that parameters name.

    Raises:
        ConfigError: No checkpoint is named, or there is no such device.
        CheckpointError: It cannot be read.
        WrongRobotError: It is for another robot or task; says in which field.
    """
    if not params.checkpoint:
        raise ConfigError('checkpoint is empty: give the folder that ./mimic train made')
    policy = load_threads(
        Path(params.checkpoint).expanduser(), params.device, params.inference_steps or None,
        params.threads,
    )  # fmt: skip
    meta = policy.meta
    if params.task not in ('', meta.task):
        raise WrongRobotError(f"task: the policy is for '{meta.task}', not for '{params.task}'")
    robot = load_robot(params.arm or meta.arm, params.hand or meta.hand, params.prefix)
    meta.check_robot(robot)  # pictures are checked when they come
    return policy, robot
