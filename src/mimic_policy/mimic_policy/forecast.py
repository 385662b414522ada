"""How long a training run will still take, from what its batches took so far."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from mimic_policy.schedule import Kind

_REMEMBERED: Final = 40  # durations of each kind
_PICTURES: Final[Mapping[Kind, float]] = {'robot': 2.0, 'human': 1.0, 'mixed': 3.0}


class Forecast:
    """Medians of what each kind of batch took; kinds to come are judged by their pictures."""

    def __init__(self) -> None:
        self._durations: dict[Kind, deque[float]] = {}
        self._others: deque[float] = deque(maxlen=_REMEMBERED)  # of a step, beside its batches
        self._savings: deque[float] = deque(maxlen=_REMEMBERED)  # of checkpoints

    def took(self, kind: Kind, duration: float) -> None:
        """Remember a batch's duration [s]."""
        self._durations.setdefault(kind, deque(maxlen=_REMEMBERED)).append(duration)

    def took_beside(self, duration: float) -> None:
        """Remember what a step took beside its batches [s]."""
        self._others.append(duration)

    def took_saving(self, duration: float) -> None:
        """Remember what a checkpoint took [s]."""
        self._savings.append(duration)

    def remaining(self, kinds: Iterable[Kind], steps: int, checkpoints: int) -> float | None:
        """Return the time [s] that training still takes; None before the first batch was seen.

        Args:
            kinds: Of the batches to come.
            steps: To come.
            checkpoints: To come; until the first one was written they count nothing.
        """
        known = {kind: float(np.median(values)) for kind, values in self._durations.items()}
        if not known:
            return None
        each = sum(known[k] / _PICTURES[k] for k in known) / len(known)
        counts = Counter(kinds)
        beside = float(np.mean(self._others)) if self._others else 0.0
        batches = sum(n * known.get(k, each * _PICTURES[k]) for k, n in counts.items())
        saving = float(np.median(self._savings)) if self._savings else 0.0
        return batches + steps * beside + checkpoints * saving
