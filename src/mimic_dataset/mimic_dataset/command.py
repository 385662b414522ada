"""Command line `dataset convert | inspect | validate | export | info`, and what `ingest` does."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from mimic_camera import CameraParams
from mimic_core import arguments as command_line
from mimic_core.arguments import add_arguments, from_arguments
from mimic_core.errors import ConfigError, MimicError
from mimic_core.frames import BASE
from mimic_core.params import check_value
from mimic_dataset.arrays import DOMAINS, Domain, EpisodeArrays
from mimic_dataset.bags import has_failed, interruption, is_of
from mimic_dataset.convert import (
    Converted,
    Job,
    Outcome,
    bags_in,
    convert,
    find_sources,
    make_jobs,
)
from mimic_dataset.grounding import demonstrated
from mimic_dataset.params import ConvertParams
from mimic_dataset.quality import inspect, verdict
from mimic_dataset.quality_page import write_pages
from mimic_dataset.read import default_folder, load
from mimic_dataset.robomimic import write_robomimic
from mimic_dataset.spread import RayWorkers, make_workers
from mimic_dataset.views import file_of_video, missing_camera, view_of_bag, view_of_file
from mimic_description import RobotModel, load_robot

EPISODES: Final = Path('episodes')  # where the recorder puts them
Run = Callable[[argparse.Namespace, Console], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `dataset`; return its exit code."""
    given = _parser().parse_args(arguments)
    return guarded('dataset', given.run, given)


def guarded(name: str, run: Run, given: argparse.Namespace) -> int:
    """Run a command; print its error and return 2, or 130 when it was stopped."""
    stays = 'finished episodes stay, run it again to go on'
    return command_line.guarded(name, lambda: run(given, Console(markup=False)), stays)


def ingest_parser() -> argparse.ArgumentParser:
    """Return the options of `ingest`."""
    parser = argparse.ArgumentParser(
        prog='./mimic ingest', description='Videos of people become training data for a robot.'
    )
    _add_sources(parser, 'video files, bags of the camera, or folders of them')
    parser.add_argument(
        '--camera',
        type=Path,
        help='calibration file of the camera; default: what a bag says, else camera.yaml beside '
        'the video, else config/cameras/agent.yaml',
    )
    parser.add_argument(
        '--episodes',
        type=Path,
        help='robot episodes, as `launch collect` records them: those of this task, arm and hand '
        f'become part of the dataset; default: {EPISODES}, if it is there',
    )
    parser.add_argument(
        '--fovy', type=_radians, default=0.75,
        help='vertical field of view without intrinsics [rad]',
    )  # fmt: skip
    parser.add_argument(
        '--lowest-palm', type=_lowest_palm, default='robot', metavar='M|robot|none',
        help='height in base_link to which the palm comes [m]: tells how far away the hand of a '
        "video without depth is; robot: that of the dataset's robot episodes, if there are any; "
        'none: as far as it looks; default: %(default)s',
    )  # fmt: skip
    return parser


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='./mimic dataset', description='Look after datasets.')
    commands = parser.add_subparsers(dest='command', required=True)
    command = commands.add_parser('convert', help='bags of robot episodes → dataset')
    _add_sources(command, 'bags of robot episodes, or folders of them')
    command.set_defaults(run=convert_bags)
    for name, run, text in (
        ('inspect', run_inspect, 'what each episode is worth: table, and a page'),
        ('validate', run_validate, 'which episodes to drop and why; code 1 when there are some'),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument(
            'paths', type=Path, nargs='+', help='bags, folders of bags, or datasets'
        )
        command.add_argument('--arm', default='iiwa14', help='of bags; default: %(default)s')
        command.add_argument(
            '--hand', default='', help='of bags; default: whose joints a bag commands'
        )
        command.add_argument('--html', type=Path, help='folder for the page')
        command.set_defaults(run=run)
    command = commands.add_parser('export', help='dataset → robomimic HDF5 as ImMimic reads it')
    command.add_argument('dataset', type=Path)
    command.add_argument('--out', type=Path, help='folder; default: the dataset')
    command.add_argument(
        '--size', type=command_line.at_least(1), nargs=2, metavar=('H', 'W'),
        help='of the pictures; default: as stored',
    )  # fmt: skip
    command.set_defaults(run=export)
    command = commands.add_parser('info', help='what a dataset holds')
    command.add_argument('dataset', type=Path)
    command.set_defaults(run=info)
    return parser


def _add_sources(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument('sources', type=Path, nargs='+', help=text)
    parser.add_argument('--out', type=Path, help='dataset; default: out/datasets/TASK_HAND')
    parser.add_argument(
        '--workers', type=command_line.at_least(0), default=0, metavar='N',
        help='processes, or jobs at once in Ray; default: one, in Ray one for each processor',
    )  # fmt: skip
    parser.add_argument(
        '--ray',
        default='',
        metavar='ADDRESS',
        help="a Ray cluster that sees these files, or 'local'",
    )
    add_arguments(parser, ConvertParams)


def convert_bags(given: argparse.Namespace, console: Console) -> int:
    """Convert robot episodes."""
    params = from_arguments(ConvertParams, given)
    load_robot(params.arm, params.hand)  # an unknown one is refused before anything begins
    jobs = make_jobs(find_sources(given.sources), dataset_of(given), 'robot', params)
    return _report(_convert(jobs, given, console), console)


def dataset_of(given: argparse.Namespace) -> Path:
    """Return the folder of the dataset that options name, absolute."""
    folder: Path = given.out or default_folder(given.task, given.hand)
    return folder.resolve()


def ingest(given: argparse.Namespace, console: Console) -> int:
    """Convert videos of people."""
    params = from_arguments(ConvertParams, given)
    robot = load_robot(params.arm, params.hand)
    file = None if given.camera is None else view_of_file(given.camera, robot, given.fovy)
    lowest = _lowest_of(given, robot, console)
    jobs = []
    for job in make_jobs(find_sources(given.sources), dataset_of(given), 'human', params):
        view, problem = file, ''
        bag = job.source.is_dir() or job.source.suffix == '.mcap'
        if bag:
            problem = missing_camera(job.source, params.bag_camera)
        if bag and view is None and not problem:
            try:
                view = view_of_bag(job.source, robot, params.bag_camera)
            except MimicError as error:
                problem = f'{error}; with --camera FILE its /tf_static is not needed'
        if view is None and not problem:
            view = view_of_file(file_of_video(job.source, params.arm), robot, given.fovy)
        if view is not None:
            view = replace(view, lowest_palm=lowest)
        jobs.append(replace(job, view=view, problem=problem))
    return _report(_convert(jobs, given, console), console)


def _radians(text: str) -> float:
    try:
        return float(check_value(CameraParams, 'fovy', float(text)))
    except ConfigError as error:
        raise argparse.ArgumentTypeError(f'{error} rad; 45 degrees are 0.785') from None


def _lowest_palm(text: str) -> float | str:
    return text if text in ('robot', 'none') else command_line.at_least(-10.0, float)(text)


def _lowest_of(given: argparse.Namespace, robot: RobotModel, console: Console) -> float | None:
    """Return the height that `--lowest-palm` says, or what demonstrations say."""
    if given.lowest_palm == 'none':
        return None
    if given.lowest_palm != 'robot':
        return float(given.lowest_palm)
    dataset = dataset_of(given)
    if not (dataset / 'robot').is_dir():
        return None
    shown = load(dataset, domains=('robot',), pictures=False)
    if shown.meta.joint_names != robot.hand_joints:
        return None  # of another hand: to be refused where both are put together
    lowest = demonstrated(shown.episodes)
    console.print(
        f'the palm comes down to {lowest:.3f} m in {BASE} in the robot episodes: hands in '
        'videos without depth are as far away as that tells',
        soft_wrap=True,
    )
    return lowest


def episodes_of(given: argparse.Namespace) -> Path:
    """Return the folder of robot episodes that options name; the default one may not be there.

    Raises:
        ConfigError: It was given, and does not exist.
    """
    folder: Path = given.episodes or EPISODES
    if given.episodes is not None and not folder.exists():
        raise ConfigError(f'--episodes: there is no {folder}')
    return folder


def convert_recorded(given: argparse.Namespace, console: Console) -> int:
    """Convert the robot episodes of a folder that are of this task, arm and hand.

    Those whose task is known to have failed are left out, since nothing good is learned from them,
    and those that were interrupted. The people of the sources come next: another rate may be that
    of all episodes.
    """
    params = from_arguments(ConvertParams, given)
    robot = load_robot(params.arm, params.hand)
    folder = episodes_of(given)
    found = bags_in(folder)
    fitting = [path for path in found if is_of(path, robot, params.task)]
    others = len(found) - len(fitting)
    if others:
        console.print(
            f'{folder}: {others} episodes of another task, arm or hand are passed over',
            soft_wrap=True,
        )
    good = [path for path in fitting if not has_failed(path)]
    if len(good) < len(fitting):
        text = f'{folder}: {len(fitting) - len(good)} episodes whose task failed are passed over'
        console.print(text, soft_wrap=True)
    whole = []
    for path in good:
        if why := interruption(path):
            console.print(f'passed over: {why}', soft_wrap=True)
        else:
            whole.append(path)
    jobs = make_jobs(whole, dataset_of(given), 'robot', params)
    if not jobs:
        return 0
    people = make_jobs(find_sources(given.sources), dataset_of(given), 'human', params)
    return _report(_convert(jobs, given, console, people), console)


def _convert(
    jobs: Sequence[Job], given: argparse.Namespace, console: Console, later: Sequence[Job] = ()
) -> Converted:
    workers = make_workers(given.workers, given.ray)
    columns = (
        TextColumn('{task.description}', markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn('left'),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task('episodes', total=len(jobs))
        seen: set[tuple[Domain, str]] = set()

        def done(outcome: Outcome) -> None:
            if outcome.error:
                said = Text.assemble(('refused', 'red'), f' {outcome.error}')
                progress.console.print(said, soft_wrap=True)
            seen.add((outcome.domain, outcome.name))
            progress.update(bar, completed=len(seen))

        there = workers.processors if isinstance(workers, RayWorkers) else 1
        return convert(jobs, workers, given.workers or there, done, later)


def _report(result: Converted, console: Console) -> int:
    made = [o for o in result.outcomes if not o.error]
    new = [o for o in made if not o.skipped]
    console.print(
        f'{len(made)} episodes ({len(new)} new), {len(result.failed)} of '
        f'{len(result.outcomes)} refused'
    )
    for outcome in new:
        error = outcome.notes.get('error', {}).get('command', {}).get('position')
        if error:
            console.print(
                f'  {outcome.name}: {outcome.notes["duration"]:.1f} s, interpolation error '
                f'p95 {1e3 * error["p95"]:.2f} mm, largest {1e3 * error["largest"]:.2f} mm',
                soft_wrap=True,
            )
    for folder in result.datasets:
        console.print(f'dataset: {folder}', soft_wrap=True)
    return 1 if result.failed else 0


def run_inspect(given: argparse.Namespace, console: Console) -> int:
    """Print what episodes are worth."""
    _inspect(given, console)
    return 0


def run_validate(given: argparse.Namespace, console: Console) -> int:
    """Print which episodes to drop; code 1 when there are some."""
    return 1 if _inspect(given, console) else 0


def _inspect(given: argparse.Namespace, console: Console) -> int:
    robot = load_robot(given.arm, given.hand) if given.hand else None
    found = [q for path in given.paths for q in inspect(path, robot, given.arm)]
    colours = {'drop': 'red', 'keep': 'green', 'not checked': 'yellow'}
    drop = sum(verdict(quality) == 'drop' for quality in found)
    for quality in found:
        text = verdict(quality)
        about = f' {quality.name} ({quality.domain}, {quality.duration:.1f} s)'
        console.print(Text.assemble((text, colours[text]), about), soft_wrap=True)
        for finding in quality.findings:
            console.print(f'    {finding}', soft_wrap=True, highlight=False)
    console.print(f'{len(found)} episodes, {drop} to drop')
    if given.html is not None:
        console.print(f'page: {write_pages(found, given.html)}', soft_wrap=True)
    return drop


def export(given: argparse.Namespace, console: Console) -> int:
    """Write robomimic files."""
    size = None if given.size is None else (given.size[0], given.size[1])
    dataset = load(given.dataset, size)
    for domain in DOMAINS:
        if dataset.of(domain):
            path = (given.out or given.dataset) / f'{domain}.hdf5'
            count = write_robomimic(dataset, domain, path)
            console.print(f'{path}: {count} episodes', soft_wrap=True)
    return 0


def info(given: argparse.Namespace, console: Console) -> int:
    """Print what a dataset holds."""
    dataset = load(given.dataset, pictures=False)
    meta = dataset.meta
    console.print(f'{meta.task} with {meta.arm} and {meta.hand}, {meta.fps:g} Hz')
    console.print(f'joints: {", ".join(meta.joint_names)}', highlight=False)
    for name, size in meta.cameras.items():
        console.print(f'camera {name}: {size[1]} x {size[0]}')
    for domain in DOMAINS:
        _print_domain(dataset.of(domain), domain, console)
    return 0


def _print_domain(episodes: Sequence[EpisodeArrays], domain: Domain, console: Console) -> None:
    if episodes:
        frames = np.array([len(e) for e in episodes])
        good = sum(e.success is True for e in episodes)
        console.print(
            f'{domain}: {len(episodes)} episodes, {frames.sum()} frames, '
            f'{frames.min()} to {frames.max()} each, {good} known to have succeeded'
        )


if __name__ == '__main__':
    sys.exit(main())
