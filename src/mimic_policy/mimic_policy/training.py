"""A training run in its folder: begins or goes on, writes its curve and checkpoints, ends."""

import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import torch

from mimic_alignment import AlignmentParams
from mimic_alignment import Mapping as FrameMapping
from mimic_core.errors import ConfigError
from mimic_core.events import EVENT_FILES
from mimic_core.params import from_mapping
from mimic_policy.checkpoint import (
    CheckpointError,
    checkpoints,
    read_checkpoint,
    remove_checkpoint,
    writing,
)
from mimic_policy.data import Data
from mimic_policy.diffusion import DiffusionParams
from mimic_policy.distributed import any_process, of_all_processes, process_group
from mimic_policy.held_out import HeldOut
from mimic_policy.networks.params import NetworkParams
from mimic_policy.presets import PRESETS
from mimic_policy.schedule import human_share, kinds, rate
from mimic_policy.train_params import TrainParams
from mimic_policy.trainer import Trainer

CURVE: Final = 'losses.jsonl'
GROUPS: Final[Mapping[str, type[Any]]] = {
    'train': TrainParams,
    'network': NetworkParams,
    'diffusion': DiffusionParams,
}


class Watcher(Protocol):
    """Is told how training goes, after each step."""

    def __call__(self, trainer: Trainer, entry: Mapping[str, float] | None) -> None:
        """See a step; `entry` is the line of the loss curve where there is one."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything that a person may choose, in its groups."""

    train: TrainParams = dataclasses.field(default_factory=TrainParams)
    network: NetworkParams = dataclasses.field(default_factory=NetworkParams)
    diffusion: DiffusionParams = dataclasses.field(default_factory=DiffusionParams)

    @classmethod
    def of(cls, preset: str, changes: Mapping[str, Any] | None = None) -> 'Settings':
        """Return a preset with changes.

        Args:
            preset: Name in `PRESETS`.
            changes: Field of any group -> value.

        Raises:
            ConfigError: The preset or a field is unknown, or a value is out of range.
        """
        if preset not in PRESETS:
            raise ConfigError(f"preset '{preset}' is not one of {', '.join(PRESETS)}")
        fields = {
            name: {f.name for f in dataclasses.fields(kind)} for name, kind in GROUPS.items()
        }
        known = set().union(*fields.values())
        for name in changes or {}:
            if name not in known:
                raise ConfigError(f"'{name}' is no setting; known: {', '.join(sorted(known))}")
        groups = {
            group: from_mapping(
                kind,
                {
                    **PRESETS[preset][group],
                    **{k: v for k, v in (changes or {}).items() if k in fields[group]},
                },
            )
            for group, kind in GROUPS.items()
        }
        return cls(**groups)


def train(
    data: Data,
    settings: Settings,
    run: Path,
    *,
    device: torch.device | None = None,
    fresh: bool = False,
    alignment: AlignmentParams | None = None,
    mapping: FrameMapping | None = None,
    held_out: HeldOut | None = None,
    watch: Watcher | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Path:
    """Train to the end; return the last checkpoint.

    A run that is in the folder goes on from its last checkpoint; one that is done is left alone.

    Args:
        data: From `prepare`.
        settings: How.
        run: Folder of checkpoints and of the loss curve.
        device: Of torch; None: the processor.
        fresh: Remove what is there and begin again.
        alignment: How episodes are mapped; None: defaults.
        mapping: Of humans to robots; None: made as the method wants it.
        held_out: What each checkpoint is compared with, in a line of the curve of its own.
        watch: Told after each step, in the first process only.
        stop: Asked after each step; when true, a checkpoint is written and training ends early.

    Raises:
        TrainingError: A loss or a gradient is not finite.
        CheckpointError: A checkpoint cannot be written, or the one to go on from is damaged.
        ConfigError: The run in the folder had other settings, or not all processes see that
            folder.
    """
    place = device or torch.device('cpu')
    with process_group(place) as (rank, world):
        trainer = Trainer(
            data, settings.train, settings.network, settings.diffusion, run,
            device=place, rank=rank, world=world, alignment=alignment, mapping=mapping,
        )  # fmt: skip
        if fresh and rank == 0:
            _clear(run)
        found = [] if fresh else checkpoints(run)
        with _saying_what_to_do(found):
            begun = read_checkpoint(found[-1]) if found else None
        _check_shared(run, of_all_processes(0 if begun is None else begun.step, place, world))
        if begun is not None:
            with _saying_what_to_do(found):
                trainer.resume(begun)
        curve = _Curve(run, trainer.step_number) if rank == 0 else None
        last = found[-1] if found else run

        def compare() -> dict[str, float]:
            if curve is None or held_out is None:
                return {}
            errors = held_out.errors(trainer.policy())
            curve.add({'step': trainer.step_number, **errors})
            return errors

        if begun is not None and curve is not None and not curve.compared:
            compare()  # it was killed before that
        while not trainer.done:
            trainer.step()
            number = trainer.step_number
            entry = None
            if number % settings.train.log_every == 0 or trainer.done:
                entry = _entry(trainer)
                if curve:
                    curve.add(entry)
            ending = any_process(stop(), place, world)
            if curve:
                errors: dict[str, float] = {}
                if number % settings.train.save_every == 0 or trainer.done or ending:
                    began = time.perf_counter()
                    last = trainer.save()
                    errors = compare()
                    trainer.forecast.took_saving(time.perf_counter() - began)
                if watch:
                    watch(trainer, {**(entry or {}), **errors} or None)
            if ending:
                break
        return last


@contextmanager
def _saying_what_to_do(found: Sequence[Path]) -> Iterator[None]:
    """Add to the error of a damaged checkpoint, the last one of these, what is there besides."""
    try:
        yield
    except CheckpointError as error:
        rest = f'to go on from {found[-2].name}' if len(found) > 1 else 'to begin again'
        raise CheckpointError(f'{error}; remove {found[-1]} {rest}') from error


def _check_shared(run: Path, steps: Sequence[int]) -> None:
    """Refuse to go on where a process would begin at another step than the first one.

    Args:
        run: Folder of the run.
        steps: Of the newest checkpoint that each process finds there; 0: none.

    Raises:
        ConfigError: One would; names both.
    """
    other = next((rank for rank, step in enumerate(steps) if step != steps[0]), None)
    if other is not None:
        raise ConfigError(
            f'{run}: process 0 finds the checkpoint of step {steps[0]}, process {other} that of '
            f'step {steps[other]} (0: none): all machines must see one folder: give --out on a '
            'disk that they share, or copy the folder of the first machine to the others'
        )


def _entry(trainer: Trainer) -> dict[str, float]:
    p, step = trainer.params, trainer.step_number
    entry: dict[str, float] = {'step': step, 'rate': rate(p, step - 1)}
    if 'mixed' in kinds(p, step - 1) and p.mixing == 'linear':
        entry['human_share'] = human_share(p, step - 1)
    return {**entry, **{f'loss_{kind}': mean for kind, mean in trainer.averages().items()}}


class _Curve:
    """The loss curve as lines of JSON; what a killed run wrote after its checkpoint goes."""

    def __init__(self, run: Path, step: int) -> None:
        self._file = run / CURVE
        with writing(self._file):
            run.mkdir(parents=True, exist_ok=True)
            kept = [line for line in read_curve(run) if line['step'] <= step]
            # The policy of that step, with demonstrations that are held out
            self.compared = any(
                line['step'] == step and 'held_out_position' in line for line in kept
            )
            part = self._file.with_name(f'{CURVE}.part')
            part.write_text(''.join(json.dumps(line) + '\n' for line in kept))
            part.replace(self._file)

    def add(self, entry: Mapping[str, float]) -> None:
        with writing(self._file), self._file.open('a') as file:
            file.write(json.dumps(entry) + '\n')


def read_curve(run: Path) -> list[dict[str, float]]:
    """Return the entries of a loss curve until the first line that is cut off or none."""
    file = run / CURVE
    if not file.exists():
        return []
    entries = []
    for line in file.read_text(errors='replace').splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            break
        if not isinstance(entry, dict) or not isinstance(entry.get('step'), int):
            break
        entries.append(entry)
    return entries


def _clear(run: Path) -> None:
    """Remove the checkpoints and the curve of a run, as lines and as events, and nothing else."""
    with writing(run):
        for folder in checkpoints(run):
            remove_checkpoint(folder)
        for file in (run / CURVE, *run.glob(EVENT_FILES)):
            file.unlink(missing_ok=True)
