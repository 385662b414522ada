"""Requests that may fail now and then, as on any bus."""

from collections.abc import Callable
from typing import Final, TypeVar

from mimic_core.errors import NoReplyError, ProtocolError

TRIES: Final = 3  # of a request where no period is to be kept
T = TypeVar('T')


def tried(ask: Callable[[], T], tries: int = TRIES) -> T:
    """Return what a request gives; only the last try may raise NoReplyError or ProtocolError."""
    for _ in range(tries - 1):
        try:
            return ask()
        except (NoReplyError, ProtocolError):
            continue
    return ask()
