"""Writing a growing file out in the background, so that its end does not wait for the disk."""

import os
import threading
from typing import Final

STEP: Final = 16 << 20  # [B] asked for at a time


class Writeback:
    """Asks the kernel to write out what the page cache holds of a file.

    The kernel may make whoever asks wait for a slow disk: that is a thread of its own here, while
    the writer goes on filling the page cache.
    """

    def __init__(self, fd: int) -> None:
        """Args: fd: open file; a duplicate is kept."""
        self._fd = os.dup(fd)
        self._size = 0  # [B] of the file
        self._done = 0  # [B] asked for
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name='episode writeback', daemon=True)
        self._thread.start()

    def grown(self, size: int) -> None:
        """Tell that the file has `size` bytes now."""
        self._size = size
        if size - self._done >= STEP:
            self._wake.set()

    def close(self) -> None:
        """Stop asking; waits for a request that is under way."""
        self._closing = True
        self._wake.set()
        self._thread.join()
        os.close(self._fd)

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait()
            self._wake.clear()
            while not self._closing and self._size - self._done >= STEP:
                # Advice; a file system that does not know it loses nothing.
                os.posix_fadvise(self._fd, self._done, STEP, os.POSIX_FADV_DONTNEED)
                self._done += STEP
