"""Guide a person through taking samples, by prompts in a terminal."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image as Pictures
from rich.console import Console

from mimic_calibration.calibrate import calibrate_hand_eye
from mimic_calibration.cells import Cell
from mimic_calibration.coverage import ImageCoverage, missing_turns, view_warnings
from mimic_calibration.detection import BoardView, Detection, Detector, solve_view
from mimic_calibration.drawing import draw_detection
from mimic_calibration.errors import CalibrationError, DetectionError
from mimic_calibration.hand_eye import MIN_POSES, HandEye, Sample
from mimic_calibration.kinematics import Arm
from mimic_calibration.samples import FolderWriter, RawSample, hand_eye_sample
from mimic_core.arrays import FloatArray
from mimic_core.camera import Intrinsics
from mimic_core.errors import DeviceError, MimicError, SourceError, StaleInputError

PREVIEW: Final = 'latest.png'
_HINTS: Final = 3
_NEW_VIEW: Final = 0.12  # [1] of the picture's width by which points must have moved
_STILL: Final = 0.004  # [1] of the picture's width between two pictures in a row
_ASSUMED_FOV: Final = 0.9  # [rad] for tilts, before the camera is calibrated

Ask = Callable[[str], str]  # prints a prompt, returns what was typed


class CameraGuide:
    """Collects views of the board for the intrinsics."""

    def __init__(
        self, cell: Cell, detector: Detector, folder: Path, console: Console, wanted: int = 25
    ) -> None:
        """Args: folder: gets the pictures; wanted: views that are taken at most."""
        self._cell, self._detector, self._console = cell, detector, console
        self._folder, self._writer = folder, FolderWriter(folder)
        self._wanted = wanted
        self.detections: list[Detection] = []
        self.coverage: ImageCoverage | None = None
        self._said = ''

    def run(self, ask: Ask | None) -> list[Detection]:
        """Take views until there are enough or the person types q; without `ask` by itself.

        A view is taken when the board is seen well, stands still and is somewhere new.
        """
        before: Detection | None = None
        while len(self.detections) < self._wanted:
            if self.coverage is not None and not self.coverage.missing():
                break
            if ask is not None and ask('Enter takes a picture, q ends').strip().lower() == 'q':
                break
            try:
                sample = self._cell.grab()
                detection = self._detector.detect(sample.image)
            except DetectionError as error:
                self._say(str(error), 'yellow')
                before = None
                continue
            except SourceError as error:
                self._say(str(error), 'red')
                break
            self._preview(sample, detection)
            if ask is None and not (_is_still(before, detection) and self._is_new(detection)):
                before = detection
                continue
            before = detection
            self._take(sample, detection)
        return self.detections

    def _take(self, sample: RawSample, detection: Detection) -> None:
        if self.coverage is None:
            self.coverage = ImageCoverage(detection.size)
        if detection.size != self.coverage.size:
            raise CalibrationError(
                f'the pictures change their size from {self.coverage.size} to {detection.size}'
            )
        optics = Intrinsics.from_fov(detection.size[0], detection.size[1], _ASSUMED_FOV)
        view = solve_view(detection, optics)
        self._writer.add(sample)
        self.detections.append(detection)
        self.coverage.add(detection, view)
        warnings = ', '.join(w for w in view_warnings(detection, view) if 'flat' not in w)
        self._console.print(
            f'view {len(self.detections)}: {len(detection)} points, {warnings or "sharp"}',
            style='yellow' if warnings else None,
        )
        self._hint(self.coverage.missing())

    def _hint(self, hints: Sequence[str]) -> None:
        if hints:
            self._console.print(f'  show next: {"; ".join(hints[:_HINTS])}')

    def _is_new(self, detection: Detection) -> bool:
        width = detection.size[0]
        return all(_distance(detection, old) > _NEW_VIEW * width for old in self.detections)

    def _say(self, text: str, style: str) -> None:
        if text != self._said:
            self._console.print(text, style=style, soft_wrap=True)
        self._said = text

    def _preview(self, sample: RawSample, detection: Detection) -> None:
        Pictures.fromarray(draw_detection(sample.image, detection)).save(self._folder / PREVIEW)


class HandEyeGuide:
    """Collects poses for the hand-eye calibration."""

    def __init__(
        self,
        cell: Cell,
        detector: Detector,
        arm: Arm,
        intrinsics: Intrinsics,
        writer: FolderWriter,
        console: Console,
    ) -> None:
        """Args: writer: keeps the samples, so that the calibration can be run again."""
        self._cell, self._detector, self._arm = cell, detector, arm
        self._intrinsics, self._writer, self._console = intrinsics, writer, console
        self.samples: list[Sample] = []
        self.raw: list[RawSample] = []

    def by_hand(self, ask: Ask, wanted: int) -> list[Sample]:
        """Take a sample at each Enter; the person moves the robot in between."""
        while len(self.samples) < wanted:
            self._hint()
            if ask('Move the robot, let it stand, press Enter; q ends').strip().lower() == 'q':
                break
            self.take()
        return self.samples

    def by_robot(self, poses: Sequence[FloatArray]) -> list[Sample]:
        """Move to each pose and take a sample; poses that are not reached are left out."""
        for number, q in enumerate(poses):
            self._console.print(f'pose {number + 1} of {len(poses)}')
            try:
                self._cell.move_to(q)
            except DeviceError as error:
                self._console.print(f'  not reached: {error}', style='yellow', soft_wrap=True)
                continue
            self.take()
        return self.samples

    def take(self) -> bool:
        """Take one sample here; say what is wrong with it, if so. Return whether it counts."""
        try:
            raw = self._cell.grab()
            sample = hand_eye_sample(raw, self._detector, self._arm)
            view = solve_view(sample.detection, self._intrinsics)
        except (SourceError, StaleInputError, CalibrationError, DetectionError) as error:
            self._console.print(f'  not taken: {error}', style='yellow', soft_wrap=True)
            return False
        name = self._writer.add(raw)
        sample = Sample(name, sample.q, sample.detection)
        self.samples.append(sample)
        self.raw.append(RawSample(name, raw.image, raw.joints, raw.stamp, raw.joint_stamp))
        warnings = ', '.join(view_warnings(sample.detection, view))
        self._console.print(
            f'  taken as {name}: {describe_view(view)} {warnings}'.rstrip(),
            style='yellow' if warnings else None,
        )
        return True

    def guess(self, mount_guess: HandEye, rng: np.random.Generator) -> HandEye | None:
        """Return a solution of the samples so far, good enough to propose further poses."""
        if len(self.samples) < MIN_POSES:
            return None
        try:
            found = calibrate_hand_eye(
                mount_guess.mount, self.samples, self._arm, self._intrinsics, rng
            )
        except MimicError as error:
            self._console.print(f'  no guess yet: {error}', style='yellow', soft_wrap=True)
            return None
        return found.refined.solution

    def _hint(self) -> None:
        hints = missing_turns([self._arm.flange_pose(s.q) for s in self.samples])
        count = len(self.samples)
        text = '; '.join(hints[:_HINTS]) or 'the rotations suffice, more poses make it better'
        self._console.print(
            f'{count} poses. Missing: {text}' if hints else f'{count} poses. {text}'
        )


def describe_view(view: BoardView) -> str:
    """Return distance and tilt for people."""
    return f'{view.distance:.2f} m away, tilted by {np.degrees(view.tilt):.0f}°'


def _distance(a: Detection, b: Detection) -> float:
    """Return the median distance of the points that two views share [px]."""
    _, first, second = np.intersect1d(a.ids, b.ids, return_indices=True)
    if len(first) == 0:
        return float('inf')
    return float(np.median(np.linalg.norm(a.pixels[first] - b.pixels[second], axis=1)))


def _is_still(before: Detection | None, now: Detection) -> bool:
    return before is not None and _distance(before, now) < _STILL * now.size[0]
