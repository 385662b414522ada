"""Pictures at the size of a network: the one way, for training and for running alike."""

import cv2
import numpy as np

from mimic_core.arrays import Image


def resize(image: Image, size: tuple[int, int]) -> Image:
    """Return a picture at another size, each pixel the mean of what it covers.

    Args:
        image: (H, W, 3) rgb.
        size: Wanted height and width [px].
    """
    height, width = size
    if image.shape[:2] == size:
        return image.copy()
    smaller = height <= image.shape[0] and width <= image.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)
