"""Capture stamp to joint command out of the gate: the whole graph, real processes, real time."""

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.harness import Options, Row, at_most, info
from mimic_bringup.graph import graph, isolate

SECONDS, QUICK_SECONDS = 60.0, 15.0  # [s] measured
WARM_UP = 3.0  # [s] after the first followed command
SEED_MS = 213.0  # [ms] a frame, published for the pipeline of the seed document


def run(options: Options) -> list[Row]:
    """Measure iiwa14 with Allegro behind the virtual demonstrator, 640x480 with depth at 30 Hz.

    The output of a command is the first one heard after it. The gate's own report, ten times a
    second, meets one picture in three and always the same phase between picture and tick.
    """
    from benchmarks.latency_node import listen

    isolate()
    arguments = {
        'arm': 'iiwa14', 'hand': 'allegro', 'camera': 'twin', 'seed': options.seed,
        'viewer': 'false', 'demonstrator_loop': 'true',
    }  # fmt: skip
    seconds = QUICK_SECONDS if options.quick else SECONDS
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / 'launch.log'
        with graph('shadow', arguments, log):
            measured = listen(WARM_UP, seconds, log)
    latency = measured.latency * 1e3
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
        info("the seed's pipeline, a frame", SEED_MS, 'ms'),
        info("the seed's time over ours", SEED_MS / float(np.median(latency)), '×'),
    ]
    return rows
