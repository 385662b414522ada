"""Command line: `ingest VIDEOS…`, videos of people and robot episodes → dataset → mapping."""

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from mimic_alignment.features import THUMBNAIL
from mimic_alignment.job import Job, run_job
from mimic_alignment.params import AlignmentParams
from mimic_dataset.command import (
    convert_recorded,
    dataset_of,
    episodes_of,
    guarded,
    ingest,
    ingest_parser,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    return guarded('ingest', run, ingest_parser().parse_args(arguments))


def run(given: argparse.Namespace, console: Console) -> int:
    """Ingest people and what robots did, and align where the dataset holds both."""
    refused = convert_recorded(given, console)
    code = max(refused, ingest(given, console))
    dataset = dataset_of(given)
    if not (dataset / 'human').is_dir():
        return code
    if not (dataset / 'robot').is_dir():
        which = 'none of the robot episodes can be used' if refused else 'no robot episodes'
        console.print(
            f'{which} in {episodes_of(given)}: ./mimic launch collect makes some, '
            'then the same command again',
            soft_wrap=True,
        )
        return code
    done = run_job(Job(dataset, 'action', None, (), (), THUMBNAIL), AlignmentParams())
    console.print(f'{done.summary}\nwritten to {done.path}', soft_wrap=True)
    return code


if __name__ == '__main__':
    sys.exit(main())
