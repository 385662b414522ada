"""What colour an object has, against what is around it."""

from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from mimic_core.arrays import BoolArray, FloatArray, Image

_BINS: Final = 32  # of each of the two axes of chroma in Lab
_SHIFT: Final = 3  # 256 / 32
_RATE: Final = 0.05  # [1] share of the newest picture in what is remembered
_LEAST: Final = 200  # [px] from which colours are learned
_SEPARATE: Final = 0.30  # [1] overlap of object and surroundings below which colour can tell
_FOREIGN: Final = 0.15  # [1] likelihood ratio below which a pixel is not of the object
_RARE: Final = 0.01  # [1] of the commonest colour of the object: what is rarer is not of it
Histogram = npt.NDArray[np.float64]


class ColourModel:
    """Histograms of chroma, of the object and of its surroundings; brightness is left out."""

    def __init__(self) -> None:
        self._inside: Histogram | None = None
        self._outside: Histogram | None = None
        self._ratio: Histogram = np.ones(_BINS * _BINS)

    @property
    def tells(self) -> bool:
        """Whether colour separates the object from what is around it."""
        if self._inside is None or self._outside is None:
            return False
        return float(np.sqrt(self._inside * self._outside).sum()) < _SEPARATE

    def learn(self, color: Image, inside: BoolArray, outside: BoolArray) -> None:
        """Take a picture (h, w, 3) with masks (h, w) of the object and of what it is not."""
        if np.count_nonzero(inside) < _LEAST or np.count_nonzero(outside) < _LEAST:
            return
        index = _chroma(color)
        self._inside = _mixed(self._inside, index[inside])
        self._outside = _mixed(self._outside, index[outside])
        floor = 1e-4
        self._ratio = (self._inside + floor) / (self._outside + floor)

    def foreign(self, color: Image) -> BoolArray:
        """Return which pixels (h, w) are not of the object, as far as colour tells."""
        if not self.tells:
            return np.zeros(color.shape[:2], bool)
        assert self._inside is not None  # it tells
        rare = self._inside < _RARE * self._inside.max()
        found: BoolArray = (rare | (self._ratio < _FOREIGN))[_chroma(color)]
        return found

    def likeness(self, colours: npt.NDArray[np.uint8]) -> float:
        """Return the share [0..1] of colours (N, 3) that may be of the object; 1 if unknown."""
        if not self.tells or len(colours) == 0:
            return 1.0
        return float(np.mean((self._ratio > 1.0)[_chroma(colours[None])[0]]))


def _chroma(color: Image) -> npt.NDArray[Any]:
    lab = cv2.cvtColor(np.ascontiguousarray(color), cv2.COLOR_RGB2LAB)
    # The middle of both axes is grey, and few things leave it by more than half the range.
    a, b = (np.clip(2 * (lab[..., i].astype(np.int16) - 128) + 128, 0, 255) for i in (1, 2))
    index: npt.NDArray[Any] = (a >> _SHIFT) * _BINS + (b >> _SHIFT)
    return index


def _mixed(old: Histogram | None, index: npt.NDArray[Any]) -> Histogram:
    counts = np.bincount(index, minlength=_BINS * _BINS).astype(np.float32)
    smooth: FloatArray = cv2.GaussianBlur(
        counts.reshape(_BINS, _BINS), (0, 0), 1.2, borderType=cv2.BORDER_REPLICATE
    ).ravel().astype(np.float64)  # fmt: skip
    new = smooth / smooth.sum()
    return new if old is None else (1.0 - _RATE) * old + _RATE * new
