"""Detector: MediaPipe Hands, with the models inside its wheel."""

import os
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from mimic_core.arrays import FloatArray, Image
from mimic_hand_tracking.detector import Detection
from mimic_hand_tracking.params import TrackingParams
from mimic_hand_tracking.quiet import quiet_start

_NOTHING: Final = np.zeros((64, 64, 3), np.uint8)


class MediapipeHands:
    """MediaPipe Hands in tracking mode: the palm is searched only while no hand is followed."""

    def __init__(self, params: TrackingParams) -> None:
        os.environ.setdefault('GLOG_minloglevel', '2')
        from mediapipe.python.solutions.hands import Hands

        self._mirrored = params.mirrored
        with quiet_start():
            self._hands = Hands(
                static_image_mode=False,
                max_num_hands=params.max_hands,
                model_complexity=params.complexity,
                min_detection_confidence=params.min_detection_score,
                min_tracking_confidence=params.min_tracking_score,
            )
            self._hands.process(_NOTHING)  # loads the models

    def detect(self, color: Image, stamp: float) -> list[Detection]:
        """Return the hands in an (H, W, 3) rgb image; `stamp` is not used."""
        result: Any = self._hands.process(color)
        if result.multi_hand_landmarks is None:
            return []
        size = (color.shape[1], color.shape[0])
        return [
            detection(
                marks.landmark, world.landmark, size, label.classification[0], self._mirrored
            )
            for marks, world, label in zip(
                result.multi_hand_landmarks,
                result.multi_hand_world_landmarks,
                result.multi_handedness,
                strict=True,
            )
        ]

    def reset(self) -> None:
        """Forget the hands that are followed."""
        with quiet_start():
            self._hands.reset()
            self._hands.process(_NOTHING)

    def close(self) -> None:
        """Release the graph."""
        self._hands.close()


def detection(
    marks: Sequence[Any], world: Sequence[Any], size: tuple[int, int], label: Any, mirrored: bool
) -> Detection:
    """Return a Detection of MediaPipe's landmarks.

    MediaPipe takes pictures for mirrored ones: in one that is not, a right hand is its 'Left'.

    Args:
        marks: 21 landmarks with x, y as fractions of the image.
        world: 21 landmarks with x, y, z [m].
        size: Width and height [px].
        label: Has `label` or `category_name`, and `score` [1].
        mirrored: The picture is mirrored.
    """
    name = getattr(label, 'label', None) or label.category_name
    is_right = (name == 'Right') == mirrored
    score = float(label.score)
    # Fractions are of the whole width: 0 is the left edge of the first pixel, whose centre is 0.
    pixels: FloatArray = np.array([(m.x, m.y) for m in marks]) * size - 0.5
    return Detection(
        pixels=pixels,
        world=np.array([(m.x, m.y, m.z) for m in world]),
        right_probability=score if is_right else 1.0 - score,
        score=score,
    )
