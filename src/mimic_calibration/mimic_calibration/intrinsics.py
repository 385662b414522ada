"""Camera matrix and distortion from views of a board."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from mimic_calibration.coverage import ImageCoverage
from mimic_calibration.detection import Detection, solve_view
from mimic_calibration.errors import CalibrationError
from mimic_core.arrays import BoolArray, FloatArray
from mimic_core.camera import Intrinsics

MIN_VIEWS: Final = 5
_FOLDS: Final = 5
_REJECT: Final = 3.0  # [1] times the median error of a view
_LEAST_REJECT: Final = 0.35  # [px]
_K3_GAIN: Final = 0.98  # [1] held-out error with k3 over that without, for k3 to be taken
_K3_VIEWS: Final = 12
_MIN_TILT: Final = np.radians(5.0)  # [rad]; views all from the front leave the focal length open
_GRID: Final = (9, 7)


@dataclass(frozen=True)
class IntrinsicsResult:
    """What a calibration of a camera found."""

    intrinsics: Intrinsics
    deviation: tuple[float, float, float, float]  # [px] of fx, fy, cx, cy, one standard deviation
    rms: float  # [px]
    held_out: float  # [px] in views that took no part
    field_error: float  # [px] expected change with other views, largest in the picture
    view_rms: FloatArray  # (N,) [px]
    used: BoolArray  # (N,)
    coverage: ImageCoverage


def calibrate_intrinsics(detections: Sequence[Detection]) -> IntrinsicsResult:
    """Return the intrinsics that fit N views best, without views that contradict the others.

    Raises:
        CalibrationError: Pictures of different sizes, too few views, or views that cannot fix it.
    """
    sizes = {d.size for d in detections}
    if len(sizes) > 1:
        named = ', '.join(f'{w}x{h}' for w, h in sorted(sizes))
        raise CalibrationError(f'the pictures have different sizes: {named}; take them anew')
    if len(detections) < MIN_VIEWS:
        raise CalibrationError(
            f'{len(detections)} usable views: at least {MIN_VIEWS} are needed, 15 make it good'
        )
    size = detections[0].size
    used = np.ones(len(detections), dtype=bool)
    while True:
        fit = _fit([d for d, ok in zip(detections, used, strict=True) if ok], size, k3=False)
        errors = np.array([_view_error(d, fit.intrinsics) for d in detections])
        limit = max(_REJECT * float(np.median(errors[used])), _LEAST_REJECT)
        wrong = used & (errors > limit)
        if not wrong.any():
            break
        used[wrong] = False
        if used.sum() < max(MIN_VIEWS, 0.5 * len(detections)):
            raise CalibrationError(
                f'{int((~used).sum())} of {len(detections)} views contradict the others: is the '
                'board flat and stiff, and of the size that was given?'
            )
    good = [d for d, ok in zip(detections, used, strict=True) if ok]
    k3 = False
    held_out, field_error = _cross_check(good, size, k3=False)
    if len(good) >= _K3_VIEWS:
        with_k3, field_k3 = _cross_check(good, size, k3=True)
        k3 = with_k3 < _K3_GAIN * held_out
        if k3:
            held_out, field_error = with_k3, field_k3
    fit = _fit(good, size, k3=k3)
    views = [solve_view(d, fit.intrinsics) for d in good]
    if max(v.tilt for v in views) < _MIN_TILT:
        raise CalibrationError(
            'all views are from straight ahead, which leaves the focal length open: tilt the '
            'board by 20 to 40 degrees to all sides'
        )
    coverage = ImageCoverage(size)
    for detection, view in zip(good, views, strict=True):
        coverage.add(detection, view)
    errors = np.array([_view_error(d, fit.intrinsics) for d in detections])
    return IntrinsicsResult(
        fit.intrinsics, fit.deviation, fit.rms, held_out, field_error, errors, used, coverage
    )


@dataclass(frozen=True)
class _Fit:
    intrinsics: Intrinsics
    deviation: tuple[float, float, float, float]
    rms: float


def _fit(detections: Sequence[Detection], size: tuple[int, int], *, k3: bool) -> _Fit:
    points: Any = [d.points.astype(np.float32) for d in detections]
    pixels: Any = [d.pixels.astype(np.float32) for d in detections]
    flags = 0 if k3 else cv2.CALIB_FIX_K3
    try:
        rms, matrix, distortion, _, _, deviation, _, _ = cv2.calibrateCameraExtended(
            points,
            pixels,
            size,
            None,
            None,
            flags=flags,  # type: ignore[call-overload]
        )
    except cv2.error as error:
        raise CalibrationError(
            f'the views do not fix the camera ({error.err}): show the board at other places and '
            'tilts'
        ) from error
    ok = np.isfinite(matrix).all() and np.isfinite(distortion).all()
    if not (ok and 0.2 * size[0] < matrix[0, 0] < 20 * size[0]):
        raise CalibrationError('the views do not fix the camera: show the board tilted and near')
    k1, k2, p1, p2, third = (float(v) for v in distortion.ravel()[:5])
    intrinsics = Intrinsics(
        *size, float(matrix[0, 0]), float(matrix[1, 1]), float(matrix[0, 2]), float(matrix[1, 2]),
        (k1, k2, p1, p2, third),
    )  # fmt: skip
    fx, fy, cx, cy = (float(v) for v in deviation.ravel()[:4])
    return _Fit(intrinsics, (fx, fy, cx, cy), float(rms))


def _view_error(detection: Detection, intrinsics: Intrinsics) -> float:
    return solve_view(detection, intrinsics).rms


def _cross_check(
    detections: Sequence[Detection], size: tuple[int, int], *, k3: bool
) -> tuple[float, float]:
    """Return the error in views left out, and how much the picture of the world changes [px]."""
    folds = min(_FOLDS, len(detections) // 2)
    errors, fields = [], []
    for fold in range(folds):
        rest = [d for i, d in enumerate(detections) if i % folds != fold]
        intrinsics = _fit(rest, size, k3=k3).intrinsics
        errors += [_view_error(d, intrinsics) for d in detections[fold::folds]]
        fields.append(_rays(intrinsics))
    stack = np.array(fields)
    # Delete-a-group jackknife: the folds share most of their views.
    spread = stack.std(axis=0) * np.sqrt(folds - 1)
    focal = 0.5 * size[0] / np.abs(stack[..., 0]).max()
    return float(np.sqrt(np.mean(np.square(errors)))), float(
        np.linalg.norm(spread, axis=-1).max() * focal
    )


def _rays(intrinsics: Intrinsics) -> FloatArray:
    """Return (G, 2) directions [1] that a grid of pixels looks in."""
    u, v = np.meshgrid(
        np.linspace(0, intrinsics.width - 1, _GRID[0]),
        np.linspace(0, intrinsics.height - 1, _GRID[1]),
    )
    pixels = np.stack([u, v], axis=-1).reshape(-1, 1, 2)
    rays = cv2.undistortPoints(pixels, intrinsics.matrix, np.asarray(intrinsics.distortion))
    return np.asarray(rays[:, 0], np.float64)


def ray_error(found: Intrinsics, truth: Intrinsics) -> float:
    """Return the largest angle between the rays of two intrinsics over the picture [rad]."""
    a, b = (np.hstack([_rays(i), np.ones((_GRID[0] * _GRID[1], 1))]) for i in (found, truth))
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    return float(np.linalg.norm(np.cross(a, b), axis=1).max())
