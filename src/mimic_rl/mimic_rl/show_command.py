"""Command line: `practise show`, the bag of a virtual person who does a task with a bare hand."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from mimic_core.arguments import add_arguments, from_arguments
from mimic_rl.demonstration import ShowingParams, make_stream, record
from mimic_rl.shapes import object_mesh
from mimic_rl.shown import shown_task


def add_commands(commands: Any) -> dict[str, Callable[[argparse.Namespace], None]]:
    """Add the command of this file to a parser; return what it does."""
    parser = commands.add_parser('show', help='let a virtual person show a task to a camera')
    parser.add_argument('bag', type=Path, help='folder of the bag to write')
    parser.add_argument('--mesh', type=Path, help='also write the mesh of what is moved here')
    add_arguments(parser, ShowingParams)
    return {'show': _show}


def _show(given: argparse.Namespace) -> None:
    params = from_arguments(ShowingParams, given)
    console = Console()
    if given.mesh is not None:
        given.mesh.parent.mkdir(parents=True, exist_ok=True)
        object_mesh(shown_task(params.task).object).export(given.mesh)
        console.print(f'mesh: {given.mesh}', soft_wrap=True)
    stream = make_stream(params)
    try:
        record(stream, given.bag)
    finally:
        stream.close()
    console.print(f'bag: {given.bag}', soft_wrap=True)
