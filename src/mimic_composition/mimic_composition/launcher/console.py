"""Output of many processes on one screen and in one log file."""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TextIO

_COLORS: Final = (36, 33, 35, 32, 34, 96, 93, 95, 92, 94)  # of process names, in turn
_LEVELS: Final = {'INFO': 0, 'WARNING': 33, 'ERROR': 31}


def log_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder of ROS logs: ROS_LOG_DIR, ROS_HOME/log or ~/.ros/log."""
    if environment.get('ROS_LOG_DIR'):
        return Path(environment['ROS_LOG_DIR']).expanduser()
    home = environment.get('ROS_HOME') or '~/.ros'
    return Path(home).expanduser() / 'log'


class Console:
    """Writes whole lines with the name of who said them in front."""

    def __init__(self, folder: Path, screen: TextIO | None = None) -> None:
        """Args: folder: of ROS logs, made when missing; screen: standard output by default."""
        self._screen = screen or sys.stdout
        self._color = self._screen.isatty() and not os.environ.get('NO_COLOR')
        self._colors: dict[str, int] = {}
        name = time.strftime('%Y-%m-%d-%H-%M-%S') + f'-launch-{os.getpid()}'
        self.folder = folder / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self._log = (self.folder / 'launch.log').open('w', buffering=1, encoding='utf-8')

    def line(self, name: str, text: str, *, on_screen: bool = True) -> None:
        """Write one line of a process."""
        if on_screen:
            self._write(name, text)
        self._log.write(f'{time.time():.6f} [{name}] {text}\n')

    def note(self, level: str, name: str, text: str) -> None:
        """Write one line of the launcher itself: level INFO, WARNING or ERROR."""
        color = _LEVELS[level]
        marked = f'\033[{color}m[{level}]\033[0m' if self._color and color else f'[{level}]'
        self._write(name, f': {text}', before=f'{marked} ', gap='')
        self._log.write(f'{time.time():.6f} [{level}] [{name}]: {text}\n')

    def _write(self, name: str, text: str, *, before: str = '', gap: str = ' ') -> None:
        label = f'[{name}]'
        if self._color:
            color = self._colors.setdefault(name, _COLORS[len(self._colors) % len(_COLORS)])
            label = f'\033[{color}m{label}\033[0m'
        try:
            self._screen.write(f'{before}{label}{gap}{text}\n')
            self._screen.flush()
        except BrokenPipeError:
            # Nobody reads any more (`launch … | head`); the log file goes on.
            self._screen = Path(os.devnull).open('w', encoding='utf-8')  # noqa: SIM115

    def close(self) -> None:
        """Close the log file."""
        self._log.close()
