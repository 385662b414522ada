"""`./mimic train`: a dataset in, a checkpoint out."""

import argparse
import math
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any, Final

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from mimic_alignment import Mapping as FrameMapping
from mimic_alignment.alignment import check_episodes
from mimic_core.arguments import add_arguments, at_least, from_arguments, guarded
from mimic_core.errors import ConfigError
from mimic_core.events import EventWriter
from mimic_dataset import Dataset, EpisodeArrays, default_folder, load
from mimic_dataset.arrays import DOMAINS
from mimic_dataset.lerobot import domain_meta
from mimic_policy.checkpoint import writing
from mimic_policy.data import Data, prepare
from mimic_policy.diffusion import DiffusionParams
from mimic_policy.distributed import choose_device, first_process, own_cores
from mimic_policy.held_out import HeldOut
from mimic_policy.meta import CAMERAS
from mimic_policy.networks.params import NetworkParams
from mimic_policy.presets import FRAME_RATES, PRESETS, SMALL
from mimic_policy.train_params import ROBOT_ONLY, TrainParams
from mimic_policy.trainer import Trainer
from mimic_policy.training import GROUPS, Settings, train

_STOPPED: Final = 130  # exit code after Ctrl-C, as of a shell
_PERIOD: Final = 30.0  # [s] between lines of progress where nobody looks at a terminal


def parser() -> argparse.ArgumentParser:
    """Return the parser."""
    p = argparse.ArgumentParser(
        prog='./mimic train',
        description='Train a policy on a dataset. The same command goes on with a run that was '
        'stopped. Several GPUs or machines: see docs/training.md.',
    )
    p.add_argument('--preset', choices=tuple(PRESETS), default=SMALL, help='of the sizes below')
    p.add_argument('--task', help='of the dataset')
    p.add_argument('--hand', help='of the dataset')
    p.add_argument('--dataset', type=Path, help='folder, instead of the one of task and hand')
    p.add_argument('--out', type=Path, help='of checkpoints (out/policies/TASK_HAND_METHOD)')
    p.add_argument('--mapping', type=Path, help='file of ./mimic align, instead of a new mapping')
    p.add_argument('--robots', type=at_least(0), help='only so many robot episodes')
    p.add_argument('--humans', type=at_least(0), help='only so many human episodes')
    p.add_argument(
        '--hold-out', type=at_least(0), default=0, metavar='N',
        help='robot episodes, the last N of them, that are not trained on: each checkpoint is '
        'compared with what was done there',
    )  # fmt: skip
    p.add_argument('--device', default='auto', help='of torch: cpu, cuda, cuda:1')
    p.add_argument(
        '--threads', type=at_least(0), default=0,
        help='of the processor; 0: one a core, of torchrun all processes together',
    )  # fmt: skip
    p.add_argument(
        '--tensorboard', action='store_true', help='write events for it into the folder'
    )
    p.add_argument(
        '--fresh', action='store_true', help='remove the run in the folder, begin again'
    )
    for group, kind in GROUPS.items():
        add_arguments(p.add_argument_group(group), kind)
    return p


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options; those that are not given are those of the preset, in the help too."""
    p = parser()
    words = sys.argv[1:] if arguments is None else arguments
    rest = [word for word in words if word not in ('-h', '--help')]  # which would end it here
    for values in PRESETS[p.parse_known_args(rest)[0].preset].values():
        p.set_defaults(**values)
    return p.parse_args(arguments)


def run(options: argparse.Namespace) -> int:
    """Train; return the exit code.

    Raises:
        MimicError: What went wrong, in one sentence.
    """
    settings = Settings(
        from_arguments(TrainParams, options),
        from_arguments(NetworkParams, options),
        from_arguments(DiffusionParams, options),
    )
    folder = _dataset_folder(options)
    out = options.out or Path('out/policies') / f'{folder.name}_{options.method}'
    torch.set_num_threads(options.threads or own_cores())
    device = choose_device(options.device)
    console = Console(stderr=True, highlight=False, markup=False, quiet=not first_process())
    data, held_out = _data(options, settings, folder, console)
    mapping = _mapping(options.mapping, data.dataset) if options.mapping else None
    humans = len(data.human.lengths) if data.human else 0
    aside = '' if held_out is None else f' ({held_out.count} more held out)'
    console.print(
        f'{settings.train.method}: {len(data.robot.lengths)} robot{aside} and {humans} human '
        f'episodes, {settings.train.steps} steps on {device}, into {out}',
        soft_wrap=True,
    )
    events = out if options.tensorboard else None
    with _Screen(settings.train.steps, events, console) as screen:
        last = train(
            data, settings, out, device=device, fresh=options.fresh, mapping=mapping,
            held_out=held_out, watch=screen.show, stop=lambda: screen.stopped,
        )  # fmt: skip
    if screen.stopped:
        console.print(f'stopped; the same command goes on from {last}', soft_wrap=True)
        return _STOPPED
    console.print(f'done: {last}', soft_wrap=True)
    return 0


def _dataset_folder(options: argparse.Namespace) -> Path:
    if options.dataset is not None:
        return Path(options.dataset)
    if not options.task or not options.hand:
        raise ConfigError('which dataset? --task and --hand, or --dataset')
    return default_folder(options.task, options.hand)


def _data(
    options: argparse.Namespace, settings: Settings, folder: Path, console: Console
) -> tuple[Data, HeldOut | None]:
    """Return what is trained on, and what policies are compared with."""
    p = settings.train
    told = -math.inf  # [s] when the last line was
    with console.status('reading the dataset') as status:

        def watch(number: int, count: int) -> None:
            nonlocal told
            text = f'reading episode {number} of {count}'
            status.update(text)
            if not console.is_terminal and (now := monotonic()) - told >= _PERIOD:
                told = now
                console.print(text)

        dataset = load(
            folder, (p.height, p.width), region=p.agent_region,
            domains=('robot',) if p.method == ROBOT_ONLY else DOMAINS,
            counts={'robot': options.robots, 'human': options.humans}, watch=watch,
        )  # fmt: skip
    for name in ('task', 'hand'):
        asked, have = getattr(options, name), getattr(dataset.meta, name)
        if asked and asked != have:
            raise ConfigError(f'{folder}: {name} is {have}, not {asked}')
    _check_strides(options, p, folder, dataset.meta.fps)
    root = folder if (folder / 'meta').is_dir() else folder / 'robot'
    stored = domain_meta(root)[1].cameras if root.is_dir() else {}
    dataset, aside = _split(dataset, options.hold_out, folder)
    data = prepare(dataset, p, {name: stored[name] for name in CAMERAS if name in stored})
    return data, HeldOut(aside, data.meta, p.robot_stride) if aside else None


def _split(
    dataset: Dataset, count: int, folder: Path
) -> tuple[Dataset, tuple[EpisodeArrays, ...]]:
    """Return a dataset without its last robot episodes, and these.

    Raises:
        ConfigError: None would be left.
    """
    robots = dataset.of('robot')
    if not count or not robots:
        return dataset, ()
    if count >= len(robots):
        raise ConfigError(
            f'{folder}: --hold-out {count} of {len(robots)} robot episodes leaves none to train on'
        )
    kept = (*robots[:-count], *dataset.of('human'))
    return replace(dataset, episodes=kept), tuple(robots[-count:])


def _mapping(file: Path, dataset: Dataset) -> FrameMapping:
    mapping = FrameMapping.load(file)
    humans, robots = ([e.name for e in dataset.of(domain)] for domain in ('human', 'robot'))
    check_episodes(file, humans, robots)
    return mapping


def _check_strides(
    options: argparse.Namespace, params: TrainParams, folder: Path, fps: float
) -> None:
    """Refuse a dataset at whose rate the strides of a preset would last longer or shorter."""
    rate = FRAME_RATES.get(options.preset, fps)
    preset = PRESETS[options.preset]['train']
    names = [n for n in ('robot_stride', 'human_stride') if getattr(params, n) == preset.get(n)]
    if rate != fps and names:
        same = ' '.join(f'--{n.replace("_", "-")} {preset[n] * fps / rate:.3g}' for n in names)
        raise ConfigError(
            f'{folder}: fps is {fps:g}, and the strides of preset {options.preset} are frames at '
            f'{rate:g} fps: ingest with --fps {rate:g}, or give {same}, which last as long'
        )


class _Screen:
    """Progress for people: a bar on a terminal, lines elsewhere; events for TensorBoard."""

    def __init__(self, steps: int, events: Path | None, console: Console) -> None:
        """Args: events: folder of events; None: there are none."""
        self.stopped = False
        self._steps, self._console = steps, console
        self._told = -math.inf  # [s] when the last line was
        self._bar = Progress(
            TextColumn('{task.description}', markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn('{task.fields[rest]}', markup=False),
            console=console,
            disable=not console.is_terminal,
        )
        self._job = self._bar.add_task('training', total=steps, rest='')
        self._events = events
        self._writer: EventWriter | None = None
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> '_Screen':
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, self._stop)
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
        if self._writer is not None:
            self._writer.close()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopped = True

    def show(self, trainer: Trainer, entry: Mapping[str, float] | None) -> None:
        """Show a step."""
        if entry is None:
            return
        step = trainer.step_number
        if 'held_out_position' in entry:
            self._console.print(f'step {step}: {_off(entry)} off what was held out')
        losses = ', '.join(f'{k[5:]} {v:.4f}' for k, v in entry.items() if k.startswith('loss_'))
        if losses:
            left = trainer.remaining()
            rest = '' if left is None else f'{_clock(left)} to go, loss {losses}'
            self._bar.update(self._job, completed=step, rest=rest)
            now = monotonic()
            if not self._console.is_terminal and now - self._told >= _PERIOD:
                self._told = now
                self._console.print(f'step {step} of {self._steps}, {rest}')
        if self._events is not None:
            with writing(self._events):
                if self._writer is None:  # not before, since a fresh run clears its folder
                    self._writer = EventWriter(self._events, step)
                self._writer.add(step, {k: v for k, v in entry.items() if k != 'step'})


def _off(entry: Mapping[str, float]) -> str:
    turned = math.degrees(entry['held_out_rotation'])
    return (
        f'{1000.0 * entry["held_out_position"]:.1f} mm, {turned:.1f}° and '
        f'{entry["held_out_hand"]:.3f} of a hand joint'
    )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02d}:{rest:02d}' if hours else f'{minutes}:{rest:02d}'


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)
    return guarded('train', lambda: run(options), 'the same command goes on')


if __name__ == '__main__':
    sys.exit(main())
