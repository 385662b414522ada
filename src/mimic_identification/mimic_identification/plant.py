"""A joint of known response, as its driver would report it: for tests and benchmarks."""

from dataclasses import dataclass

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_description.response import JointResponse
from mimic_identification.record import JointRecord, make_record
from mimic_identification.simulation import simulate


@dataclass(frozen=True)
class Sensor:
    """How a driver reports positions."""

    rate: float = 200.0  # [Hz]
    noise: float = 0.0  # [rad] or [m] standard deviation
    resolution: float = 0.0  # [rad] or [m] step of the encoder, 0: none
    stamp_jitter: float = 0.0  # [s] largest error of a stamp
    command_jitter: float = 0.0  # [s] largest error of the time of a command


def measured_record(
    response: JointResponse,
    knots: FloatArray,
    targets: FloatArray,
    sensor: Sensor,
    rng: np.random.Generator,
    name: str = 'joint',
) -> JointRecord:
    """Return what would be recorded of a joint that rests, then follows commands.

    Args:
        response: Of the joint.
        knots: (K,) [s] of the commands.
        targets: (K,) [rad] or [m].
        sensor: Of the joint.
        rng: Of noise and jitter.
        name: Of the joint.
    """
    count = int((knots[-1] - knots[0]) * sensor.rate)
    true = knots[0] + (np.arange(count) + rng.uniform()) / sensor.rate
    q = simulate(response, knots, targets, true)
    q = q + sensor.noise * rng.normal(size=count)
    if sensor.resolution:
        q = np.round(q / sensor.resolution) * sensor.resolution
    stamps = true + sensor.stamp_jitter * rng.uniform(-1.0, 1.0, count)
    received = knots + sensor.command_jitter * rng.uniform(-1.0, 1.0, len(knots))
    return make_record(name, np.maximum.accumulate(received), targets,
                       np.maximum.accumulate(stamps), q)  # fmt: skip
