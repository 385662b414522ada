"""What finds hands in a picture: a protocol, and the choice of who does it."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mimic_core.arrays import FloatArray, Image, checked
from mimic_core.errors import ConfigError
from mimic_core.keypoints import NUM_KEYPOINTS
from mimic_core.plug_in import import_plug_in
from mimic_hand_tracking.params import TrackingParams


@dataclass(frozen=True)
class Detection:
    """One hand as a detector sees it in one image."""

    pixels: FloatArray  # (21, 2) [px] in the image as it came, distorted
    world: FloatArray  # (21, 3) [m] about the hand's centre, axes of the image: x right, y down
    right_probability: float  # [1] that it is the person's right hand
    score: float  # [1] that it is a hand

    def __post_init__(self) -> None:
        checked(self.pixels, (NUM_KEYPOINTS, 2), 'detected pixels', finite=False)
        checked(self.world, (NUM_KEYPOINTS, 3), 'detected world landmarks', finite=False)

    @property
    def finite(self) -> bool:
        """Every number is one."""
        total = self.pixels.sum() + self.world.sum() + self.right_probability + self.score
        return bool(abs(total) < 1e9)  # False for NaN


@runtime_checkable
class HandDetector(Protocol):
    """Finds the hands in colour images that come one after the other."""

    def detect(self, color: Image, stamp: float) -> list[Detection]:
        """Return the hands in an (H, W, 3) rgb image that was taken at `stamp` [s]."""
        ...

    def reset(self) -> None:
        """Forget the images before; the next one may be anything."""
        ...

    def close(self) -> None:
        """Release what the detector holds."""
        ...


def make_detector(params: TrackingParams) -> HandDetector:
    """Return the detector that `params.detector` names.

    A plug-in 'module:Class' is made as `Class(params)`.

    Raises:
        ConfigError: It cannot be loaded, or it is not a detector.
    """
    if params.detector == 'mediapipe':
        from mimic_hand_tracking.mediapipe_hands import MediapipeHands

        return MediapipeHands(params)
    if params.detector == 'task':
        from mimic_hand_tracking.mediapipe_task import MediapipeTask

        return MediapipeTask(params)
    module_name, _, class_name = params.detector.partition(':')
    where = f"parameter 'detector' = '{params.detector}'"
    if not (module_name and class_name):
        raise ConfigError(f'{where} is not mediapipe, task or module:Class')
    try:
        cls = getattr(import_plug_in(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f'{where} cannot be loaded: {error}') from error
    if not callable(cls):
        raise ConfigError(f'{where} is not a class')
    detector = cls(params)
    if not isinstance(detector, HandDetector):
        raise ConfigError(f'{where} has no detect(), reset() and close()')
    return detector
