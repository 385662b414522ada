"""The thread of a driver: a steady period, and a command that does not wait for it."""

import math
import threading
import time
from collections.abc import Callable

from mimic_core.driver.device import Reading
from mimic_core.driver.session import DriverSession


class Loop:
    """Runs `DriverSession.cycle` once a period, at absolute times, so that its rate is exact.

    A command wakes it and is written at once instead of at the next period.
    """

    def __init__(
        self,
        session: DriverSession,
        clock: Callable[[], float],
        on_reading: Callable[[Reading], None],
    ) -> None:
        """Make a loop that does not run yet.

        Args:
            session: What is cycled.
            clock: Time of stamps [s].
            on_reading: Called from the thread after every good read.
        """
        self.cycles = 0
        self.missed = 0  # periods that were left out since the one before took too long
        self._session, self._clock, self._on_reading = session, clock, on_reading
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether the thread runs; False after `start` means that it died of a defect."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name='driver', daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait for its end."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def wake(self) -> None:
        """Let a command that has just been taken be written now."""
        self._wake.set()

    def _run(self) -> None:
        period = self._session.period
        due = time.perf_counter()
        asked = math.inf  # when a command that came too soon after a write may follow it
        while not self._stopping:
            now = time.perf_counter()
            if now < due:
                woken = self._wake.wait(max(min(due, asked) - now, 0.0))
                if woken or time.perf_counter() >= asked:
                    self._wake.clear()
                    early = self._session.write_now(self._clock())
                    asked = time.perf_counter() + early if early else math.inf
                continue
            reading = self._session.cycle(self._clock(), self._clock)
            if reading is not None:
                self._on_reading(reading)
            self.cycles += 1
            due += period
            late = time.perf_counter() - due
            if late > period:
                skipped = int(late / period)
                self.missed += skipped
                due += skipped * period
