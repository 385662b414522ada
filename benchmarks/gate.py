"""The gate: time of a tick, resampling, two arms, and outputs outside limits under attack."""

import multiprocessing
import os
import sys
import time
from dataclasses import dataclass

import numpy as np

from benchmarks.gate_checker import Checker, Facts
from benchmarks.harness import Options, Row, at_least, at_most, info, timings
from mimic_control import Gate, GateParams
from mimic_control.neighbour import Neighbour
from mimic_control.testing import Adversary
from mimic_core.arrays import FloatArray
from mimic_core.command import NamedPositions
from mimic_description import RobotModel, load_robot

STREAM_RATE = 30.0  # [Hz]
DELAY = 0.03  # [s] from capture to arrival
WAVE = 0.4  # [Hz]
MAX_TICK_MS = 1.5
MAX_LAG_TICKS = 2.0
INPUTS = (10.0, 30.0, 60.0)  # [Hz]
OUTPUTS = (100.0, 250.0, 500.0, 1000.0)  # [Hz]
MOST = 4  # commands of the adversary in a tick; five times as many in a flood
ROBOTS = [
    ('iiwa14', 'allegro'), ('panda', 'leap'), ('iiwa7', 'robotiq_2f85'),
    ('so101', 'so101_gripper'), ('panda', 'ability'), ('iiwa14', 'fin_ray'),
]  # fmt: skip


class Stream:
    """A smooth motion of all joints, captured at 30 Hz and arriving with jitter."""

    def __init__(
        self,
        robot: RobotModel,
        rng: np.random.Generator,
        noise: float,
        rate: float = STREAM_RATE,
    ) -> None:
        """Args: noise: standard deviation of each joint [rad]; rate: of the commands [Hz]."""
        self._rate = rate
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
                stamp = number / self._rate
                wish = self.truth(np.array([stamp]))[0]
                wish = wish + self._rng.normal(size=len(wish)) * self._noise
                command = NamedPositions.single(self._robot.joint_names, wish, stamp)
                gate.offer('shadow', command, now)
                number += 1
                arrival = number / self._rate + DELAY + self._rng.uniform(-0.004, 0.004)
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


def timed(robot: RobotModel, options: Options) -> list[Row]:
    """Return the time of a tick, the lag, and the jerk of a stream at 30 Hz."""
    rows: list[Row] = []
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
    return rows


def resampled(robot: RobotModel, options: Options) -> list[Row]:
    """Return lag and jerk of commands at 10 to 60 Hz that leave at 100 to 1000 Hz."""
    rows: list[Row] = []
    for into in INPUTS:
        for out in OUTPUTS:
            stream = Stream(robot, np.random.default_rng(options.seed), 0.0, into)
            gate = Gate(robot, GateParams(rate=out))
            times, outputs, _ = stream.run(gate, 5.0)
            lag, error = lag_and_error(stream, times, outputs)
            jerk = np.abs(np.diff(outputs, n=3, axis=0)) * out**3 / robot.limits.max_jerk
            name = f'{into:g} Hz to {out:g} Hz'
            rows.append(at_most(f'largest jerk of its limit, {name}', jerk.max(), '1', 1.0 + 1e-6))
            rows.append(info(f'lag, {name}', lag * 1e3, 'ms'))
            rows.append(info(f'error without the lag, rms, {name}', error * 1e3, 'mrad'))
    return rows


def beside(options: Options) -> list[Row]:
    """Return the time of a tick beside a neighbour arm, near and far."""
    rows: list[Row] = []
    for apart, name in ((0.9, 'near'), (3.0, 'far')):
        robot, other = (load_robot('iiwa14', 'allegro', prefix) for prefix in ('l_', 'r_'))
        place = np.eye(4)
        place[1, 3] = apart
        params = GateParams()
        neighbour = Neighbour(other, place, params)
        gate = Gate(robot, params, neighbour)
        gate.set_mode('shadow')
        stream = Stream(robot, np.random.default_rng(options.seed), 0.0)
        swing = Stream(other, np.random.default_rng(options.seed + 1), 0.0)
        q, durations = robot.home, []
        for k in range(600 if options.quick else 2000):
            now = 0.01 * (k + 1)
            seen = swing.truth(np.array([now]))[0]
            if k % 3 == 0:
                wish = stream.truth(np.array([now]))[0]
                command = NamedPositions.single(robot.joint_names, wish, now)
                gate.offer('shadow', command, now)
            begin = time.thread_time()
            neighbour.measure(other.joint_names, seen, now, now)
            q = gate.tick(now, q).q
            durations.append(time.thread_time() - begin)
        limit = MAX_TICK_MS if apart < 1.0 else None
        rows += timings(f'tick beside a second arm, {name}, processor time', durations, limit)
    return rows


@dataclass(frozen=True)
class Job:
    """A part of the attack, for one process."""

    arm: str
    hand: str
    seed: int
    commands: int


def attack(job: Job) -> tuple[int, int, list[str], list[float]]:
    """Return commands, outputs, violations and the processor time of some ticks [s]."""
    robot = load_robot(job.arm, job.hand)
    gate = Gate(robot)
    adversary = Adversary(gate, np.random.default_rng(job.seed), MOST)
    files = [device.file for device in (robot.arm, robot.hand) if device is not None]
    checker = Checker(Facts(robot.urdf, files, robot.joint_names), robot.home.copy())
    durations = []
    while adversary.commands < job.commands:
        begin = time.thread_time()
        out = adversary.tick()
        durations.append(time.thread_time() - begin)
        if out.publish:
            checker.check(out.q, restart=out.restart)
    return adversary.commands, checker.outputs, checker.violations, durations[:1000]


def planted() -> float:
    """Return the share of planted violations that the checker finds."""
    robot = load_robot('iiwa14', 'allegro')
    files = [device.file for device in (robot.arm, robot.hand) if device is not None]
    facts = Facts(robot.urdf, files, robot.joint_names)
    found = []
    for what, joint, value in (
        ('position', 0, 3.0), ('speed', 6, 0.05), ('acceleration', 6, 0.005),
        ('jerk', 6, 0.0006), ('at', 1, 1.5), ('too near', 1, 1.5),
    ):  # fmt: skip
        checker = Checker(facts, robot.home.copy())
        q = robot.home.copy()
        checker.check(q, restart=True)
        q = q.copy()
        q[joint] = q[joint] + value if joint in (1, 6) else value
        checker.check(q, restart=False)
        found.append(any(what in text for text in checker.violations))
    return float(np.mean(found))


def attacked(options: Options) -> list[Row]:
    """Return what an adversary achieves, found by the independent checker."""
    wanted = 20_000 if options.quick else 1_000_000
    share = wanted // (len(ROBOTS) * (1 if options.quick else 4))
    seeds = np.random.SeedSequence(options.seed).generate_state(64)
    jobs = [
        Job(arm, hand, int(seeds[i]), share + 1)
        for i, (arm, hand) in enumerate(ROBOTS * (1 if options.quick else 4))
    ]
    with multiprocessing.get_context('spawn').Pool(os.cpu_count()) as pool:
        results = pool.map(attack, jobs, chunksize=1)
    rows = [at_least('planted violations that the checker finds', planted(), '1', 1.0)]
    rows.append(at_least('commands, random and adversarial', sum(r[0] for r in results), '1',
                         wanted))  # fmt: skip
    rows.append(info('outputs checked, every one', sum(r[1] for r in results), '1'))
    violations = [text for result in results for text in result[2]]
    rows.append(at_most('outputs outside a limit', len(violations), '1', 0))
    for job, result in zip(jobs, results, strict=True):
        for text in result[2][:3]:
            sys.stderr.write(f'{job}: {text}\n')
    ticks = [
        t for job, r in zip(jobs, results, strict=True) if job.hand == 'allegro' for t in r[3]
    ]
    return rows + timings(f'tick and {MOST / 2:g} commands of the adversary, allegro', ticks)


def run(options: Options) -> list[Row]:
    """Measure time, resampling, two arms, and an adversary against six robots."""
    robot = load_robot('iiwa14', 'allegro')
    return [
        *timed(robot, options),
        *resampled(robot, options),
        *beside(options),
        *attacked(options),
    ]
