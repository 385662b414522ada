"""What serves an emulated device, whatever it is plugged into."""

import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, Self, TypeVar

from mimic_core.arrays import FloatArray
from mimic_core.emulator.faults import Faults
from mimic_core.emulator.plant import Plant

POLL: Final = 0.002  # [s] between looks when nothing comes
REPLUG: Final = 0.05  # [s] between looks whether the cable is back
_MOST_RECEIVED: Final = 1 << 21  # [B] kept, then it begins anew: an emulator may run for days


class ByteDevice(Protocol):
    """The far end of a line."""

    faults: Faults

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they come; return the replies, whole frames, in order."""

    def step(self, dt: float) -> list[bytes]:
        """Let time pass [s]; return frames that the device sends by itself."""

    def break_checksum(self, reply: bytes) -> bytes:
        """Return a frame with a wrong checksum."""


class MotorDevice(ByteDevice, Protocol):
    """A byte device that moves motors."""

    plant: Plant
    written: deque[tuple[float, FloatArray]]  # perf_counter [s], (J,) goals [rad] or [m]


class Server(ABC):
    """Serves a device in a thread: time passes for it, bytes come and go."""

    def __init__(self, device: ByteDevice) -> None:
        """Make a server that does not run yet.

        Args:
            device: Who answers.
        """
        self.device = device
        self.received = bytearray()  # what came lately, for tests of the wire
        self.received_at: list[tuple[float, int]] = []  # [s] perf_counter, bytes so far
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name='emulator', daemon=True)

    def __enter__(self) -> Self:
        """Start serving; drivers find the device when this returns."""
        self._plug()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and unplug."""
        self._stop.set()
        self._thread.join()
        self._unplug()

    @abstractmethod
    def _plug(self) -> None:
        """Let drivers find the device; does nothing where they do."""

    @abstractmethod
    def _unplug(self) -> None:
        """Take it away from them."""

    @abstractmethod
    def _serve(self) -> None:
        """Take what comes within POLL, if anything does."""

    @abstractmethod
    def _write(self, frame: bytes) -> None:
        """Put a frame on the wire; lost where nobody listens."""

    def _run(self) -> None:
        last = time.perf_counter()
        while not self._stop.is_set():
            now = time.perf_counter()
            frames = self.device.step(now - last)
            last = now
            if self.device.faults.on('disconnect'):
                self._unplug()
                time.sleep(REPLUG)
                continue
            self._plug()
            for frame in frames:
                self._send(frame)
            self._serve()

    def _note(self, data: bytes) -> None:
        if len(self.received) > _MOST_RECEIVED:
            self.received.clear()
            self.received_at.clear()
        self.received += data
        self.received_at.append((time.perf_counter(), len(self.received)))

    def _send(self, reply: bytes) -> None:
        spoiled, delay = self.device.faults.spoil(reply, self.device.break_checksum)
        delay += self._airtime(spoiled)
        if delay:
            time.sleep(delay)
        self._write(spoiled)

    def _airtime(self, frame: bytes) -> float:
        """Return how long a frame is on the wire [s]."""
        return 0.0


D = TypeVar('D', bound=MotorDevice)


@dataclass(frozen=True)
class Running(Generic[D]):
    """A device that is served, and how a driver reaches it."""

    device: D
    server: Server
    params: dict[str, Any]  # of the driver

    @property
    def faults(self) -> Faults:
        """Faults of the device."""
        return self.device.faults

    @property
    def plant(self) -> Plant:
        """Its motors, in the order of the joints."""
        return self.device.plant

    def writes(self) -> list[tuple[float, FloatArray]]:
        """Return when (perf_counter [s]) which (J,) goals [rad] or [m] came over the wire."""
        return list(self.device.written)
