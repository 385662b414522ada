"""Find a board in a picture, and say how good the picture is."""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from mimic_calibration.board import DICTIONARIES, Board, GrayImage
from mimic_calibration.errors import DetectionError
from mimic_core.arrays import BoolArray, FloatArray, Image, IntArray
from mimic_core.camera import Intrinsics
from mimic_core.errors import ShapeError
from mimic_core.frames import transform

MIN_POINTS: Final = 6  # fewer fix no pose
BLUR_LIMIT: Final = 2.2  # [px] standard deviation of the blur beyond which a picture is refused
BLUR_WARNING: Final = 1.5  # [px]
_MEASURING: Final = 0.6**2 + 1 / 3  # [px^2] variance that smoothing and differences add
_OFF_LIMIT: Final = 1.2  # [px] off a plane, lens distortion included
_FLAT: Final = 20.0  # [grey levels] less contrast between black and white is none
_NEAR_LINE: Final = 0.02  # [1] points whose spread across is less than this share lie on a line
# Looked for when the wanted markers are not there.
_OTHERS: Final = (
    '4x4_50', '4x4_250', '5x5_100', '5x5_250', '6x6_250', '7x7_250', 'aruco_original',
    'apriltag_36h11', 'apriltag_25h9', 'apriltag_16h5',
)  # fmt: skip


@dataclass(frozen=True)
class Detection:
    """The points of one board in one picture."""

    ids: IntArray  # (P,) numbers of the points, ascending
    points: FloatArray  # (P, 3) [m] in the board frame
    pixels: FloatArray  # (P, 2) [px]
    size: tuple[int, int]  # width, height of the picture [px]
    blur: float  # [px] standard deviation of the edges' blur

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class BoardView:
    """Where a camera saw a board."""

    camera_T_board: FloatArray  # (4, 4)
    rms: float  # [px]
    tilt: float  # [rad] between the line of sight and the board's normal
    distance: float  # [m] to the middle of the points


def to_gray(image: Image | GrayImage) -> GrayImage:
    """Return (H, W); raises ShapeError when it is no picture."""
    if (
        image.dtype != np.uint8
        or image.ndim not in (2, 3)
        or min(image.shape[:2]) < 32
        or image.shape[2:] not in ((), (3,))
    ):
        raise ShapeError(f'a picture is (H, W) or (H, W, 3) uint8, not {image.shape}')
    if image.ndim == 2:
        return np.ascontiguousarray(image)
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY), np.uint8)


class Detector:
    """Finds one kind of board."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self._all_points = board.points()
        parameters = cv2.aruco.DetectorParameters()
        parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
        parameters.cornerRefinementWinSize = 4
        parameters.adaptiveThreshWinSizeMax = 33
        if board.kind == 'charuco':
            plain = cv2.aruco.DetectorParameters()  # the chessboard's corners are refined instead
            plain.adaptiveThreshWinSizeMax = 33
            self._charuco = cv2.aruco.CharucoDetector(
                board.cv_board, cv2.aruco.CharucoParameters(), plain
            )
        self._markers = cv2.aruco.ArucoDetector(board.cv_dictionary, parameters)

    def detect(self, image: Image | GrayImage) -> Detection:
        """Return the board's points.

        Raises:
            DetectionError: There is no board, too little of it, or it is blurred: says which.
            ShapeError: It is no picture.
        """
        gray = to_gray(image)
        if self.board.kind == 'charuco':
            corners, found, _, markers = self._charuco.detectBoard(gray)
            ids = np.zeros(0, np.int64) if found is None else found.ravel().astype(np.int64)
            pixels = np.zeros((0, 2)) if corners is None else corners.reshape(-1, 2)
            marker_ids = np.zeros(0, np.int64) if markers is None else markers.ravel()
        else:
            ids, pixels, marker_ids = self._tags(gray)
        beyond = marker_ids[marker_ids >= self.board.num_markers]
        if len(beyond) > 0.2 * max(len(marker_ids), 1):
            raise DetectionError(
                f'the picture shows marker {int(beyond.max())}, this board '
                f'({self.board.describe()}) ends at {self.board.num_markers - 1}'
            )
        needed = MIN_POINTS if self.board.num_points > MIN_POINTS else self.board.num_points
        if len(ids) < needed:
            raise DetectionError(self._why(gray, len(ids), len(marker_ids)))
        order = np.argsort(ids)
        ids, pixels = ids[order], np.asarray(pixels, np.float64)[order]
        points = self._all_points[ids]
        self._check_plane(points, pixels)
        if self.board.kind == 'charuco':
            pixels = self._refine(gray, points, pixels)
        keep = self._fitting(points, pixels)
        if keep.sum() >= needed:  # a finger on the board moves the corners at its edge
            ids, points, pixels = ids[keep], points[keep], pixels[keep]
        blur = measure_blur(gray, pixels)
        if blur > BLUR_LIMIT:
            raise DetectionError(
                f'the board is blurred by {blur:.1f} px: hold still, add light or focus'
            )
        height, width = gray.shape
        return Detection(ids, points, pixels, (width, height), blur)

    def _tags(self, gray: GrayImage) -> tuple[IntArray, FloatArray, IntArray]:
        quads, found, _ = self._markers.detectMarkers(gray)
        if found is None:
            return np.zeros(0, np.int64), np.zeros((0, 2)), np.zeros(0, np.int64)
        numbers = found.ravel().astype(np.int64)
        keep = numbers < self.board.num_markers
        rows = [(4 * number + np.arange(4), quad.reshape(4, 2))
                for number, quad, ok in zip(numbers, quads, keep, strict=True) if ok]  # fmt: skip
        if not rows:
            return np.zeros(0, np.int64), np.zeros((0, 2)), numbers
        return np.concatenate([r[0] for r in rows]), np.concatenate([r[1] for r in rows]), numbers

    def _check_plane(self, points: FloatArray, pixels: FloatArray) -> None:
        """Raise DetectionError when the points do not lie as on this board."""
        spread = np.linalg.svd(points[:, :2] - points[:, :2].mean(axis=0), compute_uv=False)
        if spread[1] < _NEAR_LINE * spread[0]:
            raise DetectionError('only one row of the board is seen: show more of it')
        homography, _ = cv2.findHomography(points[:, :2], pixels, cv2.RANSAC, 3.0)
        if homography is None:
            raise DetectionError('what is found has not the shape of a board')
        mapped = cv2.perspectiveTransform(points[None, :, :2], homography)[0]
        error = np.linalg.norm(mapped - pixels, axis=1)
        scale = np.linalg.norm(np.ptp(pixels, axis=0))
        if np.median(error) > 0.02 * scale + 1.0:
            raise DetectionError(
                'the corners do not lie on a plane as on this board: is the number of columns and '
                'rows right, is the board flat?'
            )

    def _refine(self, gray: GrayImage, points: FloatArray, pixels: FloatArray) -> FloatArray:
        """Return the corners of the chessboard to a hundredth of a pixel.

        OpenCV 4.11's CharucoDetector gives them half a pixel to the right and below, which is a
        millimetre at a metre. The window stays off the markers.
        """
        spread = np.linalg.norm(pixels[:, None] - pixels[None], axis=2)
        metres = np.linalg.norm(points[:, None] - points[None], axis=2)
        near = (metres > 0.0) & (metres < 1.1 * self.board.square)
        edge = float(np.median(spread[near])) if near.any() else 20.0  # [px] of a square
        gap = 0.5 * (1.0 - self.board.marker / self.board.square)
        half = int(np.clip(round(gap * edge), 2, 7))
        start = (pixels - 0.5).astype(np.float32)[:, None]
        stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 40, 1e-3)
        refined = cv2.cornerSubPix(gray, start.copy(), (half, half), (-1, -1), stop)
        moved = np.linalg.norm(refined - start, axis=2)[:, 0]
        return np.where(moved[:, None] < half, refined[:, 0], start[:, 0]).astype(np.float64)

    @staticmethod
    def _fitting(points: FloatArray, pixels: FloatArray) -> BoolArray:
        """Return (P,) which points lie where the others say; a lens bends a plane a little."""
        if len(points) < 8:
            return np.ones(len(points), dtype=bool)
        homography, _ = cv2.findHomography(points[:, :2], pixels, cv2.LMEDS)
        if homography is None:
            return np.ones(len(points), dtype=bool)
        mapped = cv2.perspectiveTransform(points[None, :, :2], homography)[0]
        off = np.linalg.norm(mapped - pixels, axis=1)
        keep: BoolArray = off <= max(_OFF_LIMIT, 5.0 * float(np.median(off)))
        return keep

    def _why(self, gray: GrayImage, points: int, markers: int) -> str:
        """Return the reason for which a board is not found."""
        _, found, _ = self._markers.detectMarkers(np.ascontiguousarray(gray[:, ::-1]))
        turned = 0 if found is None else len(found)
        # Some mirrored markers look like others of the dictionary.
        if turned >= max(min(3, self.board.num_markers), 2 * markers):
            return 'the picture is mirrored: switch that off in the camera'
        if markers:
            few = f'{markers} of {self.board.num_markers} markers and {points} points'
            return f'too little of the board is seen ({few}): bring it into the picture as a whole'
        if float(np.ptp(np.percentile(gray, (2, 98)))) < _FLAT:
            return 'no board is seen: the picture is dark, bright or covered'
        best, count = '', 2 if self.board.num_markers > 1 else 0
        for name in _OTHERS:
            dictionary = cv2.aruco.getPredefinedDictionary(DICTIONARIES[name])
            detector = cv2.aruco.ArucoDetector(dictionary, cv2.aruco.DetectorParameters())
            quads, _, _ = detector.detectMarkers(gray)
            if len(quads) > count and name != self.board.dictionary:
                best, count = name, len(quads)
        if best:
            return (
                f'the picture shows {count} markers of dictionary {best}, '
                f'the board has {self.board.dictionary}'
            )
        return 'no board is seen'


def measure_blur(gray: GrayImage, pixels: FloatArray) -> float:
    """Return the standard deviation of the blur of the edges around points [px].

    A step between black and white that a Gaussian has blurred has a greatest slope of its contrast
    over sqrt(2 pi) sigma.

    Args:
        gray: (H, W).
        pixels: (P, 2) corners.
    """
    reach = 6  # [px]
    height, width = gray.shape
    values = []
    for u, v in np.rint(pixels).astype(int):
        if not (reach < u < width - reach and reach < v < height - reach):
            continue
        patch = gray[v - reach : v + reach + 1, u - reach : u + reach + 1].astype(np.float64)
        low, high = np.percentile(patch, (5, 95))
        if high - low < _FLAT:
            continue
        smooth = cv2.GaussianBlur(patch, (3, 3), 0.6)  # against noise
        dy, dx = np.gradient(smooth)
        slope = float(np.percentile(np.hypot(dx, dy), 95))
        sigma = (high - low) / (np.sqrt(2.0 * np.pi) * max(slope, 1e-3))
        values.append(np.sqrt(max(sigma**2 - _MEASURING, 0.0)))
    return float(np.median(values)) if values else 0.0


def solve_view(detection: Detection, intrinsics: Intrinsics) -> BoardView:
    """Return where the board is, by PnP on one picture.

    A plane seen from far has two poses that look nearly alike; the better one is taken.

    Raises:
        DetectionError: The points fix no pose in front of the camera.
        ShapeError: Picture and intrinsics are of different sizes.
    """
    if detection.size != (intrinsics.width, intrinsics.height):
        raise ShapeError(
            f'the picture is {detection.size[0]}x{detection.size[1]}, the intrinsics are for '
            f'{intrinsics.width}x{intrinsics.height}'
        )
    matrix, distortion = intrinsics.matrix, np.asarray(intrinsics.distortion)
    count, rotations, shifts, _ = cv2.solvePnPGeneric(
        detection.points, detection.pixels, matrix, distortion, flags=cv2.SOLVEPNP_IPPE
    )
    best: tuple[float, Any, Any] | None = None
    for rvec, tvec in zip(rotations[:count], shifts[:count], strict=True):
        rvec, tvec = cv2.solvePnPRefineLM(
            detection.points, detection.pixels, matrix, distortion, rvec.copy(), tvec.copy()
        )
        mapped, _ = cv2.projectPoints(detection.points, rvec, tvec, matrix, distortion)
        error = float(np.sqrt(np.mean(np.sum((mapped[:, 0] - detection.pixels) ** 2, axis=1))))
        front = float(tvec.ravel()[2]) > 0.0
        if front and np.isfinite(error) and (best is None or error < best[0]):
            best = (error, rvec, tvec)
    if best is None:
        raise DetectionError('the points fix no pose of the board')
    rotation = np.asarray(cv2.Rodrigues(best[1])[0], np.float64)
    camera_T_board = transform(rotation, best[2].ravel())
    middle = rotation @ detection.points.mean(axis=0) + camera_T_board[:3, 3]
    distance = float(np.linalg.norm(middle))
    tilt = float(np.arccos(np.clip(abs(rotation[:, 2] @ middle) / distance, 0.0, 1.0)))
    return BoardView(camera_T_board, best[0], tilt, distance)
