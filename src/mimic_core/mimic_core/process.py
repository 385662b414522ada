"""What the process of a node asks of the system: memory, the scheduler, a quick end."""

import atexit
import contextlib
import ctypes
import gc
import os
import sys
from typing import Final, NoReturn

CONTROL: Final = 50  # [1..99] priority of what holds a period: the default of ros2_control
COMMANDS: Final = 40  # of what commands it
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3


def keep_malloc_pages() -> None:
    """Let malloc keep its pages, which halves the cost of an image message.

    glibc only; elsewhere it does nothing. docs/results/ has the measurement.
    """
    try:
        mallopt = ctypes.CDLL('libc.so.6').mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_MMAP_THRESHOLD, 1 << 28)
    mallopt(_M_TRIM_THRESHOLD, 1 << 29)
    mallopt(_M_TOP_PAD, 1 << 26)


def run_first(priority: int) -> None:
    """Let the scheduler run this process and its later threads before ordinary ones.

    As ros2_control does for its loop: SCHED_FIFO where the user may (root, or rtprio in
    limits.conf), else a better nice value, else nothing.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except (AttributeError, OSError):
        with contextlib.suppress(OSError):
            os.nice(-10)


def run_ordinarily(nice: int = 0) -> None:
    """Let this thread, or process, wait for its turn again, whatever priority it was given.

    Args:
        nice: How much later than others, negative: how much before; added to what a person gave.
    """
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    with contextlib.suppress(OSError):
        given = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, 0, max(given, 0) + nice)


def settle() -> None:
    """Leave what was made so far out of garbage collection: it lives as long as its node.

    A full collection looks at every object, and no timer of the process runs meanwhile:
    0.15 s in the node of a policy.
    """
    gc.collect()
    gc.freeze()


def end(code: int) -> NoReturn:
    """End the process, without what C++ libraries do behind Python's back.

    The destructors of Fast DDS were seen to wait for each other for ever, in a busy loop; and the
    interpreter would walk through every object of numba and MediaPipe: seconds.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
