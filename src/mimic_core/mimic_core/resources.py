"""Where files that people edit are: in the share of an installed package, or in the repository."""

import os
from pathlib import Path

from mimic_core.errors import ConfigError


def share(package: str, *parts: str) -> Path:
    """Return a file or folder of a package's share.

    Looks in `share/<package>` of every prefix in AMENT_PREFIX_PATH, then in the package's source
    folder, so that cores work without ROS and without a build.

    Raises:
        ConfigError: It is in none of these places.
    """
    prefixes = [Path(p) for p in os.environ.get('AMENT_PREFIX_PATH', '').split(':') if p]
    candidates = [prefix / 'share' / package for prefix in prefixes]
    sources = Path(__file__).resolve().parents[2]
    candidates += [sources / package, sources / 'hardware' / package]
    for folder in candidates:
        path = folder.joinpath(*parts)
        if path.exists():
            return path
    raise ConfigError(
        f"'{'/'.join(parts)}' of package {package} is not installed; build the workspace with "
        "'./mimic build' or source it"
    )
