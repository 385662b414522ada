"""Hand tracking in metres: with and without depth, against the depth at each landmark's pixel."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from benchmarks.harness import Options, Row, at_most, info
from mimic_core.arrays import FloatArray, Image
from mimic_core.camera import Frame
from mimic_core.hand import TrackedHand
from mimic_hand_tracking import Detection, HandDetector, HandTracker, TrackingParams, make_detector
from mimic_sim.demonstrator import DemonstratorStream
from mimic_sim.demonstrator_params import DemonstratorParams
from mimic_sim.studio import GroundTruth

# What a row is called: the look of the virtual demonstrator.
SCENES = {'clean': 'varied', 'clutter': 'cluttered', 'occlusion': 'occluded'}
TASKS = ('pick_place', 'free')
# The last is no method but the floor: the detector's pixels at the distance that is true.
METHODS = ('depth', 'no depth', 'no depth, size known', 'per-pixel', 'pixels at true depth')
RATE = 30.0  # [Hz]
START = 0.5  # [s] of rest, so that a hand at rest counts too


class Repeat:
    """A detector that says again what another one said, so that all methods see the same."""

    def __init__(self) -> None:
        self.found: list[Detection] = []

    def detect(self, color: Image, stamp: float) -> list[Detection]:
        """Return what was put there."""
        return self.found

    def reset(self) -> None:
        """Nothing to forget."""

    def close(self) -> None:
        """Nothing to release."""


@dataclass
class Score:
    """What one method made of the frames of one scene."""

    visible: list[float] = field(default_factory=list)  # [m] errors of landmarks
    hidden: list[float] = field(default_factory=list)  # [m]
    images: int = 0
    dropped: int = 0  # images without a hand; for per-pixel landmarks without depth
    asked: int = 0  # of which dropped counts
    lag: list[FloatArray] = field(default_factory=list)  # (3,) [m] estimate minus truth
    speed: list[FloatArray] = field(default_factory=list)  # (3,) [m/s] of the truth

    def add(self, keypoints: FloatArray, truth: GroundTruth) -> None:
        """Take (21, 3) [m]; NaN does not count as an error."""
        errors = np.linalg.norm(keypoints - truth.keypoints, axis=1)
        known = np.isfinite(errors)
        self.visible.extend(errors[known & truth.visible].tolist())
        self.hidden.extend(errors[known & ~truth.visible].tolist())

    @property
    def mean(self) -> float:
        """Mean error of all landmarks [mm]."""
        return float(np.mean(self.visible + self.hidden)) * 1e3

    def delay(self) -> float:
        """Return how late [s] the hand is: its offset against its speed, by least squares."""
        offset, speed = np.array(self.lag), np.array(self.speed)
        offset, speed = offset - offset.mean(axis=0), speed - speed.mean(axis=0)
        return -float((offset * speed).sum() / (speed**2).sum())


def per_pixel(detection: Detection, frame: Frame) -> FloatArray:
    """Return (21, 3) [m] by the depth at the pixel of each landmark, NaN where there is none."""
    assert frame.depth is not None
    height, width = frame.depth.shape
    column, row = np.rint(detection.pixels).astype(int).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    mm = np.where(inside, frame.depth[np.where(inside, row, 0), np.where(inside, column, 0)], 0)
    depth = np.where(mm > 0, mm * 1e-3, np.nan)
    return frame.intrinsics.deproject(detection.pixels, depth)


def _frames(
    look: str, task: str, seed: int, duration: float
) -> tuple[float, Iterator[tuple[Frame, GroundTruth]]]:
    """Return the length of the demonstrator's hand [m] and its pictures with the truth."""
    params = DemonstratorParams(
        task=task, look=look, seed=seed, eyes=False, start_delay=START, rate=RATE
    )
    stream = DemonstratorStream(params)
    length = min(duration, stream.demonstrator.duration)

    def pictures() -> Iterator[tuple[Frame, GroundTruth]]:
        try:
            yield from stream.frames(length)
        finally:
            stream.close()

    return stream.studio.variation.shape.length, pictures()


def _sequence(
    detector: HandDetector, look: str, task: str, seed: int, duration: float,
    scores: dict[str, Score], costs: list[float],
) -> None:  # fmt: skip
    detector.reset()
    repeat = Repeat()
    hand_length, frames = _frames(look, task, seed, duration)
    trackers = {
        'depth': HandTracker(TrackingParams(), repeat),
        'no depth': HandTracker(TrackingParams(use_depth=False), repeat),
        'no depth, size known': HandTracker(
            TrackingParams(use_depth=False, hand_length=hand_length), repeat
        ),
    }
    before: GroundTruth | None = None
    for frame, truth in frames:
        repeat.found = detector.detect(frame.color, frame.stamp)
        for name, tracker in trackers.items():
            hands = tracker.process_frame(frame)
            score = scores[name]
            score.images += 1
            score.asked += 1
            if not hands:
                score.dropped += 1
                continue
            best = _nearest(hands, truth)
            score.add(best.keypoints, truth)
            if before is not None and np.isfinite(best.keypoints[[0, 5, 17]]).all():
                palm = [0, 5, 17]
                score.lag.append((best.keypoints - truth.keypoints)[palm].mean(axis=0))
                speed = (truth.keypoints - before.keypoints)[palm].mean(axis=0) * RATE
                score.speed.append(speed)
        costs.append(trackers['depth'].timing.rest)
        if repeat.found:
            detection = max(repeat.found, key=lambda d: d.score)
            points = per_pixel(detection, frame)
            scores['per-pixel'].add(points, truth)
            scores['per-pixel'].asked += len(points)
            scores['per-pixel'].dropped += int(np.isnan(points[:, 2]).sum())
            floor = frame.intrinsics.deproject(detection.pixels, truth.keypoints[:, 2])
            scores['pixels at true depth'].add(floor, truth)
        before = truth


def _nearest(hands: tuple[TrackedHand, ...], truth: GroundTruth) -> TrackedHand:
    """Return the hand that the picture shows; a second one would be a false one."""

    def apart(hand: TrackedHand) -> float:
        return float(np.linalg.norm(hand.pixels - truth.pixels, axis=1).mean())

    return min(hands, key=apart)


def run(options: Options) -> list[Row]:
    """Render, track and compare; all methods see the same landmarks of the same pictures."""
    seeds, duration = (1, 3.0) if options.quick else (3, 8.0)
    detector = make_detector(TrackingParams())
    rows: list[Row] = []
    costs: list[float] = []
    for scene, look in SCENES.items():
        scores = {name: Score() for name in METHODS}
        for index in range(seeds):
            for task in TASKS:
                seed = 1000 * options.seed + index
                _sequence(detector, look, task, seed, duration, scores, costs)
        rows.extend(_rows(scene, scores))
    detector.close()
    rows.append(at_most('own time a frame, median', float(np.median(costs)) * 1e3, 'ms', 3.0))
    return rows


def _rows(scene: str, scores: dict[str, Score]) -> Iterator[Row]:
    depth, baseline = scores['depth'], scores['per-pixel']
    if scene == 'clean':
        yield at_most(f'{scene}, depth, all landmarks', depth.mean, 'mm', 8.0)
    else:
        yield info(f'{scene}, depth, all landmarks', depth.mean, 'mm')
    if scene == 'occlusion':
        yield at_most(f'{scene}, depth / per-pixel', depth.mean / baseline.mean, '1', 0.5)
    for name, score in scores.items():
        yield info(f'{scene}, {name}, visible, mean', float(np.mean(score.visible)) * 1e3, 'mm')
        yield info(f'{scene}, {name}, visible, p95',
                   float(np.percentile(score.visible, 95)) * 1e3, 'mm')  # fmt: skip
        if score.hidden:
            yield info(f'{scene}, {name}, hidden, mean', float(np.mean(score.hidden)) * 1e3, 'mm')
        if not score.asked:
            continue
        what = 'landmarks without depth' if name == 'per-pixel' else 'dropouts'
        yield info(f'{scene}, {name}, {what}', 100.0 * score.dropped / score.asked, '%')
    yield info(f'{scene}, depth, delay', depth.delay() * 1e3, 'ms')
