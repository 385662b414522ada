"""The tracker: one image in, the hands in it out, in metres."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mimic_core.arrays import DepthImage, Image
from mimic_core.camera import Frame, Intrinsics
from mimic_core.errors import StaleInputError
from mimic_core.hand import TrackedHand
from mimic_hand_tracking.detector import Detection, HandDetector, make_detector
from mimic_hand_tracking.identity import assign, side_cost, without_duplicates
from mimic_hand_tracking.params import TrackingParams
from mimic_hand_tracking.sides import sides
from mimic_hand_tracking.track import SIZE_RATIOS, Fit, Track
from mimic_hand_tracking.view import View, look

LEAST_INSIDE: Final = 11  # landmarks in the image, below which a hand is out of it
DARK: Final = 3  # [0..255] an image with nothing brighter is black
RESTART: Final = 1.0  # [s] a step back in time beyond this is a new start, not a late image
MOST_TRACKS: Final = 4  # that are remembered at once


@dataclass(frozen=True)
class Timing:
    """What the last call cost, of one image or of several."""

    detector: float  # [s]
    rest: float  # [s]


class HandTracker:
    """Follows up to two hands through colour images, with or without aligned depth."""

    def __init__(self, params: TrackingParams, detector: HandDetector | None = None) -> None:
        """Make the detector, and compile the fit where that was not done before.

        Args:
            params: What may be chosen.
            detector: Takes the place of the one that `params` names.
        """
        self._params = params
        self._detector = detector if detector is not None else make_detector(params)
        self._tracks: list[Track] = []
        self._next_id = 1
        self._stamp = -np.inf
        self._size: tuple[int, int] | None = None
        self.timing = Timing(0.0, 0.0)
        warm_up(params)

    @property
    def tracks(self) -> tuple[Track, ...]:
        """The hands that are followed, also those not seen in the last image."""
        return tuple(self._tracks)

    def process_frame(self, frame: Frame) -> tuple[TrackedHand, ...]:
        """Return the hands in a frame; see `process`."""
        return self.process_frames([frame])[0]

    def process(
        self, color: Image, depth: DepthImage | None, intrinsics: Intrinsics, stamp: float
    ) -> tuple[TrackedHand, ...]:
        """Return the hands in an image; none is a valid answer.

        Args:
            color: (H, W, 3) rgb.
            depth: (H, W) [mm] aligned to the colour image, 0 where unknown; None without.
            intrinsics: Of the colour image.
            stamp: When it was taken [s].

        Raises:
            ShapeError: An image is not of the size of the intrinsics.
            StaleInputError: The image is not newer than the one before. One that is older by
                more than a second is a new start: all hands are forgotten.
        """
        return self.process_frame(Frame(color, intrinsics, stamp, '', depth))

    def process_frames(self, frames: Sequence[Frame]) -> list[tuple[TrackedHand, ...]]:
        """Return the hands in each of several frames, the same as of one after the other.

        The detector looks at all of them first. What follows takes half the processor time then:
        the detector's models no longer push it out of the caches between any two images.

        Raises:
            StaleInputError: A frame is not newer than the one before; see `process`.
        """
        started = time.perf_counter()
        looks = [self._look_for(frame) for frame in frames]
        detected = time.perf_counter()
        hands = [self._hands(frame, *look) for frame, look in zip(frames, looks, strict=True)]
        self.timing = Timing(detected - started, time.perf_counter() - detected)
        return hands

    def reset(self) -> None:
        """Forget all hands."""
        self._tracks = []
        self._detector.reset()

    def close(self) -> None:
        """Release the detector."""
        self._detector.close()

    def _look_for(self, frame: Frame) -> tuple[list[Detection], bool]:
        """Return what the detector finds, and whether all hands before it are to be forgotten."""
        behind = self._stamp - frame.stamp
        anew = behind > RESTART
        if behind >= 0.0 and not anew:
            raise StaleInputError(
                f'image of {frame.stamp:.3f} s is not newer than {self._stamp:.3f} s'
            )
        self._stamp = frame.stamp
        size = (frame.color.shape[0], frame.color.shape[1])
        if anew or self._size not in (None, size):
            self._detector.reset()
        self._size = size
        dark = int(frame.color.max()) <= DARK
        return [] if dark else self._detector.detect(frame.color, frame.stamp), anew

    def _hands(self, frame: Frame, found: list[Detection], anew: bool) -> tuple[TrackedHand, ...]:
        views = [
            view
            for detection in without_duplicates(_plausible(found))
            if (view := look(detection, frame.intrinsics)).inside.sum() >= LEAST_INSIDE
        ][: self._params.max_hands]
        depth = frame.depth if self._params.use_depth else None
        stamp, gap = frame.stamp, self._params.max_gap
        self._tracks = [t for t in self._tracks if not anew and stamp - t.last_seen <= gap]
        return self._follow(views, depth, frame.intrinsics, stamp)

    def _follow(
        self,
        views: list[View],
        depth: DepthImage | None,
        intrinsics: Intrinsics,
        stamp: float,
    ) -> tuple[TrackedHand, ...]:
        pairs = self._match(views, depth, intrinsics, stamp)
        shown = []
        for track, fit in pairs:
            joints = track.accept(fit)
            if track.images >= self._params.confirm_frames:
                shown.append((track, fit, joints))
        if not shown:
            return ()
        odds = np.array([track.evidence.log_odds for track, _, _ in shown])
        for (track, _, _), side in zip(
            shown, sides(odds, [track.side for track, _, _ in shown]), strict=True
        ):
            track.side = side
        return tuple(_hand(*each) for each in shown)

    def _match(
        self,
        views: list[View],
        depth: DepthImage | None,
        intrinsics: Intrinsics,
        stamp: float,
    ) -> list[tuple[Track, Fit]]:
        if not views:
            return []
        fits = [[t.fit(view, depth, intrinsics, stamp) for t in self._tracks] for view in views]
        cost = np.full((len(views), len(self._tracks)), np.inf)
        for i, row in enumerate(fits):
            for k, (track, fit) in enumerate(zip(self._tracks, row, strict=True)):
                if _is_hand(fit) and track.reaches(fit):
                    says = fit.view.detection.right_probability
                    cost[i, k] = track.distance(fit) + side_cost(track.evidence.log_odds, says)
        pairs = []
        for i, chosen in enumerate(assign(cost)):
            if chosen is not None and np.isfinite(cost[i, chosen]):
                pairs.append((self._tracks[chosen], fits[i][chosen]))
                continue
            track = Track(self._next_id, self._params)
            fit = track.fit(views[i], depth, intrinsics, stamp)
            if _is_hand(fit) and len(self._tracks) < MOST_TRACKS:
                self._next_id += 1
                self._tracks.append(track)
                pairs.append((track, fit))
        return pairs


def _plausible(detections: list[Detection]) -> list[Detection]:
    return [d for d in detections if d.finite and np.ptp(d.pixels, axis=0).max() > 8.0]


def _is_hand(fit: Fit) -> bool:
    low, high = SIZE_RATIOS
    near = bool((fit.joints[:, 2] > 0.08).all()) and bool(np.isfinite(fit.joints).all())
    return near and (fit.method == 'pnp' or low < fit.size_ratio < high)


def _hand(track: Track, fit: Fit, joints: np.ndarray) -> TrackedHand:
    assert track.side is not None
    return TrackedHand(
        track_id=track.id,
        side=track.side,
        method=fit.method,
        keypoints=np.where(fit.view.inside[:, None], joints, np.nan),
        confidence=fit.confidence,
        pixels=fit.view.detection.pixels,
        score=fit.view.detection.score,
        filter_delay=track.filter_delay,
    )


def warm_up(params: TrackingParams) -> None:
    """Compile the fit now, not at the first hand; cached on disk, so once for a machine."""
    grid = np.linspace(-0.05, 0.05, 21)
    world = np.stack([grid, grid[::-1] ** 2, 0.1 * grid], axis=1)
    intrinsics = Intrinsics(640, 480, 600.0, 600.0, 320.0, 240.0)
    pixels = intrinsics.project(world + np.array([0.0, 0.0, 0.6]))
    view = look(Detection(pixels, world, 0.5, 1.0), intrinsics)
    depth = np.full((480, 640), 600, dtype=np.uint16)
    Track(0, params).fit(view, depth, intrinsics, 0.0)
