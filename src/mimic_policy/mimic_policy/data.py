"""A dataset made ready for training."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from mimic_dataset import Dataset
from mimic_policy.meta import PolicyMeta, Size
from mimic_policy.scaling import make_meta, strides, used_episodes
from mimic_policy.train_params import TrainParams
from mimic_policy.windows import Windows


@dataclass(frozen=True)
class Data:
    """What is trained on, as windows."""

    meta: PolicyMeta
    robot: Windows
    human: Windows | None
    dataset: Dataset  # the episodes that are used, for the mapping
    fingerprint: str  # of the episodes' names, lengths and scales


def prepare(
    dataset: Dataset, params: TrainParams, recorded: Mapping[str, Size] | None = None
) -> Data:
    """Return a dataset ready for a method.

    Args:
        dataset: Its pictures are what the network sees.
        params: Method, rates, sizes.
        recorded: Sizes of the pictures as they were stored; None: as they are.

    Raises:
        ConfigError: The dataset lacks what the method needs; says what.
    """
    robots, humans = used_episodes(dataset, params.method)
    meta = make_meta(dataset, robots, humans, params, recorded)
    robot_stride, human_stride = strides(robots, humans, params)
    used = [*robots, *humans]
    facts = [meta.to_json(), [(e.name, e.domain, len(e)) for e in used], human_stride]
    return Data(
        meta,
        Windows(robots, meta, robot_stride),
        Windows(humans, meta, human_stride) if humans else None,
        Dataset(dataset.meta, used),
        hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16],
    )
