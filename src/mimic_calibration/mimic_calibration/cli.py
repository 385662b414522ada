"""Command line: `calibrate board | camera | hand_eye | check`."""

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from mimic_calibration import commands
from mimic_calibration.board import Board, measured_board
from mimic_calibration.errors import CalibrationError
from mimic_calibration.hand_eye import MOUNTS
from mimic_calibration.printing import PAPERS, RULER, write_board
from mimic_core.errors import MimicError

_DEVICES: Final = ('webcam', 'realsense', 'video', 'bag')


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = argparse.ArgumentParser(
        prog='./mimic calibrate',
        description='Calibrate a camera, and where it is. docs/calibration.md guides through it.',
    )
    sub = parser.add_subparsers(dest='command', required=True)

    board = sub.add_parser('board', help='write a board to print')
    _board_options(board)
    board.add_argument('--out', type=Path, default=Path('board.pdf'), help='.pdf or .png to write')
    board.add_argument('--paper', default='a4', choices=sorted(PAPERS))

    camera = sub.add_parser('camera', help='focal length, principal point and distortion')
    _board_options(camera)
    _common_options(camera)
    camera.add_argument(
        '--source', default='webcam', choices=('topics', 'folder', *_DEVICES),
        help='where pictures come from',
    )  # fmt: skip
    _source_options(camera)
    camera.add_argument('--views', type=int, default=25, help='taken at most')
    camera.add_argument('--prompt', action='store_true',
                        help='take a picture at each Enter, not by itself')  # fmt: skip

    hand_eye = sub.add_parser('hand_eye', help='where the camera is on or beside the robot')
    _board_options(hand_eye)
    _common_options(hand_eye)
    _robot_options(hand_eye)
    hand_eye.add_argument('--mount', default='eye_to_hand', choices=MOUNTS,
                          help='eye_to_hand: the camera stands, the gripper holds the board; '
                               'eye_in_hand: the other way round')  # fmt: skip
    hand_eye.add_argument('--source', default='topics',
                          choices=('topics', 'folder', 'bag', 'twin'),
                          help='where pictures and joints come from')  # fmt: skip
    _source_options(hand_eye)
    hand_eye.add_argument('--poses', type=int, default=25, help='taken at most')
    hand_eye.add_argument('--move', action='store_true',
                          help='the robot moves itself through control/move_to')  # fmt: skip
    hand_eye.add_argument('--camera-at', type=float, nargs=3, metavar=('X', 'Y', 'Z'),
                          help='about where the camera is in base_link [m]')  # fmt: skip
    hand_eye.add_argument('--looks-at', type=float, nargs=3, metavar=('X', 'Y', 'Z'),
                          help='about where it looks in base_link [m], for --move')  # fmt: skip
    hand_eye.add_argument('--table-height', type=float, default=0.0,
                          help='in base_link [m], for --move')  # fmt: skip
    hand_eye.add_argument('--joint-noise', type=float, default=None,
                          help='of a joint at a pose [rad], one standard deviation')  # fmt: skip
    hand_eye.add_argument('--seed', type=int, default=0, help='of the twin and of the choices')

    check = sub.add_parser('check', help='does a stored calibration still fit?')
    _common_options(check)
    check.add_argument('--source', default='topics', choices=('topics', 'folder', 'bag'),
                       help='where pictures and joint states come from')  # fmt: skip
    _source_options(check)
    check.add_argument('--views', type=int, default=3, help='of the board, at different poses')
    return parser


def _board_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('board')
    group.add_argument('--board', default='charuco', choices=('charuco', 'apriltag'))
    group.add_argument('--columns', type=int, help='of squares (default 5) or tags (default 1)')
    group.add_argument('--rows', type=int, help='of squares (default 7) or tags (default 1)')
    group.add_argument('--square', type=float, help='edge of a square or tag [m]')
    group.add_argument('--marker', type=float, help='edge of a marker, or gap between tags [m]')
    group.add_argument('--dictionary', help='such as 4x4_50 or apriltag_36h11')
    group.add_argument('--measured', type=float, default=RULER, metavar='LENGTH',
                       help='what a ruler says of the printed line of 100 mm [m]')  # fmt: skip


def _common_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--name', required=True, help='of the camera: stem of its file')
    parser.add_argument('--config', type=Path, help='folder of the files; default: config/cameras')
    parser.add_argument('--out', type=Path, help='folder for pictures and report')
    parser.add_argument('--force', action='store_true', help="write the file even after 'redo'")


def _robot_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('robot')
    group.add_argument('--arm', default='', help='stem of a file in config/robots')
    group.add_argument('--hand', default='', help='stem of a file in config/robots')
    group.add_argument('--prefix', default='', help='before every joint and link')


def _source_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('source')
    group.add_argument('--path', type=Path, help='of the folder, bag or video')
    group.add_argument('--device', default='', help='webcam index or RealSense serial number')
    group.add_argument('--width', type=int, default=640, help='[px] asked of a device')
    group.add_argument('--height', type=int, default=480, help='[px] asked of a device')
    group.add_argument('--camera', default='camera', help='prefix of the topics')
    group.add_argument('--namespace', default='', help='of the topics')


def board_of(options: argparse.Namespace) -> Board:
    """Return the board that the options describe; raises MimicError."""
    start = Board() if options.board == 'charuco' else Board.april()
    data = start.to_mapping()
    for key in ('columns', 'rows', 'square', 'marker', 'dictionary'):
        if getattr(options, key) is not None:
            data[key] = getattr(options, key)
    return measured_board(Board.from_mapping(data), options.measured, RULER)


def run(options: argparse.Namespace, console: Console) -> int:
    """Run a command; return its exit code.

    Raises:
        MimicError: It could not be done; says why.
    """
    if options.command == 'board':
        board = board_of(options)
        write_board(board, options.out, options.paper)
        console.print(
            f'{options.out}: {board.describe()}\n'
            "Print it at 100 %, without 'fit to page', and glue it on something flat and stiff.\n"
            'Measure the line of 100 mm; where it is not, say so with --measured.'
        )
        return 0
    if options.source in ('folder', 'bag', 'video') and options.path is None:
        raise CalibrationError(f'--source {options.source} needs --path')
    when = datetime.now().astimezone().isoformat(timespec='seconds')
    if options.out is None:
        options.out = Path('out/calibration') / f'{options.name}_{time.strftime("%Y%m%d_%H%M%S")}'
    if options.command == 'camera':
        return commands.calibrate_camera(options, board_of(options), when, console)
    if options.command == 'hand_eye':
        return commands.calibrate_pose(options, board_of(options), when, console)
    return commands.check(options, console)


def main(arguments: Sequence[str] | None = None) -> None:
    """Be the command."""
    options = build_parser().parse_args(arguments)
    console = Console(markup=False)
    try:
        code = run(options, console)
    except MimicError as error:
        console.print(str(error), style='red', soft_wrap=True)
        code = 1
    except (KeyboardInterrupt, EOFError):
        console.print('stopped')
        code = 130
    sys.exit(code)
