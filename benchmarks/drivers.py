"""Real driver nodes before emulated devices: command topic to bytes on the wire, and the rate."""

import importlib
import multiprocessing
import multiprocessing.connection
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.harness import Options, Row, at_most, info
from mimic_bringup.graph import isolate
from mimic_core.arrays import FloatArray
from mimic_core.errors import DeviceError
from mimic_core.limits import JointLimits

SECONDS, QUICK_SECONDS = 30.0, 8.0  # [s] measured, a device
COMMAND_RATE: Final = 100.0  # [Hz] that of the gate
STEP_SHARE: Final = 0.02  # [1] of a joint's range: what a step command moves
STEP_EVERY: Final = (0.06, 0.2)  # [s] between two steps, at random
START_TIMEOUT: Final = 30.0  # [s]


@dataclass(frozen=True)
class Case:
    """One driver with its emulator."""

    package: str
    options: Mapping[str, Any]  # of the emulator
    part: str = 'hand'
    baud: int = 0  # [1/s] of the real line; 0: no serial line


CASES: Final = {
    'robotiq': Case('mimic_robotiq_driver', {}, baud=115_200),
    'fin_ray (WSG)': Case('mimic_fin_ray_driver', {'backend': 'wsg'}),
    'fin_ray (Dynamixel)': Case('mimic_fin_ray_driver', {'backend': 'dynamixel'}, baud=1_000_000),
    'allegro (CAN)': Case('mimic_allegro_driver', {}),
    'ability': Case('mimic_ability_driver', {}, baud=460_800),
    'leap': Case('mimic_leap_driver', {}, baud=4_000_000),
    'so101': Case('mimic_so101_driver', {}, part='arm', baud=1_000_000),
    'iiwa': Case('mimic_iiwa_driver', {}, part='arm'),
    'panda': Case('mimic_panda_driver', {}, part='arm'),
}


@dataclass
class Measured:
    """What one case gave."""

    latency: FloatArray  # (N,) [s] from publish to the first changed set-point on the wire
    rate: float  # [Hz] of joint_states
    wanted: float  # [Hz]
    unanswered: int  # steps that never showed on the wire
    written: float  # [Hz] set-points on the wire


def run(options: Options) -> list[Row]:
    """Measure every driver."""
    isolate()
    rows = []
    for name, case in CASES.items():
        seconds = QUICK_SECONDS if options.quick else SECONDS
        measured = measure(case, seconds, np.random.default_rng(options.seed))
        ms = measured.latency * 1e3
        off = abs(measured.rate / measured.wanted - 1.0) * 100.0
        rows += [
            at_most(f'{name}: topic to wire, median', np.median(ms), 'ms', 2.0),
            at_most(f'{name}: topic to wire, p99', np.percentile(ms, 99), 'ms', 8.0),
            info(f'{name}: wanted rate', measured.wanted, 'Hz'),
            info(f'{name}: measured rate', measured.rate, 'Hz'),
            at_most(f'{name}: rate off by', off, '%', 1.0),
            info(f'{name}: set-points on the wire', measured.written, 'Hz'),
            info(f'{name}: steps', ms.size, ''),
            at_most(f'{name}: steps that never came', measured.unanswered, '', 0),
        ]
    return rows


def measure(case: Case, seconds: float, rng: np.random.Generator) -> Measured:
    """Run one driver's node before its emulator, each in its own process."""
    driver = importlib.import_module(f'{case.package}.driver')
    params_of = driver.make_device.__annotations__['params']
    with tempfile.TemporaryDirectory() as folder, _emulator(case, Path(folder)) as emulator:
        params = _ask(emulator, 'params')
        with _node(case, params):
            from mimic_core.params import from_mapping

            device, limits, rate = driver.make_device(from_mapping(params_of, params))
            sent, stamps = _command(case, device.joints, limits, seconds, rng)
            writes = _ask(emulator, 'writes')
    emulators = importlib.import_module(f'{case.package}.emulator')
    latency, missing = _match(sent, writes, getattr(emulators, 'STILL', 0.0))
    times = np.array(stamps)
    span = [at for at, _ in writes if sent[0][0] <= at <= sent[-1][0]]
    return Measured(
        latency,
        (times.size - 1) / (times[-1] - times[0]),
        rate,
        missing,
        (len(span) - 1) / (span[-1] - span[0]),
    )


def _match(
    sent: list[tuple[float, float]], writes: list[tuple[float, FloatArray]], still: float
) -> tuple[FloatArray, int]:
    """Return (N,) latencies of the steps [s], and how many never showed.

    A step shows in the first set-point after it that differs from the one before it by more than
    `still`. Only steps that find the set-point at rest count.
    """
    at = np.array([time for time, _ in writes])
    q = np.array([position[0] for _, position in writes])
    latency, missing = [], 0
    for number, (begin, _) in enumerate(sent):
        first = int(np.searchsorted(at, begin))
        end = sent[number + 1][0] if number + 1 < len(sent) else np.inf
        if first < 3 or np.ptp(q[first - 3 : first]) > still:
            continue
        later = np.nonzero((at[first:] < end) & (np.abs(q[first:] - q[first - 1]) > still))[0]
        if later.size:
            latency.append(at[first + later[0]] - begin)
        else:
            missing += 1
    return np.array(latency), missing


# Processes ----------------------------------------------------------------------------------


def _serve(
    package: str, options: dict[str, Any], link: str, pipe: multiprocessing.connection.Connection
) -> None:
    emulators = importlib.import_module(f'{package}.emulator')
    with emulators.start(Path(link), **options) as emulator:
        answers = {'params': lambda: dict(emulator.params), 'writes': emulator.writes}
        while (question := pipe.recv()) != 'stop':
            pipe.send(answers[question]())


@contextmanager
def _emulator(case: Case, folder: Path) -> Iterator[multiprocessing.connection.Connection]:
    context = multiprocessing.get_context('spawn')
    ours, theirs = context.Pipe()
    arguments = (case.package, dict(case.options), str(folder / 'port'), theirs)
    process = context.Process(target=_serve, args=arguments, daemon=True)
    process.start()
    try:
        yield ours
    finally:
        if process.is_alive():
            ours.send('stop')
        process.join(10.0)
        process.kill()


def _ask(emulator: multiprocessing.connection.Connection, question: str) -> Any:
    emulator.send(question)
    if not emulator.poll(START_TIMEOUT):
        raise DeviceError(f'the emulator did not answer {question}')
    return emulator.recv()


@contextmanager
def _node(case: Case, params: Mapping[str, Any]) -> Iterator[None]:
    arguments = ['--ros-args']
    for key, value in params.items():
        text = str(value).lower() if isinstance(value, bool) else value
        arguments += ['-p', f'{key}:={text}']
    start = f'from {case.package}.node import main; main()'
    process = subprocess.Popen([sys.executable, '-c', start, *arguments])
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10.0)
        except subprocess.TimeoutExpired:
            process.kill()


def _command(
    case: Case,
    joints: tuple[str, ...],
    limits: JointLimits,
    seconds: float,
    rng: np.random.Generator,
) -> tuple[list[tuple[float, float]], list[float]]:
    """Publish a stream as the gate's with random steps of one joint; return them and the states.

    Returns:
        Steps: perf_counter [s] and position; stamps of joint_states [s].
    """
    import rclpy
    from builtin_interfaces.msg import Duration
    from rclpy.context import Context
    from sensor_msgs.msg import JointState
    from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

    from mimic_core import ros

    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node('bench', context=context)
    topic = f'{case.part}_controller/joint_trajectory'
    publisher = node.create_publisher(JointTrajectory, topic, ros.COMMAND_QOS)
    stamps: list[float] = []
    first: list[JointState] = []

    def take(msg: JointState) -> None:
        stamps.append(ros.seconds(msg.header.stamp))
        if not first:
            first.append(msg)

    node.create_subscription(JointState, 'joint_states', take, ros.SENSOR_QOS)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)
    began = time.perf_counter()
    while not (first and publisher.get_subscription_count()):
        executor.spin_once(timeout_sec=0.1)
        if time.perf_counter() - began > START_TIMEOUT:
            raise DeviceError(f'{case.package}: no joint_states')
    order = [first[0].name.index(joint) for joint in joints]
    goal = limits.clip(np.array(first[0].position)[order])
    step = STEP_SHARE * float(limits.upper[0] - limits.lower[0])
    low, high = limits.lower[0] + 2 * step, limits.upper[0] - 2 * step
    period = Duration(nanosec=round(1e9 / COMMAND_RATE))
    sent: list[tuple[float, float]] = []
    due = time.perf_counter() + 1.0  # a second at rest first
    end, next_step = due + seconds, due
    stream = time.perf_counter()
    stamps.clear()
    while time.perf_counter() < end:
        now = time.perf_counter()
        if now >= next_step:
            direction = -1.0 if goal[0] > high else 1.0 if goal[0] < low else rng.choice([-1, 1])
            goal[0] += direction * step
            next_step = now + rng.uniform(*STEP_EVERY)
            stream = now
            sent.append((time.perf_counter(), goal[0]))
        if now >= stream:
            point = JointTrajectoryPoint(positions=goal.tolist(), time_from_start=period)
            publisher.publish(JointTrajectory(joint_names=list(joints), points=[point]))
            stream += 1.0 / COMMAND_RATE
        wait = min(stream, next_step) - time.perf_counter()
        executor.spin_once(timeout_sec=max(wait, 0.0))
    node.destroy_node()
    context.try_shutdown()
    return sent, stamps
