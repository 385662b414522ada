"""An emulator by hand: faults from the keyboard, its state in a line."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from mimic_core.emulator.faults import FAULTS, Faults
from mimic_core.errors import MimicError

_NICE = -15  # [1] of emulators that are processes: a real device has a processor of its own


def run_before_others() -> None:
    """Give every thread of this process a better nice value, where the system permits."""
    with contextlib.suppress(OSError, AttributeError):
        for thread in Path('/proc/self/task').iterdir():
            os.setpriority(os.PRIO_PROCESS, int(thread.name), _NICE)


def console(where: str, faults: Faults, state: Callable[[], str]) -> None:
    """Talk with a person until the input ends or Ctrl-C; started by a program, until a signal.

    Args:
        where: Port or address for the driver.
        faults: Of the emulated device.
        state: Returns one line about it.
    """
    run_before_others()
    out = sys.stdout
    out.write(f'listening on {where}\n')
    out.write(f'type a fault ({", ".join(FAULTS)}) [COUNT] [joint N], clear, or enter\n')
    out.flush()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for line in sys.stdin:
            if line.strip():
                try:
                    out.write(f'{faults.command(line.strip())}\n')
                except MimicError as error:
                    out.write(f'{error}\n')
            out.write(f'{state()}\n')
            out.flush()
        if not sys.stdin.isatty():
            signal.pause()
    except KeyboardInterrupt:
        out.write('\n')
