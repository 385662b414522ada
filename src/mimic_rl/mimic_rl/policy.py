"""What a robot runs: a learned policy, one step at a time."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final

import numpy as np
import torch

from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import ConfigError, LimitError
from mimic_rl.checkpoint import TRAINING, Settings, load_actor, load_level, load_training
from mimic_rl.environment import shown_motion
from mimic_rl.motion import Motion
from mimic_rl.network import Actor
from mimic_rl.observation import policy_view
from mimic_rl.params import RandomisationParams
from mimic_rl.randomisation import multiply_quat
from mimic_rl.rewards import anchor_distance, place_anchors
from mimic_rl.run_folder import PracticeRun
from mimic_rl.starts import Starts, start_span


class RunPolicy(ABC):
    """Decides joint targets of one robot at `rate`, from beside the object on. J joints.

    Call `reset` with the robot at a start, then `step` every 1 / `rate` seconds.
    """

    def __init__(self, run: PracticeRun, settings: Settings) -> None:
        """Args: run: what was practised; settings: of the training.

        Raises:
            WrongRobotError: The registry has another robot of that name.
        """
        params = settings.practice
        self.robot: Final = run.robot()
        self.run: Final = run
        self.rate: Final = params.control_rate  # [Hz]
        # [m] that ended an episode. A target that stands at the end is far away at first.
        self.max_distance: Final = (
            float('inf') if params.reward == 'fixed_target' else params.max_distance
        )
        self._motion = Motion(self.robot, params, settings.synergies, 1)
        self._path, self._shown = shown_motion(run, self.rate)
        self._starts = Starts(run, self._motion, params, self._shown)
        self._varied = settings.randomisation
        self._anchors = place_anchors(self._path, run.anchors)
        self.length: Final = len(self._path) - 1 + params.hold  # steps
        self._fixed = params.reward == 'fixed_target'
        self._level = 1.0  # [1] of the range of starts, that was practised
        self._step = 0

    @abstractmethod
    def step(self, q: FloatArray, speed: FloatArray, world_object: FloatArray) -> FloatArray:
        """Return (J,) joint targets for the end of this step, within limits.

        Args:
            q: (J,) measured [rad] or [m].
            speed: (J,) measured.
            world_object: (7,) pose of the object as it is seen: xyz [m], quaternion xyzw.

        Raises:
            ShapeError: An array has the wrong shape.
            NotFiniteError: A number is NaN or infinite.
        """

    def reset(self, q: FloatArray) -> None:
        """Begin at (J,) joint positions."""
        start = checked(q, (len(self.robot.joint_names),), 'q')
        self._motion.begin(np.array([0]), start[None])
        self._step = 0

    def start_beside(self, world_object: FloatArray) -> FloatArray:
        """Return (J,) the posture from which to begin with the object where it is.

        The palm is beside the object as it was shown.

        Args:
            world_object: (7,) xyz [m], quaternion xyzw.

        Raises:
            LimitError: The arm does not reach it.
        """
        pose = checked(world_object, (7,), 'pose of the object')[None]
        q, reached = self._starts.beside(pose, self._starts.spin(pose))
        if not reached[0]:
            x, y, z = pose[0, :3]
            shown_x, shown_y, _ = self.run.trajectory[0, :3]
            raise LimitError(
                f'no posture reaches the start beside the object at ({x:.2f}, {y:.2f}, {z:.2f}) '
                f'm: put it nearer to ({shown_x:.2f}, {shown_y:.2f}), where it was shown'
            )
        return q[0]

    def tilt(self, world_object: FloatArray) -> float:
        """Return how far an object lies otherwise than it was shown [m].

        Place and turn on the table do not count: the mean distance of its anchors is of the rest.

        Args:
            world_object: (7,) xyz [m], quaternion xyzw.
        """
        pose = checked(world_object, (7,), 'pose of the object')
        shown = self.run.trajectory[0]
        upright = np.concatenate(
            [pose[:3], multiply_quat(self._starts.spin(pose[None])[0], shown[3:])]
        )
        anchors = self.run.anchors
        return float(
            anchor_distance(place_anchors(pose, anchors), place_anchors(upright, anchors))
        )

    def beyond_starts(self, world_object: FloatArray, margin: float, turn_margin: float) -> str:
        """Return how an object is beyond the starts of practice, '' if it is not.

        A turn that cannot be seen does not count.

        Args:
            world_object: (7,) xyz [m], quaternion xyzw.
            margin: By which its place may be beyond them, also in height [m].
            turn_margin: By which its turn on the table may be [rad].
        """
        pose = checked(world_object, (7,), 'pose of the object')
        spin = self._starts.spin(pose[None])[0]
        varied, level = self._varied, self._level
        x, y = start_span(self.run, level * varied.xy).T
        turn, most = np.degrees([2.0 * np.arctan2(spin[2], spin[3]), level * varied.yaw])
        shift = pose[:3] - self.run.trajectory[0, :3]
        found = (
            ('x', shift[0], *x, margin, 'm'),
            ('y', shift[1], *y, margin, 'm'),
            ('z', shift[2], 0.0, 0.0, margin, 'm'),
            ('turn', turn, -most, most, np.degrees(turn_margin), 'deg'),
        )
        return ', '.join(
            f'{name} {value:+.{places}f} {unit} (practised {low:.{places}f} to {high:.{places}f})'
            for name, value, low, high, more, unit in found
            for places in (2 if unit == 'm' else 0,)
            if not low - more <= value <= high + more
        )

    @property
    def last(self) -> FloatArray:
        """(7,) where the object should be in the end: xyz [m], quaternion xyzw."""
        return self.run.trajectory[-1].copy()

    def draw_start(
        self, randomisation: RandomisationParams, level: float, rng: np.random.Generator
    ) -> FloatArray:
        """Return (7,) a pose of the object from which to begin, as practice draws it."""
        return self._starts.draw(np.array([0]), randomisation, level, rng)[0][0]

    @property
    def start(self) -> FloatArray:
        """(J,) the posture from which it begins [rad] or [m]."""
        return self.run.start.copy()

    @property
    def done(self) -> bool:
        """The trajectory and the time to hold its end are over."""
        return self._step >= self.length

    @property
    def target(self) -> FloatArray:
        """(7,) where the object should be after the next step: xyz [m], quaternion xyzw."""
        return self._path[self._row()].copy()

    def _row(self) -> int:
        last = len(self._path) - 1
        return last if self._fixed else min(self._step + 1, last)


class PracticePolicy(RunPolicy):
    """What was learned, or imitated: a network decides."""

    def __init__(
        self, run: PracticeRun, settings: Settings, actor: Actor, level: float = 1.0
    ) -> None:
        """Wrap a network.

        Args:
            run: What was practised.
            settings: Of the training.
            actor: What it left.
            level: How much of the range of starts it has met [1].

        Raises:
            ConfigError: The network is of another run.
            WrongRobotError: The registry has another robot of that name.
        """
        super().__init__(run, settings)
        self._actor, self._level = actor, level
        self._state = actor.blank(1)
        self._last = np.zeros((1, self._motion.actions))
        self.reset(run.start)
        size = self._view(run.start, np.zeros(len(run.start)), run.trajectory[0]).shape[1]
        if size != len(actor.normaliser.mean):
            raise ConfigError(
                f'the policy sees {len(actor.normaliser.mean)} numbers, this run shows {size}'
            )

    def reset(self, q: FloatArray) -> None:
        """Begin at (J,) joint positions."""
        super().reset(q)
        self._state = self._actor.blank(1)
        self._last[:] = 0.0

    def step(self, q: FloatArray, speed: FloatArray, world_object: FloatArray) -> FloatArray:
        """Return (J,) joint targets for the end of this step; see `RunPolicy.step`."""
        size = len(self.robot.joint_names)
        measured = checked(q, (size,), 'q')
        pose = checked(world_object, (7,), 'pose of the object')
        seen = self._view(measured, checked(speed, (size,), 'speed'), pose)
        begins = torch.full((1, 1), float(self._step == 0))
        with torch.no_grad():
            inputs = torch.from_numpy(seen.astype(np.float32))[None]
            means, self._state = self._actor(inputs, self._state, begins)
        action = np.clip(means[0].numpy().astype(np.float64), -1.0, 1.0)
        targets = self._motion.act(action, self._motion.places(measured[None]).palm)
        self._last = action
        self._step += 1
        return targets[0].copy()

    def _view(self, q: FloatArray, speed: FloatArray, pose: FloatArray) -> FloatArray:
        limits, motion = self.robot.limits, self._motion
        return policy_view(
            lower=limits.lower, upper=limits.upper, max_speed=limits.max_speed,
            origin=self.run.trajectory[0, :3], q=q[None], speed=speed[None],
            places=motion.places(q[None]), palm_target=motion.palm, angles=motion.angles,
            seen=place_anchors(pose[None], self.run.anchors),
            target=self._anchors[[self._row()]], seen_place=pose[None, :3],
            last_action=self._last,
        )  # fmt: skip


class ReplayPolicy(RunPolicy):
    """The shown motion once more; `aware`: moved along with the object's place at the start."""

    def __init__(self, run: PracticeRun, settings: Settings, *, aware: bool) -> None:
        """Args: run: what was shown; settings: how fast it may be; aware: of the object.

        Raises:
            ConfigError: The run has no demonstration of the hand.
            WrongRobotError: The registry has another robot of that name.
        """
        super().__init__(run, settings)
        if self._shown is None:
            raise ConfigError('the run has no demonstration of the hand: nothing to replay')
        self._aware, self._motion_path = aware, self._shown

    def start_beside(self, world_object: FloatArray) -> FloatArray:
        """Return (J,) the posture from which to begin; see `RunPolicy.start_beside`."""
        if not self._aware:
            return self.start
        start = super().start_beside(world_object)
        self._motion_path = self._starts.along(world_object[None])[0]
        return start

    def step(self, q: FloatArray, speed: FloatArray, world_object: FloatArray) -> FloatArray:
        """Return (J,) joint targets for the end of this step; nothing that is seen matters."""
        self._step += 1
        row = min(self._step, len(self._motion_path) - 1)
        return self._motion.follow(self._motion_path[[row]])[0].copy()


def load_practice_policy(folder: Path, training: str = TRAINING) -> PracticePolicy:
    """Return the policy of a run folder, for the run as it was practised.

    Raises:
        ConfigError: It is no run folder, nothing was trained in it, or a file is missing, torn or
            of another run.
        WrongRobotError: The registry has another robot of that name.
    """
    run, settings = load_training(folder, training)
    try:
        actor = load_actor(folder / training)
        return PracticePolicy(run, settings, actor, load_level(folder / training))
    except ConfigError as error:
        raise ConfigError(f'{folder / training}: {error}') from error
