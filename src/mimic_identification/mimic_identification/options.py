"""Command line of `./mimic identify`."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from mimic_identification.results import COLUMNS, rows
from mimic_identification.verdict import GOOD, Outcome

FILE_WIDTH: Final = 180  # characters of a line where nobody looks at a terminal


def parser() -> argparse.ArgumentParser:
    """Return the parser."""
    p = argparse.ArgumentParser(
        prog='./mimic identify',
        description='Measure how the joints of a robot answer their commands: delay, dynamics, '
        'gain, offset, backlash. Start the robot or its twin with `./mimic launch identify`. '
        'One joint after the other makes small motions, through the gate.',
    )
    p.add_argument('--arm', default='iiwa14', help='stem of a file in config/robots, or none')
    p.add_argument('--hand', default='allegro', help='stem of a file in config/robots, or none')
    p.add_argument('--prefix', default='', help='put before every joint name')
    p.add_argument('--namespace', default='', help='of the robot')
    p.add_argument('--joints', default='', help='only these, separated by commas')
    p.add_argument('--speed', type=_share, default=1.0,
                   help='of the usual motion, up to half of the limits at 1')  # fmt: skip
    p.add_argument('--wait', type=float, default=10.0, help='for gate and drivers [s]')
    p.add_argument('--stay', action='store_true', help='begin where the robot is, not at home')
    p.add_argument('--bag', type=Path, help='folder of an episode to use: nothing moves')
    p.add_argument('--out', type=Path, default=Path('out/identify'), help='folder of the results')
    return p


def _share(text: str) -> float:
    value = float(text)
    if not 0.05 <= value <= 1.0:
        raise argparse.ArgumentTypeError('must be from 0.05 to 1')
    return value


def show(outcomes: Sequence[Outcome], file: Path) -> None:
    """Print the table and where the files are."""
    console = Console(markup=False)
    if not console.is_terminal:
        console.width = FILE_WIDTH
    table = Table(title='How the joints answer (± half of the 95 % interval)')
    for i, column in enumerate(COLUMNS):
        last = i == len(COLUMNS) - 1
        table.add_column(column, justify='left' if i == 0 or last else 'right')
    for outcome, row in zip(outcomes, rows(outcomes), strict=True):
        table.add_row(*row, style='' if outcome.verdict == GOOD else 'red')
    console.print(table)
    console.print(
        f'pictures of {file.parent}/JOINT.png, for the twin: response:={file}', soft_wrap=True
    )
