"""A board on paper: PDF or PNG in its true size, with a ruler to check it."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from PIL import Image as Pictures

from mimic_calibration.board import Board
from mimic_core.errors import ConfigError

PAPERS: Final = {  # [m] width, height
    'a4': (0.210, 0.297),
    'a3': (0.297, 0.420),
    'letter': (0.2159, 0.2794),
}
RULER: Final = 0.1  # [m]
_INCH: Final = 0.0254  # [m]
_PDF_DPI, _PNG_DPI = 600, 300
_MARGIN: Final = 0.004  # [m] that printers cannot reach
_RULER_ROOM: Final = 0.012  # [m] below the pattern


def write_board(board: Board, path: Path, paper: str = 'a4') -> None:
    """Write a board to a .pdf or a .png, on a page of a paper's size.

    Raises:
        ConfigError: Unknown paper or suffix, the board does not fit, or it cannot be written.
    """
    if paper not in PAPERS:
        raise ConfigError(f"paper '{paper}' is not one of {', '.join(PAPERS)}")
    if path.suffix not in ('.pdf', '.png'):
        raise ConfigError(f'{path}: write a .pdf or a .png')
    width, height = PAPERS[paper]
    if board.size[0] > board.size[1]:
        width, height = height, width
    free = (width - 2 * _MARGIN, height - 2 * _MARGIN - _RULER_ROOM)
    if board.size[0] > free[0] or board.size[1] > free[1]:
        raise ConfigError(
            f'a board of {1e3 * board.size[0]:.0f}x{1e3 * board.size[1]:.0f} mm does not fit on '
            f'{paper}: choose smaller squares, fewer of them, or larger paper'
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == '.pdf':
            _draw(board, (width, height), paper).savefig(path, format='pdf', dpi=_PDF_DPI)
        else:
            _write_png(board, path, (width, height), paper)
    except OSError as error:
        raise ConfigError(f'{path} cannot be written: {error}') from error


def _write_png(board: Board, path: Path, page: tuple[float, float], paper: str) -> None:
    _draw(board, page, paper).savefig(path, format='png', dpi=_PNG_DPI)
    with Pictures.open(path) as picture:  # the resolution tells the size of the print
        picture.convert('L').save(path, dpi=(_PNG_DPI, _PNG_DPI))


def _draw(board: Board, page: tuple[float, float], paper: str) -> Figure:
    """Return a figure of the page's size, in metres from its lower left corner."""
    width, height = page
    figure = Figure(figsize=(width / _INCH, height / _INCH))
    axis: Any = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axis.set(xlim=(0, width), ylim=(0, height))
    axis.axis('off')
    x = 0.5 * (width - board.size[0])
    y = height - 0.5 * (height - _RULER_ROOM - board.size[1]) - board.size[1]
    pattern = board.image(_PDF_DPI / _INCH)
    axis.imshow(
        pattern, extent=(x, x + board.size[0], y, y + board.size[1]), cmap='gray', vmin=0,
        vmax=255, interpolation='none', aspect='auto',
    )  # fmt: skip
    axis.set(xlim=(0, width), ylim=(0, height))
    left, base = x, max(_MARGIN + 0.004, y - 0.010)
    axis.plot([left, left + RULER], [base, base], color='black', lw=0.6)
    for tick in np.linspace(0.0, RULER, 11):
        axis.plot([left + tick, left + tick], [base, base + 0.002], color='black', lw=0.6)
    axis.text(
        left + RULER + 0.003, base,
        f'this line: 100 mm. Print at 100 %.\n{board.describe()}',
        fontsize=5, va='bottom',
    )  # fmt: skip
    return figure
