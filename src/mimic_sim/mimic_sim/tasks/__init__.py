"""Tasks on the table. Each is one file; the registry finds it by itself.

Folders are those of the environment variable MIMIC_TASK_PATH (separated by colons), then this one.
A name that ends in .json is the path of a task file.
"""

import importlib
import importlib.util
import os
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Final

from mimic_core.errors import ConfigError, UnknownNameError
from mimic_sim.tasks.showing import Move
from mimic_sim.tasks.task import (
    Hinge,
    Marker,
    ObjectState,
    Part,
    SceneObject,
    Slide,
    Start,
    Task,
    TaskState,
    WorkArea,
    lies_within,
    pose_on_table,
    scattered,
)
from mimic_sim.tasks.task_file import SUFFIX, TaskFile, file_task, save_task_file

__all__ = [
    'Hinge',
    'Marker',
    'Move',
    'ObjectState',
    'Part',
    'SceneObject',
    'Slide',
    'Start',
    'Task',
    'TaskFile',
    'TaskState',
    'WorkArea',
    'known_tasks',
    'lies_within',
    'load_task',
    'pose_on_table',
    'save_task_file',
    'scattered',
    'task_class',
]

TASK_PATH_VARIABLE: Final = 'MIMIC_TASK_PATH'
_OWN: Final = Path(__file__).parent


def known_tasks() -> list[str]:
    """Return the names of all tasks, sorted."""
    return sorted(_classes())


def load_task(name: str, area: WorkArea) -> Task:
    """Return a task in front of an arm.

    Raises:
        UnknownNameError, ConfigError: As `task_class`.
    """
    return task_class(name)(area)


def task_class(name: str) -> type[Task]:
    """Return what a task is wherever it is done.

    Args:
        name: Of a task, or the path of a task file.

    Raises:
        UnknownNameError: There is none of that name; lists the known ones.
        ConfigError: A file of a task cannot be read, or a class in it is not complete.
    """
    if name.endswith(SUFFIX):
        return file_task(Path(name))
    classes = _classes()
    if name not in classes:
        raise UnknownNameError('task', name, classes)
    return classes[name]


def _classes() -> dict[str, type[Task]]:
    """Return the class of each task; the first folder wins."""
    extra = [Path(p) for p in os.environ.get(TASK_PATH_VARIABLE, '').split(':') if p]
    classes: dict[str, type[Task]] = {}
    for folder in (*extra, _OWN):
        for file in sorted(folder.glob('*.py')):
            if file.parent == _OWN and file.stem in ('__init__', 'task', 'task_file', 'showing'):
                continue
            module = _import(file, file.stat().st_mtime_ns)
            for item in vars(module).values():
                if not isinstance(item, type) or item.__module__ != module.__name__:
                    continue  # only classes that the file itself defines
                if issubclass(item, Task) and _is_complete(item, file):
                    classes.setdefault(item.name, item)
    return classes


def _is_complete(item: type[Task], file: Path) -> bool:
    """Tell a task from a base of tasks, which has neither a name nor all methods."""
    missing = sorted(getattr(item, '__abstractmethods__', ()))
    texts = [n for n in ('name', 'description') if not isinstance(getattr(item, n, None), str)]
    if missing and 'name' in texts:
        return False
    if texts or missing:
        raise ConfigError(
            f'task file {file}: class {item.__name__} has no {", ".join(texts + missing)}'
        )
    return True


@lru_cache(maxsize=64)
def _import(file: Path, _mtime_ns: int) -> ModuleType:
    own = file.parent == _OWN
    name = f'mimic_sim.tasks.{file.stem}' if own else f'mimic_task_{file.stem}_{_mtime_ns}'
    if own:
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ConfigError(f'{file} is no Python module')
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up here
    try:
        spec.loader.exec_module(module)
    except (ImportError, SyntaxError, AttributeError, NameError, TypeError, ValueError) as error:
        del sys.modules[name]
        raise ConfigError(f'task file {file}: {error}') from error
    return module
