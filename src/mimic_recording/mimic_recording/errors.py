"""Errors of recording, replay and recovery."""

from mimic_core.errors import MimicError

__all__ = ['BagError', 'DiskFullError', 'RecordingError']


class RecordingError(MimicError):
    """An episode cannot be started, stopped or discarded; says why."""


class DiskFullError(RecordingError):
    """There is less room on the disk than an episode needs."""


class BagError(MimicError):
    """A bag cannot be read; says which file and where it ends."""
