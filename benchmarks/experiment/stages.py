"""The stages of the experiment, each with its progress: data, datasets, cells."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.experiment import collect
from benchmarks.experiment.cells import CellJob, do_cell, result_of, work_of
from benchmarks.experiment.collect import CollectError
from benchmarks.experiment.forecast import Forecast
from benchmarks.experiment.ingest import ingest, jobs_of
from benchmarks.experiment.settings import Cell, DataSettings
from mimic_core.errors import MimicError
from mimic_core.workers import worker_processes

POLL: Final = 1.0  # [s] between looks at what the processes do
TaskHand = tuple[str, str]


class Stages:
    """Does what is not done yet, and says how far it is."""

    def __init__(self, data: DataSettings, processes: int, console: Console) -> None:
        """Args: data; processes: at once; console: where progress is shown."""
        self._data, self._processes, self._console = data, processes, console
        self.forecast = Forecast(processes)
        self.short: dict[TaskHand, int] = {}  # demonstrations where there are fewer than wanted
        self.failed: dict[str, str] = {}  # why, by the name of the cell
        self._bar = Progress(
            TextColumn('{task.description}', markup=False), BarColumn(), MofNCompleteColumn(),
            TimeElapsedColumn(), TextColumn('{task.fields[rest]}', markup=False), console=console,
            disable=not console.is_terminal,
        )  # fmt: skip

    def plan(self, jobs: Sequence[CellJob], videos: dict[tuple[str, str], int]) -> None:
        """Say what all stages together will have to do, so that the forecast is honest."""
        camera = self._data.camera
        for (task, hand), count in _robots(jobs).items():
            have = len(collect.demonstrations(collect.robot_folder(task, hand, camera)))
            self.forecast.plan('demonstration', max(count - have, 0))
        for (task, disturbance), count in videos.items():
            self.forecast.plan('video', len(collect.video_jobs(task, count, camera, disturbance)))
        for task, hand in _robots(jobs):
            self.forecast.plan('ingest', self._to_ingest(task, hand, jobs, videos))
        for job in jobs:
            if result_of(job) is None:
                self.forecast.plan(_step(job), job.steps)
                self.forecast.plan('rollout', job.rollouts.count)

    def _to_ingest(
        self, task: str, hand: str, jobs: Sequence[CellJob], videos: dict[tuple[str, str], int]
    ) -> int:
        wanted = _robots(jobs)[task, hand] + videos.get((task, 'clean'), 0)
        return max(wanted - sum(_is_ingested(job) for job in self._every_job(task, hand)), 0)

    def _every_job(self, task: str, hand: str) -> list[Any]:
        return [job for part in jobs_of(task, hand, self._data) for job in part]

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Show progress while it lasts."""
        with self._bar:
            yield

    # --- data ------------------------------------------------------------------------------------

    def demonstrate(self, jobs: Sequence[CellJob]) -> None:
        """Make the demonstrations; how many there are where too many trials fail is in `short`."""
        camera = self._data.camera
        for (task, hand), count in _robots(jobs).items():
            folder = collect.robot_folder(task, hand, camera)
            done = len(collect.demonstrations(folder))
            row = self._row(f'{task} {hand}: demonstrations', count, done)
            try:
                for turn in collect.robot_jobs(task, hand, count, camera):
                    self._spread(collect.make_robot, turn, 'demonstration', row)
            except CollectError as error:
                self.short[task, hand] = len(collect.demonstrations(folder))
                self._say(str(error))

    def possible(self, jobs: Sequence[CellJob]) -> list[CellJob]:
        """Return the cells for which there are demonstrations enough."""
        return [j for j in jobs if j.cell.robots <= self.short.get(_pair(j.cell), j.cell.robots)]

    def film(self, videos: dict[tuple[str, str], int]) -> None:
        """Make the human videos."""
        for (task, disturbance), count in videos.items():
            jobs = collect.video_jobs(task, count, self._data.camera, disturbance)
            row = self._row(f'{task}: videos ({disturbance})', count, count - len(jobs))
            self._spread(collect.make_video, jobs, 'video', row)

    def _spread(
        self, make: Callable[[Any], bool], jobs: Sequence[Any], kind: str, row: Any
    ) -> None:
        if not jobs:
            return
        began = time.perf_counter()
        for good in collect.in_processes(make, jobs, self._processes):
            now = time.perf_counter()
            if good or kind == 'video':
                self.forecast.did(kind, 1, (now - began) * self._processes)
                self._advance(row)
            began = now

    def ingest(self, pairs: Sequence[TaskHand], disturbed: Sequence[tuple[str, str, str]]) -> None:
        """Make the datasets: of tasks with hands, and of disturbed videos of some of them."""
        for task, hand, disturbance in [*((t, h, 'clean') for t, h in pairs), *disturbed]:
            robots, humans = jobs_of(task, hand, self._data, disturbance)
            text = f'{task} {hand}: datasets ({disturbance})'
            row = self._row(text, len(robots) + len(humans))
            began = time.perf_counter()

            def done(outcome: Any, row: Any = row) -> None:
                nonlocal began
                now = time.perf_counter()
                if not outcome.skipped:
                    self.forecast.did('ingest', 1, (now - began) * self._processes)
                began = now
                self._advance(row)

            failed = ingest(task, hand, self._data, done, disturbance, self._processes)
            for outcome in failed:
                self._say(f'{task} {hand}: no episode of {outcome.name}: {outcome.error}')

    # --- cells -----------------------------------------------------------------------------------

    def cells(self, jobs: Sequence[CellJob], processes: int) -> None:
        """Do the cells that are not done; each as a whole in one process.

        Raises:
            CollectError: A process died.
        """
        left = [job for job in jobs if result_of(job) is None]
        for job in left:
            if job.file.exists():
                self._say(f'{job.file} is damaged: {job.cell.name} is done again')
        row = self._row('cells', len(jobs), len(jobs) - len(left))
        if not left:
            return
        watch = _Watch(self.forecast, left)
        pool = worker_processes(processes)
        try:
            jobs_at = {pool.submit(do_cell, job): job for job in left}
            waiting: set[Future[str]] = set(jobs_at)
            while waiting:
                done, waiting = wait(waiting, POLL, FIRST_COMPLETED)
                watch.look()
                for future in done:
                    self._end_cell(future, jobs_at[future])
                    self._advance(row)
                self._bar.update(row, rest=f'{watch.text}; {self.forecast.text}')
        except BrokenProcessPool as error:
            raise CollectError('a process died (out of memory, or killed)') from error
        finally:
            pool.shutdown(cancel_futures=True)

    def _end_cell(self, future: Future[str], job: CellJob) -> None:
        """Say what became of a cell; one that fails stops no other."""
        try:
            self._say(f'finished {future.result()}; {self.forecast.text}')
        except BrokenProcessPool:
            raise
        except Exception as error:  # noqa: BLE001 - of any library, out of memory too
            text = str(error) if isinstance(error, MimicError) else repr(error)
            self.failed[job.cell.name] = text
            self._say(f'{job.cell.name} failed: {text}')

    def _row(self, text: str, total: int, done: int = 0) -> Any:
        if not self._console.is_terminal:
            self._console.print(f'{text}: {done} of {total}; {self.forecast.text}')
        return self._bar.add_task(text, total=total, completed=done, rest=self.forecast.text)

    def _advance(self, row: Any) -> None:
        self._bar.update(row, advance=1, rest=self.forecast.text)

    def _say(self, text: str) -> None:
        self._bar.console.print(text, highlight=False, soft_wrap=True)


class _Watch:
    """Reads what the processes write about their cells, into the forecast."""

    def __init__(self, forecast: Forecast, jobs: Sequence[CellJob]) -> None:
        self._forecast, self._jobs = forecast, jobs
        self._seen = {job.key: work_of(job) for job in jobs}  # of a run that was stopped
        self.text = ''
        for job in jobs:
            before = self._seen[job.key]
            forecast.drop(_step(job), before.get('steps', 0.0))

    def look(self) -> None:
        """Count what was done since the last look."""
        at_work = []
        for job in self._jobs:
            now, last = work_of(job), self._seen[job.key]
            for name, clock, kind in (
                ('steps', 'step_time', _step(job)), ('rollouts', 'rollout_time', 'rollout')
            ):  # fmt: skip
                units = now.get(name, 0.0) - last.get(name, 0.0)
                seconds = now.get(clock, 0.0) - last.get(clock, 0.0)
                if units > 0.0:
                    # After a restart the clock of a process begins anew
                    self._forecast.did(kind, units, seconds if seconds > 0.0 else now[clock])
            if now != last:
                at_work.append(_where(job, now))
            self._seen[job.key] = now
        if at_work:
            self.text = ', '.join(at_work)


def _where(job: CellJob, work: dict[str, float]) -> str:
    if 'rollouts' in work:
        return f'{job.cell.name} {work["rollouts"]:.0f} of {job.rollouts.count} rollouts'
    return f'{job.cell.name} step {work.get("steps", 0.0):.0f} of {job.steps}'


def _step(job: CellJob) -> str:
    return 'step robot_only' if job.cell.trained_as[0] == 'robot_only' else 'step'


def _robots(jobs: Sequence[CellJob]) -> dict[TaskHand, int]:
    """Return how many demonstrations each hand needs at each task."""
    most: dict[TaskHand, int] = {}
    for job in jobs:
        pair = _pair(job.cell)
        most[pair] = max(most.get(pair, 0), job.cell.robots)
    return most


def _pair(cell: Cell) -> TaskHand:
    return cell.task, cell.hand


def _is_ingested(job: Any) -> bool:
    from mimic_dataset.parts import is_done, part_folder

    return is_done(part_folder(job.dataset, job.domain, job.name), job.key())
