"""Statistics of features as LeRobotDataset v3.0 wants them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mimic_core.arrays import FloatArray, Image, IntArray

QUANTILES: Final = {'q01': 0.01, 'q10': 0.10, 'q50': 0.50, 'q90': 0.90, 'q99': 0.99}
STEP: Final = 4  # [px] every so many rows and columns of a picture count
LEVELS: Final = 256

Stats = dict[str, npt.NDArray[Any]]  # of float64, the count of int64


def vector_stats(values: FloatArray) -> Stats:
    """Return the statistics of (T, D) values over T, each (D,)."""
    found: Stats = {
        'min': values.min(axis=0),
        'max': values.max(axis=0),
        'mean': values.mean(axis=0),
        'std': values.std(axis=0),
        'count': np.array([len(values)], dtype=np.int64),
    }
    quantiles = np.quantile(values, list(QUANTILES.values()), axis=0)
    found.update(dict(zip(QUANTILES, quantiles, strict=True)))
    return found


class ImageStats:
    """Counts the levels of each channel, picture by picture."""

    def __init__(self) -> None:
        self.levels: IntArray = np.zeros((3, LEVELS), dtype=np.int64)
        self.count = 0

    def add(self, image: Image) -> None:
        """Count an (H, W, 3) picture."""
        sample = image[::STEP, ::STEP].reshape(-1, 3)
        for channel in range(3):
            self.levels[channel] += np.bincount(sample[:, channel], minlength=LEVELS)
        self.count += 1

    def result(self) -> Stats:
        """Return the statistics, each (3, 1, 1) in 0..1, and the number of pictures (1,)."""
        scale = np.arange(LEVELS) / (LEVELS - 1)
        total = self.levels.sum(axis=1)
        seen = self.levels > 0
        mean = self.levels @ scale / total
        values: dict[str, FloatArray] = {
            'min': scale[seen.argmax(axis=1)],
            'max': scale[LEVELS - 1 - seen[:, ::-1].argmax(axis=1)],
            'mean': mean,
            'std': np.sqrt(np.maximum(self.levels @ scale**2 / total - mean**2, 0.0)),
        }
        share = np.cumsum(self.levels, axis=1) / total[:, None]
        for name, quantile in QUANTILES.items():
            values[name] = scale[(share >= quantile).argmax(axis=1)]
        found: Stats = {name: value.reshape(3, 1, 1) for name, value in values.items()}
        found['count'] = np.array([self.count], dtype=np.int64)
        return found


def merged(stats: Sequence[Mapping[str, Stats]]) -> dict[str, Stats]:
    """Return the statistics of all episodes: weighted by their counts, quantiles too."""
    return {name: _merged([episode[name] for episode in stats]) for name in stats[0]}


def _merged(stats: Sequence[Stats]) -> Stats:
    counts = np.array([int(s['count'][0]) for s in stats], dtype=np.float64)
    weight = counts / counts.sum()

    def mean_of(values: Sequence[Any]) -> FloatArray:
        result: FloatArray = np.tensordot(weight, np.stack(values), axes=1)
        return result

    mean = mean_of([s['mean'] for s in stats])
    variance = mean_of([s['std'] ** 2 + (s['mean'] - mean) ** 2 for s in stats])
    found: Stats = {
        'min': np.min([s['min'] for s in stats], axis=0),
        'max': np.max([s['max'] for s in stats], axis=0),
        'mean': mean,
        'std': np.sqrt(variance),
        'count': np.array([int(counts.sum())], dtype=np.int64),
    }
    found.update({name: mean_of([s[name] for s in stats]) for name in QUANTILES})
    return found


def as_lists(stats: Mapping[str, Stats]) -> dict[str, dict[str, Any]]:
    """Return them as JSON wants them."""
    return {k: {name: v.tolist() for name, v in s.items()} for k, s in stats.items()}


def from_lists(values: Mapping[str, Mapping[str, Any]]) -> dict[str, Stats]:
    """Return them from JSON."""
    return {
        key: {
            name: np.array(v, dtype=np.int64 if name == 'count' else np.float64)
            for name, v in stats.items()
        }
        for key, stats in values.items()
    }
