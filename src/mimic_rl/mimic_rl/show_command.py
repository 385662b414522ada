"""Command line: `practise show`, the bag of a virtual person who does a task with a bare hand.

And `practise mesh`, what that person moves.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from mimic_core.arguments import add_arguments, from_arguments
from mimic_core.errors import ConfigError
from mimic_rl.demonstration import ShowingParams, make_stream, record
from mimic_rl.shapes import object_mesh
from mimic_rl.shown import known_shown, shown_task


def add_commands(commands: Any) -> dict[str, Callable[[argparse.Namespace], None]]:
    """Add the commands of this file to a parser; return what each one does."""
    parser = commands.add_parser('show', help='let a virtual person show a task to a camera')
    parser.add_argument('bag', type=Path, help='folder of the bag to write')
    parser.add_argument('--mesh', type=Path, help='also write the mesh of what is moved here')
    add_arguments(parser, ShowingParams)
    mesh = commands.add_parser('mesh', help='write the mesh of what the virtual person moves')
    mesh.add_argument('file', type=Path, help='to write: .obj, .stl or .ply')
    mesh.add_argument('--task', choices=known_shown(), default='box_push', help='what is shown')
    return {'show': _show, 'mesh': _mesh}


def _mesh(given: argparse.Namespace) -> None:
    _write_mesh(given.task, given.file, Console(markup=False))


def _write_mesh(task: str, file: Path, console: Console) -> None:
    mesh = object_mesh(shown_task(task).object)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        mesh.export(file)
    except (OSError, ValueError) as error:
        raise ConfigError(f'{file} cannot be written: {error}') from error
    console.print(f'mesh: {file}', soft_wrap=True)


def _show(given: argparse.Namespace) -> None:
    params = from_arguments(ShowingParams, given)
    console = Console(markup=False)
    if given.mesh is not None:
        _write_mesh(params.task, given.mesh, console)
    stream = make_stream(params)
    try:
        record(stream, given.bag)
    finally:
        stream.close()
    console.print(f'bag: {given.bag}', soft_wrap=True)
