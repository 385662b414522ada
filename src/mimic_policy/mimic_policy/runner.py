"""A policy that runs: looks, predicts, follows, and says why where it does not."""

from typing import Final

import numpy as np

from mimic_core.errors import MimicError, StaleInputError
from mimic_core.policy_run import NOT_ENABLED, Counts, State, Tick
from mimic_description import RobotModel
from mimic_policy.execution import Executor
from mimic_policy.execution_params import ExecutionParams
from mimic_policy.meta import PolicyMeta
from mimic_policy.observation import Observer
from mimic_policy.predictor import Predictor

STALE_AFTER: Final = 1.5  # [1] commands' periods between two commands that make a gap


class Runner:
    """Joins observer, predictor and executor. Call `tick` at the rate of commands.

    Times are in seconds of the clock that stamps the pictures.
    """

    def __init__(
        self, robot: RobotModel, meta: PolicyMeta, params: ExecutionParams, predictor: Predictor
    ) -> None:
        """Args: predictor: of the policy that `meta` is of."""
        self.robot: Final = robot
        self.params: Final = params
        self.executor: Final = Executor(robot, params, meta.fps, meta.frame)
        self.observer: Final = Observer(robot, meta, params, self.executor.ik)
        self._predictor = predictor
        self.counts = Counts()
        self._running = False
        self._state = State.IDLE
        self._looked_at = -np.inf  # [s] stamp of the last observation that was used
        self._begun = -np.inf  # [s] of the last prediction
        self._asked = False  # the prediction under way is of this run
        self._commanded: float | None = None  # [s] of the last command of this motion
        self._now = -np.inf  # [s] of the last tick

    @property
    def running(self) -> bool:
        """It was started and not stopped since."""
        return self._running

    @property
    def over(self) -> str | None:
        """Never by itself: the task of a diffusion policy has no end."""
        return None

    def start(self, now: float) -> None:
        """Begin to look and to follow."""
        self._forget()
        self.counts = Counts()
        self._running, self._state = True, State.RUNNING
        self._now = now

    def stop(self) -> None:
        """Command nothing any more."""
        self._running, self._state = False, State.IDLE
        self._forget()

    def tick(self, now: float, driving: bool = True, enabled: bool = True) -> Tick:
        """Return what to command now.

        Args:
            now: [s].
            driving: The gate listens; else a person drives, and what was predicted before the
                hand-back is not followed.
            enabled: The gate does not wait for control/enable; else it is as with a person.
        """
        if now < self._now:  # the clock was set back
            self._forget()
        self._now = now
        self._collect(now)
        if not self._running:
            return Tick(None, State.IDLE, '')
        if not driving:
            self._forget()
            return self._to(State.PERSON, '')
        if not enabled:
            self._forget()
            return self._to(State.HOLD, NOT_ENABLED)
        try:
            self.observer.check(now)
            q = self.observer.begin(now)
            self._look(now)
        except StaleInputError as error:
            self.executor.stand()
            return self._to(State.HOLD, str(error))
        step = self.executor.step(now, q)
        if step.q is None:
            return self._to(State.HOLD, step.reason)
        counts = self.counts
        counts.age = step.age
        counts.commands += 1
        period = STALE_AFTER / self.params.rate
        counts.gaps += self._commanded is not None and now - self._commanded > period
        self._commanded = now
        self._state = State.RUNNING
        command = step.command(self.robot.joint_names, now)
        return Tick(step.q, State.RUNNING, '', command)

    def _to(self, state: State, reason: str) -> Tick:
        self.counts.holds += state == State.HOLD and self._state == State.RUNNING
        self._state, self._commanded = state, None
        return Tick(None, state, reason)

    def _look(self, now: float) -> None:
        """Begin the next prediction when it is time and there is a newer picture."""
        if self._predictor.busy or now - self._begun < self.params.replan_period - 1e-6:
            return
        if self.observer.newest() == self._looked_at:
            return
        try:
            observation, stamp = self.observer.look()
        except MimicError as error:  # a gap in the pictures, or one that is none
            self.executor.refuse(str(error))  # until then the last chunk lasts
            return
        self._looked_at, self._begun, self._asked = stamp, now, True
        self._predictor.submit(observation, stamp, now)

    def _forget(self) -> None:
        self.executor.reset()
        self._asked, self._commanded = False, None
        self._looked_at = self._begun = -np.inf

    def _collect(self, now: float) -> None:
        result = self._predictor.collect(now)
        if result is None or not self._asked:
            return
        counts = self.counts
        counts.inference = result.duration
        if result.rows is None:
            refusal = self.executor.refuse(result.failure)
        else:
            refusal = self.executor.add(result.rows, result.stamp, now)
        counts.latency = now - result.stamp
        counts.chunks += not refusal
        counts.refused += bool(refusal)
        if refusal:
            self._begun = -np.inf  # the next picture may lead to a better one
