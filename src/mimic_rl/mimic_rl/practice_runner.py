"""A practised policy that runs: goes beside the object, follows the policy, or says why not."""

import enum
import time
from collections.abc import Iterable
from typing import Final, Protocol

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.command import NamedPositions
from mimic_core.errors import LimitError, MimicError, StaleInputError
from mimic_core.frames import PALM
from mimic_core.joint_history import JointHistory
from mimic_core.policy_run import NOT_ENABLED, Counts, State, Tick
from mimic_description import RobotModel
from mimic_object_tracking.symmetry import Symmetry
from mimic_retargeting import ArmIK
from mimic_rl.approach import Way, way_to_start
from mimic_rl.motion import curve
from mimic_rl.run_folder import PracticeRun
from mimic_rl.runner_params import PracticeRunnerParams
from mimic_rl.sighting import Sightings, names_of
from mimic_rl.surroundings import Surroundings

KEPT: Final = 1.0  # [s] of joint states
SPEED_WINDOW: Final = 0.03  # [s] over which speeds of joints are measured
EARLY: Final = 1e-3  # [s] by which a tick may come before its time
AHEAD: Final = 0.1  # [s] by which a stamp may be ahead of the clock
MOVED: Final = 0.03  # [m] of the anchors, after which the start is sought anew
TILTED: Final = 0.08  # [m] of the anchors: about 35 degrees, the object lies otherwise
PAUSE: Final = 0.5  # [s] before a start is sought again
SETTLE: Final = 3.0  # [s] in which the arm arrives at the start
STALE_AFTER: Final = 1.5  # [1] commands' periods between two commands that make a gap


class Learned(Protocol):
    """What `PracticePolicy` offers."""

    @property
    def robot(self) -> RobotModel:
        """Whom it drives."""

    @property
    def run(self) -> PracticeRun:
        """What was practised."""

    @property
    def rate(self) -> float:
        """Of its steps [Hz]."""

    @property
    def max_distance(self) -> float:
        """Of the object from its target, at which practice gave up [m]."""

    @property
    def done(self) -> bool:
        """It has come to its end."""

    @property
    def target(self) -> FloatArray:
        """(7,) where the object should be next."""

    def start_beside(self, world_object: FloatArray) -> FloatArray:
        """Return (J,) the posture from which to begin."""

    def tilt(self, world_object: FloatArray) -> float:
        """Return how far the anchors are off, but for place and turn on the table [m]."""

    def beyond_starts(self, world_object: FloatArray, margin: float, turn_margin: float) -> str:
        """Return how an object is beyond the starts of practice and margins, '' if it is not."""

    def reset(self, q: FloatArray) -> None:
        """Begin at (J,) joints."""

    def step(self, q: FloatArray, speed: FloatArray, world_object: FloatArray) -> FloatArray:
        """Return (J,) joint targets."""


class Phase(enum.Enum):
    """How far a run is."""

    SEEK = enum.auto()  # where to begin
    APPROACH = enum.auto()
    FOLLOW = enum.auto()  # the policy decides


class PracticeRunner:
    """Call `tick` at the rate of commands; it never raises there. J joints of the robot.

    Times are in seconds of the clock that stamps the pictures.
    """

    def __init__(
        self,
        policy: Learned,
        symmetry: Symmetry,
        params: PracticeRunnerParams,
        prefix: str = '',
    ) -> None:
        """Args: symmetry: which turns of the object look the same; prefix: of joint names."""
        self.robot: Final = policy.robot
        self.params: Final = params
        self.names: Final = names_of(policy.run)  # of the object
        self.joint_names: Final = tuple(prefix + name for name in self.robot.joint_names)
        self.history: Final = JointHistory(self.joint_names, KEPT)
        self.counts = Counts()
        self.phase = Phase.SEEK
        self._policy = policy
        self._ik = ArmIK(self.robot, PALM)
        self._around = Surroundings(policy.run, self.robot)
        self._arm = len(self.robot.arm_joints)
        self._sightings = Sightings(symmetry, policy.run.anchors, params.max_object_age)
        self._shown = policy.run.trajectory[0]
        self._stamp = -np.inf  # [s] of the pose on which it acts
        self._unseen = ''  # why the object is not seen, if that is known
        self._running, self._state = False, State.IDLE
        self._over: str | None = None
        self._last_words = ''  # why it is over, also after a good end
        self._now = -np.inf  # [s] of the last tick
        self._commanded: float | None = None  # [s] of the last command of this motion
        self._lost: FloatArray | None = None  # (7,) where the object was lost
        self._rest = (-np.inf, '')  # until when [s] no start is sought, and why
        self._way: Way | None = None
        self._begun = 0.0  # [s] of the way, or of the policy's present step
        self._place = self._shown  # (7,) of the object for which the way was made
        # (J,) targets of the last two steps and of the present one
        self._before = self._from = self._to = self.robot.home
        self._q = self.robot.home  # (J,) last command

    @property
    def running(self) -> bool:
        """It was started and not stopped since."""
        return self._running

    @property
    def over(self) -> str | None:
        """Why the run should end: '' at the end of the policy; None while it goes on."""
        return self._over

    def start(self, now: float) -> None:
        """Begin: go to the start beside the object, then let the policy decide."""
        self.counts = Counts()
        self._running, self._state, self._over = True, State.RUNNING, None
        self._anew()
        self._now = now

    def stop(self) -> None:
        """Command nothing any more."""
        self._running, self._state, self._over = False, State.IDLE, None
        self._anew()

    def see(self, base_T_object: FloatArray, stamp: float) -> None:
        """Take a pose of the object (4, 4) in base_link, of a picture at a time [s].

        Raises:
            ShapeError, NotFiniteError, StaleInputError: See `Sightings.add`.
        """
        following = self.phase is Phase.FOLLOW
        self._sightings.add(base_T_object, stamp, None if following else self._shown)
        self._unseen = ''

    def see_others(self, names: Iterable[str]) -> None:
        """Take that a picture showed other things."""
        found = ', '.join(sorted(names))
        self._unseen = f'seen: {found}' if found else ''

    def unlocated(self, why: str) -> None:
        """Take that it is not known where the object is though it is seen, and why."""
        self._unseen = why

    def tick(self, now: float, driving: bool = True, enabled: bool = True) -> Tick:
        """Return what to command now.

        Args:
            now: [s].
            driving: The gate listens; else a person drives, and the run begins anew after it.
            enabled: The gate does not wait for control/enable; else the run stands, and goes on
                from where the robot is then.
        """
        if now < self._now:  # the clock was set back
            self._sightings.clear()
            self.history.clear()
            self._anew()
        self._now = now
        if not self._running:
            return Tick(None, State.IDLE, '')
        if self._over is not None:
            return self._nothing(State.HOLD, self._last_words)
        if not driving:
            self._anew()
            return self._nothing(State.PERSON, '')
        if not enabled:
            return self._nothing(State.HOLD, NOT_ENABLED)
        try:
            q = self.history.latest(now, self.params.max_state_age)
            pose = self._object(now)
            self._q = self._wanted(now, q, pose)
            command = NamedPositions.single(self.joint_names, self._q, now)
        except MimicError as error:
            return self._nothing(State.HOLD, str(error))
        counts = self.counts
        counts.age = now - self._stamp
        counts.commands += 1
        counts.gaps += (
            self._commanded is not None and now - self._commanded > STALE_AFTER / self.params.rate
        )
        self._commanded = now
        self._state = State.RUNNING
        return Tick(self._q.copy(), State.RUNNING, '', command)

    # --- inside --------------------------------------------------------------------------------

    def _anew(self) -> None:
        self.phase, self._way, self._lost = Phase.SEEK, None, None
        self._rest, self._commanded = (-np.inf, ''), None

    def _nothing(self, state: State, reason: str) -> Tick:
        began = state == State.HOLD and self._state == State.RUNNING
        self.counts.holds += began and self._over is None
        self._state, self._commanded = state, None
        if self.phase is Phase.APPROACH:
            self.phase = Phase.SEEK  # from where the robot is then
        elif self.phase is Phase.FOLLOW:
            self._from, self._begun = self._q, -np.inf  # the next step begins at once
        return Tick(None, state, reason)

    def _end(self, reason: str, words: str = '') -> MimicError:
        self._over, self._last_words = reason, words or reason
        return LimitError(self._last_words)

    def _object(self, now: float) -> FloatArray:
        """Return (7,) the pose of the object.

        While the policy decides, that is the one before a jump until the object is seen steadily
        where it jumped to: a tracker may have slipped onto the hand.

        Raises:
            StaleInputError: It was not seen, too long ago, or not long enough since.
            LimitError: It came back, or jumped, somewhere else.
        """
        seen, params = self._sightings, self.params
        thing = f"'{self._policy.run.object.name}'"
        why = f' ({self._unseen})' if self._unseen else ''
        if seen.pose is None:
            raise StaleInputError(f'{thing} was not seen yet{why}')
        if (ahead := seen.stamp - now) > AHEAD:
            raise StaleInputError(f'the stamp of {thing} is {ahead:.2f} s ahead of the clock')
        pose, self._stamp, what = seen.pose, seen.stamp, 'last seen'
        if self.phase is Phase.FOLLOW and self._lost is None and seen.before is not None:
            if seen.steady < params.steady_time:
                (pose, self._stamp), what = seen.before, 'last seen before a jump'
            else:
                self._lost = seen.before[0]
        age = now - self._stamp
        if age > params.max_object_age:
            if self._lost is None:
                self._lost = pose
            raise StaleInputError(
                f'{thing} is lost: {what} {age:.2f} s ago (bound {params.max_object_age:g} s){why}'
            )
        if self.phase is not Phase.FOLLOW:
            self._lost = None
        waits = self.phase is Phase.SEEK or self._lost is not None
        if waits and seen.steady < params.steady_time:
            raise StaleInputError(f'{thing} is not seen steadily yet')
        if self._lost is not None:
            moved = seen.distance(seen.pose, self._lost)
            if moved > params.resume_distance:
                since = 'lost' if seen.before is None else 'before it jumped'
                raise self._end(
                    f'{thing} is {moved:.2f} m from where it was {since} (bound '
                    f'{params.resume_distance:g} m): start again'
                )
            self._lost = None
            seen.believe()
        return pose

    def _wanted(self, now: float, q: FloatArray, pose: FloatArray) -> FloatArray:
        if self.phase is Phase.SEEK:
            self._seek(now, q, pose)
        if self.phase is Phase.APPROACH:
            return self._approach(now, q, pose)
        return self._follow(now, q, pose)

    def _seek(self, now: float, q: FloatArray, pose: FloatArray) -> None:
        """Find the way to the start beside the object.

        Raises:
            LimitError: There is none.
        """
        params, policy = self.params, self._policy
        until, why = self._rest
        if now < until:
            raise LimitError(why)
        thing = f"'{policy.run.object.name}'"
        if policy.tilt(pose) > TILTED:
            raise LimitError(f'{thing} lies otherwise than it was shown')
        if beyond := policy.beyond_starts(pose, params.start_margin, params.start_turn_margin):
            raise LimitError(f'{thing} is where it was not practised: {beyond}')
        self._around.put(pose)
        try:
            self._way = way_to_start(
                self.robot, self._ik, self._around, self.robot.limits.clip(q),
                policy.start_beside(pose), pose[:3], clearance=params.clearance,
                speed=params.approach_speed,
            )  # fmt: skip
        except LimitError as error:
            raise self._pause(now, str(error)) from None
        self._begun, self._place, self.phase = now, pose, Phase.APPROACH
        self._q = self._way.at(0.0)

    def _pause(self, now: float, why: str) -> MimicError:
        self._rest = now + PAUSE, why
        return LimitError(why)

    def _approach(self, now: float, q: FloatArray, pose: FloatArray) -> FloatArray:
        assert self._way is not None
        if self._sightings.distance(pose, self._place) > MOVED:
            raise self._pause(now, f"'{self._policy.run.object.name}' moved: its start too")
        if why := self._lags(q):
            raise self._pause(now, why)
        elapsed = now - self._begun
        if elapsed < self._way.duration:
            return self._way.at(elapsed)
        start = self._way.points[-1]
        off = np.abs(start - q)[: self._arm]
        worst = int(np.argmax(off))
        if off[worst] > self.params.start_tolerance:
            if elapsed > self._way.duration + SETTLE:
                raise self._pause(
                    now, f'{self.joint_names[worst]} stays {off[worst]:.2f} off the start '
                    f'(bound {self.params.start_tolerance:g})'
                )  # fmt: skip
            return start.copy()
        self._policy.reset(start)
        self._sightings.believe()
        self._before = self._from = self._to = start
        self.phase, self._begun = Phase.FOLLOW, -np.inf
        return self._follow(now, q, pose)

    def _lags(self, q: FloatArray) -> str:
        lead = np.abs(self._q - q)[: self._arm]
        worst = int(np.argmax(lead))
        if lead[worst] <= self.params.max_lead:
            return ''
        return (
            f'{self.joint_names[worst]} is {lead[worst]:.2f} off its command '
            f'(bound {self.params.max_lead:g})'
        )

    def _follow(self, now: float, q: FloatArray, pose: FloatArray) -> FloatArray:
        """Return where to be on the way of the policy's present step.

        Raises:
            LimitError: The policy is done, or can no longer do what it learned.
        """
        period = 1.0 / self._policy.rate
        if now - self._begun >= period - EARLY:
            self._decide(now, q, pose)
        share = min((now - self._begun) / period, 1.0)
        return curve(self._before, self._from, self._to, share)

    def _decide(self, now: float, q: FloatArray, pose: FloatArray) -> None:
        policy, period = self._policy, 1.0 / self._policy.rate
        assert self._sightings.pose is not None  # `_object` looked
        far = float(np.linalg.norm(self._sightings.pose[:3] - policy.target[:3]))
        if policy.done:
            thing = policy.run.object.name
            raise self._end('', f"done: '{thing}' is {far:.3f} m from where it should be")
        if why := self._lags(q):
            raise self._end(f'{why}: start again')
        if far > policy.max_distance:
            why = (
                f"'{policy.run.object.name}' is {far:.2f} m from where it should be (bound "
                f'{policy.max_distance:g} m)'
            )
            if self._sightings.steady < self.params.steady_time:  # a pose or two that are wrong
                raise LimitError(why)
            raise self._end(f'{why}: start again')
        began = time.perf_counter()
        wanted = policy.step(q, self.history.speed(SPEED_WINDOW), pose)
        self.counts.inference = time.perf_counter() - began
        if not np.isfinite(wanted).all():
            self.counts.refused += 1
            raise self._end('the policy gave NaN: start again')
        self.counts.chunks += 1
        self.counts.latency = now - self._stamp
        # Steps follow each other without a rest, unless one came much too late.
        late = now - self._begun - period
        fresh = not -EARLY <= late < period
        self._before, self._from = (self._q, self._q) if fresh else (self._from, self._to)
        self._begun = now if fresh else self._begun + period
        self._to = wanted
