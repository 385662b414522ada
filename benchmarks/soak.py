"""Half an hour of shadow against emulated devices: memory, missed ticks, latency over time."""

import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.harness import RESULTS, Options, Row, at_most, info
from benchmarks.processes import descendants, name_of, read
from mimic_bringup.graph import graph, isolate
from mimic_core.arrays import FloatArray

MINUTES, QUICK_MINUTES = 30.0, 2.0  # measured
ARM, HAND = 'iiwa14', 'allegro'
SAMPLE_PERIOD: Final = 2.0  # [s]
WARM_UP_SHARE: Final = 0.2  # [1] of the time: caches and pools fill once
MAX_GROWTH: Final = 10.0  # [MB/h] of a process that still counts as flat
MAX_MISSED: Final = 0.1  # [%]
SHADOW: Final = 1  # ControlStatus.SHADOW
MB: Final = 1e6


class Processes:
    """Memory of every process below one, over time: what it allocated itself, no shared files."""

    def __init__(self, root: int) -> None:
        self._root, self._due = root, -np.inf
        self._started = time.monotonic()
        self.names: dict[int, str] = {}
        self.memory: dict[int, list[tuple[float, float]]] = defaultdict(list)  # [s], [MB]

    def look(self) -> None:
        """Sample when it is due."""
        now = time.monotonic()
        if now < self._due:
            return
        if not self.memory:
            self._started = now
        self._due = now + SAMPLE_PERIOD
        for pid in descendants(self._root):
            pages = read(Path(f'/proc/{pid}/smaps_rollup'))
            own = [line.split()[1] for line in pages.splitlines() if line.startswith('Anonymous:')]
            if own:
                self.names.setdefault(pid, name_of(pid))
                self.memory[pid].append((now - self._started, 1024.0 * int(own[0]) / MB))


def growth(samples: list[tuple[float, float]]) -> float:
    """Return the median slope of (time [s], memory [MB]) after the warm-up [MB/h]."""
    from scipy.stats import theilslopes

    array = np.array(samples)
    late = array[array[:, 0] >= WARM_UP_SHARE * array[-1, 0]]
    return float(theilslopes(late[:, 1], late[:, 0])[0]) * 3600.0


def drift(latency: FloatArray) -> float:
    """Return the median of the last fifth less that of the first, of (time, latency) [s]."""
    fifth = max(len(latency) // 5, 1)
    return float(np.median(latency[-fifth:, 1]) - np.median(latency[:fifth, 1]))


def run(options: Options) -> list[Row]:
    """Measure iiwa14 with Allegro behind real drivers, the devices emulated on real wires."""
    from benchmarks.soak_node import listen

    isolate()
    minutes = options.minutes or (QUICK_MINUTES if options.quick else MINUTES)
    arguments = {
        'arm': ARM, 'hand': HAND, 'twin': 'false', 'emulator': 'true', 'initial_mode': 'shadow',
        'viewer': 'false', 'demonstrator_loop': 'true', 'seed': options.seed,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / 'launch.log'
        with graph('shadow', arguments, log) as launcher:
            processes = Processes(launcher.pid)
            heard = listen(60.0 * minutes, log, processes.look)
            alive = set(descendants(launcher.pid))
    latency = np.array(heard.latency)
    _plot(processes, latency)
    first = {pid for pid, samples in processes.memory.items() if samples[0][0] < SAMPLE_PERIOD}
    rows = [info('measured for', minutes, 'min')]
    rows.append(at_most('processes that ended', len(first - alive), '', 0))
    for pid in sorted(first & alive, key=lambda p: processes.names[p]):
        samples, name = processes.memory[pid], processes.names[pid]
        rows.append(info(f'{name}: memory at the end', samples[-1][1], 'MB'))
        rows.append(at_most(f'{name}: memory grows', growth(samples), 'MB/h', MAX_GROWTH))
    missed = 100.0 * heard.missed_ticks / max(heard.ticks, 1)
    rows.append(at_most('missed ticks of the gate', missed, '%', MAX_MISSED))
    for name, (count, rate) in sorted(heard.drivers.items()):
        share = 100.0 * count / max(rate * 60.0 * minutes, 1.0)
        rows.append(at_most(f'missed periods of {name}', share, '%', MAX_MISSED))
        rows.append(info(f'rate of {name} at the end', rate, 'Hz'))
    following = 100.0 * float(np.mean(np.array(heard.states) == SHADOW))
    median, p95 = (1e3 * float(np.percentile(latency[:, 1], p)) for p in (50, 95))
    rows += [
        info('time that the robot follows', following, '%'),
        info('capture to the topic of the stack, median', median, 'ms'),
        info('capture to the topic of the stack, p95', p95, 'ms'),
        at_most('drift of its median', 1e3 * drift(latency), 'ms', 5.0),
        info('messages to the stack', heard.wire / (60.0 * minutes), 'Hz'),
    ]
    return rows


def _plot(processes: Processes, latency: FloatArray) -> None:
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    figure, (top, bottom) = plt.subplots(2, 1, figsize=(9, 8), sharex=True)
    for pid, samples in sorted(processes.memory.items(), key=lambda item: -item[1][-1][1]):
        array = np.array(samples)
        top.plot(array[:, 0] / 60.0, array[:, 1], label=processes.names[pid], linewidth=1.2)
    top.set_ylabel('memory [MB]')
    top.set_ylim(bottom=0.0)
    top.legend(loc='center left', bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)
    bottom.plot(latency[:, 0] / 60.0, 1e3 * latency[:, 1], '.', markersize=1, alpha=0.4)
    bottom.set_ylim(0.0, 1.5e3 * float(np.percentile(latency[:, 1], 99)))
    bottom.set_ylabel('capture to the topic of the stack [ms]')
    bottom.set_xlabel('time [min]')
    for axis in (top, bottom):
        axis.spines[['top', 'right']].set_visible(False)
    figure.tight_layout()
    RESULTS.mkdir(parents=True, exist_ok=True)
    figure.savefig(RESULTS / 'soak.png', dpi=120)
    plt.close(figure)
