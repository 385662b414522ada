"""What each step of a method trains on. No torch here."""

import math
from collections.abc import Iterator
from typing import Final, Literal

from mimic_policy.train_params import (
    CO_TRAIN,
    FINE_TUNE,
    IMMIMIC_V,
    ROBOT_ONLY,
    TrainParams,
)

Kind = Literal['robot', 'human', 'mixed']
KINDS: Final[tuple[Kind, ...]] = ('robot', 'human', 'mixed')


def kinds(params: TrainParams, step: int) -> tuple[Kind, ...]:
    """Return the batches of a step, each an optimiser step of its own."""
    if params.method == ROBOT_ONLY:
        return ('robot',)
    if params.method == FINE_TUNE:
        return ('human',) if step < params.fine_tune_share * params.steps else ('robot',)
    if params.method == CO_TRAIN or step < mapping_step(params):
        return ('robot', 'human')
    return ('robot', 'mixed')


def loss_weight(params: TrainParams, kind: Kind, step: int) -> float:
    """Return the factor of the loss of a batch of a step."""
    alone = len(kinds(params, step)) == 1
    return params.robot_weight if kind == 'robot' and not alone else 1.0


def mapping_step(params: TrainParams) -> int:
    """Return the first step that needs a mapping."""
    if params.method == IMMIMIC_V:
        return math.ceil(params.visual_share * params.steps)
    return 0


def every_kind(params: TrainParams, first: int) -> Iterator[Kind]:
    """Yield the batches of the steps from `first` to the last."""
    for step in range(first, params.steps):
        yield from kinds(params, step)


def human_share(params: TrainParams, step: int) -> float:
    """Return the share of the human in mixed samples, from 1 to 0 over training."""
    return max(0.0, 1.0 - step / params.steps)


def rate(params: TrainParams, step: int) -> float:
    """Return the learning rate of a step."""
    if step < params.warm_up:
        return params.learning_rate * (step + 1) / params.warm_up
    if params.rate_schedule == 'constant':
        return params.learning_rate
    share = (step - params.warm_up) / max(1, params.steps - params.warm_up)
    return params.learning_rate * 0.5 * (1.0 + math.cos(math.pi * share))


def ema_keep(params: TrainParams, step: int) -> float:
    """Return how much of the average of weights stays in a step."""
    return float(min(params.ema_most, 1.0 - (1.0 + step) ** -params.ema_power))
