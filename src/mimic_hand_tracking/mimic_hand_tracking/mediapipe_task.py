"""Detector: the newer API of MediaPipe, which reads its models from a .task file."""

import os
from pathlib import Path

from mimic_core.arrays import Image
from mimic_core.errors import ConfigError
from mimic_hand_tracking.detector import Detection
from mimic_hand_tracking.mediapipe_hands import detection
from mimic_hand_tracking.params import TrackingParams
from mimic_hand_tracking.quiet import quiet_start


class MediapipeTask:
    """MediaPipe's HandLandmarker in video mode."""

    def __init__(self, params: TrackingParams) -> None:
        path = Path(params.task_file)
        if not params.task_file:
            raise ConfigError("detector 'task' needs the parameter 'task_file'")
        try:
            model = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"parameter 'task_file': cannot read {path}: {error}") from error
        os.environ.setdefault('GLOG_minloglevel', '2')
        from mediapipe.tasks.python import BaseOptions, vision

        self._mirrored = params.mirrored
        self._options = vision.HandLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=model),
            running_mode=vision.RunningMode.VIDEO,
            num_hands=params.max_hands,
            min_hand_detection_confidence=params.min_detection_score,
            min_hand_presence_confidence=params.min_tracking_score,
            min_tracking_confidence=params.min_tracking_score,
        )
        self._landmarker_type = vision.HandLandmarker
        try:
            with quiet_start():
                self._landmarker = vision.HandLandmarker.create_from_options(self._options)
        except (RuntimeError, ValueError) as error:
            raise ConfigError(
                f"parameter 'task_file': {path} is no hand landmarker: {error}"
            ) from error
        self._last_ms = -1

    def detect(self, color: Image, stamp: float) -> list[Detection]:
        """Return the hands in an (H, W, 3) rgb image; stamps must grow between resets."""
        import mediapipe

        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=color)
        self._last_ms = max(self._last_ms + 1, round(stamp * 1e3))
        result = self._landmarker.detect_for_video(image, self._last_ms)
        size = (color.shape[1], color.shape[0])
        return [
            detection(marks, world, size, label[0], self._mirrored)
            for marks, world, label in zip(
                result.hand_landmarks, result.hand_world_landmarks, result.handedness, strict=True
            )
        ]

    def reset(self) -> None:
        """Start again with a graph that has seen nothing."""
        self._landmarker.close()
        with quiet_start():
            self._landmarker = self._landmarker_type.create_from_options(self._options)
        self._last_ms = -1

    def close(self) -> None:
        """Release the graph."""
        self._landmarker.close()
