"""What the parts of the tracker pass to each other: a picture, and where an object is in it."""

from dataclasses import dataclass

from mimic_core.arrays import BoolArray, DepthImage, FloatArray, Image
from mimic_core.camera import Intrinsics
from mimic_object_tracking.align import Look
from mimic_object_tracking.scene import Plane

Box = tuple[int, int, int, int]  # first and last row, first and last column; the last excluded


@dataclass(frozen=True)
class View:
    """One picture with depth, ready for all objects."""

    color: Image  # (H, W, 3)
    depth: DepthImage  # (H, W) [mm]
    intrinsics: Intrinsics  # without distortion
    stamp: float  # [s]
    plane: Plane | None = None  # the table
    hidden: BoolArray | None = None  # (H, W) hands


@dataclass(frozen=True)
class ObjectEstimate:
    """Where an object is in one picture."""

    name: str
    camera_T_object: FloatArray  # (4, 4) in the optical frame
    confidence: float  # [1] 0..1
    look: Look | None = None  # None when it was not judged by depth
