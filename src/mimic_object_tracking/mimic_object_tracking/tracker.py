"""The tracker: one RGB-D picture in, the poses of the known objects in it out."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from mimic_core.arrays import DepthImage
from mimic_core.camera import Frame, Intrinsics
from mimic_core.errors import ConfigError, SourceError, StaleInputError
from mimic_core.hand import TrackedHand
from mimic_object_tracking.align import align, look, settle_all
from mimic_object_tracking.hands import hand_mask
from mimic_object_tracking.lens import Rectifier
from mimic_object_tracking.markers import MarkerPose, load_markers
from mimic_object_tracking.mesh import ObjectModel
from mimic_object_tracking.methods import make_method, make_segmenter
from mimic_object_tracking.params import ObjectTrackingParams
from mimic_object_tracking.plane import find_plane, refine_plane, sparse_points
from mimic_object_tracking.scene import Plane, make_scene
from mimic_object_tracking.track import Track
from mimic_object_tracking.view import ObjectEstimate, View

RESTART: Final = 1.0  # [s] a step back in time beyond this is a new start, not a late picture
_PLANE_EVERY: Final = 30  # pictures
_PLANE_MOVED: Final = (0.05, 0.02)  # [rad], [m] a table that differs by more is another one


@dataclass(frozen=True)
class Timing:
    """What the last picture cost."""

    preparation: float  # [s] table and hands
    objects: float  # [s] all objects together


class ObjectTracker:
    """Follows known objects through colour and aligned depth."""

    def __init__(
        self,
        models: Sequence[ObjectModel],
        params: ObjectTrackingParams,
        *,
        background: bool = False,
    ) -> None:
        """Take the objects; each is looked for from the first picture on.

        Args:
            models: With names of their own.
            params: Thresholds, methods.
            background: Search for what is not seen beside the pictures, for a camera that does
                not wait; then `close` it. Else a picture waits for its search, so that the same
                pictures give the same poses.
        """
        names = [model.name for model in models]
        if not names or len(set(names)) != len(names):
            raise ConfigError(f'objects need names of their own, not {names}')
        if params.least_confidence > params.start_confidence:
            raise ConfigError('least_confidence is above start_confidence')
        self._params = params
        segmenter = make_segmenter(params)
        self._worker = ThreadPoolExecutor(1, 'object_search') if background else None
        self.tracks = tuple(
            Track(model, params, make_method(model, params), segmenter, self._worker)
            for model in models
        )
        self._markers = load_markers(Path(params.markers), names) if params.markers else None
        self.plane: Plane | None = None
        self._pictures = 0
        self._stamp = -np.inf
        self._rectifier = Rectifier()
        self.timing = Timing(0.0, 0.0)
        warm_up(models[0])

    def close(self) -> None:
        """End what searches in the background."""
        if self._worker is not None:
            self._worker.shutdown(cancel_futures=True)

    @property
    def unmarked(self) -> tuple[str, ...]:
        """Names of the objects without markers: these are not followed without depth."""
        marked = self._markers.objects if self._markers is not None else frozenset()
        return tuple(track.model.name for track in self.tracks if track.model.name not in marked)

    def reset(self) -> None:
        """Forget where everything is."""
        for track in self.tracks:
            track.reset()
        self.plane, self._pictures, self._stamp = None, 0, -np.inf

    def process(
        self, frame: Frame, hands: Sequence[TrackedHand] = ()
    ) -> tuple[ObjectEstimate, ...]:
        """Return the objects that are seen in a picture; none is a valid answer.

        Args:
            frame: Colour with aligned depth; depth may lack if every object has markers.
            hands: Tracked in it or in the one before, in the same optical frame.

        Raises:
            SourceError: It has no depth, and some object no markers.
            StaleInputError: It is not newer than the one before. One that is older by more than
                a second is a new start: all objects are forgotten.
        """
        if frame.depth is None and self.unmarked:
            raise SourceError(
                f'the picture has no depth, in which the shape of {", ".join(self.unmarked)} '
                'is followed: use an RGB-D camera (a bag with aligned depth), or markers on the '
                'object'
            )
        behind = self._stamp - frame.stamp
        if behind > RESTART:
            self.reset()
        elif behind >= 0.0:
            raise StaleInputError(
                f'picture of {frame.stamp:.3f} s is not newer than {self._stamp:.3f} s'
            )
        self._stamp = frame.stamp
        began = time.perf_counter()
        frame = self._rectifier.rectified(frame)
        color, depth, optics = frame.color, frame.depth, frame.intrinsics
        said = self._markers.find(color, optics) if self._markers is not None else {}
        if depth is None:
            found = self._by_markers(said, frame.stamp)
            self.timing = Timing(time.perf_counter() - began, 0.0)
            return found
        hidden = None
        if hands and self._params.hide_hands:
            hidden = hand_mask(hands, depth, optics)
        self._find_table(depth, optics)
        view = View(color, depth, optics, frame.stamp, self.plane, hidden)
        prepared = time.perf_counter()
        estimates = [track.process(view, said.get(track.model.name)) for track in self.tracks]
        self.timing = Timing(prepared - began, time.perf_counter() - prepared)
        return tuple(estimate for estimate in estimates if estimate is not None)

    def _by_markers(
        self, said: Mapping[str, MarkerPose], stamp: float
    ) -> tuple[ObjectEstimate, ...]:
        found = []
        for track in self.tracks:
            if track.model.name in said:
                found.append(track.take(said[track.model.name], stamp))
            else:
                track.miss(stamp)
        return tuple(found)

    def _find_table(self, depth: DepthImage, optics: Intrinsics) -> None:
        if self._pictures % _PLANE_EVERY == 0 or self.plane is None:
            points = sparse_points(depth, optics, self._params.farthest)
            if self.plane is None:
                self.plane = find_plane(points)
            else:
                refined = refine_plane(points, self.plane)
                angle = float(np.arccos(np.clip(refined.normal @ self.plane.normal, -1.0, 1.0)))
                moved = abs(refined.offset - self.plane.offset)
                near = angle < _PLANE_MOVED[0] and moved < _PLANE_MOVED[1]
                self.plane = refined if near else find_plane(points)
        self._pictures += 1


def warm_up(model: ObjectModel) -> None:
    """Compile the loops now, not at the first picture; cached on disk, so once for a machine."""
    optics = Intrinsics(32, 24, 30.0, 30.0, 15.5, 11.5)
    depth = np.full((24, 32), 500, np.uint16)
    scene = make_scene(depth, optics, plane=None, clearance=0.01, farthest=1.0)
    points, pose = scene.points(50), np.eye(4)
    pose[2, 3] = 0.5
    align(model, scene, pose, points=points, wide=0.01, iterations=1, samples=10)
    look(model, scene, pose)
    turns, centres = pose[None, :3, :3].copy(), pose[None, :3, 3].copy()
    settle_all(model, turns, centres, points, wide=0.01, iterations=1, tau=0.01)
    model.grid.query(points)
