"""What can be wrong with a launch file."""

from pathlib import Path

from mimic_core.errors import MimicError


class LaunchFileError(MimicError):
    """A launch file cannot be started; the message says where and why."""

    has_place = False

    def at(self, path: Path, line: int) -> 'LaunchFileError':
        """Return the error with its place in front, unless it already has one."""
        if self.has_place:
            return self
        error = LaunchFileError(f'{path}:{line}: {self}')
        error.has_place = True
        return error
