"""Predictions beside execution: in a thread, or with a modelled delay."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.errors import MimicError
from mimic_core.process import run_ordinarily
from mimic_policy.interface import Observation, Policy
from mimic_policy.meta import AGENT, WRIST

# After commands and before pictures: it holds Python's lock now and then, and who is made to wait
# for its turn with it makes the commands of its process wait too.
_NICE: Final = -10


@dataclass(frozen=True)
class Prediction:
    """What became of one observation."""

    stamp: float  # [s] of its newest picture
    rows: FloatArray | None  # (T, 6 + J); None: it failed
    failure: str  # why; '' when it did not
    duration: float  # [s] that it took


class Predictor(Protocol):
    """Works on one observation at a time."""

    @property
    def busy(self) -> bool:
        """It works on an observation, or its result was not collected yet."""

    def submit(self, observation: Observation, stamp: float, now: float) -> None:
        """Begin with an observation; only when it is not busy."""

    def collect(self, now: float) -> Prediction | None:
        """Return the result that has become ready, once."""

    def close(self) -> None:
        """Leave what is under way."""


class ThreadPredictor:
    """Predicts in a thread of its own; what it did not expect is raised by `collect`."""

    def __init__(self, policy: Policy, rng: np.random.Generator) -> None:
        self._policy, self._rng = policy, rng
        self._thread = ThreadPoolExecutor(
            1, thread_name_prefix='policy', initializer=run_ordinarily, initargs=(_NICE,)
        )
        self._result: Future[Prediction] | None = None

    @property
    def busy(self) -> bool:
        """It works on an observation, or its result was not collected yet."""
        return self._result is not None

    def submit(self, observation: Observation, stamp: float, now: float) -> None:
        """Begin with an observation."""
        self._result = self._thread.submit(predict, self._policy, observation, stamp, self._rng)

    def collect(self, now: float) -> Prediction | None:
        """Return the result that has become ready, once."""
        if self._result is None or not self._result.done():
            return None
        result, self._result = self._result, None
        return result.result()

    def close(self) -> None:
        """End the thread; a prediction that is under way is waited for only when Python ends."""
        self._thread.shutdown(wait=False)


class ModelledPredictor:
    """Predicts at once and keeps the result back as long as a prediction takes."""

    def __init__(self, policy: Policy, rng: np.random.Generator, delay: float) -> None:
        """Args: delay: of the modelled prediction [s]."""
        self._policy, self._rng = policy, rng
        self._delay: Final = delay
        self._due: tuple[float, Prediction] | None = None

    @property
    def busy(self) -> bool:
        """A result is kept back."""
        return self._due is not None

    def submit(self, observation: Observation, stamp: float, now: float) -> None:
        """Predict."""
        result = predict(self._policy, observation, stamp, self._rng)
        self._due = now + self._delay, result

    def collect(self, now: float) -> Prediction | None:
        """Return the result when it is due, once."""
        if self._due is None or now < self._due[0] - 1e-9:
            return None
        (_, result), self._due = self._due, None
        return result

    def close(self) -> None:
        """Leave what is under way."""
        self._due = None


def warm_up(policy: Policy) -> float:
    """Predict from nothing, since the first time is slow; returns what a later one takes [s]."""
    meta = policy.meta
    views = {
        name: np.zeros((meta.observation_steps, *size, 3), np.uint8)
        for name, size in meta.cameras.items()
    }
    state = np.zeros((meta.observation_steps, 7 + len(meta.joint_names)))
    state[:, 6] = 1.0  # of a quaternion of no rotation
    observation = Observation(views[AGENT], views.get(WRIST), state)
    predict(policy, observation, 0.0, np.random.default_rng(0))
    return predict(policy, observation, 0.0, np.random.default_rng(0)).duration


def predict(
    policy: Policy, observation: Observation, stamp: float, rng: np.random.Generator
) -> Prediction:
    """Return what a policy makes of an observation; a failure is told, not raised.

    What is no failure but a mistake in the code is raised as it is.
    """
    begin = time.perf_counter()
    rows, failure = None, ''
    try:
        rows = policy.predict(observation, rng)
    except MimicError as error:
        failure = str(error)
    except (RuntimeError, MemoryError) as error:  # torch's accelerator is gone, or memory is full
        failure = f'the network failed: {str(error) or "out of memory"}'
    return Prediction(stamp, rows, failure, time.perf_counter() - begin)
