"""Capture stamp to joint command out of the gate: the whole graph, real processes, real time."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.harness import Options, Row, at_most, info
from benchmarks.processes import Shares
from mimic_bringup.graph import graph, isolate

if TYPE_CHECKING:
    from benchmarks.latency_node import Measured

SECONDS, QUICK_SECONDS = 60.0, 15.0  # [s] measured
WARM_UP = 3.0  # [s] after the first followed command
SMALLEST_SHARE = 0.005  # [1] of a core that is listed
# [ms] a frame. Source: Chiche et al., Vision-Based Hand Shadowing, 2026 (arXiv 2603.11383).
PUBLISHED_MS = 213.0


def run(options: Options) -> list[Row]:
    """Measure iiwa14 with Allegro behind the virtual demonstrator, 640x480 with depth at 30 Hz.

    The output of a command is the first one heard after it. The gate's own report, ten times a
    second, meets one picture in three and always the same phase between picture and tick. The
    second run records everything beside it, as the demo does.
    """
    isolate()
    seconds = QUICK_SECONDS if options.quick else SECONDS
    measured, shares = _measure(options, seconds, record=False)
    latency = measured.latency * 1e3
    recorded, more_shares = _measure(options, seconds, record=True)
    beside = recorded.latency * 1e3
    rows = [
        at_most('capture to gate output, median', np.median(latency), 'ms', 30.0),
        at_most('capture to gate output, p95', np.percentile(latency, 95), 'ms', 50.0),
        at_most('missed control ticks', measured.missed_ticks, '', 0),
        info('the same as the gate reports it, median', np.median(measured.reported) * 1e3, 'ms'),
        info('capture to hands published, median', np.median(measured.hands) * 1e3, 'ms'),
        info('capture to shadow command, median', np.median(measured.commands) * 1e3, 'ms'),
        info('hands with a hand', measured.hand_share * 100.0, '%'),
        info('pictures tracked', measured.hands.size / seconds, 'Hz'),
        info('gate outputs', measured.outputs / seconds, 'Hz'),
        info('samples', latency.size, ''),
        info('measured for', seconds, 's'),
        info('pipeline of Chiche et al., a frame', PUBLISHED_MS, 'ms'),
        info('its time over ours', PUBLISHED_MS / float(np.median(latency)), '×'),
        info('recording: capture to gate output, median', np.median(beside), 'ms'),
        info('recording: capture to gate output, p95', np.percentile(beside, 95), 'ms'),
        info('recording: missed control ticks', recorded.missed_ticks, ''),
        info('recording: pictures tracked', recorded.hands.size / seconds, 'Hz'),
        info('processor time of all', sum(shares.values()) * 100.0, '% of a core'),
    ]
    for name, share in more_shares.items():
        if share >= SMALLEST_SHARE:
            rows.append(info(f'recording: processor time of {name}', share * 100.0, '% of a core'))
    return rows


def _measure(
    options: Options, seconds: float, *, record: bool
) -> tuple['Measured', dict[str, float]]:
    """Return what was heard, and the share of a core [1] of each process."""
    from benchmarks.latency_node import listen

    arguments: dict[str, object] = {
        'arm': 'iiwa14', 'hand': 'allegro', 'camera': 'twin', 'seed': options.seed,
        'viewer': 'false', 'demonstrator_loop': 'true',
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        if record:
            arguments |= {'record': 'true', 'auto_start': 'true', 'episodes': folder}
        log = Path(folder) / 'launch.log'
        with graph('shadow', arguments, log) as process:
            shares = Shares(process.pid)
            return listen(WARM_UP, seconds, log, shares.begin), shares.read()
