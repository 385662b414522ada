"""The decorator of the compiled loops: machine code kept on disk, and never out of date."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numpy as np
from numba import njit

from mimic_core.arrays import FloatArray

_FILES: Final = ('kernels', 'hand_kernels', 'arm_kernels', 'arm_step', 'tables')
F = TypeVar('F', bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a function at its first call, or load it if any process has compiled it before.

    Numba's cache looks at the file of the function only, but the code holds that of functions it
    calls in other files. So the stamp of all these files takes the place of that of the one.
    """
    dispatcher: Any = njit(cache=True)(function)
    dispatcher._cache._cache_file._source_stamp = _stamp(Path(function.__code__.co_filename))
    return cast(F, dispatcher)


def plain(values: FloatArray | Sequence[float]) -> FloatArray:
    """Return a copy in one piece, the one form of array that the loops are compiled for.

    A slice or a read-only array is another form, for which they would be compiled anew.
    """
    return np.array(values, dtype=np.float64, order='C')


@functools.cache
def _stamp(own: Path) -> tuple[tuple[str, float, int], ...]:
    """Return name, time of change and size of each file with compiled code.

    Args:
        own: File of the function; it may be of another package, which builds on these loops.
    """
    folder = Path(__file__).parent
    files = sorted({*(folder / f'{name}.py' for name in _FILES), own})
    return tuple((file.name, file.stat().st_mtime, file.stat().st_size) for file in files)
