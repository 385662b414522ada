"""Datasets: episodes as arrays, LeRobotDataset v3.0, robomimic HDF5."""

from mimic_dataset.arrays import Dataset, DatasetMeta, Domain, EpisodeArrays, EpisodeError

__all__ = [
    'Dataset',
    'DatasetMeta',
    'Domain',
    'EpisodeArrays',
    'EpisodeError',
]
