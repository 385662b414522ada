"""Modules of your own that parameters and options name, `module:attribute`."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def import_plug_in(module: str) -> ModuleType:
    """Return a module by name: one that is installed, else one in the current folder.

    A command is started from a script, whose folder Python searches, not the one of its user.

    Raises:
        ImportError: There is none, or it cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        first = module.partition('.')[0]
        if error.name != first:
            raise
        here = str(Path.cwd())
        if here not in sys.path:
            sys.path.append(here)
        importlib.invalidate_caches()
        if importlib.util.find_spec(first) is None:
            raise ModuleNotFoundError(
                f"No module named '{first}', neither installed nor in {here}", name=first
            ) from None
    return importlib.import_module(module)
