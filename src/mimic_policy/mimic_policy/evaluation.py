"""Many rollouts of a policy: over processes, each kept as soon as it ends, gone on with later."""

import dataclasses
import hashlib
import inspect
import json
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, get_type_hints

import numpy as np

from mimic_core.errors import MimicError
from mimic_core.statistics import wilson
from mimic_core.workers import worker_processes
from mimic_dataset.video import VideoWriter
from mimic_description import load_robot
from mimic_policy.interface import Policy
from mimic_policy.rollout import Moment, Rollout, RolloutParams, roll_out
from mimic_recording.bag import write_json
from mimic_sim import tasks
from mimic_sim.tasks import task_class
from mimic_sim.tasks.task_file import SUFFIX

SETTINGS: Final = 'settings.json'
SUMMARY: Final = 'summary.json'
VIDEO_RATE: Final = 10  # [Hz]
VIDEO_QUALITY: Final = 26  # x264 crf


class EvaluationError(MimicError):
    """Results cannot be written or read, or belong to another evaluation; names file and field."""


@dataclass(frozen=True)
class Evaluation:
    """All rollouts of one policy."""

    rollouts: tuple[Rollout, ...]

    @property
    def successes(self) -> int:
        """Rollouts that did the task."""
        return sum(rollout.success for rollout in self.rollouts)

    def as_map(self) -> dict[str, Any]:
        """Return what is written as JSON."""
        count, good = len(self.rollouts), self.successes
        low, high = wilson(good, count)
        times = [r.duration for r in self.rollouts if r.success]
        smooth = [r.sparc for r in self.rollouts if not math.isnan(r.sparc)]
        return {
            'rollouts': count,
            'successes': good,
            'success': good / count if count else None,
            'success_low': low,  # Wilson, 95 %
            'success_high': high,
            'completion_time': float(np.median(times)) if times else None,  # [s] of successes
            'sparc': float(np.median(smooth)) if smooth else None,
            'seeds': [rollout.seed for rollout in self.rollouts],
        }


def digest(*files: Path) -> str:
    """Return what tells these files from others.

    Raises:
        EvaluationError: One cannot be read.
    """
    found = hashlib.sha256()
    for file in files:
        try:
            found.update(file.read_bytes())
        except OSError as error:
            raise EvaluationError(f'{file} cannot be read: {error.strerror}') from error
    return found.hexdigest()[:16]


def evaluate(
    load: Callable[[], Policy],
    params: RolloutParams,
    seeds: Sequence[int],
    folder: Path | None = None,
    *,
    policy_digest: str = '',
    processes: int = 1,
    video: bool = False,
    progress: Callable[[Rollout], None] | None = None,
) -> Evaluation:
    """Roll a policy out from many starts.

    What a folder already holds of the same evaluation is not done again.

    Args:
        load: Returns the policy; called once in each process, so it must be picklable for
            more than one.
        params: Of each rollout; the seed is taken from `seeds`.
        seeds: Of the starts.
        folder: Where results go; None: nowhere.
        policy_digest: Tells this policy from others, for results of an earlier run.
        processes: Rollouts at a time.
        video: Also write an mp4 of the agent camera for each rollout; needs a folder. One that was
            done without is done again.
        progress: Called for each rollout that is there, in any order.

    Raises:
        EvaluationError: The folder cannot be written, or holds another evaluation, or a process
            died.
        WrongRobotError, UnknownNameError: As `roll_out`.
        MimicError: What `load` raises.
    """
    if folder is not None:
        _begin(folder, _settings(params, policy_digest))
    done: dict[int, Rollout] = {}
    for seed in dict.fromkeys(seeds):
        if folder is None or (video and not _video(folder, seed).exists()):
            continue
        if (earlier := _read(_file(folder, seed), seed)) is not None:
            done[seed] = earlier
            if progress is not None:
                progress(earlier)
    left = [seed for seed in dict.fromkeys(seeds) if seed not in done]
    for rollout in _roll_out_all(load, params, left, folder if video else None, processes):
        done[rollout.seed] = rollout
        if folder is not None:
            _write(_file(folder, rollout.seed), rollout.as_map())
        if progress is not None:
            progress(rollout)
    result = Evaluation(tuple(done[seed] for seed in dict.fromkeys(seeds)))
    if folder is not None:
        _write(folder / SUMMARY, result.as_map())
    return result


# Processes ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Worker:
    """What a process keeps from one rollout to the next."""

    load: Callable[[], Policy]
    params: RolloutParams
    videos: Path | None

    @cached_property
    def policy(self) -> Policy:
        """Loaded by the first rollout, so that an error is that rollout's, in any process."""
        return self.load()

    def run(self, seed: int) -> Rollout:
        meta = self.policy.meta
        robot = load_robot(meta.arm, meta.hand)
        params = dataclasses.replace(self.params, seed=seed)
        if self.videos is None:
            return roll_out(robot, self.policy, params)
        size = params.twin.height, params.twin.width
        path = _video(self.videos, seed)
        part = path.with_name(f'{path.name}.part')  # a video that was cut off is none
        with _writing(path):
            with VideoWriter(part, VIDEO_RATE, size, VIDEO_QUALITY) as writer:

                def film(moment: Moment) -> None:
                    if moment.time * VIDEO_RATE >= writer.count - 1e-6:
                        writer.add(moment.render('agent').color)

                rollout = roll_out(robot, self.policy, params, film)
            part.replace(path)
        return rollout


_worker: _Worker | None = None  # of this process


def _prepare(load: Callable[[], Policy], params: RolloutParams, videos: Path | None) -> None:
    global _worker
    _worker = _Worker(load, params, videos)


def _run(seed: int) -> Rollout:
    assert _worker is not None
    return _worker.run(seed)


def _roll_out_all(
    load: Callable[[], Policy],
    params: RolloutParams,
    seeds: Sequence[int],
    videos: Path | None,
    processes: int,
) -> Iterator[Rollout]:
    if not seeds:
        return
    if processes <= 1:
        worker = _Worker(load, params, videos)
        for seed in seeds:
            yield worker.run(seed)
        return
    pool = worker_processes(min(processes, len(seeds)), _prepare, load, params, videos)
    try:
        for future in as_completed([pool.submit(_run, seed) for seed in seeds]):
            yield future.result()
    except BrokenProcessPool as error:
        raise EvaluationError(
            'a process died (out of memory, or killed); finished rollouts stay, run it again'
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


# Files --------------------------------------------------------------------------------------


def _settings(params: RolloutParams, policy_digest: str) -> dict[str, Any]:
    values: dict[str, Any] = dataclasses.asdict(params) | {'longest': params.time_limit}
    del values['seed']
    flat = {'policy': policy_digest} | _own_task(params.task)
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= {f'{name}.{inner}': content for inner, content in value.items()}
        else:
            flat[name] = value
    return flat


def _own_task(name: str) -> dict[str, str]:
    """Return the digest of the file of a task that is none of ours: it may change by the day."""
    file = Path(name) if name.endswith(SUFFIX) else Path(inspect.getfile(task_class(name)))
    return {} if file.parent == Path(tasks.__file__).parent else {'task_file': digest(file)}


def _begin(folder: Path, settings: dict[str, Any]) -> None:
    """Make the folder, or see that it is of the same evaluation."""
    file = folder / SETTINGS
    if not any(folder.glob('rollout_*.json')):  # perhaps of a policy that could not be loaded
        with _writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        _write(file, settings)
        return
    if not file.exists():
        raise EvaluationError(
            f'{file} is missing: of what the rollouts beside it are is not known; give another '
            'folder, or delete this one'
        )
    have = _json(file, 'give another folder')
    for name, value in settings.items():
        if name not in have or have[name] != value:
            raise EvaluationError(
                f'{file}: {name} is {have.get(name)!r}, now it is {value!r}: '
                'results of another evaluation; give another folder'
            )


def _file(folder: Path, seed: int) -> Path:
    return folder / f'rollout_{seed:06d}.json'


def _video(folder: Path, seed: int) -> Path:
    return _file(folder, seed).with_suffix('.mp4')


def _read(file: Path, seed: int) -> Rollout | None:
    """Return a rollout that was finished earlier, None if there is none."""
    if not file.exists():
        return None
    values = _json(file)
    if values.get('sparc', 0.0) is None:
        values['sparc'] = math.nan
    for name, kind in get_type_hints(Rollout).items():
        if name not in values:
            raise EvaluationError(f'{file}: {name} is missing; delete the file')
        value = values[name]
        number = kind is float and type(value) is int
        if type(value) is not kind and not number:
            raise EvaluationError(f'{file}: {name} = {value!r} is wrong; delete the file')
    if values['seed'] != seed:
        raise EvaluationError(f'{file}: seed = {values["seed"]} is another one; delete the file')
    return Rollout(**{field.name: values[field.name] for field in dataclasses.fields(Rollout)})


def _json(file: Path, remedy: str = 'delete it') -> dict[str, Any]:
    try:
        values = json.loads(file.read_text())
    except OSError as error:
        raise EvaluationError(f'{file} cannot be read: {error.strerror}') from error
    except ValueError as error:
        raise EvaluationError(f'{file} is damaged: {error}; {remedy}') from error
    if not isinstance(values, dict):
        raise EvaluationError(f'{file} is damaged: not a map; {remedy}')
    return values


def _write(file: Path, values: dict[str, Any]) -> None:
    """Write a file as a whole or not at all."""
    with _writing(file):
        write_json(file, values)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EvaluationError(f'{path} cannot be written: {error.strerror or error}') from error
