"""Planning in another process, seen from a loop that must not wait."""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.errors import LimitError
from mimic_description import RobotModel
from mimic_description.registry import NONE
from mimic_planning.scene import SceneParams

GRACE: Final = 10.0  # [s] beyond the timeout of a request: the process may have to start
_CHUNK: Final = 1 << 16  # [bytes]


@dataclass(frozen=True)
class Reply:
    """What came of a request."""

    points: FloatArray  # (K, J) [rad] or [m]; empty where there is none
    kind: str  # 'direct', 'sampled', 'checked'
    error: str  # why there is none, '' where there is one


class PlanningProcess:
    """One worker process, started with the first request and kept; one request at a time.

    Nothing here blocks: `poll` is called by turns until it returns the reply.
    """

    def __init__(self, robot: RobotModel, scene: SceneParams | None = None) -> None:
        """Args: robot: of the registry, maybe with tighter limits and workspace; scene: rules."""
        workspace = robot.arm.workspace if robot.arm is not None else None
        header = {
            'arm': robot.arm.name if robot.arm is not None else NONE,
            'hand': robot.hand.name if robot.hand is not None else NONE,
            'prefix': robot.prefix,
            'lower': robot.limits.lower.tolist(),
            'upper': robot.limits.upper.tolist(),
            'workspace': None if workspace is None else dataclasses.asdict(workspace),
            'scene': dataclasses.asdict(scene or SceneParams()),
        }
        self._header = json.dumps(header) + '\n'
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b''
        self._unsent = b''
        self._deadline: float | None = None

    @property
    def busy(self) -> bool:
        """A request has no reply yet."""
        return self._deadline is not None

    def plan(
        self,
        start: FloatArray,
        goal: FloatArray,
        now: float,
        *,
        timeout: float = 5.0,
        seed: int = 1,
    ) -> None:
        """Ask for a way between two postures (J,); see `Planner.plan`.

        Args:
            start: (J,).
            goal: (J,).
            now: [s], of the clock that `poll` gets.
            timeout: [s].
            seed: Of the search, > 0.

        Raises:
            LimitError: The last request has no reply yet.
        """
        request = {
            'start': start.tolist(),
            'goal': goal.tolist(),
            'timeout': timeout,
            'seed': seed,
        }
        self._ask(request, now + timeout)

    def check(self, points: FloatArray, now: float, *, timeout: float = 5.0) -> None:
        """Ask whether (K, J) points of another planner, joined by straight lines, are free."""
        self._ask({'points': points.tolist()}, now + timeout)

    def poll(self, now: float) -> Reply | None:
        """Return the reply once it is there.

        Args:
            now: [s].
        """
        if self._deadline is None:
            return None
        self._write()
        line = self._read()
        if line is not None:
            self._deadline = None
            content = json.loads(line)
            return Reply(np.array(content['points']), content['kind'], content['error'])
        if self._process is None or self._process.poll() is not None:
            code = None if self._process is None else self._process.returncode
            self.cancel()
            return Reply(np.empty(0), '', f'the planner ended with exit code {code}')
        if now > self._deadline + GRACE:
            self.cancel()
            return Reply(np.empty(0), '', 'the planner did not answer in time')
        return None

    def cancel(self) -> None:
        """Give up the request; the process ends and the next request starts another."""
        self._deadline = None
        self._unread = self._unsent = b''
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.wait()

    def _ask(self, request: dict[str, Any], deadline: float) -> None:
        if self._deadline is not None:
            raise LimitError('the planner is at work already')
        text = json.dumps(request) + '\n'
        if self._process is None or self._process.poll() is not None:
            self.cancel()
            self._start()
            text = self._header + text
        self._unsent += text.encode()
        self._deadline = deadline
        self._write()

    def _start(self) -> None:
        environment = os.environ | {
            'PYTHONPATH': os.pathsep.join(p for p in sys.path if p),
            'OMP_NUM_THREADS': '1',
        }
        process = subprocess.Popen(
            [sys.executable, '-m', 'mimic_planning.worker'],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            bufsize=0,
            start_new_session=True,  # Ctrl-C goes to the node, which ends this one
        )
        assert process.stdin is not None and process.stdout is not None
        for pipe in (process.stdin, process.stdout):
            os.set_blocking(pipe.fileno(), False)
        self._process = process

    def _write(self) -> None:
        if not self._unsent or self._process is None or self._process.stdin is None:
            return
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            count = os.write(self._process.stdin.fileno(), self._unsent)
            self._unsent = self._unsent[count:]

    def _read(self) -> bytes | None:
        if self._process is None or self._process.stdout is None:
            return None
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._process.stdout.fileno(), _CHUNK):
                self._unread += chunk
        line, found, rest = self._unread.partition(b'\n')
        if not found:
            return None
        self._unread = rest
        return line
