"""A tracked hand."""

from dataclasses import dataclass
from typing import Literal

from mimic_core.arrays import FloatArray, checked
from mimic_core.keypoints import NUM_KEYPOINTS

Side = Literal['left', 'right']
Method = Literal['depth', 'pnp']


@dataclass(frozen=True)
class TrackedHand:
    """One hand in one image, in metres, in the optical frame of the camera."""

    track_id: int
    side: Side  # the person's own
    method: Method
    keypoints: FloatArray  # (21, 3) [m], NaN where unknown
    confidence: FloatArray  # (21,) [1] 0..1
    pixels: FloatArray  # (21, 2) [px] unfiltered
    score: float  # [1] 0..1
    filter_delay: float = 0.0  # [s]

    def __post_init__(self) -> None:
        checked(self.keypoints, (NUM_KEYPOINTS, 3), 'keypoints', finite=False)
        checked(self.confidence, (NUM_KEYPOINTS,), 'confidence')
        checked(self.pixels, (NUM_KEYPOINTS, 2), 'pixels', finite=False)
