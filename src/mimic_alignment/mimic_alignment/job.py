"""One request, of the command or of the service: a dataset in, a mapping file out."""

from dataclasses import dataclass
from pathlib import Path

from mimic_alignment.alignment import METHODS, Alignment, align, split
from mimic_alignment.features import Encoder, load_encoder
from mimic_alignment.params import AlignmentParams
from mimic_core.errors import ConfigError, UnknownNameError
from mimic_dataset import load
from mimic_dataset.arrays import EpisodeArrays


@dataclass(frozen=True)
class Job:
    """What is asked for."""

    dataset: Path
    method: str  # action or visual
    output: Path | None  # None: mapping_<method>.json in the dataset
    humans: tuple[str, ...]  # names; empty: all
    robots: tuple[str, ...]
    encoder: str  # of the visual method


@dataclass(frozen=True)
class Done:
    """What came out."""

    path: Path  # absolute, of the mapping
    alignment: Alignment
    humans: tuple[EpisodeArrays, ...]
    robots: tuple[EpisodeArrays, ...]
    encoder: Encoder | None  # of the visual method

    @property
    def summary(self) -> str:
        """One sentence."""
        one = self.alignment
        return (
            f'{len(one.humans)} human on {len(one.robots)} robot episodes by {one.method}, '
            f'mean cost of a step {float(one.costs.mean()):.3f}'
        )


def run_job(job: Job, params: AlignmentParams) -> Done:
    """Align and write the mapping.

    Raises:
        MimicError: The dataset, a name or an array is wrong; says which.
        ConfigError: The file cannot be written.
    """
    if job.method not in METHODS:
        raise UnknownNameError('method', job.method, METHODS)
    encoder = load_encoder(job.encoder) if job.method == 'visual' else None
    dataset = load(job.dataset, pictures=encoder is not None)
    humans, robots = split(dataset.episodes, job.humans, job.robots)
    alignment = align(humans, robots, params, encoder)
    path = (job.output or job.dataset / f'mapping_{job.method}.json').absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        alignment.save(path)
    except OSError as error:
        raise ConfigError(f'{path}: {error.strerror}') from error
    return Done(path, alignment, tuple(humans), tuple(robots), encoder)
