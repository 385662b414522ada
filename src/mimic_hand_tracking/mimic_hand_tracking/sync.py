"""Pairs colour with the depth of the same stamp, and waits no longer than it must."""

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

Stamp = tuple[int, int]  # (seconds, nanoseconds): equal or not, no rounding
ColorT = TypeVar('ColorT')
DepthT = TypeVar('DepthT')

DEPTH_EXPECTED: Final = 1.0  # [s] after the last depth image, one is waited for
KEPT_DEPTHS: Final = 4  # that came before their colour


@dataclass(frozen=True)
class Pair(Generic[ColorT, DepthT]):
    """A colour image, and the depth of the same stamp if it came in time."""

    color: ColorT
    depth: DepthT | None
    arrived: float  # [s] of the colour, in the clock of the caller


class FrameSync(Generic[ColorT, DepthT]):
    """Holds at most one colour image: a newer one takes the place of one that waits."""

    def __init__(self, depth_wait: float) -> None:
        """Args: depth_wait: longest wait for the depth of a colour image [s]."""
        self._depth_wait = depth_wait
        self._waiting: tuple[Stamp, ColorT, float] | None = None
        self._depths: dict[Stamp, DepthT] = {}
        self._last_depth = -1e9  # [s]
        self.dropped = 0  # colour images that a newer one replaced
        self.without_depth = 0  # colour images whose depth was expected but late

    @property
    def is_waiting(self) -> bool:
        """A colour image waits for its depth."""
        return self._waiting is not None

    def add_color(self, stamp: Stamp, color: ColorT, now: float) -> Pair[ColorT, DepthT] | None:
        """Take a colour image; return it with its depth if there is nothing to wait for."""
        if self._waiting is not None:
            self.dropped += 1
            self._waiting = None
        if stamp in self._depths:
            return self._pair(color, stamp, now)
        if now - self._last_depth > DEPTH_EXPECTED or self._depth_wait == 0.0:
            return Pair(color, None, now)
        self._waiting = (stamp, color, now)
        return None

    def add_depth(self, stamp: Stamp, depth: DepthT, now: float) -> Pair[ColorT, DepthT] | None:
        """Take a depth image; return the pair if its colour waits for it."""
        self._last_depth = now
        self._depths[stamp] = depth
        while len(self._depths) > KEPT_DEPTHS:
            del self._depths[next(iter(self._depths))]
        if self._waiting is None or self._waiting[0] != stamp:
            return None
        _, color, arrived = self._waiting
        self._waiting = None
        return self._pair(color, stamp, arrived)

    def give_up(self, now: float) -> Pair[ColorT, DepthT] | None:
        """Return the colour image that has waited long enough, without depth."""
        if self._waiting is None or now - self._waiting[2] < self._depth_wait:
            return None
        _, color, arrived = self._waiting
        self._waiting = None
        self.without_depth += 1
        return Pair(color, None, arrived)

    def _pair(self, color: ColorT, stamp: Stamp, arrived: float) -> Pair[ColorT, DepthT]:
        depth = self._depths.pop(stamp)
        # What is older than a pair will never be paired.
        self._depths = {s: d for s, d in self._depths.items() if s > stamp}
        return Pair(color, depth, arrived)
