"""Finds packages in the ament index: the prefixes in AMENT_PREFIX_PATH."""

import os
from collections.abc import Mapping
from pathlib import Path

from mimic_composition.launcher.errors import LaunchFileError
from mimic_core.errors import UnknownNameError

_INDEX = Path('share/ament_index/resource_index/packages')


class Packages:
    """The packages that an environment knows."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        paths = environment.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
        self._prefixes = [Path(path) for path in paths if path]

    def prefix(self, package: str) -> Path:
        """Return the folder under which a package is installed."""
        for prefix in self._prefixes:
            if (prefix / _INDEX / package).exists():
                return prefix
        known = {file.name for p in self._prefixes for file in (p / _INDEX).glob('*')}
        mimic = {name for name in known if name.startswith('mimic')}
        raise LaunchFileError(str(UnknownNameError('package', package, mimic or known)))

    def share(self, package: str) -> Path:
        """Return the folder of a package's data."""
        return self.prefix(package) / 'share' / package

    def executable(self, package: str, name: str) -> Path:
        """Return the path of a package's executable."""
        folder = self.prefix(package) / 'lib' / package
        file = folder / name
        if file.is_file() and os.access(file, os.X_OK):
            return file
        known = [f.name for f in folder.glob('*') if f.is_file() and os.access(f, os.X_OK)]
        raise LaunchFileError(str(UnknownNameError(f'executable of {package}', name, known)))
