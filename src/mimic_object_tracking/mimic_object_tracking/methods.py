"""Ways to get a pose from a picture: by shape, which is built in, or by a program of others.

A program of others is a `PoseEstimator`, named by `foundation_pose` or `module:Class`; whatever it
says is judged by the depth image like a pose of our own.
"""

from threading import Lock
from typing import Any, Final, Protocol

import numpy as np

from mimic_core.arrays import BoolArray, DepthImage, FloatArray, Image
from mimic_core.camera import Intrinsics
from mimic_core.errors import ConfigError
from mimic_core.plug_in import import_plug_in
from mimic_object_tracking.align import align, distances, look
from mimic_object_tracking.colour import ColourModel
from mimic_object_tracking.mesh import ObjectModel
from mimic_object_tracking.params import ObjectTrackingParams
from mimic_object_tracking.scene import Scene
from mimic_object_tracking.search import Candidate, Piece, Searcher, closeness
from mimic_object_tracking.view import Box, View

POINTS: Final = 1500  # of the image that are aligned
SAMPLES: Final = 1000  # of the mesh that are aligned
_ITERATIONS: Final = 12
_FEWEST: Final = 20  # points of the image from which a pose is told
_ESTIMATORS: Final = {
    'foundation_pose': 'mimic_object_tracking.foundation_pose:FoundationPoseEstimator'
}
_SEGMENTERS: Final = {'sam2': 'mimic_object_tracking.sam2_segmenter:Sam2Segmenter'}


class PoseEstimator(Protocol):
    """A program that finds a known object and follows it; made with an ObjectModel."""

    def start(
        self, color: Image, depth: DepthImage, intrinsics: Intrinsics, mask: BoolArray
    ) -> FloatArray | None:
        """Return camera_T_object (4, 4) of the object in the mask (H, W), None if it fails.

        It is called for every piece that may be the object, and last for the one that is.
        """

    def follow(self, color: Image, depth: DepthImage, intrinsics: Intrinsics) -> FloatArray | None:
        """Return camera_T_object (4, 4) of what was started last, None if it fails."""


class Segmenter(Protocol):
    """A program that tells which pixels are of the thing in a box; made without arguments."""

    def segment(self, color: Image, box: Box) -> BoolArray:
        """Return the mask (H, W) of the thing that fills the box."""


class Method(Protocol):
    """A way to get poses of one object."""

    def find(
        self, view: View, scene: Scene, colours: ColourModel, last: FloatArray | None
    ) -> Candidate | None:
        """Return the best pose in the whole picture, None where there is none.

        Args:
            view: The picture.
            scene: Of the whole picture.
            colours: Of the object, if it was seen before.
            last: Pose (4, 4) in which it was seen last.
        """

    def follow(
        self, view: View, scene: Scene, predicted: FloatArray, wide: float
    ) -> FloatArray | None:
        """Return the pose (4, 4) near a predicted one, None where too little is seen.

        Args:
            view: The picture.
            scene: Of the place where the object is expected.
            predicted: (4, 4).
            wide: How far off the prediction may be [m].
        """


class ShapeMethod:
    """Searches by the mesh's shape and follows by ICP."""

    def __init__(self, model: ObjectModel) -> None:
        """Prepare the search."""
        self._model, self._searcher = model, Searcher(model)

    def find(
        self, view: View, scene: Scene, colours: ColourModel, last: FloatArray | None
    ) -> Candidate | None:
        """See Method."""
        return self._searcher.find(scene, view.color, view.plane, colours, last)

    def follow(
        self, view: View, scene: Scene, predicted: FloatArray, wide: float
    ) -> FloatArray | None:
        """See Method."""
        points = scene.points(POINTS)
        if len(points) < _FEWEST:
            return None
        return align(
            self._model, scene, predicted, points=points, samples=SAMPLES,
            iterations=_ITERATIONS, wide=wide,
        )  # fmt: skip


class EstimatorMethod:
    """Asks a PoseEstimator, starting it on the piece that has the object's size and colours."""

    def __init__(self, model: ObjectModel, estimator: PoseEstimator) -> None:
        """Args: model: of the object; estimator: made for it."""
        self._model, self._estimator = model, estimator
        self._searcher = Searcher(model)
        self._lock = Lock()  # a search may be in a thread of its own

    def find(
        self, view: View, scene: Scene, colours: ColourModel, last: FloatArray | None
    ) -> Candidate | None:
        """See Method."""
        pieces = self._searcher.pieces(scene, view.color, colours)
        found: list[tuple[Candidate, Piece]] = []
        for piece in pieces:
            pose = self._start(view, piece)
            if pose is not None:
                near = closeness(distances(self._model, pose, piece.points))
                judged = look(self._model, scene, pose)
                likeness = colours.likeness(piece.colours)
                found.append((Candidate(pose, judged, near, likeness), piece))
        if not found:
            return None
        best, piece = max(found, key=lambda item: item[0].score)
        if piece is not pieces[-1]:
            self._start(view, piece)  # it follows what it was started on last
        return best

    def follow(
        self, view: View, scene: Scene, predicted: FloatArray, wide: float
    ) -> FloatArray | None:
        """See Method."""
        with self._lock:
            return self._estimator.follow(view.color, view.depth, view.intrinsics)

    def _start(self, view: View, piece: Piece) -> FloatArray | None:
        mask = np.zeros(view.depth.shape, bool)
        mask[piece.rows, piece.columns] = True
        with self._lock:
            return self._estimator.start(view.color, view.depth, view.intrinsics, mask)


def make_method(model: ObjectModel, params: ObjectTrackingParams) -> Method:
    """Return the way that the parameters ask for; raises ConfigError if it is not there."""
    if params.estimator == 'shape':
        return ShapeMethod(model)
    make = _imported('estimator', _ESTIMATORS.get(params.estimator, params.estimator))
    estimator: PoseEstimator = make(model)
    return EstimatorMethod(model, estimator)


def make_segmenter(params: ObjectTrackingParams) -> Segmenter | None:
    """Return the segmenter that the parameters ask for, None for that by depth."""
    if params.segmenter == 'depth':
        return None
    segmenter: Segmenter = _imported(
        'segmenter', _SEGMENTERS.get(params.segmenter, params.segmenter)
    )()
    return segmenter


def _imported(parameter: str, name: str) -> Any:
    module, _, cls = name.partition(':')
    if not cls:
        known = ['shape', *_ESTIMATORS] if parameter == 'estimator' else ['depth', *_SEGMENTERS]
        raise ConfigError(
            f"{parameter} '{name}' is not {', '.join(known)} or module:Class of your own"
        )
    try:
        return getattr(import_plug_in(module), cls)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{parameter} '{name}' cannot be loaded: {error}") from error
