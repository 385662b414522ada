"""The gate: time of a tick with collisions, outputs outside limits, lag behind a smooth stream."""

import time

import numpy as np

from benchmarks.harness import Options, Row, at_least, at_most, info, timings
from mimic_control import Gate, GateParams
from mimic_control.testing import Adversary, Audit
from mimic_core.arrays import FloatArray
from mimic_core.command import NamedPositions
from mimic_description import RobotModel, load_robot

STREAM_RATE = 30.0  # [Hz]
DELAY = 0.03  # [s] from capture to arrival
WAVE = 0.4  # [Hz]
MAX_TICK_MS = 1.5
MAX_LAG_TICKS = 2.0


class Stream:
    """A smooth motion of all joints, captured at 30 Hz and arriving with jitter."""

    def __init__(self, robot: RobotModel, rng: np.random.Generator, noise: float) -> None:
        """Args: noise: standard deviation of each joint [rad]."""
        self._robot, self._rng, self._noise = robot, rng, noise
        self._phase = rng.uniform(0.0, 2.0 * np.pi, len(robot.home))
        self._size = np.minimum(0.12, 0.2 * (robot.limits.upper - robot.limits.lower))
        self._centre = robot.limits.clip(robot.home + self._size)

    def truth(self, t: FloatArray) -> FloatArray:
        """Return (T, J) the motion at times (T,) [s], from home and back, never a jump."""
        swing = np.sin(2.0 * np.pi * WAVE * t[:, None] + self._phase) - np.sin(self._phase)
        grown = np.minimum(t, 1.0)[:, None]
        moved: FloatArray = self._robot.home + 0.5 * self._size * swing * grown
        return moved

    def run(self, gate: Gate, seconds: float) -> tuple[FloatArray, FloatArray, list[float]]:
        """Return times and positions of all outputs, and the processor time of the ticks [s]."""
        gate.set_mode('shadow')
        q, now, number = self._robot.home, 0.0, 0
        arrival = DELAY
        times, outputs, durations = [], [], []
        while now < seconds:
            now += gate.period
            if now >= arrival:
                stamp = number / STREAM_RATE
                wish = self.truth(np.array([stamp]))[0]
                wish = wish + self._rng.normal(size=len(wish)) * self._noise
                command = NamedPositions.single(self._robot.joint_names, wish, stamp)
                gate.offer('shadow', command, now)
                number += 1
                arrival = number / STREAM_RATE + DELAY + self._rng.uniform(-0.004, 0.004)
            begin = time.thread_time()
            out = gate.tick(now, q)
            durations.append(time.thread_time() - begin)
            if out.publish:
                q = out.q
                times.append(now + gate.period)  # when the robot is to be there
                outputs.append(q)
        return np.array(times), np.array(outputs), durations


def lag_and_error(stream: Stream, times: FloatArray, outputs: FloatArray) -> tuple[float, float]:
    """Return the lag [s] behind the arriving data and the error [rad] without it, rms."""
    settled = times > 2.0
    lags = np.arange(-0.03, 0.1, 0.001)
    errors = [
        float(np.sqrt(np.mean((outputs[settled] - stream.truth(times[settled] - lag)) ** 2)))
        for lag in lags
    ]
    best = int(np.argmin(errors))
    return float(lags[best]) - DELAY, errors[best]


def run(options: Options) -> list[Row]:
    """Measure iiwa14 with the Allegro hand, and an adversary against four robots."""
    rows: list[Row] = []
    robot = load_robot('iiwa14', 'allegro')
    seconds = 20.0 if options.quick else 60.0
    for noise, name in ((0.0, 'smooth stream'), (1e-3, 'stream with 1 mrad noise')):
        rng = np.random.default_rng(options.seed)
        stream = Stream(robot, rng, noise)
        times, outputs, durations = stream.run(Gate(robot), seconds)
        if not noise:
            rows += timings('tick, iiwa14 + allegro, processor time', durations, MAX_TICK_MS)
        lag, error = lag_and_error(stream, times, outputs)
        lag_name = f'lag, 30 Hz {name}'
        rows.append(
            info(lag_name, lag * 100.0, 'ticks')
            if noise
            else at_most(lag_name, lag * 100.0, 'ticks', MAX_LAG_TICKS)
        )
        rows.append(info(f'error without the lag, rms, {name}', error * 1e3, 'mrad'))
        if not noise:
            jerk = np.diff(outputs[200:], n=3, axis=0) * 1e6 / robot.limits.max_jerk
            rows.append(
                info('jerk of the output, rms of the limit', np.sqrt(np.mean(jerk**2)), '1')
            )

    ticks = 1500 if options.quick else 15000
    commands, outputs_seen, violations = 0, 0, 0
    for arm, hand in (
        ('iiwa14', 'allegro'),
        ('panda', 'leap'),
        ('iiwa7', 'robotiq_2f85'),
        ('so101', 'so101_gripper'),
    ):
        robot = load_robot(arm, hand)
        gate = Gate(robot, GateParams())
        adversary = Adversary(gate, np.random.default_rng(options.seed))
        audit = Audit(robot, gate.params.rate, gate.params.collision_margin, every=3)
        durations = []
        for _ in range(ticks):
            begin = time.thread_time()
            out = adversary.tick()
            durations.append(time.thread_time() - begin)
            audit.check(out, adversary.now)
        commands += adversary.commands
        outputs_seen += audit.outputs
        violations += len(audit.violations)
        if hand == 'allegro':
            rows += timings('tick against the adversary, processor time', durations)
    rows.append(info('adversarial commands', commands, '1'))
    rows.append(at_least('outputs checked', outputs_seen, '1', ticks))
    rows.append(at_most('outputs outside a limit', violations, '1', 0))
    return rows
