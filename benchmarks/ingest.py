"""Videos of people into a dataset: the share of MediaPipe in the time, and a second process."""

import itertools
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.harness import Options, Row, at_least, info
from mimic_core.frames import BASE, inverse
from mimic_dataset import ConvertParams, View, convert, make_jobs
from mimic_dataset.convert import Job, convert_one
from mimic_dataset.spread import Workers, make_workers
from mimic_dataset.video import VideoWriter
from mimic_description import load_robot
from mimic_sim.demonstrator import DemonstratorStream
from mimic_sim.demonstrator_params import DemonstratorParams

HAND: Final = 'robotiq_2f85'
LENGTH: Final = 10.0  # [s] of a video
DISTINCT: Final = 4  # videos that differ; more are copies, each tracked anew


def run(options: Options) -> list[Row]:
    """Measure 100 videos of 10 s (quick: 4) in one process and in two."""
    count = 4 if options.quick else 100
    with tempfile.TemporaryDirectory() as folder:
        videos, view = _videos(Path(folder) / 'videos', options.seed, count)
        params = ConvertParams(task='pick_place', hand=HAND)
        seconds, start, processor, detector, done = {}, {}, 0.0, 0.0, 0
        for processes in (1, 2):
            workers = make_workers(processes)
            warm = make_jobs(
                videos[:processes], Path(folder) / f'w{processes}', 'human', params, view
            )
            start[processes] = _warm_up(workers, warm)
            jobs = make_jobs(videos, Path(folder) / f'd{processes}', 'human', params, view)
            started, used = time.perf_counter(), time.process_time()
            result = convert(jobs, workers, processes)
            seconds[processes] = time.perf_counter() - started
            if processes == 1:
                processor = time.process_time() - used
                detector = sum(o.notes.get('tracking_time', 0.0) for o in result.outcomes)
                done = len(result.outcomes) - len(result.failed)
    frames = count * LENGTH * 30
    return [
        info('videos of 10 s', count, ''),
        info('of them made into episodes', done, ''),
        at_least('share of the time in MediaPipe, one process', detector / seconds[1], '', 0.8),
        info('one process', seconds[1], 's'),
        info('one process, a picture', 1e3 * seconds[1] / frames, 'ms'),
        info('MediaPipe, a picture', 1e3 * detector / frames, 'ms'),
        info('one process, processor time a picture', 1e3 * processor / frames, 'ms'),
        at_least('two processes against one', seconds[1] / seconds[2], '×', 1.8),
        info('before that, two processes start and convert a video each', start[2], 's'),
        info('cores', os.cpu_count() or 0, ''),
    ]


def _warm_up(workers: Workers | None, jobs: Sequence[Job]) -> float:
    """Let each process convert a video; return the time [s].

    Modules are imported, compiled code and models are read once in the life of a process: about
    as much work as a video of 10 s, which is nothing beside a hundred, but not beside four.
    """
    started = time.perf_counter()
    if workers is None:
        for job in jobs:
            convert_one(job)
    else:
        for future in [workers.submit(convert_one, job) for job in jobs]:
            future.result()
    return time.perf_counter() - started


def _videos(folder: Path, seed: int, count: int) -> tuple[Sequence[Path], View]:
    """Write videos of the virtual demonstrator's bare hand; return them and their view."""
    folder.mkdir()
    robot = load_robot('iiwa14', HAND)
    files = []
    for number in range(min(DISTINCT, count)):
        stream = DemonstratorStream(DemonstratorParams(eyes=False, seed=seed + number))
        intrinsics = stream.intrinsics
        view = View(inverse(robot.fk(robot.home, BASE)) @ stream.world_T_camera, intrinsics)
        path = folder / f'v{number}.mp4'
        with VideoWriter(path, 30, (intrinsics.height, intrinsics.width), 23, 250) as video:
            for frame, _ in stream.frames(LENGTH):
                video.add(frame.color)
        stream.close()
        files.append(path)
    for number, source in zip(range(DISTINCT, count), itertools.cycle(files), strict=False):
        copy = folder / f'v{number}.mp4'
        os.link(source, copy)
        files.append(copy)
    return files[:count], view
