"""Bags of demonstrations and videos → the datasets of the experiment."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks.experiment import collect
from benchmarks.experiment.settings import ARM, FOLDER, DataSettings, key_of
from mimic_core.frames import BASE, inverse
from mimic_dataset import Dataset, EpisodeArrays, load
from mimic_dataset.arrays import Domain
from mimic_dataset.convert import Job, Outcome, convert, make_jobs
from mimic_dataset.params import ConvertParams
from mimic_dataset.people import View
from mimic_dataset.spread import make_workers
from mimic_dataset.video import WHOLE, Region
from mimic_description import load_robot
from mimic_sim.scene import agent_camera_pose
from mimic_sim.twin import work_area
from mimic_sim.twin_params import TwinParams

PROCESSES: Final = collect.PROCESSES
Size = tuple[int, int]


def dataset_folder(task: str, hand: str, data: DataSettings, disturbance: str = 'clean') -> Path:
    """Return the dataset of a hand at a task."""
    ending = '' if disturbance == 'clean' else f'-{disturbance}'
    return FOLDER / 'datasets' / key_of(data) / f'{task}-{hand}{ending}'


def camera_view() -> View:
    """Return where the agent camera is: what calibration would have said."""
    robot = load_robot(ARM, 'none')
    base_T_camera = inverse(robot.fk(robot.home, BASE)) @ agent_camera_pose(work_area(robot))
    return View(base_T_camera, fovy=TwinParams().fovy)


def jobs_of(
    task: str, hand: str, data: DataSettings, disturbance: str = 'clean'
) -> tuple[list[Job], list[Job]]:
    """Return the jobs of all demonstrations and of all videos that are on disk."""
    folder = dataset_folder(task, hand, data, disturbance)
    params = ConvertParams(task=task, arm=ARM, hand=hand, fps=data.fps, height=data.rows)
    robot = collect.demonstrations(collect.robot_folder(task, hand, data.camera))
    human = collect.videos(collect.video_folder(task, disturbance, data.camera))
    if disturbance != 'clean':
        robot = []  # those of the clean dataset
    return (
        make_jobs(robot, folder, 'robot', params),
        make_jobs(human, folder, 'human', params, camera_view()),
    )


def ingest(
    task: str,
    hand: str,
    data: DataSettings,
    done: Callable[[Outcome], None] | None = None,
    disturbance: str = 'clean',
    processes: int = PROCESSES,
) -> tuple[Outcome, ...]:
    """Make the dataset of what is on disk; return the episodes that led to none.

    Raises:
        MimicError: The disk is full, or episodes do not fit together.
    """
    jobs = [job for part in jobs_of(task, hand, data, disturbance) for job in part]
    return convert(jobs, make_workers(processes), processes, done).failed


def training_set(
    task: str,
    hand: str,
    data: DataSettings,
    robots: int,
    videos: int,
    size: Size,
    region: Region = WHOLE,
) -> Dataset:
    """Return the first demonstrations and videos of a dataset, by seed."""
    whole = load(dataset_folder(task, hand, data), size, region=region)
    kept = _first(whole, 'robot', robots) + _first(whole, 'human', videos)
    return replace(whole, episodes=tuple(kept))


def _first(dataset: Dataset, domain: Domain, count: int) -> list[EpisodeArrays]:
    return sorted(dataset.of(domain), key=lambda episode: int(episode.name))[:count]
