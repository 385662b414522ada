"""Demonstrations and videos on disk, made once, by as many processes as there are cores.

Robot: the virtual demonstrator teleoperates the twin through the whole chain; what failed is
thrown away, as a lab would. Human: the bare hand at the same task before the same camera. Each is
a bag; beside it, for evaluation only, lies what was really shown when, which nothing else reads.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from benchmarks.experiment.settings import (
    ARM,
    DISTURBED_SEEDS,
    FOLDER,
    ROBOT_SEEDS,
    VIDEO_SEEDS,
    CameraSettings,
    key_of,
)
from mimic_core.errors import MimicError
from mimic_core.workers import worker_processes
from mimic_dataset.spread import spread
from mimic_recording.bag import write_json

TRIES: Final = 4  # [1] trials for each demonstration that is wanted, at most
PROCESSES: Final = 2
DISTURBANCES: Final = ('clean', 'visual', 'action')
J = TypeVar('J')
R = TypeVar('R')


class CollectError(MimicError):
    """Data cannot be made."""


@dataclass(frozen=True)
class RobotJob:
    """One teleoperated trial."""

    folder: Path
    task: str
    hand: str
    seed: int
    camera: CameraSettings


@dataclass(frozen=True)
class VideoJob:
    """One human video."""

    folder: Path
    task: str
    seed: int
    disturbance: str  # of DISTURBANCES
    camera: CameraSettings


def robot_folder(task: str, hand: str, camera: CameraSettings) -> Path:
    """Return where the demonstrations of a hand at a task are."""
    return FOLDER / 'data' / f'{key_of(camera)}' / 'robot' / f'{task}-{hand}'


def video_folder(task: str, disturbance: str, camera: CameraSettings) -> Path:
    """Return where the videos of a task are."""
    return FOLDER / 'data' / f'{key_of(camera)}' / 'human' / f'{task}-{disturbance}'


def robot_jobs(
    task: str, hand: str, count: int, camera: CameraSettings
) -> Iterator[list[RobotJob]]:
    """Yield rounds of trials until so many succeeded, or too many failed.

    Raises:
        CollectError: The person cannot do it with this hand: says how often it was tried.
    """
    folder = robot_folder(task, hand, camera)
    while (missing := count - len(demonstrations(folder))) > 0:
        tried = [ROBOT_SEEDS + n for n in range(count * TRIES)]
        left = [s for s in tried if not (folder / f'{s}.json').exists()]
        if not left:
            raise CollectError(
                f'{task} with {hand}: {count - missing} of {len(tried)} trials succeeded, '
                f'{count} demonstrations are wanted'
            )
        yield [RobotJob(folder, task, hand, seed, camera) for seed in left[:missing]]


def demonstrations(folder: Path) -> list[Path]:
    """Return the bags of demonstrations that succeeded, by seed."""
    return [bag for bag in videos(folder) if truth_of(bag)['success']]


def videos(folder: Path) -> list[Path]:
    """Return the bags of videos, by seed."""
    return [bag for file in _records(folder) if (bag := file.with_suffix('')).is_dir()]


def truth_of(bag: Path) -> dict[str, Any]:
    """Return what was really shown when: for evaluation only.

    Raises:
        CollectError: The record is damaged; names file and field.
    """
    file = bag.with_suffix('.json')
    again = 'delete it, and the trial is done again'
    try:
        truth = json.loads(file.read_text())
    except ValueError as error:
        raise CollectError(f'{file} is damaged: {error}; {again}') from error
    if not isinstance(truth, dict):
        raise CollectError(f'{file} is damaged: not a map; {again}')
    for name, kind in (('success', bool), ('phases', list)):
        if not isinstance(truth.get(name), kind):
            raise CollectError(f'{file}: {name} is {truth.get(name)!r}; {again}')
    return truth


def _records(folder: Path) -> list[Path]:
    return sorted(folder.glob('[0-9]*.json'), key=lambda file: int(file.stem))


def video_jobs(
    task: str, count: int, camera: CameraSettings, disturbance: str = 'clean'
) -> list[VideoJob]:
    """Return the videos that are missing."""
    folder = video_folder(task, disturbance, camera)
    first = VIDEO_SEEDS if disturbance == 'clean' else DISTURBED_SEEDS
    jobs = [VideoJob(folder, task, first + n, disturbance, camera) for n in range(count)]
    made = {bag.name for bag in videos(folder)}
    return [job for job in jobs if str(job.seed) not in made]


def make_robot(job: RobotJob) -> bool:
    """Do one trial; whether it succeeded. The record is written last: a kill leaves none."""
    # Slow to import, and not needed where all data are there
    from mimic_bringup.lockstep import LockstepParams, Moment, run_trial
    from mimic_bringup.trial_bag import TrialRecorder
    from mimic_description import load_robot
    from mimic_recording import EpisodeInfo
    from mimic_sim.twin_params import TwinParams

    robot = load_robot(ARM, job.hand)
    recorder = TrialRecorder(robot, job.camera.rate)
    phases: list[tuple[float, str]] = []

    def observe(moment: Moment) -> None:
        if not phases or phases[-1][1] != moment.truth.phase:
            phases.append((moment.time, moment.truth.phase))

    looks = TwinParams(width=job.camera.width, height=job.camera.height, depth=False)
    params = LockstepParams(task=job.task, seed=job.seed, twin=looks)
    outcome = run_trial(robot, params, observe, recorder)
    if outcome.success:
        tags = (f'arm={ARM}', f'hand={job.hand}', 'success=true', f'seed={job.seed}')
        _discard(job.folder / str(job.seed))
        recorder.bag.write(job.folder, EpisodeInfo(str(job.seed), job.task, tags))
    truth = {'success': outcome.success, 'duration': outcome.duration, 'phases': phases}
    _write_record(job.folder, job.seed, truth)
    return outcome.success


def make_video(job: VideoJob) -> bool:
    """Make one video; whether the person did the task. It is kept either way."""
    from mimic_bringup.human_video import write_human_video
    from mimic_sim.bare_hand import BareHand, BareHandParams

    phases: list[tuple[float, str]] = []

    def watch(person: BareHand, time: float) -> None:
        if not phases or phases[-1][1] != person.phase:
            phases.append((time, person.phase))

    camera = job.camera
    params = BareHandParams(
        task=job.task,
        arm=ARM,
        seed=job.seed,
        look='strange' if job.disturbance == 'visual' else 'varied',
        motion='strange' if job.disturbance == 'action' else 'usual',
        rate=camera.rate,
        width=camera.width,
        height=camera.height,
    )
    _discard(job.folder / str(job.seed))
    made = write_human_video(job.folder / f'{job.seed}.mp4', params, job.folder, watch)
    truth = {'success': made.success, 'duration': made.duration, 'phases': phases}
    _write_record(job.folder, job.seed, truth)
    return made.success


def _discard(bag: Path) -> None:
    """Remove a bag without a record: its process was killed."""
    if bag.is_dir():
        for file in bag.iterdir():
            file.unlink()
        bag.rmdir()


def _write_record(folder: Path, seed: int, record: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / f'{seed}.json', record)


def in_processes(function: Callable[[J], R], jobs: Sequence[J], count: int) -> Iterator[R]:
    """Yield results as they come, of so many processes at once; each uses one thread.

    Raises:
        DatasetError: A process died.
    """
    os.environ['OMP_NUM_THREADS'] = '1'  # inherited
    pool = worker_processes(min(count, len(jobs)))
    yield from spread(function, jobs, pool, count)
