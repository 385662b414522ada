"""Videos whose pictures say where a hand is, and a detector that reads it from the pictures.

The hand is that of the simulator's model; pictures of it go through files, codecs, tracking and
retargeting. The truth is used by the tests alone.
"""

from pathlib import Path

import numpy as np

from mimic_core.camera import Intrinsics
from mimic_core.frames import apply, inverse, look_at
from mimic_dataset.people import View
from mimic_dataset.video import VideoWriter
from mimic_hand_tracking.detector import Detection
from mimic_sim.hand_model import HandModel
from mimic_sim.hand_postures import pinch

RATE = 30  # [Hz]
CAMERA = Intrinsics(160, 120, 150.0, 150.0, 79.5, 59.5)
EYE, TARGET = np.array([1.2, 0.0, 0.6]), np.array([0.55, 0.0, 0.2])
BASE_T_CAMERA = look_at(EYE, TARGET, np.array([0.0, 0.0, 1.0]))
VIEW = View(BASE_T_CAMERA, CAMERA)
DETECTOR = f'{__name__}:WrittenHands'

_MODEL = HandModel()
_APERTURES = np.linspace(0.03, 0.09, 13)
_POSTURES = [_MODEL.keypoints(pinch(_MODEL, float(a))) for a in _APERTURES]
# Fingers down, palm to the camera.
_BASE_R_HAND = np.stack([[1.0, 0, 0], [0, -1.0, 0], [0, 0, -1.0]], axis=1)


def share_at(t: float) -> float:
    """How far the demonstration is at a time [s], 0 to 1: still, moving for 2 s, still."""
    s = float(np.clip((t - 1.0) / 2.0, 0.0, 1.0))
    return s * s * (3.0 - 2.0 * s)


def wrist_at(t: float) -> np.ndarray:
    """Where the wrist is [m] in base_link."""
    return np.array([0.5, -0.1 + 0.2 * share_at(t), 0.35])


def keypoints_at(t: float) -> np.ndarray:
    """(21, 3) [m] in base_link; the hand closes while it moves."""
    points = _POSTURES[round((1.0 - share_at(t)) * (len(_POSTURES) - 1))]
    return points @ _BASE_R_HAND.T + wrist_at(t)


def write_video(
    path: Path,
    duration: float = 4.0,
    hidden: tuple[tuple[float, float], ...] = (),
    every: int = 1,
    absent: tuple[tuple[float, float], ...] = (),
) -> Path:
    """Write a video in which the hand is hidden for some spans of time [s].

    It has one picture of `every` so many, and none at all in the spans of `absent`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, RATE, (CAMERA.height, CAMERA.width), 1) as video:
        for number in range(0, int(duration * RATE), every):
            t = number / RATE
            if any(begin <= t < end for begin, end in absent):
                continue
            video.count = number  # when it is shown
            image = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)
            image[:, :80] = 20 + number // 10 * 10  # tens
            image[:, 80:] = 20 + number % 10 * 10  # ones
            if not any(begin <= t < end for begin, end in hidden):
                image[:40] = 250
            video.add(image)
    return path


class WrittenHands:
    """Reads the number of the picture and sees the hand as a camera does, without noise."""

    def __init__(self, params) -> None:
        pass

    def detect(self, color, stamp):
        if color[20].mean() < 200:
            return []
        tens, ones = (round((float(np.median(part)) - 20) / 10)
                      for part in (color[60:, :70], color[60:, 90:]))  # fmt: skip
        camera = apply(inverse(BASE_T_CAMERA), keypoints_at((10 * tens + ones) / RATE))
        return [Detection(CAMERA.project(camera), camera - camera.mean(axis=0), 0.98, 0.95)]

    def reset(self) -> None:
        pass

    def close(self) -> None:
        pass
