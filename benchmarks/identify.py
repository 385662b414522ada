"""Identification: errors of delay, time constant and backlash of joints that are known."""

import time

import numpy as np

from benchmarks.harness import Options, Row, at_least, at_most, info, timings
from mimic_description import load_robot
from mimic_description.response import JointResponse
from mimic_identification.excitation import excite, room
from mimic_identification.fit import Fit, fit_response
from mimic_identification.plant import Sensor, measured_record

DEVICES = {  # joint, and what the driver reports: rate, noise, steps, errors of the times
    'iiwa14, 100 Hz': ('iiwa14', 'none', 0, Sensor(100.0, 5e-5, 1e-5, 5e-4, 1e-3)),
    'so101, 200 Hz': ('so101', 'none', 0, Sensor(200.0, 3e-4, 1.534e-3, 5e-4, 1e-3)),
    'leap, 200 Hz': ('none', 'leap', 1, Sensor(200.0, 3e-4, 1.534e-3, 5e-4, 1e-3)),
    'allegro, 333 Hz': ('none', 'allegro', 1, Sensor(333.0, 5e-4, 1.5e-4, 5e-4, 1e-3)),
    'ability, 500 Hz': ('none', 'ability', 0, Sensor(500.0, 1e-3, 8e-4, 5e-4, 1e-3)),
}
MAX_DELAY_ERROR = 3.0  # [ms] 95th percentile
MAX_LAG_ERROR = 1.0  # [ms]
MAX_TIME_ERROR = 10.0  # [%]
MAX_BACKLASH_ERROR = 20.0  # [%], of backlashes from 5 mrad
# How much the dynamics add to the delay [s]. A motion up to 10 Hz within an arm's acceleration
# tells short dynamics and a delay apart only as far as their sum goes.
SLOW, FAST = (0.03, 0.15), (0.005, 0.03)


def random_response(
    rng: np.random.Generator, order: int, dynamic: tuple[float, float]
) -> JointResponse:
    """Return a joint: delay to 100 ms, a range of dynamic lags [s], backlash 5 to 40 mrad."""
    lag = float(np.exp(rng.uniform(*np.log(dynamic))))
    damping = float(rng.uniform(0.5, 1.2))
    return JointResponse(
        delay=float(rng.uniform(0.0, 0.1)),
        order=order,
        time_constant=lag if order == 1 else lag / (2.0 * damping),
        damping=1.0 if order == 1 else damping,
        gain=float(rng.uniform(0.95, 1.05)),
        offset=float(rng.uniform(-0.02, 0.02)),
        backlash=float(rng.uniform(0.005, 0.04)) if rng.uniform() < 0.7 else 0.0,
    )


class Errors:
    """What was found against what is true, over many joints."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}
        self.inside = 0
        self.asked = 0

    def add(self, true: JointResponse, fit: Fit) -> None:
        """Count one joint."""
        found = fit.response
        self._put('delay [ms]', 1e3 * abs(found.delay - true.delay))
        self._put('lag [ms]', 1e3 * abs(found.lag - true.lag))
        self._put('bandwidth [%]', 100.0 * abs(found.bandwidth / true.bandwidth - 1.0))
        if found.order == true.order:
            self._put('T [%]', 100.0 * abs(found.time_constant / true.time_constant - 1.0))
        self._put('gain [%]', 100.0 * abs(found.gain / true.gain - 1.0))
        if true.backlash:
            self._put('backlash [%]', 100.0 * abs(found.backlash / true.backlash - 1.0))
        else:
            self._put('backlash where there is none [mrad]', 1e3 * found.backlash)
        self._put('order [1]', float(found.order == true.order))
        for name in ('delay', 'gain', 'offset'):
            error = abs(getattr(found, name) - getattr(true, name))
            self.asked += 1
            self.inside += error <= fit.interval.get(name, 0.0)

    def _put(self, name: str, value: float) -> None:
        self.values.setdefault(name, []).append(value)

    def p95(self, name: str) -> float:
        """Return the 95th percentile of an error."""
        return float(np.percentile(self.values[name], 95))


def run(options: Options) -> list[Row]:
    """Fit joints of known response through the sensors of our devices."""
    rng = np.random.default_rng(options.seed)
    count = 4 if options.quick else 25
    rows: list[Row] = []
    durations: list[float] = []
    total, fast = Errors(), Errors()
    for name, (arm, hand, joint, sensor) in DEVICES.items():
        robot = load_robot(arm, hand)
        start = float(robot.home[joint])
        motion = excite(robot.limits, joint, start, *room(robot.limits, joint, start))
        path = motion.times, motion.positions
        rows.append(info(f'{name}: test motion', motion.duration, 's'))
        errors = Errors()
        for number in range(count):
            true = random_response(rng, 1 + number % 2, SLOW)
            begin = time.thread_time()
            fit = fit_response(measured_record(true, *path, sensor, rng))
            durations.append(time.thread_time() - begin)
            errors.add(true, fit)
            total.add(true, fit)
            true = random_response(rng, 1 + number % 2, FAST)
            fast.add(true, fit_response(measured_record(true, *path, sensor, rng)))
        rows.append(
            at_most(f'{name}: delay, p95', errors.p95('delay [ms]'), 'ms', MAX_DELAY_ERROR)
        )
        rows.append(
            at_most(f'{name}: time constant, p95', errors.p95('T [%]'), '%', MAX_TIME_ERROR)
        )
        rows.append(at_most(f'{name}: backlash, p95', errors.p95('backlash [%]'), '%',
                            MAX_BACKLASH_ERROR))  # fmt: skip
        rows.append(at_most(f'{name}: lag, p95', errors.p95('lag [ms]'), 'ms', MAX_LAG_ERROR))
        rows.append(info(f'{name}: gain, p95', errors.p95('gain [%]'), '%'))
        none = errors.values.get('backlash where there is none [mrad]')
        if none:
            rows.append(info(f'{name}: backlash where there is none, most', max(none), 'mrad'))
    rows.append(info('order found', 100.0 * float(np.mean(total.values['order [1]'])), '%'))
    rows.append(at_most('bandwidth, p95', total.p95('bandwidth [%]'), '%', MAX_TIME_ERROR))
    share = 100.0 * total.inside / total.asked
    rows.append(at_least('truth inside the 95 % interval (delay, gain, offset)', share, '%', 80.0))
    rows.append(at_most('fast joints: lag, p95', fast.p95('lag [ms]'), 'ms', MAX_LAG_ERROR))
    rows.append(info('fast joints: delay, median', np.median(fast.values['delay [ms]']), 'ms'))
    rows.append(info('fast joints: delay, p95', fast.p95('delay [ms]'), 'ms'))
    rows.append(at_most('fast joints: backlash, p95', fast.p95('backlash [%]'), '%',
                        MAX_BACKLASH_ERROR))  # fmt: skip
    rows += timings('fit of a joint, processor time', durations)
    return rows
