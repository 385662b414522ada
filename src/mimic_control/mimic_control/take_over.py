"""The clutch with which a person takes over from a policy."""

import math


class Clutch:
    """Whether a person holds the clutch: from the first word of it until it is let go.

    A person who is not heard of any more has not let go: then neither the person nor the policy
    drives.
    """

    def __init__(self, timeout: float) -> None:
        """Args: timeout: without a word for longer [s], nobody drives."""
        self._timeout = timeout
        self._held = False
        self._heard = -math.inf  # [s]

    @property
    def held(self) -> bool:
        """It was pressed and not let go since."""
        return self._held

    def press(self, held: bool, now: float) -> None:
        """Take what the clutch says at a time [s]."""
        self._held, self._heard = held, now

    def forget(self) -> None:
        """Begin anew, not held."""
        self._held, self._heard = False, -math.inf

    def lost(self, now: float) -> str:
        """Return why nobody knows whether it is held, '' while it is heard of."""
        age = now - self._heard
        if not self._held or 0.0 <= age <= self._timeout:
            return ''
        return (
            f'a person took over and is not heard of for {age:.2f} s (bound {self._timeout:g} s): '
            'let go of the clutch, or choose a mode'
        )
