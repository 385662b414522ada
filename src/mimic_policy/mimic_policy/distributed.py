"""Several processes train one policy: `torchrun` starts them, gradients are averaged."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor

from mimic_core.errors import ConfigError


@contextmanager
def process_group(device: torch.device) -> Iterator[tuple[int, int]]:
    """Join the processes that torchrun started; yields rank and number, 0 and 1 without it.

    Raises:
        ConfigError: The environment of torchrun is incomplete.
    """
    world = os.environ.get('WORLD_SIZE')
    if world is None:
        yield 0, 1
        return
    missing = [k for k in ('RANK', 'MASTER_ADDR', 'MASTER_PORT') if k not in os.environ]
    if missing:
        raise ConfigError(f'WORLD_SIZE is set, {missing[0]} is not: start it with torchrun')
    dist.init_process_group('nccl' if device.type == 'cuda' else 'gloo')
    try:
        yield dist.get_rank(), dist.get_world_size()
    finally:
        dist.destroy_process_group()


def first_process() -> bool:
    """Return whether this process tells people how it goes: the only one, or the first of all."""
    return os.environ.get('RANK', '0') == '0'


def own_cores() -> int:
    """Return how many cores are this process's: of its machine, shared with the others there."""
    return max(1, len(os.sched_getaffinity(0)) // int(os.environ.get('LOCAL_WORLD_SIZE', '1')))


def choose_device(name: str) -> torch.device:
    """Return a device by name; 'auto' is this process's accelerator, or the processor.

    Raises:
        ConfigError: There is no such device.
    """
    if name == 'auto':
        name = f'cuda:{os.environ.get("LOCAL_RANK", "0")}' if torch.cuda.is_available() else 'cpu'
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"device '{name}': {str(error).splitlines()[0]}") from error
    if device.type == 'cuda':
        torch.cuda.set_device(device)
    return device


def average_gradients(parameters: Sequence[Tensor], world: int) -> None:
    """Replace gradients by their mean over all processes: one message for all of them."""
    if world == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat)
    flat /= world
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def mean_over_processes(value: Tensor, world: int) -> Tensor:
    """Return the mean of a scalar over all processes."""
    if world == 1:
        return value
    total = value.detach().clone()
    dist.all_reduce(total)
    return total / world


def of_all_processes(number: int, device: torch.device, world: int) -> list[int]:
    """Return the number that each process has, by rank."""
    if world == 1:
        return [number]
    own = torch.tensor([number], device=device)
    found = [torch.zeros_like(own) for _ in range(world)]
    dist.all_gather(found, own)
    return [int(each) for each in found]


def any_process(flag: bool, device: torch.device, world: int) -> bool:
    """Return whether a flag is set in any process, so that all of them do the same."""
    if world == 1:
        return flag
    return float(mean_over_processes(torch.tensor(float(flag), device=device), world)) > 0.0
