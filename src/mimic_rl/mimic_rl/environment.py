"""Practice: B twins side by side, actions in, what policies see and rewards out."""

from dataclasses import dataclass
from typing import Any, Final

import mujoco
import numpy as np

from mimic_core.arrays import BoolArray, FloatArray, IntArray, checked
from mimic_core.errors import ConfigError
from mimic_core.frames import axes_angle
from mimic_rl.follower import Follower
from mimic_rl.motion import Motion
from mimic_rl.observation import Observer
from mimic_rl.params import PracticeParams, RandomisationParams
from mimic_rl.randomisation import ObjectEyes, Physics, object_pose
from mimic_rl.rewards import anchor_distance, place_anchors, rotation_matrices, tracking_reward
from mimic_rl.run_folder import PracticeRun
from mimic_rl.starts import Starts
from mimic_rl.stepper import CONTROL, STATE, make_stepper
from mimic_rl.synergies import Synergies
from mimic_rl.world import World, build_world, overlap

_IMPOSSIBLE: Final = 1e3  # [m], [rad], [m/s], [rad/s]: what only broken physics reaches
_STARTS: Final = 6  # times that a start is drawn if things overlap, the last as it was shown


@dataclass(frozen=True)
class Ended:
    """Episodes that ended in a step."""

    rows: IntArray  # (E,) which environments
    success: BoolArray  # (E,)
    steps: IntArray  # (E,)
    reward: FloatArray  # (E,) sum over the episode
    distance: FloatArray  # (E,) of the object's origin to the last target [m]
    angle: FloatArray  # (E,) between them [rad]


@dataclass(frozen=True)
class Step:
    """What a step gives. Where an episode ended, it is seen from the beginning of the next."""

    actor: FloatArray  # (B, O) for the policy
    critic: FloatArray  # (B, P) for the value: the truth, and the physics
    reward: FloatArray  # (B,)
    done: BoolArray  # (B,)
    ended: Ended


class Practice:
    """B environments of one run. The same seed and actions give the same numbers, bit for bit,
    whatever the number of threads.
    """  # noqa: D205

    def __init__(
        self,
        run: PracticeRun,
        synergies: Synergies,
        *,
        count: int,
        seed: int = 0,
        threads: int = 2,
        physics: str = 'threads',
        params: PracticeParams | None = None,
        randomisation: RandomisationParams | None = None,
    ) -> None:
        """Build the twins and reset all of them.

        Args:
            run: The demonstration.
            synergies: Of its hand.
            count: B.
            seed: Of everything that is random.
            threads: Of the physics.
            physics: What moves it: see make_stepper.
            params: Of the environment.
            randomisation: What varies.

        Raises:
            WrongRobotError: The registry has another robot of that name.
            ConfigError: These physics are not installed, or the reward follows a hand that was
                not shown.
        """
        self.run: Final = run
        self.params: Final = params or PracticeParams()
        self.randomisation: Final = randomisation or RandomisationParams()
        self.robot: Final = run.robot()
        self.rng = np.random.default_rng(seed)
        self.level = 0.0  # of the curriculum, 0 to 1
        self.start_level = 0.0  # of starts, where the curriculum is below it
        self.outside = 0.0  # > 0: physics that practice does not see, see Physics.draw
        timestep = 1.0 / (self.params.control_rate * self.params.substeps)
        self.world: Final[World] = build_world(run, self.robot, timestep)
        self.motion: Final = Motion(self.robot, self.params, synergies, count)
        self.physics: Final = Physics(self.world, count)
        self.eyes: Final = ObjectEyes.of(
            count, self.randomisation.delay, self.randomisation.min_delay
        )
        self.targets, self.demonstration = shown_motion(run, self.params.control_rate)
        self.starts: Final = Starts(run, self.motion, self.params, self.demonstration)
        self.target_anchors: Final = place_anchors(self.targets, run.anchors)  # (T, A, 3)
        self.observer: Final = Observer(self)
        if self.demonstration is not None:  # (T, 1 + F, 3) [m]
            self._shown_points = self.motion.places(self.demonstration).points
        elif self.params.reward == 'hand':
            raise ConfigError(
                "reward = 'hand' follows the hand that was shown, and this run shows only how the "
                'object moved: prepare it from a video, or choose another reward'
            )
        self.length: Final = len(self.targets) - 1 + self.params.hold
        model = self.world.model
        self.state: Final = self._blank_state(count)  # (B, S)
        self.earlier: Final = self.motion.q.copy()  # (B, J) targets of the step before the last
        self.follower: Final = Follower(
            self.robot.limits, self.params.control_rate, self.params.substeps, count
        )
        self.time: Final = np.zeros(count, dtype=np.int64)  # steps since the start
        self.total: Final = np.zeros(count)  # sum of rewards
        self._stepper: Final = make_stepper(
            physics, self.physics.models, self.params.substeps, threads
        )
        self._probe: Final = mujoco.MjData(model)
        self._control: Final = np.zeros(
            (count, self.params.substeps, mujoco.mj_stateSize(model, int(CONTROL)))
        )
        self.reset()

    def close(self) -> None:
        """End the threads."""
        self._stepper.close()

    @property
    def count(self) -> int:
        """B."""
        return len(self.state)

    @property
    def actions(self) -> int:
        """Numbers in an action."""
        return self.motion.actions

    @property
    def pose(self) -> FloatArray:
        """(B, 7) of the objects, as they are: xyz [m], quaternion xyzw."""
        return object_pose(self.state, 1 + self.world.object_qpos)

    @property
    def q(self) -> FloatArray:
        """(B, J) measured joints [rad] or [m]."""
        return self.state[:, 1 + self.world.robot.qpos]

    @property
    def q_speed(self) -> FloatArray:
        """(B, J) [rad/s] or [m/s]."""
        return self.state[:, 1 + self.world.model.nq + self.world.robot.qvel]

    @property
    def object_speed(self) -> FloatArray:
        """(B, 6) of the objects: [m/s] in world, [rad/s] in their own frames."""
        first = 1 + self.world.model.nq + self.world.object_dof
        return self.state[:, first : first + 6]

    def reset(self, rows: IntArray | None = None) -> tuple[FloatArray, FloatArray]:
        """Begin an episode of some environments, of all if None; return what is seen: see Step."""
        chosen = np.arange(self.count) if rows is None else rows
        self._begin(chosen)
        return self._look()

    def step(self, action: FloatArray) -> Step:
        """Advance by one policy step.

        Args:
            action: (B, C) in [-1, 1]; what is beyond is cut off.

        Raises:
            ShapeError: Not (B, C).
            NotFiniteError: NaN or infinity.
        """
        values = checked(action, (self.count, self.actions), 'action')
        noise = self.level * self.randomisation.action_noise
        values = values + noise * self.rng.normal(size=values.shape)
        before = self.motion.q.copy()
        palm = self.observer.places.palm
        after = self.motion.act(np.clip(values, -1.0, 1.0), palm)
        return self._advance(before, after, np.clip(values, -1.0, 1.0))

    def step_joints(self, q: FloatArray) -> Step:
        """Advance by one policy step towards joints (B, J), as a replayed motion does.

        What is seen next holds the action that it amounts to.
        """
        wanted = checked(q, self.motion.q.shape, 'joints')
        before, targets = self.motion.q.copy(), self.motion.targets()
        after = self.motion.follow(wanted)
        return self._advance(before, after, self.motion.action_since(targets))

    def target(self, ahead: int = 0) -> IntArray:
        """Return (B,) the rows of `targets` that hold at the present step, or some steps later."""
        last = len(self.targets) - 1
        if self.params.reward == 'fixed_target':
            return np.full(self.count, last)
        return np.minimum(self.time + 1 + ahead, last)

    # --- inside --------------------------------------------------------------------------------

    def _advance(self, before: FloatArray, after: FloatArray, action: FloatArray) -> Step:
        began = self.state[:, 0].copy()
        self.drive(self.earlier, before, after)
        self.earlier[:] = before
        self.time[:] += 1
        self.observer.acted(action)
        row = np.minimum(self.time, len(self.targets) - 1)
        if self.params.reward == 'fixed_target':
            row = np.full(self.count, len(self.targets) - 1)
        pose = self.pose
        size = np.abs(self.state[:, 1:])
        broken = np.logical_not((size < _IMPOSSIBLE).all(axis=1))  # NaN too
        broken |= self.state[:, 0] <= began  # MuJoCo begins anew where it finds a NaN
        pose[broken] = self.targets[0]
        distance = anchor_distance(place_anchors(pose, self.run.anchors), self.target_anchors[row])
        reward = tracking_reward(distance, self.params.reward_scale)
        places = self.motion.places(np.where(broken[:, None], self.motion.q, self.q))
        if self.params.reward == 'hand':
            shown = self._shown_points[np.minimum(self.time, len(self._shown_points) - 1)]
            near = tracking_reward(anchor_distance(places.points, shown), self.params.reward_scale)
            weight = self.params.hand_weight
            reward = (1.0 - weight) * reward + weight * near
        reward[broken] = 0.0
        far = np.linalg.norm(pose[:, :3] - self.targets[row, :3], axis=1)
        fallen = far > self.params.max_distance
        if self.params.reward == 'fixed_target':
            fallen = pose[:, 2] < -0.05  # the target is far away from the beginning on
        self.total[:] += reward
        done = broken | fallen | (self.time >= self.length)
        ended = self._ended(np.flatnonzero(done), pose, broken | fallen)
        if done.any():
            self._begin(ended.rows)
        actor, critic = self._look()
        return Step(actor, critic, reward, done, ended)

    def drive(self, earlier: FloatArray, before: FloatArray, after: FloatArray) -> None:
        """Move the physics alone by a policy step; a push on an object lasts one of the physics.

        Args:
            earlier: (B, J) targets of the joints of the step before the last; see `curve`.
            before: (B, J) of the last step.
            after: (B, J) of this step.
        """
        control, actuators = self._control, self.world.robot.ctrl
        control[:, :, actuators] = self.follower.follow(earlier, before, after)
        pushed = self.rng.random(self.count) < self.level * self.randomisation.push
        direction = self.rng.normal(size=(self.count, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        mass = self.physics.values[:, 0] * self.run.object.mass
        force = (pushed * mass * self.randomisation.push_force)[:, None] * direction
        first = self.world.model.nu + self.world.object_dof
        control[:, 0, first : first + 3] = force
        self.state[:] = self._stepper.step(self.state, control)

    def _ended(self, rows: IntArray, pose: FloatArray, failed: BoolArray) -> Ended:
        last = self.targets[-1]
        offset = np.linalg.norm(pose[rows, :3] - last[:3], axis=1)
        turned = rotation_matrices(pose[rows, 3:])
        angle = axes_angle(turned, rotation_matrices(last[3:]), self.run.anchors)
        near = (offset <= self.params.success_distance) & (angle <= self.params.success_angle)
        return Ended(
            rows, near & ~failed[rows], self.time[rows].copy(), self.total[rows].copy(), offset,
            angle,
        )  # fmt: skip

    def _begin(self, rows: IntArray) -> None:
        self.physics.draw(rows, self.randomisation, self.level, self.rng, self.outside)
        left = rows
        for again in range(_STARTS):
            level = max(self.level, self.start_level) * (1.0 - again / (_STARTS - 1))
            pose, q = self.starts.draw(left, self.randomisation, level, self.rng)
            self._put(left, pose, q)
            left = left[self._overlaps(left)]
            if len(left) == 0:
                break
        self._stepper.redrawn(rows)
        self.time[rows], self.total[rows] = 0, 0.0
        self.eyes.reset(rows, self.pose[rows], self.rng)
        self.observer.begin(rows)

    def _put(self, rows: IntArray, pose: FloatArray, q: FloatArray) -> None:
        """Put objects (R, 7) and robots (R, J) at rest."""
        self.motion.begin(rows, q)
        self.earlier[rows] = q
        self.follower.begin(rows, q)
        self.state[rows] = self._blank
        full = q @ self.robot.coupling.T + self.robot.coupling_offset
        self.state[rows[:, None], 1 + self.world.robot.full_qpos] = full
        first = 1 + self.world.object_qpos
        self.state[rows, first : first + 7] = pose[:, [0, 1, 2, 6, 3, 4, 5]]

    def _overlaps(self, rows: IntArray) -> BoolArray:
        """Tell of which (R,) environments things are within each other, the robot's own aside."""
        found = np.zeros(len(rows), dtype=bool)
        data, kind = self._probe, int(STATE)
        for place, row in enumerate(rows):
            model = self.physics.models[row]
            mujoco.mj_setState(model, data, self.state[row], kind)
            found[place] = overlap(self.world, model, data)
        return found

    def _look(self) -> tuple[FloatArray, FloatArray]:
        return self.observer.look()

    def _blank_state(self, count: int) -> FloatArray:
        model = self.world.model
        data, kind = mujoco.MjData(model), STATE
        mujoco.mj_resetData(model, data)
        self._blank = np.zeros(mujoco.mj_stateSize(model, kind))
        mujoco.mj_getState(model, data, self._blank, kind)
        return np.tile(self._blank, (count, 1))

    # --- to go on where it stopped ---------------------------------------------------------------

    def snapshot(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return arrays and JSON values from which `restore` goes on with the same numbers."""
        motion, observer = self.motion, self.observer
        arrays: dict[str, Any] = {
            'state': self.state, 'time': self.time, 'total': self.total, 'earlier': self.earlier,
            'physics': self.physics.values, 'history': self.eyes.history, 'late': self.eyes.late,
            'motion_q': motion.q, 'motion_palm': motion.palm, 'motion_angles': motion.angles,
            'motion_start_R': motion.start_R, 'motion_hand_start': motion.hand_start,
            'motion_change': motion.change, 'last_action': observer.last_action,
            'seen': self.eyes.seen, 'frozen': self.eyes.frozen,
            'actor': observer.actor, 'critic': observer.critic,
            **self.follower.snapshot(),
        }  # fmt: skip
        copies = {name: np.ascontiguousarray(value).copy() for name, value in arrays.items()}
        return copies, {'rng': self.rng.bit_generator.state, 'level': self.level}

    def restore(self, arrays: dict[str, Any], values: dict[str, Any]) -> None:
        """Go on from a snapshot of an environment of the same run and parameters.

        Raises:
            ShapeError: An array is of another environment.
        """
        motion, observer = self.motion, self.observer
        for name, here in (
            ('state', self.state), ('time', self.time), ('total', self.total),
            ('earlier', self.earlier),
            ('physics', self.physics.values), ('late', self.eyes.late), ('motion_q', motion.q),
            ('motion_palm', motion.palm), ('motion_angles', motion.angles),
            ('motion_start_R', motion.start_R), ('motion_hand_start', motion.hand_start),
            ('motion_change', motion.change), ('last_action', observer.last_action),
            ('seen', self.eyes.seen), ('frozen', self.eyes.frozen),
            ('actor', observer.actor), ('critic', observer.critic),
            *self.follower.snapshot().items(),
        ):  # fmt: skip
            here[...] = checked(arrays[name], here.shape, name)
        self.eyes.history = checked(arrays['history'], self.eyes.history.shape, 'history').copy()
        for row in range(self.count):
            self.physics.apply(row)
        self._stepper.redrawn(np.arange(self.count))
        observer.places = motion.places(self.q)
        self.rng.bit_generator.state = values['rng']
        self.level = float(values['level'])


def shown_motion(run: PracticeRun, rate: float) -> tuple[FloatArray, FloatArray | None]:
    """Return how object (T, 7) and joints (T, J) were shown to move, at a rate [Hz].

    There are no joints where only an object was shown.
    """
    path = resample(run.trajectory, run.rate, rate)
    if run.demonstration is None:
        return path, None
    return path, resample_rows(run.demonstration, run.rate, rate)


def resample(trajectory: FloatArray, rate: float, wanted: float) -> FloatArray:
    """Return a trajectory (T, 7) at another rate, linear between its poses."""
    values = trajectory.copy()
    for row in range(1, len(values)):  # the same half of the sphere
        if values[row, 3:] @ values[row - 1, 3:] < 0:
            values[row, 3:] *= -1
    out = resample_rows(values, rate, wanted)
    out[:, 3:] /= np.linalg.norm(out[:, 3:], axis=1, keepdims=True)
    return out


def resample_rows(values: FloatArray, rate: float, wanted: float) -> FloatArray:
    """Return rows (T, N) at another rate, linear between them."""
    duration = (len(values) - 1) / rate
    times = np.arange(0.0, duration + 1e-9, 1.0 / wanted) * rate
    rows = np.arange(len(values))
    return np.stack([np.interp(times, rows, column) for column in values.T], axis=1)
