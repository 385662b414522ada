"""Command line: `evaluate CHECKPOINT`, rollouts in the twin without ROS."""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from mimic_core.arguments import at_least, guarded
from mimic_policy.evaluation import Evaluation, digest, evaluate
from mimic_policy.execution_params import ExecutionParams
from mimic_policy.loading import load_threads
from mimic_policy.meta import PolicyMeta
from mimic_policy.rollout import Rollout, RolloutParams, pictures_for


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = _parser().parse_args(arguments)
    stays = 'what is finished stays, the same command goes on'
    return guarded('evaluate', lambda: _run(options, Console(markup=False)), stays)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='./mimic evaluate', description='Roll a policy out in the twin and count successes.'
    )
    parser.add_argument('checkpoint', type=Path, help='of ./mimic train: a step or a whole run')
    parser.add_argument('--task', default='', help="default: the policy's")
    parser.add_argument('--rollouts', type=at_least(1), default=20)
    parser.add_argument('--seed', type=at_least(0), default=1000, help='of the first start')
    parser.add_argument(
        '--delay', type=at_least(0.0, float), default=0.1, help='of a prediction [s]'
    )
    parser.add_argument(
        '--longest', type=at_least(0.1, float), help="of a rollout [s]; default: the task's"
    )
    parser.add_argument('--steps', type=at_least(1), help='of DDIM; default: as trained')
    parser.add_argument('--device', default='cpu', help='of torch: cpu, cuda, auto')
    parser.add_argument(
        '--processes', type=at_least(1), default=max(1, (os.cpu_count() or 2) // 2)
    )
    parser.add_argument('--video', action='store_true', help='an mp4 of each, also of those done')
    parser.add_argument('--out', type=Path, default=None, help='default: beside the checkpoint')
    return parser


def _run(options: argparse.Namespace, console: Console) -> int:
    from mimic_policy.checkpoint import read_checkpoint
    from mimic_policy.facts import DOCUMENT

    checkpoint = read_checkpoint(options.checkpoint)
    meta = PolicyMeta.from_json(checkpoint.document['meta'], checkpoint.where)
    task = options.task or meta.task
    # A task may be the path of a file: its folders are none of the results'.
    beside = checkpoint.folder.parent / f'{checkpoint.folder.name}_{Path(task).stem}'
    folder = options.out or beside
    params = RolloutParams(
        task, options.seed, delay=options.delay, longest=options.longest,
        execution=ExecutionParams(), twin=pictures_for(meta),
    )  # fmt: skip
    bar = Progress(
        TextColumn('{task.description}', markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn('left'),
        TimeRemainingColumn(),
        console=console,
    )
    good = 0

    def progress(rollout: Rollout) -> None:
        nonlocal good
        good += rollout.success
        bar.update(row, advance=1, description=f'{good} did it')

    with bar:
        row = bar.add_task('loading', total=options.rollouts)
        result = evaluate(
            partial(load_threads, checkpoint.folder, options.device, options.steps),
            params,
            range(options.seed, options.seed + options.rollouts),
            folder,
            policy_digest=f'{digest(checkpoint.folder / DOCUMENT)} steps {options.steps}',
            processes=options.processes,
            video=options.video,
            progress=progress,
        )
    show(result, folder, console)
    return 0


def show(result: Evaluation, folder: Path, console: Console) -> None:
    """Print what came of it."""
    facts = result.as_map()
    table = Table('', '', show_header=False)
    low, high = 100.0 * facts['success_low'], 100.0 * facts['success_high']
    table.add_row('success', f'{facts["successes"]} of {facts["rollouts"]}')
    table.add_row('Wilson 95 %', f'{low:.0f} to {high:.0f} %')
    for name, unit in (('completion_time', ' s'), ('sparc', '')):
        value = facts[name]
        table.add_row(f'{name}, median', '–' if value is None else f'{value:.1f}{unit}')
    console.print(table)
    console.print(f'in {folder}', highlight=False, soft_wrap=True)
    for rollout in result.rollouts:
        if not rollout.success:
            note = f', held {rollout.holds} times: {rollout.reason}' if rollout.holds > 1 else ''
            console.print(f'start {rollout.seed} failed{note}', highlight=False)


if __name__ == '__main__':
    sys.exit(main())
