"""Array types and the checks that every public function does at its border."""

from typing import Any

import numpy as np
import numpy.typing as npt

from mimic_core.errors import NotFiniteError, ShapeError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Image = npt.NDArray[np.uint8]  # (H, W, 3) rgb
DepthImage = npt.NDArray[np.uint16]  # (H, W) [mm], 0 where unknown

__all__ = ['BoolArray', 'DepthImage', 'FloatArray', 'Image', 'IntArray', 'checked']


def checked(
    value: Any, shape: tuple[int | None, ...], name: str, *, finite: bool = True
) -> FloatArray:
    """Return `value` as a float64 array of the given shape.

    Args:
        value: Anything numpy turns into numbers.
        shape: Wanted shape; None leaves an axis free.
        name: What it is, for the message.
        finite: Refuse NaN and infinity.

    Raises:
        ShapeError: Not of that shape, or not numbers.
        NotFiniteError: Holds NaN or infinity; says at which index.
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ShapeError(f'{name} is not an array of numbers: {error}') from error
    if array.ndim != len(shape) or any(
        want is not None and want != have for want, have in zip(shape, array.shape, strict=True)
    ):
        wanted = tuple('any' if n is None else n for n in shape)
        raise ShapeError(f'{name} has shape {array.shape}, not {wanted}')
    if finite and not np.isfinite(array).all():
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise NotFiniteError(f'{name}{list(index)} is {array[index]}')
    return array
