"""Processes that work for another, and are not left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from mimic_core.workers import worker_processes

_given: list[int] = []


def prepare(number):
    _given.append(number)


def given(more):
    return [*_given, more]


def stay(folder):
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(60.0)


def work(folder):
    """Keep two workers busy; called in a process of its own."""
    with worker_processes(2) as pool:
        list(pool.map(stay, [folder, folder]))


def test_each_is_prepared_once():
    with worker_processes(1, prepare, 3) as pool:
        assert [pool.submit(given, i).result() for i in (4, 5)] == [[3, 4], [3, 5]]


def test_they_end_when_their_parent_is_killed(tmp_path):
    code = (
        f'import sys; sys.path[:0] = {sys.path!r}; import test_workers as t; t.work(sys.argv[1])'
    )
    here = Path(__file__).parent
    parent = subprocess.Popen([sys.executable, '-c', code, str(tmp_path)], cwd=here)
    try:
        _wait(lambda: len(list(tmp_path.iterdir())) == 2)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    workers = [int(file.name) for file in tmp_path.iterdir()]
    _wait(lambda: not any(_alive(pid) for pid in workers))


def _alive(pid):
    try:
        state = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0]
    except OSError:
        return False
    return state != 'Z'  # nobody may be there to hear of its end


def _wait(condition):
    end = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
