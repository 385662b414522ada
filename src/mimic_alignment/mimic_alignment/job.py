"""One request, of the command or of the service: a dataset in, a file out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mimic_alignment.alignment import METHODS, Alignment, align, local_costs, split
from mimic_alignment.features import Encoder, load_encoder
from mimic_alignment.params import AlignmentParams
from mimic_alignment.retrieval import Match, find
from mimic_core.errors import ConfigError, UnknownNameError
from mimic_dataset import load
from mimic_dataset.arrays import EpisodeArrays
from mimic_recording.bag import write_json


@dataclass(frozen=True)
class Job:
    """What is asked for."""

    dataset: Path
    method: str  # action or visual
    output: Path | None  # None: in the dataset, by the names of what was asked for
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


@dataclass(frozen=True)
class Found:
    """Where a robot episode was found."""

    path: Path  # absolute, of the file
    robot: EpisodeArrays
    humans: tuple[EpisodeArrays, ...]
    matches: tuple[Match, ...]  # in each human episode


def run_job(job: Job, params: AlignmentParams) -> Done:
    """Align and write the mapping.

    Raises:
        MimicError: The dataset, a name or an array is wrong; says which.
        ConfigError: The file cannot be written.
    """
    humans, robots, encoder = _read(job)
    alignment = align(humans, robots, params, encoder)
    if encoder is not None:
        alignment = replace(alignment, encoder=job.encoder)
    path = (job.output or job.dataset / f'mapping_{job.method}.json').absolute()
    _write(path, alignment.save)
    return Done(path, alignment, humans, robots, encoder)


def run_find(job: Job, params: AlignmentParams) -> Found:
    """Look the one robot episode of a job up in its human episodes, and write where it is.

    Each frame of the robot counts once. Of the parameters it takes the weights and a step pattern
    that is normalised by rows; for the default one, which is not, `asymmetric`.

    Raises:
        MimicError: The dataset, a name, an array or the step pattern is wrong; says which.
        ConfigError: A human episode is too short for the pattern, or the file cannot be written.
    """
    humans, (robot,), encoder = _read(job)
    default = params.step_pattern == AlignmentParams().step_pattern
    params = replace(params, step_pattern='asymmetric') if default else params
    costs = local_costs(humans, [robot], params, encoder)
    matches = []
    for h, human in enumerate(humans):
        try:
            matches.append(find(costs(h, 0).T, params.step_pattern))
        except ConfigError as error:
            raise ConfigError(f'human episode {human.name}: {error}') from error
    document = {
        'method': job.method,
        'encoder': job.encoder if encoder is not None else None,
        'robot': robot.name,
        'fps': robot.fps,
        'parameters': {
            'step_pattern': params.step_pattern,
            'hand_weight': params.hand_weight,
            'rotation_weight': params.rotation_weight,
        },
        'found': {
            human.name: {'begin': match.begin, 'end': match.end, 'cost': match.cost}
            for human, match in zip(humans, matches, strict=True)
        },
    }
    path = (job.output or job.dataset / f'found_{robot.name}_{job.method}.json').absolute()
    _write(path, lambda file: write_json(file, document))
    return Found(path, robot, humans, tuple(matches))


def _read(
    job: Job,
) -> tuple[tuple[EpisodeArrays, ...], tuple[EpisodeArrays, ...], Encoder | None]:
    """Return the human and the robot episodes, and the encoder where there is one."""
    if job.method not in METHODS:
        raise UnknownNameError('method', job.method, METHODS)
    encoder = load_encoder(job.encoder) if job.method == 'visual' else None
    dataset = load(job.dataset, pictures=encoder is not None)
    humans, robots = split(dataset.episodes, job.humans, job.robots)
    return tuple(humans), tuple(robots), encoder


def _write(path: Path, write: Callable[[Path], object]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path)
    except OSError as error:
        raise ConfigError(f'{path}: {error.strerror}') from error
