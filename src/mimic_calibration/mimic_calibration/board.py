"""Calibration boards: ChArUco, or a grid of AprilTags. What they look like, where corners are.

The frame of a board has its origin at the printed upper left corner of the pattern, x to the
right, y down and z into the paper, so that a camera in front sees the axes of its own frame.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal

import cv2
import numpy as np
import numpy.typing as npt

from mimic_calibration.errors import CalibrationError
from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError, UnknownNameError

Kind = Literal['charuco', 'apriltag']
GrayImage = npt.NDArray[np.uint8]  # (H, W)

DICTIONARIES: Final = {
    name.removeprefix('DICT_').lower(): int(getattr(cv2.aruco, name))
    for name in dir(cv2.aruco)
    if name.startswith('DICT_')
}


@dataclass(frozen=True)
class Board:
    """One board, as printed. The defaults fit on A4 and on US letter."""

    kind: Kind = 'charuco'
    columns: int = 5  # squares, or tags
    rows: int = 7
    square: float = 0.035  # [m] edge of a square, or of a tag's black border
    marker: float = 0.025  # [m] edge of a marker in a white square; AprilTags: white gap
    dictionary: str = '4x4_50'  # AprilTags: 'apriltag_36h11'

    def __post_init__(self) -> None:
        if self.kind not in ('charuco', 'apriltag'):
            raise UnknownNameError('kind of board', str(self.kind), ('charuco', 'apriltag'))
        if self.dictionary not in DICTIONARIES:
            raise UnknownNameError('dictionary', self.dictionary, DICTIONARIES)
        least = 3 if self.kind == 'charuco' else 1
        if not (least <= self.columns <= 40 and least <= self.rows <= 40):
            raise ConfigError(
                f'a {self.kind} board has {least} to 40 columns and rows, '
                f'not {self.columns}x{self.rows}'
            )
        if not (0.002 <= self.square <= 1.0 and 0.0 < self.marker <= 1.0):
            raise ConfigError(
                f'sizes are in metres: square {self.square}, marker {self.marker} cannot be'
            )
        if self.kind == 'charuco' and not 0.4 * self.square <= self.marker <= 0.9 * self.square:
            raise ConfigError(
                f'the marker ({self.marker} m) must be 0.4 to 0.9 of the square ({self.square} m)'
            )
        count = self.num_markers
        have = self.cv_dictionary.bytesList.shape[0]
        if count > have:
            raise ConfigError(f'{self.dictionary} has {have} markers, the board needs {count}')

    @classmethod
    def april(
        cls, columns: int = 1, rows: int = 1, size: float = 0.08, gap: float = 0.02
    ) -> 'Board':
        """Return a grid of AprilTags 36h11 with edges and gaps [m]."""
        return cls('apriltag', columns, rows, size, gap, 'apriltag_36h11')

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> 'Board':
        """Build from what a file holds; raises ConfigError or UnknownNameError."""
        known = {field.name for field in fields(cls)}
        for key in data:
            if key not in known:
                raise UnknownNameError('key of a board', str(key), known)
        try:
            values = {'columns': int, 'rows': int, 'square': float, 'marker': float}
            return cls(**{k: values.get(k, str)(v) for k, v in data.items()})
        except (TypeError, ValueError) as error:
            raise ConfigError(f'board: {error}') from error

    def to_mapping(self) -> dict[str, Any]:
        """Return what `from_mapping` takes."""
        return asdict(self)

    @property
    def num_markers(self) -> int:
        """How many markers the board carries."""
        cells = self.columns * self.rows
        return cells // 2 if self.kind == 'charuco' else cells

    @property
    def num_points(self) -> int:
        """How many points a full view gives."""
        if self.kind == 'charuco':
            return (self.columns - 1) * (self.rows - 1)
        return 4 * self.columns * self.rows

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the pattern [m]."""
        if self.kind == 'charuco':
            return self.columns * self.square, self.rows * self.square
        step = self.square + self.marker
        return self.columns * step - self.marker, self.rows * step - self.marker

    @property
    def cv_dictionary(self) -> Any:
        """OpenCV's dictionary."""
        return cv2.aruco.getPredefinedDictionary(DICTIONARIES[self.dictionary])

    @property
    def cv_board(self) -> Any:
        """OpenCV's board: a CharucoBoard or a GridBoard."""
        size = (self.columns, self.rows)
        kind = cv2.aruco.CharucoBoard if self.kind == 'charuco' else cv2.aruco.GridBoard
        return kind(size, self.square, self.marker, self.cv_dictionary)

    def points(self) -> FloatArray:
        """Return (P, 3) the points of a full view [m], in the board frame, by point number.

        ChArUco: inner corners, row by row. AprilTags: four corners of each tag, clockwise from
        the upper left, tag by tag.
        """
        if self.kind == 'charuco':
            corners: FloatArray = np.asarray(self.cv_board.getChessboardCorners(), np.float64)
            return corners
        return np.concatenate([np.asarray(c, np.float64) for c in self.cv_board.getObjPoints()])

    def centre(self) -> FloatArray:
        """Return (3,) the middle of the pattern [m], in the board frame."""
        width, height = self.size
        return np.array([0.5 * width, 0.5 * height, 0.0])

    def image(self, pixels_per_metre: float) -> GrayImage:
        """Return the pattern without margin, (H, W), 0 black and 255 white."""
        width, height = (round(edge * pixels_per_metre) for edge in self.size)
        if min(width, height) < 32 or max(width, height) > 20000:
            raise ConfigError(f'a pattern of {width}x{height} pixels cannot be drawn')
        if self.kind == 'charuco':
            # Cells of whole pixels, then to size: every edge is where it should be.
            cell = max(int(np.ceil(self.square * pixels_per_metre)), 16)
            drawn = self.cv_board.generateImage((self.columns * cell, self.rows * cell), None, 0)
        else:
            drawn = self._draw_tags(pixels_per_metre)
        if drawn.shape != (height, width):
            drawn = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA)
        return np.asarray(drawn, np.uint8)

    def _draw_tags(self, scale: float) -> Any:
        edge, gap = max(round(self.square * scale), 16), round(self.marker * scale)
        step = edge + gap
        canvas = np.full((self.rows * step - gap, self.columns * step - gap), 255, np.uint8)
        for number in range(self.num_markers):
            row, column = divmod(number, self.columns)
            tag = cv2.aruco.generateImageMarker(self.cv_dictionary, number, edge)
            canvas[row * step : row * step + edge, column * step : column * step + edge] = tag
        return canvas

    def describe(self) -> str:
        """Return one line for people."""
        if self.kind == 'charuco':
            return (
                f'ChArUco {self.columns}x{self.rows}, squares {1e3 * self.square:g} mm, '
                f'markers {1e3 * self.marker:g} mm, {self.dictionary}'
            )
        return (
            f'{self.columns}x{self.rows} AprilTags of {1e3 * self.square:g} mm, '
            f'gaps {1e3 * self.marker:g} mm, {self.dictionary}'
        )


def measured_board(board: Board, printed: float, nominal: float) -> Board:
    """Return a board corrected by a measured length.

    Args:
        board: As it was meant.
        printed: What a ruler says of some length on the print [m].
        nominal: What that length should be [m].

    Raises:
        CalibrationError: They differ by more than 10 %.
    """
    scale = printed / nominal if nominal > 0 else 0.0
    if not 0.9 <= scale <= 1.1:
        raise CalibrationError(
            f'{1e3 * printed:g} mm measured instead of {1e3 * nominal:g} mm: print the board '
            "without 'fit to page', or give its real size"
        )
    return Board(
        board.kind, board.columns, board.rows, board.square * scale, board.marker * scale,
        board.dictionary,
    )  # fmt: skip
