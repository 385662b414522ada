"""A node in a process of its own, for tests."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGINT


def command(module: str, *arguments: str) -> list[str]:
    """Return the command line of the node of a module."""
    return [sys.executable, '-c', f'from {module} import main; main()', '--ros-args', *arguments]


def start_node(module: str, *arguments: str, **parameters: object) -> subprocess.Popen[str]:
    """Start the node of a module with what this process imports; what it complains is piped."""
    given = [word for name, value in parameters.items() for word in ('-p', f'{name}:={value}')]
    return subprocess.Popen(
        command(module, *arguments, *given),
        env=os.environ | {'PYTHONPATH': os.pathsep.join(path for path in sys.path if path)},
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def stop_node(process: subprocess.Popen[str]) -> None:
    """End a node as Ctrl-C does, if it still runs."""
    if process.poll() is None:
        process.send_signal(SIGINT)
    process.communicate(timeout=20)


@contextmanager
def running_node(module: str, **parameters: object) -> Iterator[subprocess.Popen[str]]:
    """Run the node of a module until the block is left."""
    process = start_node(module, **parameters)
    try:
        yield process
    finally:
        stop_node(process)
