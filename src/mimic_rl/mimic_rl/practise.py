"""Command line: make a run without a video, train it, evaluate it."""

import argparse
import dataclasses
import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mimic_core.arguments import at_least, guarded
from mimic_core.disk import removed_on_error, writing
from mimic_core.errors import ConfigError, UnknownNameError
from mimic_core.params import check_value, types_of
from mimic_rl import show_command
from mimic_rl.params import IMITATING, LearningParams, PracticeParams, RandomisationParams
from mimic_rl.prepare import check_folder
from mimic_rl.prepare import command as prepare
from mimic_rl.run_folder import PracticeRun, load_run, save_run
from mimic_rl.shapes import object_mesh
from mimic_rl.shown import known_shown, show
from mimic_rl.starts import params_for, synergies_for
from mimic_rl.stepper import STEPPERS
from mimic_rl.twin_task import TASK_FILE

if TYPE_CHECKING:
    from mimic_rl.comparison import Row
    from mimic_rl.ppo import Report  # torch takes seconds
    from mimic_rl.training import Training

_GROUPS: Final = {
    'practice': PracticeParams,
    'randomisation': RandomisationParams,
    'learning': LearningParams,
}
_ANEW: Final = 'the same command begins anew'
_STOPPED: Final = {  # what each command says after Ctrl-C
    'draft': _ANEW,
    'prepare': _ANEW,
    'mesh': _ANEW,
    'show': f'remove the folder of the bag, and {_ANEW}',
    'train': 'a training goes on with the same command',
    'evaluate': f'the rows so far stay in ….part.json of the run folder; {_ANEW}',
}
_STEPS: Final = 5_000_000
_LINE_EVERY: Final = 30.0  # [s] of a training whose output goes to a file


def add_commands(commands: Any) -> dict[str, Callable[[argparse.Namespace], None]]:
    """Add the commands of this file to a parser; return what each one does."""
    draft = commands.add_parser('draft', help='make a run folder without a video')
    draft.add_argument('run', type=Path, help='folder to make')
    draft.add_argument('--task', choices=known_shown(), default='box_push', help='what is moved')
    draft.add_argument('--arm', default='iiwa14', help='an arm of the registry')
    draft.add_argument('--hand', default='allegro', help='a hand of the registry')

    train = commands.add_parser('train', help='practise a run in the twin; goes on if stopped')
    train.add_argument('run', type=Path, help='run folder')
    train.add_argument(
        '--name', type=_name, default='training', help='folder in it, one for each training'
    )
    train.add_argument('--steps', type=at_least(1), default=_STEPS, help='of the policy, in sum')
    train.add_argument('--minutes', type=at_least(0, float), default=0.0, help='0: no end')
    train.add_argument(
        '--seed', type=at_least(0), help="of everything random; default: the training's, else 0"
    )
    train.add_argument(
        '--film-every', type=at_least(0), default=500_000, help='steps; 0: no films'
    )
    train.add_argument('--threads', type=at_least(1), default=2, help='of physics and torch')
    train.add_argument(
        '--physics', choices=STEPPERS,
        help='threads of MuJoCo, or MuJoCo Warp on a GPU (requirements-warp.txt); default: the '
        f"training's, else {STEPPERS[0]}",
    )  # fmt: skip
    train.add_argument(
        '--imitate', action='store_true',
        help='imitate replays of the shown motion first (DAPG), with less noise of actions: --set '
        f'{" --set ".join(IMITATING)}',
    )  # fmt: skip
    train.add_argument(
        '--set', action='append', default=[], metavar='NAME=VALUE', dest='values',
        help='a parameter of practice, randomisation or learning; may be repeated; those of a '
        'training that goes on stay',
    )  # fmt: skip

    evaluate = commands.add_parser('evaluate', help='compare a training with replays and cloning')
    evaluate.add_argument('run', type=Path, help='run folder')
    evaluate.add_argument('--name', type=_name, default='training', help='the training in it')
    evaluate.add_argument(
        '--ablation', type=_name, action='append', default=[], help='another training in it'
    )
    evaluate.add_argument(
        '--episodes', type=at_least(1), default=50, help='for each row of the table'
    )
    evaluate.add_argument('--seed', type=at_least(0), default=1000, help='of starts and physics')
    evaluate.add_argument('--threads', type=at_least(1), default=2, help='of the physics')
    evaluate.add_argument(
        '--no-gate', action='store_true', help='only in practice, not through the gate in the twin'
    )
    return {'draft': _draft, 'train': _train, 'evaluate': _evaluate}


def _name(text: str) -> str:
    if text in ('', '..') or Path(text).name != text:
        raise argparse.ArgumentTypeError(f'{text!r} is no name of a folder in the run folder')
    return text


def main() -> int:
    """Run one of the commands; return the exit code."""
    parser = argparse.ArgumentParser(prog='./mimic practise', description='Practise in the twin.')
    commands = parser.add_subparsers(dest='command', required=True)
    actions = prepare.add_commands(commands) | show_command.add_commands(commands)
    actions |= add_commands(commands)
    arguments = parser.parse_args()
    os.environ.setdefault('MUJOCO_GL', 'egl')  # films need no window

    def run() -> int:
        actions[arguments.command](arguments)
        return 0

    return guarded('practise', run, _STOPPED[arguments.command])


def settings_from(
    values: Sequence[str], run: PracticeRun, before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the parameters of each group, those that NAME=VALUE texts name with these values.

    Args:
        values: The texts.
        run: What is practised.
        before: Parameters of groups; None: the defaults for the run.

    Raises:
        ConfigError: A value has the wrong type or is out of range.
        UnknownNameError: There is no such parameter.
    """
    groups = {name: group for group, cls in _GROUPS.items() for name in types_of(cls)}
    given: dict[str, dict[str, Any]] = {name: {} for name in _GROUPS}
    for text in values:
        name, _, value = text.partition('=')
        if name not in groups:
            raise UnknownNameError('parameter', name, groups)
        group = groups[name]
        try:
            parsed = json.loads(value)
        except json.JSONDecodeError:
            parsed = value
        given[group][name] = check_value(_GROUPS[group], name, parsed)
    start = before or {
        'practice': params_for(run),
        'randomisation': RandomisationParams(),
        'learning': LearningParams(),
    }
    return {group: dataclasses.replace(start[group], **given[group]) for group in _GROUPS}


def _draft(arguments: argparse.Namespace) -> None:
    run = show(arguments.task, arguments.arm, arguments.hand)
    check_folder(arguments.run, arguments.arm, arguments.hand)
    if (arguments.run / TASK_FILE).exists():  # it and the pictures would be of another run
        raise ConfigError(
            f'{arguments.run} was prepared from a video ({TASK_FILE}): choose another folder'
        )
    thing = dataclasses.replace(run.object, mesh=f'{run.object.name}.obj')
    part = arguments.run / f'{run.object.name}.part.obj'
    with writing(part, ConfigError), removed_on_error(part):
        arguments.run.mkdir(parents=True, exist_ok=True)
        object_mesh(thing).export(part)  # for who tracks it
    run = dataclasses.replace(run, object=thing)
    path = save_run(run, arguments.run, {part: arguments.run / thing.mesh})
    Console(markup=False).print(f'written to {path}', soft_wrap=True)


def open_training(
    folder: Path,
    name: str,
    values: Sequence[str] = (),
    *,
    seed: int | None = None,
    threads: int = 2,
    physics: str | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> 'Training':
    """Return a training of a run folder: one that goes on with its own settings, or a new one.

    Args:
        folder: The run folder.
        name: Of the training, its folder in it.
        values: NAME=VALUE texts, as of `settings_from`.
        seed: Of everything random; None: the training's, else 0.
        threads: Of the physics.
        physics: What moves it: see make_stepper; None: what moved the training, else threads.
        tell: Is told what takes minutes before the first step.

    Raises:
        ConfigError: The folder holds no run; or the training is of another one, has other
            settings, or is at work; or no motion of the hand was shown that it could imitate.
        UnknownNameError: There is no such parameter.
    """
    from mimic_rl.checkpoint import SETTINGS, Settings, load_physics, load_settings
    from mimic_rl.training import Training

    run, before = load_run(folder), None
    synergies = synergies_for(run)
    if (folder / name / SETTINGS).exists():
        there = load_settings(folder / name)
        before, synergies = {group: getattr(there, group) for group in _GROUPS}, there.synergies
        seed = there.seed if seed is None else seed
    groups = settings_from(values, run, before)
    if groups['learning'].demonstration > 0.0 and run.demonstration is None:
        raise ConfigError(
            f'{folder}: replays of the motion of the hand cannot be imitated (--imitate, '
            'demonstration), since this run shows only how the object moved: prepare it from a '
            'video, or train without'
        )
    settings = Settings(
        seed or 0, groups['practice'], groups['randomisation'], groups['learning'], synergies
    )
    moved = load_physics(folder / name)
    if physics and moved and physics != moved:
        tell(f'physics: {physics}, {moved} before: it goes on, but with other numbers')
    return Training(
        run, settings, folder / name, threads=threads, physics=physics or moved or STEPPERS[0],
        tell=tell,
    )  # fmt: skip


def _train(arguments: argparse.Namespace) -> None:
    import torch

    console = Console(markup=False)
    torch.set_num_threads(arguments.threads)
    values = (*(IMITATING if arguments.imitate else ()), *arguments.values)
    training = open_training(
        arguments.run, arguments.name, values, seed=arguments.seed,
        threads=arguments.threads, physics=arguments.physics,
        tell=lambda text: console.print(text, soft_wrap=True),
    )  # fmt: skip
    if training.resumed:
        console.print(f'goes on from step {training.learner.steps:,}')
    end = time.monotonic() + 60.0 * arguments.minutes if arguments.minutes > 0 else float('inf')
    with TrainingScreen(console, training.learner.steps, arguments.steps, end) as screen:

        def report(result: 'Report') -> bool:
            screen.show(result)
            return time.monotonic() < end

        training.run(arguments.steps, film_every=arguments.film_every, report=report)
    training.close()
    if training.no_films:
        console.print(f'no films: {training.no_films}', soft_wrap=True)
    console.print(f'{training.learner.steps:,} steps, in {training.folder}', soft_wrap=True)


def _bar(console: Console) -> Progress:
    """Return a bar that is only there on a terminal."""
    columns = (
        TextColumn('{task.description}', markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, disable=not console.is_terminal)


class TrainingScreen:
    """Progress of a training: a bar on a terminal, a line now and then elsewhere."""

    def __init__(
        self, console: Console, done: int, total: int | None = None, end: float = float('inf')
    ) -> None:
        """Begin to show.

        Args:
            console: Where.
            done: Steps of before.
            total: Steps that are wanted; None: only the time counts.
            end: When it stops at the latest, of time.monotonic [s].
        """
        self._console, self._total, self._end = console, total, end
        self._done, self._began = done, time.monotonic()
        self._told = self._began
        self._bar = _bar(console)
        whole = total if total is not None else round(end - self._began)
        self._job = self._bar.add_task('', total=whole, completed=done if total else 0)

    def __enter__(self) -> 'TrainingScreen':
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, result: 'Report') -> None:
        """Show what an update did."""
        text = f'reward {result.reward:.2f}, level {result.level:.2f}'
        if result.episodes:
            text += f', success {100 * result.success:3.0f} %'
        now = time.monotonic()
        passed = result.steps if self._total is not None else round(now - self._began)
        self._bar.update(self._job, completed=passed, description=text)
        if self._console.is_terminal or now - self._told < _LINE_EVERY:
            return
        self._told = now
        left, steps = self._end - now, f'{result.steps:,}'
        if self._total is not None:
            pace = (now - self._began) / (result.steps - self._done)  # [s] a step
            left = min(pace * (self._total - result.steps), left)
            steps += f' of {self._total:,}'
        self._console.print(
            f'{steps} steps, {text}, {timedelta(seconds=round(max(left, 0.0)))} to go',
            soft_wrap=True,
        )


class _Rows:
    """Progress of a table, beside what is printed: a bar on a terminal, lines elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, markup=False)
        self._bar = _bar(self._console)
        self._job = self._bar.add_task('', total=None)

    def __enter__(self) -> '_Rows':
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, text: str, done: int, total: int) -> None:
        """Show what was done or begins, and how many rows of how many are there; 0: not known."""
        self._bar.update(self._job, description=text, completed=done, total=total or None)
        if not self._console.is_terminal:
            share = f'{done} of {total}, ' if total else ''
            self._console.print(f'{share}{text}', soft_wrap=True)


def _scores(rows: Sequence['Row']) -> Table:
    """Return a line for each method and a column for each setting, which fit into 80 columns."""
    settings = list(dict.fromkeys(row.met for row in rows))
    cells = {(row.method, row.met): row for row in rows}
    table = Table(
        title='success, its 95 % interval, medians of what is left to the last target',
        show_lines=True,
    )
    table.add_column('')
    for met in settings:
        table.add_column(met, justify='right')
    for method in dict.fromkeys(row.method for row in rows):
        texts = [_cell(cells[key]) if (key := (method, met)) in cells else '' for met in settings]
        table.add_row(method, *texts)
    return table


def _cell(row: 'Row') -> str:
    low, high = (100.0 * bound for bound in row.interval)
    turn = math.degrees(row.angle)
    return (
        f'{100.0 * row.success:.0f} %\n{low:.0f} to {high:.0f} %\n'
        f'{1000.0 * row.distance:.0f} mm, {turn:.{0 if turn >= 10.0 else 1}f}°'
    )


def _evaluate(arguments: argparse.Namespace) -> None:
    from mimic_recording.bag import write_text
    from mimic_rl.comparison import compare

    path = arguments.run / f'evaluation-{arguments.name}.json'
    part = path.with_suffix('.part.json')

    def keep(rows: Sequence['Row']) -> None:
        text = json.dumps([dataclasses.asdict(row) for row in rows], indent=1) + '\n'
        with writing(part, ConfigError):
            write_text(part, text)

    with _Rows() as screen:
        rows = compare(
            arguments.run, arguments.name, arguments.ablation, episodes=arguments.episodes,
            seed=arguments.seed, threads=arguments.threads, gate=not arguments.no_gate,
            watch=screen.show, keep=keep,
        )  # fmt: skip
    part.replace(path)
    console = Console(highlight=False, markup=False)
    console.print(f'{arguments.run}: {arguments.episodes} episodes each', soft_wrap=True)
    console.print(_scores(rows))
    for row in rows:
        if row.remarks:
            console.print(f'{row.met}, {row.method}: {row.remarks}', soft_wrap=True)
