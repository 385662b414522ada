"""Command line: `practise prepare BAG --object MESH`, the run folder of a demonstration."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from mimic_core.arguments import add_arguments, from_arguments
from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError
from mimic_core.frames import from_xyz_quat
from mimic_core.primitives import Primitive, primitives_of
from mimic_rl.prepare.params import PrepareParams
from mimic_rl.prepare.prepare import Prepared, check_folder, prepare, write_run
from mimic_rl.prepare.video import DemonstrationVideo, recorded_of_person, recorded_task
from mimic_rl.shown import known_shown, shown_task

_MANY_SKIPPED = 0.25  # [1] of the steps, from which the motion as a whole is in doubt


def add_commands(commands: Any) -> dict[str, Callable[[argparse.Namespace], None]]:
    """Add the command of this file to a parser; return what it does."""
    parser = commands.add_parser('prepare', help='make a run folder from an RGB-D video')
    parser.add_argument('bag', type=Path, help='folder of the bag')
    parser.add_argument('--object', type=Path, required=True, help='mesh of what is moved')
    parser.add_argument('--hand', default='allegro', help='a hand of the registry')
    parser.add_argument('--arm', default='iiwa14', help='an arm of the registry')
    parser.add_argument('--out', type=Path, help='run folder; default: runs/BAG_HAND')
    parser.add_argument(
        '--task',
        default='',
        help='name of the task; default: what the recorder kept with the bag, else its folder; '
        'what stands on the table of known ones '
        f'({", ".join(known_shown())}) is known',
    )
    parser.add_argument(
        '--fixtures', type=Path, help='JSON list of what stands fixed, as in run.json'
    )
    parser.add_argument(
        '--mesh-scale', type=float, default=1.0, help='metres in one unit of the mesh'
    )
    parser.add_argument('--camera', default='camera', help="prefix of the camera's topics")
    parser.add_argument(
        '--camera-pose',
        type=float,
        nargs=7,
        metavar='N',
        help='x y z [m] and quaternion xyzw of the optical frame in world; else from tf_static',
    )
    add_arguments(parser, PrepareParams)
    return {'prepare': _prepare}


def _prepare(given: argparse.Namespace) -> None:
    console = Console(markup=False)
    params = from_arguments(PrepareParams, given)
    folder = given.out or Path('runs') / f'{given.bag.name}_{given.hand}'
    check_folder(folder, given.arm, given.hand)
    task = given.task or recorded_task(given.bag) or given.bag.name
    fixtures, start_box = _table(task, given.fixtures)
    video = DemonstrationVideo(given.bag, given.camera, _pose(given.camera_pose))
    columns = (
        SpinnerColumn(),
        TextColumn('{task.description}', markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        row = progress.add_task('tracking')
        prepared = prepare(
            video,
            given.object,
            given.arm,
            given.hand,
            task=task,
            params=params,
            fixtures=fixtures,
            start_box=start_box,
            mesh_scale=given.mesh_scale,
            progress=lambda n: progress.update(row, description=f'tracking: {n} frames'),
        )
    remarks = write_run(prepared, given.object, folder, mesh_scale=given.mesh_scale)
    by_name = given.fixtures is None
    console.print(summary(prepared, by_name))
    alien = by_name and recorded_of_person(given.bag)
    for remark in (*warnings(prepared, alien), *remarks):
        console.print(remark, style='yellow', highlight=False, soft_wrap=True)
    console.print(
        f'{folder}: look at its pictures, then ./mimic practise train {folder}', soft_wrap=True
    )


def _pose(numbers: list[float] | None) -> FloatArray | None:
    if numbers is None:
        return None
    return from_xyz_quat(np.array(numbers[:3]), np.array(numbers[3:]))


def _table(
    task: str, file: Path | None
) -> tuple[tuple[Primitive, ...], tuple[float, float, float, float] | None]:
    """Return what stands fixed on the table, and where starts may lie."""
    if file is None:
        if task in known_shown():
            shown = shown_task(task)
            return shown.fixtures, shown.start_box
        return (), None
    try:
        document: Any = json.loads(file.read_text())
    except (OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f'{file} is no JSON file: {error}') from error
    return primitives_of(document, str(file)), None


def summary(prepared: Prepared, by_name: bool) -> Table:
    """Return what was found, for people.

    Args:
        prepared: What was.
        by_name: What stands on the table is that of the task's name.
    """
    table = Table(title=f'{prepared.model.describe()}', show_header=False)
    report = prepared.report()
    lost = report['frames_without_depth']
    without = f'; {lost} more have no depth and are left out' if lost else ''
    rows = (
        ('frames', f'{report["frames"]}, object in {report["object_seen"]:.0%}, hand in '
                   f'{report["hand_seen"]:.0%}{without}'),
        ('start', f'{report["start_s"]:.2f} s, {report["moved_s"] - report["start_s"]:.2f} s '
                  'before the object moves'),
        ('trajectory', f'{len(prepared.run.trajectory)} poses at {prepared.run.rate:g} Hz'),
        ('robot at the start', f'{report["position_error_mm"]:.0f} mm and '
                               f'{report["angle_error_deg"]:.1f} deg from the hand'),
        ('finger tips', 'a gripper has none' if report['tip_error_mm'] is None
                        else f'{report["tip_error_mm"]:.0f} mm from those of the hand'),
        ('other starts', f'{report["starts_reached"]:.0%} of those in practice are reached'),
        ('retargeted motion', f'{report["skipped_steps"]} steps skipped, '
                              f'{report["slowed_steps"]} slowed down'),
        ('primitives', f'{len(prepared.run.object.parts)}, '
                       f'{report["shape_error_mm"]:.1f} mm from the mesh'),
    )  # fmt: skip
    for name, value in rows:
        table.add_row(name, value)
    if prepared.run.fixtures:
        table.add_row('on the table', _standing(prepared, by_name))
    if prepared.origin.any():
        place = ', '.join(f'{mm:.0f}' for mm in report['origin_in_mesh_mm'])
        table.add_row(
            'origin', f'moved to ({place}) mm of the mesh: track with the mesh of the run'
        )
    return table


def _standing(prepared: Prepared, by_name: bool) -> str:
    run = prepared.run
    things = ', '.join(f'{p.form} at ({p.xyz[0]:.2f}, {p.xyz[1]:.2f}) m' for p in run.fixtures)
    if not by_name:
        return f'{things}, as --fixtures says'
    bounds = ''
    if run.start_box is not None:
        low_x, high_x, low_y, high_y = run.start_box
        bounds = (
            f'; starts are bounded to x {low_x:+.2f} to {high_x:+.2f} m, y {low_y:+.2f} to '
            f'{high_y:+.2f} m from the shown one'
        )
    return (
        f"{things}, taken from the name of the task, '{run.task}'{bounds}; --fixtures replaces it"
    )


def warnings(prepared: Prepared, alien: bool) -> tuple[str, ...]:
    """Return sentences on what may be wrong with a run, for people.

    Args:
        prepared: What was.
        alien: What stands on the table is that of the virtual person, who did not show this.
    """
    report, said = prepared.report(), []
    if not report['hand_by_depth']:
        said.append(
            'the hand at the start was fitted without depth: its distance from the camera is '
            'guessed from its size, and may be off by centimetres. Look at hand_at_start.png and '
            'robot_at_start.png; if they are wrong, show the hand whole and within the range of '
            'the depth camera, or change lead'
        )
    skipped, steps = report['skipped_steps'], len(prepared.run.trajectory)
    if skipped > _MANY_SKIPPED * steps:
        said.append(
            f'at {skipped} of {steps} steps the robot does not get to where the hand was (out of '
            'reach, too fast, or the hand is hidden): perhaps its arm cannot move the object as '
            'shown, and replays and DAPG have little to go by. Show it nearer to the middle of '
            'the workspace, and turn the hand less'
        )
    if alien and prepared.run.fixtures:
        said.append(
            f"what stands on the table is that of the virtual person's '{prepared.run.task}', "
            'which this bag is not of: if the real table differs, prepare with --fixtures (a file '
            'of [] for nothing)'
        )
    return tuple(said)
