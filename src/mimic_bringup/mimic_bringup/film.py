"""`./mimic film`: videos of a virtual person who does a task with the bare hand."""

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mimic_bringup.human_video import write_camera, write_human_video
from mimic_core.arguments import add_arguments, from_arguments
from mimic_core.errors import MimicError
from mimic_recording.bag import partial_folder
from mimic_sim.bare_hand import BareHandParams

TRIES: Final = 4  # [1] seeds for each video that is wanted, at most


def film(
    folder: Path, params: BareHandParams, count: int, bags: Path | None, bar: Progress
) -> list[Path]:
    """Make videos that are not there yet; return all of them, those of seeds one after another.

    A video in which the task did not succeed is not kept, and the next seed is taken. With bags, a
    video without its bag is made again: it is written first, so who was killed left it.

    Args:
        folder: Of the mp4, `TASK_SEED.mp4`, and of the file that says where their camera is.
        params: Who does what; their seed is the first.
        count: Videos that are wanted.
        bags: Folder of bags with depth beside them; None: none.
        bar: Shows how far it is.

    Raises:
        MimicError: One cannot be written, or too many did not succeed; the folder is of another
            camera; a bag is there already, of another video.
    """
    write_camera(folder, params)
    videos: list[Path] = []
    job = bar.add_task(f'filming {params.task}', total=count)
    for seed in range(params.seed, params.seed + TRIES * count):
        path = folder / f'{params.task}_{seed}.mp4'
        bag = None if bags is None else bags / path.stem
        if not path.exists() or (bag is not None and not bag.exists()):
            if bag is not None and path.exists():
                shutil.rmtree(partial_folder(bag.parent, bag.name), ignore_errors=True)
            elif bag is not None and bag.exists():
                raise MimicError(
                    f'{bag} is not of {path}, which is not there: choose other --bags'
                )
            made = write_human_video(path, replace(params, seed=seed), bags)
            if not made.success:
                if made.bag is not None:
                    shutil.rmtree(made.bag)
                path.unlink()
                bar.console.print(f'seed {seed}: the person did not do it, not kept')
                continue
        videos.append(path)
        bar.advance(job)
        if len(videos) == count:
            return videos
    raise MimicError(f'{params.task}: {len(videos)} of {TRIES * count} trials succeeded')


def main(arguments: Sequence[str] | None = None) -> int:
    """Be the command; exit code 1 and one sentence when something is wrong."""
    parser = argparse.ArgumentParser(prog='./mimic film', description=__doc__)
    parser.add_argument('folder', type=Path, help='of the videos; what is there is not made again')
    parser.add_argument('--count', type=int, default=20, help='videos; default: %(default)s')
    parser.add_argument('--bags', type=Path, help='also write bags with depth into this folder')
    add_arguments(parser, BareHandParams)
    given = parser.parse_args(arguments)
    console = Console(stderr=True, highlight=False, markup=False)
    columns = (TextColumn('{task.description}', markup=False), BarColumn(), MofNCompleteColumn())
    try:
        if given.count < 1:
            raise MimicError(f'--count must be at least 1, is {given.count}')
        params = from_arguments(BareHandParams, given)
        with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
            videos = film(given.folder, params, given.count, given.bags, bar)
    except MimicError as error:
        console.print(str(error), style='bold red', soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print('stopped: the same command goes on')
        return 130
    print(f'{len(videos)} videos in {given.folder}')  # noqa: T201  the result of a command
    return 0


if __name__ == '__main__':
    sys.exit(main())
