"""A cell: train, roll out, write a JSON; what is finished is never done again."""

import json
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.experiment.ingest import dataset_folder, training_set
from benchmarks.experiment.kept import FIELDS
from benchmarks.experiment.settings import (
    FOLDER,
    Cell,
    DataSettings,
    RolloutSettings,
    TrainSettings,
    evaluation_seeds,
    key_of,
)
from benchmarks.harness import git_commit, machine
from mimic_recording import bag

if TYPE_CHECKING:  # torch is imported where it is used
    from mimic_policy.interface import Policy


@dataclass(frozen=True)
class CellJob:
    """One cell, with everything that its result depends on."""

    cell: Cell
    data: DataSettings
    train: TrainSettings
    seed: int  # of the starts and of training
    rollouts: RolloutSettings

    @property
    def key(self) -> str:
        """Tell it from the same cell under other settings."""
        return f'{self.cell.name}-{key_of(*self._learned, self.rollouts)}'

    @property
    def steps(self) -> int:
        """Of training."""
        return self.train.steps * self.cell.trained_as[1]

    @property
    def file(self) -> Path:
        """Where its result is, or will be."""
        return FOLDER / 'cells' / f'{self.key}.json'

    @property
    def run(self) -> Path:
        """Folder of its checkpoints: the same training for any number of rollouts."""
        return FOLDER / 'runs' / f'{self.cell.name}-{key_of(*self._learned)}'

    @property
    def _learned(self) -> tuple[Any, ...]:
        """What a training depends on; cells that see all of the view keep the keys they had."""
        seen = (self.cell.sees,) if self.cell.sees else ()
        return (self.data, self.train, *seen, self.seed)

    @property
    def work(self) -> Path:
        """File in which a process says how far it is."""
        return self.run / 'work.json'


def result_of(job: CellJob) -> dict[str, Any] | None:
    """Return the result of a cell that is finished; a file that is damaged holds none."""
    if not job.file.exists():
        return None
    try:
        found: dict[str, Any] = json.loads(job.file.read_text())
        whole = all(name in found for name in (*FIELDS, 'checkpoint'))
        return found if whole and Cell(**found['cell']) == job.cell else None
    except (ValueError, TypeError):
        return None  # of a machine that lost power, or of a later commit


def work_of(job: CellJob) -> dict[str, float]:
    """Return how far a cell is: steps, rollouts, and the time [s] that they took so far."""
    try:
        found: dict[str, float] = json.loads(job.work.read_text())
    except (OSError, ValueError):
        return {}
    return found


def do_cell(job: CellJob) -> str:
    """Train and evaluate; return the key. Continues where a killed process was."""
    import torch

    from mimic_policy.distributed import choose_device
    from mimic_policy.evaluation import digest, evaluate
    from mimic_policy.rollout import Rollout, RolloutParams
    from mimic_sim.twin_params import TwinParams

    torch.set_num_threads(1)
    device = choose_device('auto')
    report = _Report(job)
    trained, facts = _train(job, device, report)
    camera = job.data.camera
    looks = TwinParams(width=camera.width, height=camera.height, depth=False)
    params = RolloutParams(job.cell.task, 0, longest=job.rollouts.longest, twin=looks)
    began = time.perf_counter()
    count = 0

    def progress(rollout: Rollout) -> None:
        nonlocal count
        count += 1
        report.write(rollouts=count, rollout_time=time.perf_counter() - began)

    result = evaluate(
        partial(_load, trained, str(device)),
        params,
        list(evaluation_seeds(job.seed, job.rollouts.count)),
        job.run / f'rollouts-{key_of(job.rollouts.longest)}',
        policy_digest=digest(trained / 'checkpoint.json'),
        progress=progress,
    )
    document = {
        'cell': asdict(job.cell),
        'data': asdict(job.data),
        'train': asdict(job.train),
        'seed': job.seed,
        'longest': job.rollouts.longest,
        **result.as_map(),
        'each': [rollout.as_map() for rollout in result.rollouts],
        **facts,
        'evaluation_time': round(time.perf_counter() - began, 1),
        'checkpoint': str(trained.relative_to(FOLDER)),
        'commit': git_commit(),
        'machine': machine(),
        'device': str(device),
        'date': datetime.now(UTC).isoformat(timespec='seconds'),
    }
    write_json(job.file, document)
    return job.key


def _load(trained: Path, device: str) -> 'Policy':
    from mimic_policy.checkpoint import load_policy

    return load_policy(trained, device=device)


def _train(job: CellJob, device: Any, report: '_Report') -> tuple[Path, dict[str, Any]]:
    from mimic_dataset.lerobot import domain_meta
    from mimic_policy.data import prepare
    from mimic_policy.trainer import Trainer
    from mimic_policy.training import Settings, train

    cell, size = job.cell, job.train.size
    settings = Settings.of(
        job.train.preset,
        {
            'method': cell.trained_as[0],
            'steps': job.steps,
            'batch': job.train.batch,
            'height': size,
            'width': size,
            'seed': job.seed,
            **cell.sees,
        },
    )
    dataset = training_set(
        cell.task, cell.hand, job.data, cell.robots, cell.videos, (size, size),
        settings.train.agent_region,
    )  # fmt: skip
    stored = domain_meta(dataset_folder(cell.task, cell.hand, job.data) / 'robot')[1].cameras
    goes_on = any(job.run.glob('step_*'))  # the processes before it are not in its time
    began = time.perf_counter()

    def watch(trainer: Trainer, entry: Any) -> None:
        if entry is not None:
            report.write(steps=trainer.step_number, step_time=time.perf_counter() - began)

    data = prepare(dataset, settings.train, stored)
    trained = train(data, settings, job.run, device=device, watch=watch)
    return trained, {
        'robots': len(data.robot.lengths),
        'humans': len(data.human.lengths) if data.human is not None else 0,
        'training_time': None if goes_on else round(time.perf_counter() - began, 1),
    }


class _Report:
    """Tells the parent how far a cell is."""

    def __init__(self, job: CellJob) -> None:
        self._file = job.work
        self._values: dict[str, float] = {}
        self._file.parent.mkdir(parents=True, exist_ok=True)

    def write(self, **values: float) -> None:
        self._values |= values
        write_json(self._file, self._values)


def write_json(file: Path, document: Any) -> None:
    """Write a file as a whole or not at all, and its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    bag.write_json(file, document)
