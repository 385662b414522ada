"""The processes below one: who they are, and how much processor time they take."""

import os
import time
from collections import defaultdict
from pathlib import Path


def read(path: Path) -> str:
    """Return the text of a file of /proc; '' when the process has ended."""
    try:
        return path.read_text(errors='replace')
    except OSError:
        return ''


def descendants(root: int) -> list[int]:
    """Return the processes that a process has started, and those that these have."""
    children = defaultdict(list)
    for entry in Path('/proc').iterdir():
        stat = read(entry / 'stat') if entry.name.isdigit() else ''
        if stat:
            children[int(stat.rpartition(')')[2].split()[1])].append(int(entry.name))
    found, queue = [], [root]
    while queue:
        below = children[queue.pop()]
        found += below
        queue += below
    return found


def name_of(pid: int) -> str:
    """Return the name of a node, else that of the program."""
    words = read(Path(f'/proc/{pid}/cmdline')).split('\0')
    node = next((w for w in words if w.startswith('__node:=')), '')
    return node.removeprefix('__node:=') or Path(words[0]).name or str(pid)


def processor_time(pid: int) -> float:
    """Return the processor time that a process has taken [s], 0 when it has ended."""
    stat = read(Path(f'/proc/{pid}/stat'))
    if not stat:
        return 0.0
    fields = stat.rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


class Shares:
    """How much of a core each process below one takes, from `begin` on."""

    def __init__(self, root: int) -> None:
        """Args: root: process id."""
        self._root = root
        self.begin()

    def begin(self) -> None:
        """Begin anew."""
        self._began = time.monotonic()
        self._before = {pid: processor_time(pid) for pid in descendants(self._root)}

    def read(self) -> dict[str, float]:
        """Return the share of one core [1] by name, the largest first."""
        elapsed = time.monotonic() - self._began
        shares: dict[str, float] = defaultdict(float)
        for pid, before in self._before.items():
            shares[name_of(pid)] += (processor_time(pid) - before) / elapsed
        return dict(sorted(shares.items(), key=lambda item: -item[1]))
