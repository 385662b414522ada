"""Pictures of detections: the points that were found, and where a solution puts them."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from mimic_calibration.detection import Detection
from mimic_core.arrays import FloatArray, Image

_FOUND: Final = (20, 160, 60)
_PREDICTED: Final = (230, 60, 40)
_TILE: Final = (320, 240)
_PER_ROW: Final = 4


def draw_detection(
    image: Image, detection: Detection | None, predicted: FloatArray | None = None, text: str = ''
) -> Image:
    """Return a copy with the found points as circles and (P, 2) predicted ones as crosses."""
    canvas = np.ascontiguousarray(image).copy()
    size = max(3, round(image.shape[1] / 80))
    width = max(1, size // 4)
    if detection is not None:
        for u, v in np.rint(detection.pixels).astype(int):
            cv2.circle(canvas, (int(u), int(v)), size, _FOUND, width, cv2.LINE_AA)
    if predicted is not None:
        for u, v in np.rint(predicted).astype(int):
            cv2.drawMarker(canvas, (int(u), int(v)), _PREDICTED, cv2.MARKER_CROSS, 2 * size, width)
    if text:
        scale = image.shape[1] / 900
        place = (2 * size, canvas.shape[0] - 2 * size)
        for colour, thick in (((0, 0, 0), 4), ((255, 255, 255), 1)):
            cv2.putText(
                canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour,
                max(1, round(thick * scale)), cv2.LINE_AA,
            )  # fmt: skip
    return canvas


def contact_sheet(pictures: Sequence[Image]) -> Image:
    """Return the pictures side by side, small."""
    width, height = _TILE
    rows = -(-len(pictures) // _PER_ROW)
    sheet = np.full((rows * height, _PER_ROW * width, 3), 255, np.uint8)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, _PER_ROW)
        scale = min(width / picture.shape[1], height / picture.shape[0])
        size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        y, x = row * height, column * width
        sheet[y : y + size[1], x : x + size[0]] = small
    return sheet
