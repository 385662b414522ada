"""One function over many jobs: here, in several processes, or on several machines (Ray)."""

import importlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Final, Protocol, TypeVar

from mimic_core.errors import ConfigError
from mimic_core.workers import worker_processes
from mimic_dataset.errors import DatasetError

Job = TypeVar('Job')
Result = TypeVar('Result')
AHEAD: Final = 2  # jobs that wait for each worker: few, so that memory does not grow with them


class Workers(Protocol):
    """What runs a function somewhere else; concurrent.futures' executors are some."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> 'Future[Any]':
        """Start a call."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let go of the workers."""


def make_workers(count: int, ray: str = '') -> Workers | None:
    """Return workers; None: everything runs here.

    Args:
        count: Processes; with Ray the jobs that run at once.
        ray: Address of a Ray cluster whose machines see the same files; 'local' starts one here.

    Raises:
        ConfigError: Ray is asked for but not installed, or does not answer.
    """
    if ray:
        return RayWorkers(ray)
    if count <= 1:
        return None
    return worker_processes(count)


def spread(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    workers: Workers | None,
    count: int = 1,
) -> Iterator[Result]:
    """Yield the results of a function of each job, as they are ready.

    Args:
        function: At the top level of a module, so that it can be sent.
        jobs: Its arguments.
        workers: Where it runs; None: here, in order.
        count: How many of them there are.

    Raises:
        DatasetError: A worker died.
    """
    if workers is None:
        yield from map(function, jobs)
        return
    waiting = iter(jobs)
    running: set[Future[Result]] = set()
    try:
        while True:
            for job in waiting:
                running.add(workers.submit(function, job))
                if len(running) >= AHEAD * count:
                    break
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    except BrokenProcessPool as error:
        raise DatasetError(
            'a worker died (out of memory, or killed); finished episodes stay, run it again'
        ) from error
    finally:
        workers.shutdown(wait=False, cancel_futures=True)


class RayWorkers:
    """Ray as an executor."""

    def __init__(self, address: str) -> None:
        try:
            self._ray: Any = importlib.import_module('ray')  # optional: not in any requirements
        except ImportError as error:
            raise ConfigError("--ray needs Ray: pip install 'ray' into the environment") from error
        try:
            self._ray.init(address=None if address == 'local' else address, log_to_driver=False)
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            raise ConfigError(f'Ray at {address} does not answer: {error}') from error
        self._remote: dict[Callable[..., Any], Any] = {}

    @property
    def processors(self) -> int:
        """Of all machines of the cluster."""
        return max(int(self._ray.cluster_resources().get('CPU', 1)), 1)

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> 'Future[Any]':
        """Start a call on the cluster; a worker that is lost is a BrokenProcessPool."""
        future: Future[Any] = Future()
        try:
            if function not in self._remote:
                self._remote[function] = self._ray.remote(function)
            theirs = self._remote[function].remote(*arguments).future()
        except self._ray.exceptions.RayError as error:
            raise BrokenProcessPool(str(error)) from error
        theirs.add_done_callback(lambda done: self._pass_on(done, future))
        return future

    def _pass_on(self, done: 'Future[Any]', future: 'Future[Any]') -> None:
        error = None if done.cancelled() else done.exception()
        if done.cancelled():
            future.cancel()
        elif error is None:
            future.set_result(done.result())
        else:
            raised = self._ray.exceptions.RayTaskError  # by the function: a worker is alive
            if isinstance(error, self._ray.exceptions.RayError) and not isinstance(error, raised):
                broken = BrokenProcessPool(str(error))
                broken.__cause__ = error
                error = broken
            future.set_exception(error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the cluster."""
        self._ray.shutdown()
