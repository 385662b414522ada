"""Chunks of actions to joint commands: spliced by time, averaged by age, held when in doubt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from mimic_core.arrays import FloatArray, checked
from mimic_core.command import NamedPositions
from mimic_core.errors import MimicError, ShapeError
from mimic_core.frames import transform
from mimic_dataset.arrays import ACTION_POSE
from mimic_description import RobotModel
from mimic_policy.execution_params import ExecutionParams
from mimic_retargeting import ArmIK

LEAST_WEIGHT: Final = 0.01  # [1] of the newest chunk's, below which a chunk is forgotten
REACHED: Final = 0.02  # [m] from a position that counts as reached
SEARCHES: Final = 4  # for a posture that reaches a position
ANY_TURN: Final = 4.0  # [rad] more than any rotation: the orientation does not count
PAUSE: Final = 0.5  # [s] of holding after the arm could not follow
STRIDE: Final = 2  # [commands] between the points ahead of one
STEEPEST: Final = 1.5  # [1] slope of the way from where a motion begins to the chunks' path
LEVER: Final = 0.3  # [m] a turn of 1 rad is a way of so much
MAX_DT: Final = 0.1  # [s] after a longer gap the arm goes on as after this one
_QUATERNION: Final = slice(3, 7)  # columns of what a chunk says
_JOINTS: Final = slice(7, None)


@dataclass(frozen=True)
class Path:
    """Where palm and fingers should be at K moments."""

    position: FloatArray  # (K, 3) of the palm in base_link [m]
    rotation: Rotation  # K of it
    joints: FloatArray  # (K, J of the hand) [rad] or [m]

    @property
    def poses(self) -> FloatArray:
        """(K, 4, 4) of the palm in base_link."""
        poses = np.tile(np.eye(4), (len(self.position), 1, 1))
        poses[:, :3, :3], poses[:, :3, 3] = self.rotation.as_matrix(), self.position
        return poses

    def towards(self, other: 'Path', share: FloatArray) -> 'Path':
        """Return the path on the way to another, share (K,) [1] from 0 to 1."""
        part = share[:, None]
        turn = (self.rotation.inv() * other.rotation).as_rotvec()
        return Path(
            (1.0 - part) * self.position + part * other.position,
            self.rotation * Rotation.from_rotvec(part * turn),
            (1.0 - part) * self.joints + part * other.joints,
        )


class Chunk:
    """Actions over time: row i is for i / fps after the observation."""

    def __init__(self, rows: FloatArray, stamp: float, fps: float) -> None:
        """Check and keep.

        Args:
            rows: (T, 6 + J) palm position [m], axis-angle [rad], hand joints.
            stamp: Of the newest picture of the observation [s].
            fps: Rows a second [Hz].

        Raises:
            ShapeError: Not such an array.
            NotFiniteError: NaN or infinity.
        """
        rows = checked(rows, (None, None), 'chunk')
        if len(rows) < 2 or rows.shape[1] < ACTION_POSE:
            raise ShapeError(f'a chunk of {rows.shape} holds no path')
        self.stamp: Final = stamp
        self.end: Final = stamp + (len(rows) - 1) / fps  # time of the last row [s]
        quaternions = Rotation.from_rotvec(rows[:, 3:ACTION_POSE]).as_quat()
        # Of q and -q, one rotation, the one that is nearer to that of the row before.
        turned = np.sum(quaternions[1:] * quaternions[:-1], axis=1) < 0.0
        quaternions[1:] *= np.where(np.cumsum(turned) % 2, -1.0, 1.0)[:, None]
        self._rows = np.hstack([rows[:, :3], quaternions, rows[:, ACTION_POSE:]])
        self._fps = fps

    def at(self, times: FloatArray) -> FloatArray:
        """Return (K, 3 + 4 + J) what it says for times (K,) [s]; held before and after its rows.

        Between two rows all is linear, the quaternion too (not of unit length there: a tenth of a
        second apart, its direction is within 0.1° of the arc for turns up to 3 rad/s).
        """
        last = len(self._rows) - 1
        u = np.clip((times - self.stamp) * self._fps, 0.0, last)
        i = np.minimum(u.astype(np.int64), last - 1)
        share = (u - i)[:, None]
        between: FloatArray = (1.0 - share) * self._rows[i] + share * self._rows[i + 1]
        return between


def mean_path(said: FloatArray, weights: FloatArray) -> Path:
    """Return the weighted mean; that of rotations is the one nearest to all of them.

    Source of the rotation: Markley et al. 2007, Averaging Quaternions, equation 12.

    Args:
        said: (C, K, 3 + 4 + J) of C chunks.
        weights: (C,) of them.
    """
    share = weights / weights.sum()
    mean = np.tensordot(share, said, 1)
    quaternions = said[:, :, _QUATERNION]
    unit = quaternions / np.linalg.norm(quaternions, axis=2, keepdims=True)
    products = np.einsum('c,cki,ckj->kij', share, unit, unit)
    nearest = np.linalg.eigh(products)[1][:, :, -1]
    return Path(mean[:, :3], Rotation.from_quat(nearest), mean[:, _JOINTS])


@dataclass(frozen=True)
class Beginning:
    """Where a motion begins, and how it comes to the chunks' path."""

    time: float  # [s]
    here: Path  # of that one moment
    duration: float  # [s] until it is on the chunks' path

    def share(self, times: FloatArray) -> FloatArray:
        """Return (K,) how much of the chunks' path [1] counts at times (K,) [s]."""
        t = np.clip((times - self.time) / max(self.duration, 1e-6), 0.0, 1.0)
        return t * t * (3.0 - 2.0 * t)


@dataclass(frozen=True)
class Step:
    """What to command now."""

    q: FloatArray | None  # (J,) arm and hand [rad] or [m]; None: nothing, hold
    reason: str  # why there is none; '' when there is one
    age: float = np.nan  # [s] of the newest observation that is followed
    ahead: tuple[FloatArray, FloatArray] | None = None  # (K, J) at (K,) times from now [s]

    def command(self, names: Sequence[str], now: float) -> NamedPositions | None:
        """Return what the gate gets: the way ahead, or the one point without it."""
        if self.q is None:
            return None
        if self.ahead is None:
            return NamedPositions.single(names, self.q, now)
        return NamedPositions(tuple(names), *self.ahead, now)


class Executor:
    """Follows chunks; never raises in `step`: what is wrong is said in the reason.

    Times are in seconds of any one clock.
    """

    def __init__(
        self, robot: RobotModel, params: ExecutionParams, fps: float, frame: str | None = None
    ) -> None:
        """Prepare.

        Args:
            robot: With an arm.
            params: Times, weights, bounds.
            fps: Rows of a chunk a second [Hz].
            frame: Whose pose actions hold; palm, or flange without a hand, if None.

        Raises:
            ConfigError: The robot has no arm.
            UnknownFrameError: It has no such frame.
        """
        self.robot: Final = robot
        self.params: Final = params
        self.ik: Final = ArmIK(robot, frame)
        self._ik_ahead: Final = ArmIK(robot, frame)
        period = 1.0 / params.rate
        count = int(params.preview * params.rate / STRIDE)
        steps = 1.0 + STRIDE * np.arange(count)
        self._ahead: Final[FloatArray] = np.asarray(period * steps, np.float64)  # [s] from now
        self._fps = fps
        self._arms = len(robot.arm_joints)
        self._hand_limits = robot.limits.select(list(range(self._arms, len(robot.limits))))
        self._chunks: list[tuple[Chunk, float]] = []  # with the time of arrival [s], in order
        self._q = robot.home.copy()  # last command
        self._begin: Beginning | None = None  # of this motion
        self._last = 0.0  # [s] of the last command
        self._last_end = -np.inf  # [s] of all chunks so far
        self._refused = ''  # why the last chunk was
        self._behind = (-np.inf, '')  # until when [s] to rest because the arm could not follow

    def reset(self) -> None:
        """Forget every chunk; the next motion begins anew."""
        self._chunks.clear()
        self._begin = None
        self._last_end, self._refused, self._behind = -np.inf, '', (-np.inf, '')

    def stand(self) -> None:
        """Begin anew at the next step; chunks stay."""
        self._begin = None

    @property
    def following(self) -> bool:
        """The last step gave a command."""
        return self._begin is not None

    def add(self, rows: FloatArray, stamp: float, now: float) -> str:
        """Take a chunk; returns '' or why it is not followed.

        Args:
            rows: (T, 6 + J) as `Chunk`.
            stamp: Of the newest picture of the observation [s].
            now: [s].
        """
        self._refused = self._refusal(rows, stamp, now)
        return self._refused

    def refuse(self, reason: str) -> str:
        """Take that there is no chunk, and why; returns the reason."""
        self._refused = reason
        return reason

    def _refusal(self, rows: FloatArray, stamp: float, now: float) -> str:
        width = ACTION_POSE + len(self._hand_limits)
        try:
            chunk = Chunk(checked(rows, (None, width), 'chunk'), stamp, self._fps)
        except MimicError as error:
            return f'the policy gave no path: {error}'
        if self._chunks and stamp <= self._chunks[-1][0].stamp:
            return 'a chunk is older than the last one'
        if now >= chunk.end:
            return f'inference is late: the chunk ended {now - chunk.end:.2f} s ago'
        last = min(chunk.end, stamp + self.params.max_age)
        for row in chunk.at(np.array([max(now, stamp), last])):
            if why := self._out_of_reach(row[:3]):
                return why
        if self._alive(now) is None:
            self.stand()
        self._chunks.append((chunk, now))
        self._last_end = max(self._last_end, chunk.end)
        return ''

    def _out_of_reach(self, position: FloatArray) -> str:
        target = transform(np.eye(3), position)
        found = self.ik.solve(
            target, self._q[: self._arms], max_starts=SEARCHES, position_tolerance=REACHED,
            rotation_tolerance=ANY_TURN,
        )  # fmt: skip
        if found.position_error <= REACHED:
            return ''
        place = ', '.join(f'{x:.2f}' for x in position)
        return f'the pose at ({place}) m is out of reach by {found.position_error:.2f} m'

    def step(self, now: float, q: FloatArray) -> Step:
        """Return the command for this moment.

        Args:
            now: [s].
            q: (J,) where a motion begins: the arm as measured, the hand as the gate sent it.
        """
        newest = self._alive(now)
        if newest is None:
            return self._hold(self._refused or self._ended(now))
        age = now - newest.stamp
        if age > self.params.max_age:
            late = f'inference is late: {age:.2f} s (bound {self.params.max_age:g} s)'
            return self._hold(self._refused or late)
        if now < self._behind[0]:
            return self._hold(self._behind[1])
        if self._begin is None:
            self._start(now, q)
        if why := self._lags(q):
            return self._rest(now, why)
        return self._go(now, age)

    def _lags(self, q: FloatArray) -> str:
        """Return why the robot does not do what it is told, '' when it does."""
        lead = np.abs(self._q - q)[: self._arms]
        worst = int(np.argmax(lead))
        if lead[worst] <= self.params.max_lead:
            return ''
        return (
            f'{self.robot.joint_names[worst]} is {lead[worst]:.2f} behind its command '
            f'(bound {self.params.max_lead:g})'
        )

    def _ended(self, now: float) -> str:
        if np.isinf(self._last_end):
            return 'waiting for the first chunk'
        return f'inference is late: the last chunk ended {now - self._last_end:.2f} s ago'

    def _alive(self, now: float) -> Chunk | None:
        """Forget what is over or counts no more; return the newest chunk."""
        if not self._chunks:
            return None
        coming = self._chunks[-1:-3:-1]  # the newest, and the one whose place it takes
        spliced = not self.following or now - coming[0][1] >= self.params.splice_time
        self._chunks = [
            (chunk, arrival)
            for chunk, arrival in self._chunks
            if chunk.end > now
            and (self._weight(chunk) >= LEAST_WEIGHT or (not spliced and chunk is coming[-1][0]))
        ]
        return self._chunks[-1][0] if self._chunks else None

    def _weight(self, chunk: Chunk) -> float:
        """Return the weight [1] of a chunk against the newest one, by its age."""
        rows = (self._chunks[-1][0].stamp - chunk.stamp) * self._fps
        return float(self.params.ensemble_weight**rows)

    def _ensemble(self, now: float, times: FloatArray) -> Path:
        """Return the mean of what the chunks of now say for times (K,) [s].

        A chunk comes and goes by and by, so no step is larger than those of the chunks.
        """
        splice = max(self.params.splice_time, 1e-6)
        shares = [
            min(max(min(now - arrival, chunk.end - now) / splice, 1e-6), 1.0)
            for chunk, arrival in self._chunks
        ]
        ages = [self._weight(chunk) for chunk, _ in self._chunks]
        if len(ages) == 2 and ages[0] < LEAST_WEIGHT:  # counts no more: goes as the newest comes
            ages[0] = 1.0 - shares[1]
        weights = np.array(ages) * np.array(shares)
        said = np.array([chunk.at(times + self.params.lead) for chunk, _ in self._chunks])
        return mean_path(said, weights)

    def _start(self, now: float, q: FloatArray) -> None:
        self._q = self.robot.limits.clip(q)
        pose = self.ik.pose(self._q[: self._arms])[None]
        here = Path(
            pose[:, :3, 3], Rotation.from_matrix(pose[:, :3, :3]), self._q[None, self._arms :]
        )
        there = self._ensemble(now, np.array([now]))
        turn = float((here.rotation.inv() * there.rotation).magnitude()[0])
        way = max(float(np.linalg.norm(there.position - here.position)), LEVER * turn)
        duration = max(self.params.start_time, STEEPEST * way / self.params.start_speed)
        self._begin, self._last = Beginning(now, here, duration), now
        self.ik.reset()

    def _wanted(self, now: float, times: FloatArray) -> Path:
        """Return where to be at times (K,) [s]: the chunks' path, or on the way to it."""
        assert self._begin is not None
        target, share = self._ensemble(now, times), self._begin.share(times)
        return target if share[0] == 1.0 else self._begin.here.towards(target, share)

    def _go(self, now: float, age: float) -> Step:
        """Return the joints of now and those of the way ahead."""
        wanted = self._wanted(now, now + np.concatenate([[0.0], self._ahead]))
        poses, fingers = wanted.poses, self._hand_limits.clip(wanted.joints)
        dt = min(now - self._last, MAX_DT)
        if dt > 0.0:
            result = self.ik.step(self._q[: self._arms], poses[0], dt)
            if result.position_error > self.params.max_lag:
                far = f'{result.position_error:.2f} m behind (bound {self.params.max_lag:g} m)'
                return self._rest(now, f'the arm cannot follow: {far}')
            self._q = np.concatenate([result.q, fingers[0]])
        self._last = now
        return Step(self._q.copy(), '', age, self._way_ahead(poses[1:], fingers[1:]))

    def _way_ahead(
        self, poses: FloatArray, fingers: FloatArray
    ) -> tuple[FloatArray, FloatArray] | None:
        """Return (K, J) joints at (K,) times from now [s], so that the gate sees turns coming.

        Args:
            poses: (K, 4, 4) of the palm at these times.
            fingers: (K, J of the hand) [rad] or [m].
        """
        if len(self._ahead) == 0:
            return None
        self._ik_ahead.reset(self.ik.speed)
        q, arms = self._q[: self._arms], []
        for dt, pose in zip(np.diff(self._ahead, prepend=0.0), poses, strict=True):
            q = self._ik_ahead.step(q, pose, float(dt)).q
            arms.append(q)
        return np.hstack([np.array(arms), fingers]), self._ahead

    def _rest(self, now: float, why: str) -> Step:
        self._behind = now + PAUSE, why
        return self._hold(why)

    def _hold(self, reason: str) -> Step:
        self._begin = None
        return Step(None, reason)
