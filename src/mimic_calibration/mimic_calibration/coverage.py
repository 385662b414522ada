"""What a set of views still lacks, in words that a person can follow."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from mimic_calibration.detection import BLUR_WARNING, BoardView, Detection
from mimic_calibration.hand_eye import rotation_spread
from mimic_core.arrays import FloatArray, IntArray

COLUMNS, ROWS = 4, 3  # cells of the picture
_CELL_POINTS: Final = 8  # in a cell that counts as seen
_TILTED: Final = np.radians(18.0)  # [rad]
_NEAR, _FAR = 0.45, 0.3  # [1] the board's diagonal over the picture's
_VIEWS_WANTED: Final = 15
_TURN_WANTED: Final = np.radians(12.0)  # [rad] rms about each axis
_ACROSS: Final = ('far left', 'left', 'right', 'far right')
_DOWN: Final = ('top', 'middle', 'bottom')
_EDGES: Final = ('left', 'right', 'upper', 'lower')
_TOO_STEEP: Final = np.radians(65.0)  # [rad]


@dataclass
class ImageCoverage:
    """Which parts of the picture, tilts and distances were seen."""

    size: tuple[int, int]  # [px]
    cells: IntArray = field(default_factory=lambda: np.zeros((ROWS, COLUMNS), np.int64))
    edges: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_EDGES, 0))
    near: int = 0
    far: int = 0
    views: int = 0

    def add(self, detection: Detection, view: BoardView) -> list[str]:
        """Count a view; return what was new about it."""
        before = set(self.missing())
        width, height = self.size
        columns = np.clip(detection.pixels[:, 0] / width * COLUMNS, 0, COLUMNS - 1).astype(int)
        rows = np.clip(detection.pixels[:, 1] / height * ROWS, 0, ROWS - 1).astype(int)
        np.add.at(self.cells, (rows, columns), 1)
        normal = view.camera_T_board[:3, 2]  # away from the camera
        sine = np.sin(_TILTED)
        # A normal that points right of the line of sight has its right edge nearer.
        for name, value in zip(
            _EDGES, (-normal[0], normal[0], -normal[1], normal[1]), strict=True
        ):
            self.edges[name] += int(value > sine)
        share = float(np.linalg.norm(np.ptp(detection.pixels, axis=0)) / np.hypot(width, height))
        self.near += int(share > _NEAR)
        self.far += int(share < _FAR)
        self.views += 1
        return sorted(before - set(self.missing()))

    def missing(self) -> list[str]:
        """Return what to show next, most important first."""
        hints = []
        if self.views < _VIEWS_WANTED:
            hints.append(f'{_VIEWS_WANTED - self.views} more views')
        for row, column in np.argwhere(self.cells < _CELL_POINTS):
            hints.append(f'the board at the {_DOWN[row]} {_ACROSS[column]} of the picture')
        for name, count in self.edges.items():
            if count < 2:
                hints.append(f'the {name} edge of the board tilted towards the camera')
        if self.near < 2:
            hints.append('the board nearer, so that it fills half of the picture')
        if self.far < 1:
            hints.append('the board farther away')
        return hints

    @property
    def share(self) -> float:
        """[1] of the wanted views that were seen."""
        wanted = [float(np.mean(self.cells >= _CELL_POINTS))]
        wanted += [min(count / 2, 1.0) for count in self.edges.values()]
        wanted += [min(self.near / 2, 1.0), min(self.far, 1.0), min(self.views / _VIEWS_WANTED, 1)]
        return float(np.mean(wanted))

    def one_sided(self) -> list[str]:
        """Return what makes the result doubtful, where there is such."""
        reasons = []
        seen = float(np.mean(self.cells >= _CELL_POINTS))
        if seen < 0.6:
            reasons.append(f'only {100 * seen:.0f} % of the picture was covered')
        flat = [name for name, count in self.edges.items() if count == 0]
        if len(flat) >= 3:
            reasons.append('one-sided views: the board was hardly tilted')
        return reasons


def view_warnings(detection: Detection, view: BoardView) -> list[str]:
    """Return what is not good about one view; empty: nothing."""
    warnings = []
    if detection.blur > BLUR_WARNING:
        warnings.append(f'blurred by {detection.blur:.1f} px')
    if view.tilt > _TOO_STEEP:
        warnings.append(f'seen from {np.degrees(view.tilt):.0f}° aside')
    if view.rms > 1.0:
        warnings.append(f'{view.rms:.1f} px off a flat board')
    return warnings


def missing_turns(base_T_flange: Sequence[FloatArray]) -> list[str]:
    """Return which rotations a set of flange poses still lacks."""
    if len(base_T_flange) < 3:
        return ['poses: turn the gripper by 20 to 40 degrees, each time about another axis']
    spread = rotation_spread(base_T_flange)
    hints = []
    for axis, angle in zip(spread.axes.T, spread.angles, strict=True):
        if angle < _TURN_WANTED:
            name = 'xyz'[int(np.argmax(np.abs(axis)))]
            hints.append(
                f'turns about the {name} axis of the flange, 25 degrees both ways '
                f'(so far {np.degrees(angle):.0f} on average)'
            )
    return hints
