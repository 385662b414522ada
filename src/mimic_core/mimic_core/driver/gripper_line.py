"""The serial line to a gripper: how it is opened, and what may be wrong when nobody answers."""

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from mimic_core.driver.tries import tried
from mimic_core.errors import DeviceError, NoReplyError


class _Closable(Protocol):
    def close(self) -> None: ...


L = TypeVar('L', bound=_Closable)
T = TypeVar('T')


class GripperLine(Generic[L]):
    """A line that is opened again and again, and whether the gripper ever answered there."""

    def __init__(
        self,
        open_at: Callable[[int], L],
        ping: Callable[[L], object],
        baud: int,
        others: Iterable[int],
        number: str,
    ) -> None:
        """Make a line that is not open.

        Args:
            open_at: Opens it at a baud [1/s].
            ping: Asks the gripper for a sign of life.
            baud: Bits a second [1/s].
            others: Bauds at which it might answer instead [1/s].
            number: Name of the parameter that says which gripper is meant.
        """
        self._open_at, self._ping, self._baud = open_at, ping, baud
        self._others = tuple(other for other in others if other != baud)
        self._number = number
        self._line: L | None = None
        self._known = False  # it has answered at these settings

    def open(self, ask: Callable[[], T]) -> T:
        """Open the line and return what the gripper answers.

        Raises:
            NoReplyError: Nobody answers; with advice where nobody ever did.
            DeviceError: The port cannot be opened, or something else answers.
        """
        self.close()
        try:
            self._line = self._open_at(self._baud)
            answer = tried(ask)
        except NoReplyError as error:
            self.close()
            if self._known:
                raise
            raise NoReplyError(f'{error}; {self._advice()}') from error
        except DeviceError:
            self.close()
            raise
        self._known = True
        return answer

    def close(self) -> None:
        """Let go of the port."""
        if self._line is not None:
            self._line.close()
            self._line = None

    @property
    def opened(self) -> L:
        """The open line; raises DeviceError where there is none."""
        if self._line is None:
            raise DeviceError('the gripper is not connected')
        return self._line

    def _advice(self) -> str:
        """Return what may be wrong when nobody answers: it looks at the other speeds."""
        for baud in self._others:
            try:
                line = self._open_at(baud)
            except DeviceError:
                break
            try:
                self._ping(line)
            except DeviceError:
                continue
            finally:
                line.close()
            return f'but it answers at {baud} bit/s: set the parameter baud'
        return f'is it powered, and are {self._number} and the wires right?'
