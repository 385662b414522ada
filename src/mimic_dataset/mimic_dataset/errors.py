"""Errors of datasets."""

from mimic_core.errors import MimicError

__all__ = ['DatasetError', 'EpisodeError', 'WriteError']


class DatasetError(MimicError):
    """A file of a dataset is missing or damaged; names the file and the field."""


class WriteError(DatasetError):
    """A file cannot be written: the disk is full, or not writable. Ends a conversion."""


class EpisodeError(MimicError):
    """An episode cannot be used; says which one and which field."""
