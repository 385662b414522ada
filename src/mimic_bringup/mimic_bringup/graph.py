"""Starts a launch file as a person would, and stops it as Ctrl-C would."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from mimic_core.errors import ConfigError

_STOP_TIMEOUT = 20.0  # [s] for the nodes to leave
_FIRST_DOMAIN, _LAST_DOMAIN = 215, 231  # safe on Linux, and not those of the tests


def isolate() -> None:
    """Keep this process and its children off the network, in a ROS domain of their own.

    A demo or benchmark must never talk to a real robot. What the user set stays.
    """
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    os.environ.setdefault('ROS_DOMAIN_ID', str(random.randint(_FIRST_DOMAIN, _LAST_DOMAIN)))


@contextlib.contextmanager
def graph(
    mode: str, arguments: Mapping[str, object], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `<mode>.launch.xml` with its output in a log file, until the block is left.

    Raises:
        ConfigError: The workspace is not built.
    """
    launcher = ['ros2', 'launch'] if shutil.which('ros2') else [str(_our_launcher())]
    command = [
        *launcher, 'mimic_bringup', f'{mode}.launch.xml',
        *(f'{key}:={value}' for key, value in arguments.items()),
    ]  # fmt: skip
    with log.open('wb') as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _our_launcher() -> Path:
    for prefix in os.environ.get('AMENT_PREFIX_PATH', '').split(':'):
        path = Path(prefix) / 'lib' / 'mimic_composition' / 'launch'
        if path.exists():
            return path
    raise ConfigError("the launcher is not installed: run './mimic build' and use './mimic'")
