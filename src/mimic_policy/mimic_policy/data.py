"""A dataset made ready for training."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mimic_core.errors import ConfigError
from mimic_dataset import Dataset, EpisodeArrays
from mimic_policy.meta import PolicyMeta, Size
from mimic_policy.scaling import make_meta, strides, used_episodes
from mimic_policy.train_params import TrainParams
from mimic_policy.windows import Windows

PICTURES: Final = 8  # of each camera of an episode that its digest looks at

Contents = Mapping[str, Mapping[str, str]]  # episode -> what it holds -> digest


@dataclass(frozen=True)
class Data:
    """What is trained on, as windows."""

    meta: PolicyMeta
    robot: Windows
    human: Windows | None
    dataset: Dataset  # the episodes that are used, for the mapping
    fingerprint: str  # of the episodes' names, lengths and scales
    contents: Contents  # what tells these episodes from others of the same names and lengths


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
    if dataset.region != params.agent_region:
        raise ConfigError(
            f'pictures of {dataset.region} were loaded for a policy that looks at '
            f'{params.agent_region}: give `load` the region of the training'
        )
    robots, humans = used_episodes(dataset, params.method)
    meta = make_meta(dataset, robots, humans, params, recorded)
    robot_stride, human_stride = strides(robots, humans, params)
    used = [*robots, *humans]
    # The region is a parameter, and not in fingerprints of before
    about = {name: value for name, value in meta.to_json().items() if name != 'region'}
    facts = [about, [(e.name, e.domain, len(e)) for e in used], human_stride]
    return Data(
        meta,
        Windows(robots, meta, robot_stride),
        Windows(humans, meta, human_stride) if humans else None,
        replace(dataset, episodes=used),
        hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16],
        {f'{e.domain} episode {e.name}': contents_of(e) for e in used},
    )


def contents_of(episode: EpisodeArrays) -> dict[str, str]:
    """Return a digest of each array of an episode; of pictures some, since all are gigabytes."""
    seen = np.linspace(0, len(episode) - 1, PICTURES).round().astype(np.int64)
    arrays = {
        'action': episode.action,
        'state': episode.state,
        'agent': episode.agent[seen],
        'wrist': None if episode.wrist is None else episode.wrist[seen],
    }
    return {
        name: hashlib.sha256(values.tobytes()).hexdigest()[:16]
        for name, values in arrays.items()
        if values is not None
    }


def difference(then: Contents, now: Contents) -> str:
    """Return the first thing in which the contents of two datasets differ, or nothing."""
    for name in (*then, *now):
        if name not in now:
            return f'{name} is gone'
        if name not in then:
            return f'{name} is new'
        for what in (*then[name], *now[name]):
            if then[name].get(what) != now[name].get(what):
                return f'{what} of {name} is another one'
    return ''
