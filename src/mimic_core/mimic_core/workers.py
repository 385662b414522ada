"""Processes that work for this one."""

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Final

_ORPHANED: Final = 1  # exit code


def worker_processes(
    count: int, prepare: Callable[..., Any] | None = None, *arguments: Any
) -> ProcessPoolExecutor:
    """Return a pool of processes that end with this one, also when it is killed.

    They are spawned, not forked: MediaPipe, FFmpeg and torch have threads of their own.

    Args:
        count: Of them.
        prepare: What each does before its first job, at the top level of a module.
        arguments: Of that.
    """
    context = multiprocessing.get_context('spawn')
    return ProcessPoolExecutor(count, context, _begin, (prepare, *arguments))


def _begin(prepare: Callable[..., Any] | None, *arguments: Any) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if prepare is not None:
        prepare(*arguments)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(_ORPHANED)
