"""FoundationPose as a PoseEstimator, for those who have it: it needs a CUDA device and weights.

Its folder must be on PYTHONPATH, so that its modules `estimater` and `nvdiffrast` can be imported;
its own page says how to get both and the weights. Its names are those of its run_demo.py.
"""

import importlib
from typing import Any, Final

import numpy as np

from mimic_core.arrays import BoolArray, DepthImage, FloatArray, Image
from mimic_core.camera import Intrinsics
from mimic_core.errors import ConfigError, SourceError
from mimic_object_tracking.mesh import ObjectModel

REGISTER_ITERATIONS: Final = 5
TRACK_ITERATIONS: Final = 2


class FoundationPoseEstimator:
    """Calls FoundationPose's `register` to start and `track_one` to follow."""

    def __init__(self, model: ObjectModel) -> None:
        """Load the networks.

        Raises:
            ConfigError: It is not installed, or finds no GPU or weights; says what is missing.
        """
        try:
            estimater: Any = importlib.import_module('estimater')
            rasterizer: Any = importlib.import_module('nvdiffrast.torch')
        except ImportError as error:
            raise ConfigError(
                f'FoundationPose cannot be imported ({error}): put its folder on PYTHONPATH and '
                'install what it asks for, or use estimator shape'
            ) from error
        mesh = model.trimesh()
        try:
            self._estimator: Any = estimater.FoundationPose(
                model_pts=np.asarray(mesh.vertices),
                model_normals=np.asarray(mesh.vertex_normals),
                mesh=mesh,
                scorer=estimater.ScorePredictor(),
                refiner=estimater.PoseRefinePredictor(),
                glctx=rasterizer.RasterizeCudaContext(),
            )
        except (RuntimeError, OSError) as error:  # no CUDA device, no weights
            raise ConfigError(f'FoundationPose cannot be loaded: {error}') from error

    def start(
        self, color: Image, depth: DepthImage, intrinsics: Intrinsics, mask: BoolArray
    ) -> FloatArray | None:
        """See PoseEstimator."""
        return self._asked(
            'register', K=intrinsics.matrix, rgb=color, depth=_metres(depth), ob_mask=mask,
            iteration=REGISTER_ITERATIONS,
        )  # fmt: skip

    def follow(self, color: Image, depth: DepthImage, intrinsics: Intrinsics) -> FloatArray | None:
        """See PoseEstimator."""
        return self._asked(
            'track_one', rgb=color, depth=_metres(depth), K=intrinsics.matrix,
            iteration=TRACK_ITERATIONS,
        )  # fmt: skip

    def _asked(self, method: str, **values: Any) -> FloatArray | None:
        """Return what a method of FoundationPose says.

        Raises:
            SourceError: It failed, as when the memory of the GPU is full.
        """
        try:
            return _pose(getattr(self._estimator, method)(**values))
        except RuntimeError as error:
            raise SourceError(f'FoundationPose: {method}: {error}') from error


def _metres(depth: DepthImage) -> Any:
    return depth.astype(np.float32) * np.float32(1e-3)


def _pose(value: Any) -> FloatArray | None:
    """Return (4, 4) with a rotation that is one in double precision; None if it is no pose."""
    pose = np.array(value, np.float64).reshape(4, 4)
    if not np.isfinite(pose).all() or abs(np.linalg.det(pose[:3, :3]) - 1.0) > 0.01:
        return None
    u, _, v = np.linalg.svd(pose[:3, :3])
    pose[:3, :3] = u @ v
    return pose
