"""What a source of frames is, and the reader that keeps one running."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np

from mimic_core.arrays import Image
from mimic_core.camera import Frame
from mimic_core.errors import MimicError, SourceError

Clock = Callable[[], float]  # [s], the clock of the frames' stamps

FIRST_RETRY, LAST_RETRY = 0.5, 5.0  # [s] between attempts to open a source again
CLOCK_SET_FORWARD: Final = 5.0  # [s] a file that is late by more goes on from there, undropped
CLOCK_SET_BACK: Final = 1.0  # [s] a stamp that is older than the last one by more begins anew
FREEZE_LIMIT: Final = 1.0  # [s]; the noise of a real sensor changes some pixel in every frame


class EndOfStreamError(SourceError):
    """A file has no more frames."""


class Source(Protocol):
    """Where frames come from. Opening is not done in the constructor."""

    live: bool  # a device: may disappear and come back. Otherwise a file, which ends

    def open(self) -> None:
        """Open it; raises SourceError that says what to do."""

    def read(self) -> Frame:
        """Return the next frame when it is due; raises SourceError, EndOfStreamError."""

    def close(self) -> None:
        """Release the device or file; harmless when it is not open."""


class FreezeDetector:
    """Notices a camera that repeats one picture with fresh stamps."""

    def __init__(self, limit: float = FREEZE_LIMIT) -> None:
        self._limit = limit
        self._last: Image | None = None
        self._since = 0.0

    def check(self, color: Image, stamp: float) -> None:
        """Take the next picture; raises SourceError when it has not changed for the limit [s]."""
        sample = color[::8, ::8]
        if (
            self._last is None
            or sample.shape != self._last.shape
            or not np.array_equal(sample, self._last)
        ):
            self._last, self._since = sample.copy(), stamp
        elif stamp - self._since > self._limit:
            raise SourceError(f'the picture has not changed for {stamp - self._since:.1f} s')


@dataclass(frozen=True)
class ReaderStatus:
    """How a source is doing."""

    state: str = 'opening'  # opening, streaming, failed, ended
    error: str = ''  # why it failed, last seen
    frames: int = 0  # delivered
    failures: int = 0  # times that the source failed
    last_stamp: float = float('nan')  # [s] of the last frame


class Reader:
    """Reads a source in a thread of its own, and opens a device again when it fails.

    A frame is delivered once, with the stamp of its capture; while the source fails nothing is
    delivered.
    """

    def __init__(
        self, source: Source, on_frame: Callable[[Frame], None], on_status: Callable[[], None]
    ) -> None:
        """Keep the callbacks; both are called in the reader's thread."""
        self._source, self._on_frame, self._on_status = source, on_frame, on_status
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name='camera', daemon=True)
        self._freeze = FreezeDetector()
        self._open = False
        self.status = ReaderStatus()

    def start(self) -> None:
        """Open the source and begin; raises SourceError when a file cannot be opened.

        A device that is missing is not an error here: it may be plugged in later.
        """
        if not self._source.live:
            self._source.open()
            self._open = True
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the source."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)
        self._source.close()

    def _set(self, **changes: object) -> None:
        self.status = replace(self.status, **changes)  # type: ignore[arg-type]
        self._on_status()

    def _run(self) -> None:
        wait = FIRST_RETRY
        while not self._stop.is_set():
            try:
                if not self._open:
                    self._source.open()
                    self._open = True
                self._stream()
                return
            except EndOfStreamError:
                self._set(state='ended')
                return
            except MimicError as error:
                wait = FIRST_RETRY if self.status.state == 'streaming' else wait
                self._set(state='failed', error=str(error), failures=self.status.failures + 1)
                self._source.close()
                self._open = False
                if not self._source.live:
                    return
                self._stop.wait(wait)
                wait = min(2 * wait, LAST_RETRY)

    def _stream(self) -> None:
        while not self._stop.is_set():
            frame = self._source.read()
            back = self.status.last_stamp - frame.stamp
            if 0.0 <= back <= CLOCK_SET_BACK:
                continue  # the same picture again, or one that comes late
            if back > CLOCK_SET_BACK:
                self._freeze = FreezeDetector()
            if self._source.live:
                self._freeze.check(frame.color, frame.stamp)
            self.status = replace(
                self.status, frames=self.status.frames + 1, last_stamp=frame.stamp
            )
            if self.status.state != 'streaming':
                self._set(state='streaming', error='')
            self._on_frame(frame)


def sleep_until(due: float, clock: Clock) -> float:
    """Sleep until a time of the clock [s]; return by how much it was late [s], 0 if not."""
    delay = due - clock()
    if delay > 0:
        time.sleep(delay)
        return 0.0
    return -delay


def clock_jump(due: float, last: float, clock: Clock) -> float:
    """Return by how much a clock was set, 0 while it just runs.

    The first message of /clock and a corrected system clock set it.

    Args:
        due: When the next picture is due [s].
        last: When the last one was [s].
        clock: [s].
    """
    now = clock()
    was_set = now - due > CLOCK_SET_FORWARD or last - now > CLOCK_SET_BACK
    return now - due if was_set else 0.0
