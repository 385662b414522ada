"""The demonstrator as a camera: pictures that come when they are due.

A picture is rendered ahead of time, during the period before its stamp, and handed out at its
stamp. So the time that rendering takes is not counted as latency of the chain behind the camera.
A person who watches the robot therefore reacts one period late.
"""

from collections.abc import Callable
from threading import Event
from typing import Final, Protocol, TypeVar

from mimic_core.camera import Frame
from mimic_core.errors import SourceError
from mimic_sim.demonstrator import DemonstratorStream, Plan
from mimic_sim.demonstrator_params import DemonstratorParams
from mimic_sim.showing_stream import ShowingStream
from mimic_sim.studio import GroundTruth

Clock = Callable[[], float]  # [s]
T = TypeVar('T')

_NAP: Final = 0.02  # [s] at most between two looks at a clock that may run at any speed
_JUMP: Final = 1.0  # [s] by which a clock goes wrong before the stamps start anew from it


class PacedDemonstrator:
    """Hands out the pictures of a stream by a clock. Belongs to the thread that reads."""

    def __init__(self, stream: ShowingStream, clock: Clock) -> None:
        """Args: stream: at its beginning; clock: of the stamps [s]."""
        self._clock = clock
        self._stopped = Event()
        self.dropped = 0  # pictures that could not be rendered in time
        self.show(stream)

    def show(self, stream: ShowingStream) -> None:
        """Go on with another stream, from its beginning."""
        self._stream = stream
        self._period = 1.0 / stream.params.rate
        self._index = 0  # of the next picture in the person's own time
        self._origin: float | None = None  # [s] stamp of picture 0
        stream.studio.render(None)  # the first picture takes far longer than any other

    def read(self) -> tuple[Frame, GroundTruth]:
        """Return the next picture when its stamp has come; see `read_as`."""
        return self.read_as(lambda frame, truth: (frame, truth))

    def read_as(self, make: Callable[[Frame, GroundTruth], T]) -> T:
        """Return what `make` turns the next picture into, when its stamp has come.

        It is made before, as the rendering is: neither belongs to the time that a picture is on
        its way.

        Raises:
            SourceError: `stop` was called.
        """
        now = self._clock()
        if self._origin is None or abs(self._due - now) > _JUMP:
            self._origin = now + self._period - self._index * self._period
        late = int((now - self._due) / self._period)  # whole periods
        if late > 0:
            self._index += late
            self.dropped += late
        due = self._due
        picture = make(*self._stream.at(self._index * self._period, stamp=due))
        self._index += 1
        while (left := due - self._clock()) > 0.0:
            if left > _JUMP or self._stopped.wait(min(left, _NAP)):
                break
        if self._stopped.is_set():
            raise SourceError('the demonstrator was stopped')
        return picture

    def stop(self) -> None:
        """End a `read` that waits, from any thread."""
        self._stopped.set()

    @property
    def _due(self) -> float:
        assert self._origin is not None  # set by the first read
        return self._origin + self._index * self._period


class SourceParams(Protocol):
    """What a camera asks of its source."""

    @property
    def seed(self) -> int:
        """Of the demonstrator."""

    @property
    def width(self) -> int:
        """[px]."""

    @property
    def height(self) -> int:
        """[px]."""

    @property
    def rate(self) -> float:
        """[Hz]."""


class DemonstratorSource:
    """The demonstrator for mimic_camera's source `twin`: shows its task again and again."""

    live = True

    def __init__(self, params: SourceParams, clock: Clock, plan: Plan | None = None) -> None:
        """Args: params: of the camera; clock: of the stamps [s]; plan: else that of the twin."""
        self._params = DemonstratorParams(
            seed=params.seed,
            width=params.width,
            height=params.height,
            rate=params.rate,
            eyes=False,
            loop=True,
        )
        self._clock, self._plan = clock, plan
        self._paced: PacedDemonstrator | None = None
        self._stream: DemonstratorStream | None = None

    def open(self) -> None:
        """Build the studio."""
        self._stream = DemonstratorStream(self._params, self._plan)
        self._paced = PacedDemonstrator(self._stream, self._clock)

    def read(self) -> Frame:
        """Return the next picture when it is due.

        Raises:
            SourceError: The source is not open.
        """
        if self._paced is None:
            raise SourceError('the demonstrator is not open')
        return self._paced.read()[0]

    def close(self) -> None:
        """Free the graphics memory; harmless when it is not open."""
        if self._paced is not None:
            self._paced.stop()
        if self._stream is not None:
            self._stream.close()
        self._paced = self._stream = None
