"""Command line: `align DATASET`, a dataset's human episodes mapped onto its robot episodes.

With `--find` a robot episode is looked up in the human ones.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console
from rich.table import Table

from mimic_alignment.alignment import METHODS, actions_of, local_costs
from mimic_alignment.features import THUMBNAIL
from mimic_alignment.job import Done, Found, Job, run_find, run_job
from mimic_alignment.params import AlignmentParams
from mimic_alignment.plots import draw_paths, draw_warp
from mimic_core.arguments import add_arguments, from_arguments, guarded
from mimic_core.errors import ConfigError

_SHOWN: Final = 20  # rows of the table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    given = _parser().parse_args(arguments)
    return guarded('align', lambda: _run(given, Console(markup=False)), 'run it again')


def _run(given: argparse.Namespace, console: Console) -> int:
    params = from_arguments(AlignmentParams, given)
    if given.encoder is not None and given.method != 'visual':
        raise ConfigError('--encoder: of --method visual; actions are compared without it')
    job = Job(
        given.dataset, given.method, given.output, tuple(given.human), tuple(given.robot),
        given.encoder or THUMBNAIL,
    )  # fmt: skip
    if given.find is not None:
        return _find(given, job, params, console)
    done = run_job(job, params)
    console.print(cost_table(done))
    console.print(done.summary)
    console.print(f'written to {done.path}', soft_wrap=True)
    if given.plots is not None:
        for path in write_plots(done, params, given.plots):
            console.print(f'picture: {path}', soft_wrap=True)
    return 0


def _find(given: argparse.Namespace, job: Job, params: AlignmentParams, console: Console) -> int:
    for name in ('robot', 'plots', 'window', 'open_begin', 'open_end', 'workers'):
        if getattr(given, name):
            option = name.replace('_', '-')
            raise ConfigError(f'--{option}: not with --find, which has no use for it')
    found = run_find(replace(job, robots=(given.find,)), params)
    console.print(found_table(found))
    console.print(f'written to {found.path}', soft_wrap=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='./mimic align', description='Warp human episodes onto robot episodes.'
    )
    parser.add_argument('dataset', type=Path, help='folder of a dataset with both domains')
    parser.add_argument('--method', choices=METHODS, default='action', help='what is compared')
    parser.add_argument(
        '--encoder',
        help=f'of the visual method: module:function, module:function=argument, or {THUMBNAIL}, '
        'the default',
    )
    parser.add_argument(
        '--find',
        metavar='ROBOT_EPISODE',
        help='look this one up in each human episode, no mapping',
    )
    parser.add_argument(
        '--output',
        type=Path,
        help='file; default: DATASET/mapping_METHOD.json, DATASET/found_EPISODE_METHOD.json',
    )
    parser.add_argument('--human', action='append', default=[], help='name of an episode; again')
    parser.add_argument('--robot', action='append', default=[], help='name of an episode; again')
    parser.add_argument('--plots', type=Path, help='folder for pictures')
    add_arguments(parser, AlignmentParams)
    return parser


def cost_table(done: Done) -> Table:
    """Return the mean cost of a step for each human episode: its best robot episode, and all."""
    one = done.alignment
    table = Table(title=f'mean cost of a step [1], {one.method}')
    table.add_column('human episode')
    table.add_column('frames', justify='right')
    table.add_column('best robot episode')
    for text in ('best', 'mean', 'worst'):
        table.add_column(text, justify='right')
    costs = one.costs
    for h, episode in enumerate(done.humans[:_SHOWN]):
        best = int(np.argmin(costs[h]))
        numbers = (costs[h, best], costs[h].mean(), costs[h].max())
        table.add_row(
            episode.name, str(len(episode.action)), one.robots[best],
            *(f'{value:.3f}' for value in numbers),
        )  # fmt: skip
    if len(done.humans) > _SHOWN:
        table.add_row(f'… and {len(done.humans) - _SHOWN} more', '', '', '', '', '')
    return table


def found_table(found: Found) -> Table:
    """Return where a robot episode is in each human episode, and the mean cost of a frame."""
    robot = found.robot
    table = Table(title=f'robot episode {robot.name}, {len(robot)} frames, in human episodes')
    table.add_column('human episode')
    for text in ('frames', 'begin', 'end', 'begin [s]', 'end [s]', 'cost [1]'):
        table.add_column(text, justify='right')
    for human, match in zip(found.humans, found.matches, strict=True):
        times = (f'{frame / human.fps:.1f}' for frame in (match.begin, match.end))
        table.add_row(
            human.name, str(len(human)), str(match.begin), str(match.end), *times,
            f'{match.cost:.3f}',
        )  # fmt: skip
    return table


def write_plots(done: Done, params: AlignmentParams, folder: Path) -> list[Path]:
    """Write the picture of the best pair and that of all paths; return the files."""
    humans, robots = (list(map(actions_of, side)) for side in (done.humans, done.robots))
    costs = done.alignment.costs
    h, r = (int(i) for i in np.unravel_index(np.argmin(costs), costs.shape))
    warp = done.alignment.warps[h][r]
    local = local_costs(done.humans, done.robots, params, done.encoder)(h, r)
    names = (done.alignment.humans[h], done.alignment.robots[r])
    files = [folder / 'warped_pair.png', folder / 'paths.png']
    pictures = (
        draw_warp(local, warp, humans[h], robots[r], names),
        draw_paths(humans, robots, (h, r, warp)),
    )
    for file, picture in zip(files, pictures, strict=True):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            picture.savefig(file, dpi=110)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(file)) from error
    return files


if __name__ == '__main__':
    sys.exit(main())
