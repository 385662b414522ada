"""One object from picture to picture: predicted, aligned, judged, held while it is hidden."""

from concurrent.futures import Executor, Future
from copy import copy
from dataclasses import replace
from typing import Final, Literal

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from mimic_core.arrays import FloatArray
from mimic_core.camera import Intrinsics
from mimic_core.frames import transform
from mimic_object_tracking.align import Look, look
from mimic_object_tracking.colour import ColourModel
from mimic_object_tracking.markers import MarkerPose
from mimic_object_tracking.mesh import ObjectModel
from mimic_object_tracking.methods import Method, Segmenter
from mimic_object_tracking.params import ObjectTrackingParams
from mimic_object_tracking.scene import HAND, OBJECT, Plane, Scene, make_scene
from mimic_object_tracking.search import Candidate
from mimic_object_tracking.view import Box, ObjectEstimate, View

State = Literal['searching', 'tracked', 'hidden', 'lost']

_WIDE: Final = 0.010  # [m] width of the kernel, for an object seen a moment ago
_WIDER: Final = 0.025  # [m] for one that was hidden
_MARGIN: Final = 0.03  # [m] around the predicted object
_FARTHEST_JUMP: Final = 0.12  # [m] from picture to picture
_VELOCITY_GAIN: Final = 0.5  # [1] share of the newest difference in the velocity
_LEARN_EVERY: Final = 10  # pictures
_LEARN_ABOVE: Final = 0.75  # [1] confidence
_GONE: Final = 0.5  # [1] share of the surface where the background is seen: it is not there
_MARKER_APART: Final = (0.03, 0.25)  # [m], [rad] beyond which markers are believed
_SEARCH_SHARE: Final = 0.2  # [1] of max_gap after which an object not seen is searched for


class Track:
    """Follows one object."""

    def __init__(
        self,
        model: ObjectModel,
        params: ObjectTrackingParams,
        method: Method,
        segmenter: Segmenter | None = None,
        worker: Executor | None = None,
    ) -> None:
        """Look for it from the first picture on.

        Args:
            model: The object.
            params: Thresholds.
            method: Of getting poses.
            segmenter: None: depth and colour.
            worker: Searches beside the pictures; None: a picture waits for its search.
        """
        self.model, self._params = model, params
        self._method, self._segmenter, self._worker = method, segmenter, worker
        self.colours = ColourModel()
        self.state: State = 'searching'
        self.reason = 'not found yet'
        self.pose: FloatArray | None = None  # (4, 4) last seen
        self._seen = -np.inf  # [s]
        self._searched = -np.inf  # [s] end of the last search
        self._search: tuple[Future[Candidate | None], View] | None = None  # that goes on
        self._velocity = np.zeros(6)  # [m/s] of the centre, [rad/s] in the optical frame
        self._pictures = 0
        self._rough = False  # the pose comes from markers and was not aligned yet
        self._by_depth = False  # the pose is one that was aligned

    def reset(self) -> None:
        """Forget where it was; its colours stay."""
        self.state, self.reason, self.pose = 'searching', 'not found yet', None
        self._seen = self._searched = -np.inf
        self._velocity = np.zeros(6)
        self._drop_search()

    def process(self, view: View, marker: MarkerPose | None = None) -> ObjectEstimate | None:
        """Return where it is in the next picture, None where it is not seen.

        Args:
            view: The picture.
            marker: What markers on it say, in the same picture.
        """
        if marker is not None:
            marker = self._likelier(marker, view)
        if marker is not None and self._is_news(marker):
            self.start(marker.camera_T_object, view.stamp)
        if self.pose is not None and self.state in ('tracked', 'hidden'):
            found = self._follow(view)
            if found is not None:
                return found
        if marker is not None:
            return self.take(marker, view.stamp)
        gap = view.stamp - self._seen
        early = _SEARCH_SHARE * self._params.max_gap
        if self.state == 'hidden' and gap < early:
            return None
        if self._search is not None:
            return self._end_search(*self._search, view)
        if view.stamp - self._searched < self._params.search_period:
            return None
        return self._begin_search(view)

    def take(self, marker: MarkerPose, stamp: float) -> ObjectEstimate:
        """Return what markers say, without a look at depth."""
        marker = self._likelier(marker, None)
        return self._accept(marker.camera_T_object, stamp, None, marker.confidence)

    def miss(self, stamp: float) -> None:
        """Note that its markers are not seen in a picture without depth."""
        if self.state == 'tracked' or self.state == 'hidden':
            self.state, self.reason = 'hidden', 'none of its markers is seen'
            if stamp - self._seen > self._params.max_gap:
                self._lose(f'its markers are not seen for {stamp - self._seen:.1f} s')

    def start(self, pose: FloatArray, stamp: float) -> None:
        """Take a pose (4, 4) that something else found."""
        self.state, self.reason = 'tracked', ''
        self.pose, self._seen, self._velocity = pose, stamp, np.zeros(6)
        self._rough = True

    def _is_news(self, marker: MarkerPose) -> bool:
        """Tell whether markers say something else than what is known: equal turns count too."""
        if self.pose is None or self.state in ('searching', 'lost'):
            return True
        said = marker.camera_T_object
        apart = float(np.linalg.norm(self._centre(self.pose) - self._centre(said)))
        return apart > _MARKER_APART[0] or _angle(self.pose, said) > _MARKER_APART[1]

    def _likelier(self, marker: MarkerPose, view: View | None) -> MarkerPose:
        """Return what markers say: of two poses the one that fits better to what is known.

        That is the pose before, if depth told it or tells nothing (view is None), else depth.
        """
        if marker.other is None:
            return marker
        both = marker.camera_T_object, marker.other
        known = self.pose is not None and self.state in ('tracked', 'hidden')
        if known and (view is None or self._by_depth):
            best = min(both, key=self._far)
        elif view is not None:
            best = max(both, key=lambda pose: self._agreement(view, pose))
        else:
            return marker
        return replace(marker, camera_T_object=best, other=None)

    def _far(self, pose: FloatArray) -> tuple[bool, float]:
        """Return how far a pose is from the one before, which may be one that looks the same."""
        assert self.pose is not None
        _, angle = self.model.symmetry.difference(pose, self.pose)
        return angle > _MARKER_APART[1], _angle(pose, self.pose)

    def _agreement(self, view: View, pose: FloatArray) -> float:
        """Return how much of the surface [1] depth shows near a pose, less what it contradicts."""
        box = self.box(pose, view.intrinsics)
        if box is None:
            return -1.0
        scene = self._scene(view, box, self.colours)
        found = self._method.follow(view, scene, pose, _WIDER)
        if found is None:
            return -1.0
        seen = look(self.model, scene, found)
        return seen.agree - seen.contradict

    def predicted(self, stamp: float) -> FloatArray:
        """Return the pose (4, 4) that is expected at a time [s]."""
        assert self.pose is not None
        dt = min(max(stamp - self._seen, 0.0), 0.1)
        turn = Rotation.from_rotvec(self._velocity[3:] * dt).as_matrix() @ self.pose[:3, :3]
        centre = self._centre(self.pose) + self._velocity[:3] * dt
        return transform(turn, centre - turn @ self.model.centre)

    def box(self, pose: FloatArray, optics: Intrinsics) -> Box | None:
        """Return rows and columns [px] that may show it, None when it is out of the picture."""
        centre = self._centre(pose)
        if centre[2] < 0.1:
            return None
        radius = (self.model.radius + _MARGIN) / max(centre[2] - self.model.radius, 0.1)
        u, v = optics.project(centre)
        du, dv = radius * optics.fx, radius * optics.fy
        left, right = max(0, int(u - du)), min(optics.width, int(u + du) + 1)
        top, bottom = max(0, int(v - dv)), min(optics.height, int(v + dv) + 1)
        if right - left < 4 or bottom - top < 4:
            return None
        return top, bottom, left, right

    def _follow(self, view: View) -> ObjectEstimate | None:
        pose = self.predicted(view.stamp)
        box = self.box(pose, view.intrinsics)
        if box is None:
            self._lose('it has left the picture')
            return None
        scene = self._scene(view, box, self.colours)
        hidden = self.state == 'hidden'
        speed = float(np.linalg.norm(self._velocity[:3]))
        wide = _WIDER if hidden or self._rough else min(_WIDER, _WIDE + 0.01 * speed)
        found = self._method.follow(view, scene, pose, wide)
        if found is None:
            self._unseen(scene, pose, view.stamp)
            return None
        seen = look(self.model, scene, found)
        jump = float(np.linalg.norm(self._centre(found) - self._centre(pose)))
        needed = self._params.start_confidence if hidden else self._params.least_confidence
        if seen.confidence < needed or jump > _FARTHEST_JUMP:
            self._unseen(scene, pose, view.stamp)
            return None
        self._learn(view, scene, box, found, seen)
        return self._accept(found, view.stamp, seen, seen.confidence)

    def _unseen(self, scene: Scene, pose: FloatArray, stamp: float) -> None:
        """Decide between hidden, which keeps the place, and lost."""
        here = look(self.model, scene, pose)
        if here.outside > _GONE:
            self._lose('it has left the picture')
        elif here.contradict > _GONE * max(1.0 - here.outside, 1e-6):
            self._lose('what is behind it is seen')
        elif stamp - self._seen > self._params.max_gap:
            self._lose(f'not seen for {stamp - self._seen:.1f} s')
        else:
            share = here.hidden + here.unknown
            self.state = 'hidden'
            self.reason = f'hidden: {100.0 * share:.0f} % of it is behind something'
            self._velocity = np.zeros(6)

    def _lose(self, reason: str) -> None:
        self.state, self.reason = 'lost', reason
        self._velocity = np.zeros(6)

    def _begin_search(self, view: View) -> ObjectEstimate | None:
        if self._worker is None:
            self._searched = view.stamp
            return self._take_found(self._find(view, self.colours, self.pose), view)
        task = self._worker.submit(self._find, view, copy(self.colours), self.pose)
        self._search = task, view
        return None

    def _end_search(
        self, task: Future[Candidate | None], begun: View, view: View
    ) -> ObjectEstimate | None:
        """Follow what a search found, if it has ended, from its picture to this one."""
        if not task.done():
            return None
        self._search, self._searched = None, view.stamp
        if self._take_found(task.result(), begun) is None:
            return None
        self._rough = True  # it may have moved meanwhile
        return self._follow(view)

    def _drop_search(self) -> None:
        if self._search is not None:
            self._search[0].cancel()
            self._search = None

    def _find(self, view: View, colours: ColourModel, last: FloatArray | None) -> Candidate | None:
        return self._method.find(view, self._scene(view, None, colours), colours, last)

    def _take_found(self, best: Candidate | None, view: View) -> ObjectEstimate | None:
        if best is None or best.score < self._params.start_confidence:
            if self.state == 'searching' or best is None:
                what = 'nothing of its size' if best is None else f'best guess {best.score:.2f}'
                self.reason = self.reason if self.state == 'lost' else f'not found: {what}'
            return None
        reference = self.pose
        if reference is None:  # a name for each of the equal turns, whatever is found first
            axes = np.eye(3) if view.plane is None else _axes_of(view.plane)
            reference = transform(axes, best.camera_T_object[:3, 3])
        pose = self.model.symmetry.nearest(best.camera_T_object, reference)
        self._velocity = np.zeros(6)
        self.pose = None
        return self._accept(pose, view.stamp, best.look, best.look.confidence)

    def _accept(
        self, pose: FloatArray, stamp: float, seen: Look | None, confidence: float
    ) -> ObjectEstimate:
        dt = stamp - self._seen
        if self.pose is not None and self.state == 'tracked' and 0.0 < dt < 0.2:
            turned = Rotation.from_matrix(pose[:3, :3] @ self.pose[:3, :3].T).as_rotvec()
            moved = self._centre(pose) - self._centre(self.pose)
            newest = np.concatenate([moved, turned]) / dt
            self._velocity += _VELOCITY_GAIN * (newest - self._velocity)
        self.state, self.reason, self.pose, self._seen = 'tracked', '', pose, stamp
        self._rough, self._by_depth = False, seen is not None
        self._drop_search()
        return ObjectEstimate(self.model.name, pose, confidence, seen)

    def _scene(self, view: View, box: Box | None, colours: ColourModel) -> Scene:
        scene = make_scene(
            view.depth, view.intrinsics, box=box, plane=view.plane, hidden=view.hidden,
            clearance=self._params.clearance, farthest=self._params.farthest,
        )  # fmt: skip
        if colours.tells:
            top, bottom, left, right = box or (0, view.depth.shape[0], 0, view.depth.shape[1])
            foreign = colours.foreign(view.color[top:bottom, left:right])
            scene.kind[foreign & (scene.kind == OBJECT)] = HAND
        if self._segmenter is not None and box is not None:
            top, bottom, left, right = box
            others = ~self._segmenter.segment(view.color, box)[top:bottom, left:right]
            scene.kind[others & (scene.kind == OBJECT)] = HAND
        return scene

    def _learn(
        self, view: View, scene: Scene, box: Box, pose: FloatArray,
        seen: Look,
    ) -> None:  # fmt: skip
        self._pictures += 1
        if seen.confidence < _LEARN_ABOVE or self._pictures % _LEARN_EVERY != 1:
            return
        cover = np.zeros(scene.kind.shape, np.uint8)
        points = self.model.points @ pose[:3, :3].T + pose[:3, 3]
        pixels = np.rint(view.intrinsics.project(points)) - scene.corner[::-1]
        inside = (pixels >= 0).all(axis=1) & (pixels < cover.shape[::-1]).all(axis=1)
        columns, rows = pixels[inside].astype(int).T
        cover[rows, columns] = 1
        cover = cv2.dilate(cover, np.ones((5, 5), np.uint8))  # type: ignore[assignment]
        around = cv2.dilate(cover, np.ones((13, 13), np.uint8))
        top, bottom, left, right = box
        mask = cv2.erode(cover, np.ones((9, 9), np.uint8)) > 0
        self.colours.learn(
            view.color[top:bottom, left:right], mask & (scene.kind == OBJECT), around == 0
        )

    def _centre(self, pose: FloatArray) -> FloatArray:
        middle: FloatArray = pose[:3, :3] @ self.model.centre + pose[:3, 3]
        return middle


def _angle(pose: FloatArray, other: FloatArray) -> float:
    """Return the angle [rad] between two poses (4, 4)."""
    return float(Rotation.from_matrix(pose[:3, :3].T @ other[:3, :3]).magnitude())


def _axes_of(plane: Plane) -> FloatArray:
    """Return the turn (3, 3) with z out of the table and x to the right in the picture."""
    z = plane.normal
    x = np.array([1.0, 0.0, 0.0]) - z[0] * z
    if np.linalg.norm(x) < 1e-3:
        x = np.cross(np.array([0.0, 1.0, 0.0]), z)
    x = x / np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], axis=1)
