"""Datasets: episodes as arrays, LeRobotDataset v3.0, robomimic HDF5."""

from mimic_dataset.arrays import Dataset, DatasetMeta, Domain, EpisodeArrays
from mimic_dataset.convert import Converted, Job, Outcome, convert, find_sources, make_jobs
from mimic_dataset.errors import DatasetError, EpisodeError, WriteError
from mimic_dataset.lerobot import assemble
from mimic_dataset.params import ConvertParams
from mimic_dataset.parts import PartInfo, add_episode, write_part
from mimic_dataset.people import View
from mimic_dataset.read import default_folder, load
from mimic_dataset.robomimic import load_robomimic, write_robomimic

__all__ = [
    'ConvertParams',
    'Converted',
    'Dataset',
    'DatasetError',
    'DatasetMeta',
    'Domain',
    'EpisodeArrays',
    'EpisodeError',
    'Job',
    'Outcome',
    'PartInfo',
    'View',
    'WriteError',
    'add_episode',
    'assemble',
    'convert',
    'default_folder',
    'find_sources',
    'load',
    'load_robomimic',
    'make_jobs',
    'write_part',
    'write_robomimic',
]
