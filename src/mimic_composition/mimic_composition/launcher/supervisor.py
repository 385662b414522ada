"""Runs a plan: starts processes, shows their output, ends them all together."""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Final

from mimic_composition.launcher.console import Console
from mimic_composition.launcher.plan import Delay, Load, Log, Plan, Process, Shutdown, Step
from mimic_core.errors import MimicError

_PR_SET_PDEATHSIG: Final = 1
_LAST_WORDS: Final = 2.0  # [s] to read what an ended process has written
_MAX_LINE: Final = 1 << 20  # [B] longer lines of a process are broken


@dataclass
class _Running:
    name: str
    process: Process
    pid: int


class Supervisor:
    """Runs one plan until all its processes have ended or someone stops it."""

    def __init__(self, console: Console, loader: Callable[[Load], Process]) -> None:
        """Args: console: for output; loader: makes the process that loads components."""
        self._console, self._loader = console, loader
        self._count = 0
        self._running: dict[str, _Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._failed = False

    def run(self, plan: Plan) -> int:
        """Run until the end.

        Returns:
            The exit code: 0, or 1 when a process failed before anybody asked for the end, or had
            to be killed.
        """
        return asyncio.run(self._run(plan))

    async def _run(self, plan: Plan) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal, number)
        for warning in plan.warnings:
            self._console.note('WARNING', 'launch', warning)
        try:
            await self._take_or_stop(plan.steps)
            while self._tasks:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for running in self._running.values():
                _signal(running, signal.SIGKILL)
        return 1 if self._failed else 0

    def stop(self, reason: str) -> None:
        """End every process; the second call changes nothing."""
        if not self._stopping.is_set():
            self._console.note('INFO', 'launch', reason)
            self._stopping.set()

    def _on_signal(self, number: int) -> None:
        self.stop(f'{signal.Signals(number).name} received: stopping all processes')

    def _start_task(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._end_task)

    def _end_task(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = task.exception()
        if error is not None:
            self._failed = True
            self.stop('the launcher failed: stopping all processes')
            raise error

    async def _take_or_stop(self, steps: tuple[Step, ...]) -> None:
        try:
            await self._take(steps)
        except MimicError as error:
            self._failed = True
            self._console.note('ERROR', 'launch', str(error))
            self.stop('stopping all processes')

    async def _take(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            if self._stopping.is_set():
                return
            match step:
                case Process():
                    self._start_task(self._keep(step, self._next_name(step.label)))
                case Load():
                    process = self._loader(step)
                    self._start_task(self._keep(process, self._next_name(process.label)))
                case Log(text=text):
                    self._console.note('INFO', 'launch.user', text)
                case Shutdown(reason=reason):
                    self.stop(reason)
                case Delay(period=period, steps=later):
                    self._start_task(self._later(period, later))
            await asyncio.sleep(0)  # processes start in the order of the file

    async def _later(self, period: float, steps: tuple[Step, ...]) -> None:
        if not await self._stopped_within(period):
            await self._take_or_stop(steps)

    async def _stopped_within(self, period: float) -> bool:
        """Wait for the end; return whether it came within a time [s]."""
        try:
            await asyncio.wait_for(self._stopping.wait(), period)
        except TimeoutError:
            return False
        return True

    def _next_name(self, label: str) -> str:
        self._count += 1
        return f'{label}-{self._count}'

    async def _keep(self, process: Process, name: str) -> None:
        """Run a process, and run it again as often as it wants."""
        retries = 0
        while True:
            ok = await self._once(process, name)
            again = process.respawn and not self._stopping.is_set()
            if not again or retries == process.respawn_max_retries:
                break
            retries += 1
            if await self._stopped_within(process.respawn_delay):
                return
            name = self._next_name(process.label)
        if process.required:
            self.stop(f'process[{name}] was required: stopping all processes')
        self._failed = self._failed or not ok

    async def _once(self, process: Process, name: str) -> bool:
        """Run a process to its end; return whether that was a good one."""
        argv = process.argv
        if process.shell:
            argv = ('/bin/sh', '-c', ' '.join(argv))
        output = _Output(self._console, name, process.output != 'log')
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.subprocess_exec(
                lambda: output,
                *argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=process.cwd,
                env=dict(process.environment),
                preexec_fn=_in_child(os.getpid()),
            )
        except OSError as error:
            text = f"cannot start '{argv[0]}': {error.strerror}"
            self._console.note('ERROR', name, text)
            return False
        running = _Running(name, process, transport.get_pid())
        self._running[name] = running
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait((output.exited, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        was_asked = not output.exited.done()
        killed = was_asked and await self._end(running, output.exited)
        await output.exited
        code = transport.get_returncode() or 0
        _signal(running, signal.SIGKILL)  # what it may have left behind in its group
        # A process that left its group may hold the pipe open for ever.
        await asyncio.wait((output.closed,), timeout=_LAST_WORDS)
        transport.close()
        del self._running[name]
        self._tell_end(running, code)
        return not killed if was_asked else code == 0

    def _tell_end(self, running: _Running, code: int) -> None:
        pid = running.pid
        if code == 0:
            self._console.note('INFO', running.name, f'process has finished cleanly [pid {pid}]')
            return
        command = ' '.join(running.process.argv)
        text = f"process has died [pid {pid}, exit code {code}, cmd '{command}']."
        self._console.note('ERROR', running.name, text)

    async def _end(self, running: _Running, ended: 'asyncio.Future[None]') -> bool:
        """Ask a process to end, ever louder; return whether it had to be killed."""
        process, start = running.process, time.monotonic()
        steps = (
            (signal.SIGINT, process.sigterm_timeout),
            (signal.SIGTERM, process.sigkill_timeout),
        )
        for number, timeout in steps:
            self._console.note('INFO', running.name, f'sending {number.name}')
            _signal(running, number)
            done, _ = await asyncio.wait((ended,), timeout=timeout)
            if done:
                return False
            waited = time.monotonic() - start
            text = f'still runs {waited:.1f} s after SIGINT'
            self._console.note('ERROR', running.name, text)
        _signal(running, signal.SIGKILL)
        return True


class _Output(asyncio.SubprocessProtocol):
    """Shows what a process writes, line by line, and tells when it ends."""

    def __init__(self, console: Console, name: str, show_out: bool) -> None:
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()  # nobody can write any more
        self._console, self._name = console, name
        self._on_screen = {1: show_out, 2: True}  # errors are always shown
        self._rest = {1: b'', 2: b''}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._console.note('INFO', self._name, f'process started with pid [{transport.get_pid()}]')

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        *lines, rest = (self._rest[fd] + data).split(b'\n')
        if len(rest) > _MAX_LINE:
            lines, rest = [*lines, rest], b''
        self._rest[fd] = rest
        for line in lines:
            self._line(fd, line)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if self._rest[fd]:
            self._line(fd, self._rest[fd])
            self._rest[fd] = b''

    def process_exited(self) -> None:
        self.exited.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set_result(None)

    def _line(self, fd: int, line: bytes) -> None:
        text = line.decode('utf-8', 'replace').rstrip('\r')
        self._console.line(self._name, text, on_screen=self._on_screen[fd])


def _signal(running: _Running, number: signal.Signals) -> None:
    """Signal a process with its own children, as Ctrl-C in a terminal does."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(running.pid, number)


def _in_child(parent: int) -> Callable[[], None]:
    """Make what runs in a new process before its program.

    The process gets a group of its own, so that a Ctrl-C reaches it once, through the launcher;
    and it ends when the launcher is killed, even by SIGKILL (Linux only).
    """
    try:
        prctl = ctypes.CDLL(None).prctl
    except AttributeError:
        prctl = None

    def prepare() -> None:
        os.setpgrp()
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

    return prepare
