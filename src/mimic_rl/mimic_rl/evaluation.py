"""How well something does a task: the learned policy and what it is compared with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from mimic_core.arrays import BoolArray, FloatArray
from mimic_core.errors import ConfigError
from mimic_core.statistics import wilson
from mimic_rl.environment import Ended, Practice, Step
from mimic_rl.network import Actor
from mimic_rl.ppo import Demonstrations, imitation_loss

Act = Callable[[Practice], Step]  # advances a practice by one step
OUTSIDE: Final = 1.5  # [1], of the range of practice: physics it has not seen
_BATCH: Final = 16  # episodes in a step of imitation
_FEWEST: Final = 4  # that succeeded; with less, those that fail are imitated too


@dataclass(frozen=True)
class Score:
    """Episodes of one method."""

    method: str
    success: BoolArray  # (E,)
    distance: FloatArray  # (E,) of the object to its last target [m]
    angle: FloatArray  # (E,) [rad]
    reward: FloatArray  # (E,) sum over the episode

    @property
    def rate(self) -> float:
        """Share of success."""
        return float(self.success.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the share."""
        return wilson(int(self.success.sum()), len(self.success))


def evaluate(practice: Practice, method: str, act: Act, episodes: int) -> Score:
    """Return the score of the first episode of each environment, again until there are enough.

    Only first episodes count: those that end early would count more often else.

    Args:
        practice: Its level, `outside` and seed say what is met.
        method: Name of what acts.
        act: Advances by one step; called from the beginning of episodes on.
        episodes: How many.

    Raises:
        ConfigError: No episodes.
    """
    if episodes < 1:
        raise ConfigError(f'episodes = {episodes} must be >= 1')
    success: list[bool] = []
    distance: list[float] = []
    angle: list[float] = []
    reward: list[float] = []
    # A source of chance for each round: it begins alike for all methods, however episodes end.
    for source in practice.rng.spawn(-(-episodes // practice.count)):
        practice.rng = source
        practice.reset()
        first: dict[int, tuple[Ended, int]] = {}
        for _ in range(practice.length):
            step = act(practice)
            for place, row in enumerate(step.ended.rows):
                first.setdefault(int(row), (step.ended, place))
        for row in range(practice.count):
            ended, place = first[row]
            success.append(bool(ended.success[place]))
            distance.append(float(ended.distance[place]))
            angle.append(float(ended.angle[place]))
            reward.append(float(ended.reward[place]))
    size = slice(0, episodes)
    return Score(
        method, np.array(success[size]), np.array(distance[size]), np.array(angle[size]),
        np.array(reward[size]),
    )  # fmt: skip


class Learned:
    """Acts as a network does, by the mean of its actions."""

    def __init__(self, actor: Actor) -> None:
        """Args: actor: the network."""
        self._actor = actor
        self._state = actor.blank(0)

    def __call__(self, practice: Practice) -> Step:
        """Advance by one step."""
        begins = torch.from_numpy((practice.time == 0).astype(np.float32))
        if self._state.shape[1] != practice.count:
            self._state = self._actor.blank(practice.count)
        seen = torch.from_numpy(practice.observer.actor.astype(np.float32))
        with torch.no_grad():
            means, self._state = self._actor(seen[None], self._state, begins[None])
        return practice.step(means[0].numpy().astype(np.float64))


class Replay:
    """Repeats the shown motion; `aware`: moved along with the object's place at the start."""

    def __init__(self, *, aware: bool) -> None:
        """Args: aware: of the object."""
        self._aware = aware
        self._path: FloatArray = np.zeros((0, 0, 0))

    def __call__(self, practice: Practice) -> Step:
        """Advance by one step."""
        if practice.demonstration is None:
            raise ConfigError('the run has no demonstration of the hand: nothing to replay')
        begins = practice.time == 0
        if self._path.shape[:1] != (practice.count,):
            shown = practice.demonstration
            self._path = np.tile(shown, (practice.count, 1, 1))
        if self._aware and begins.any():
            rows = np.flatnonzero(begins)
            self._path[rows] = practice.starts.along(practice.eyes.seen[rows])
        row = np.minimum(practice.time + 1, self._path.shape[1] - 1)
        return practice.step_joints(self._path[np.arange(practice.count), row])


def collect(
    practice: Practice, act: Act, episodes: int, most: int | None = None
) -> tuple[Demonstrations, str]:
    """Return what was seen and done in episodes of another method that succeeded.

    The action that a step amounts to is what changes of the palm's target, its angles and the
    posture of the hand between two steps, in the units of actions, cut off where it is faster.

    Args:
        practice: Its level says how hard it is.
        act: Advances by one step.
        episodes: How many are wanted.
        most: How many are tried at most; None: as many. Perhaps fewer succeed.

    Returns:
        The episodes, and '' if they succeeded. Where hardly any does, the first ones as they are,
        each up to where it fails, and a sentence that says so.
    """
    good_parts: list[tuple[FloatArray, ...]] = []
    all_parts: list[tuple[FloatArray, ...]] = []
    found = tried = 0
    while found < episodes and tried < (most or episodes):
        practice.reset()
        over = np.zeros(practice.count, dtype=bool)
        good = np.zeros(practice.count, dtype=bool)
        seen_now, done_now, valid_now = [], [], []
        for _ in range(practice.length):
            seen_now.append(practice.observer.actor.copy())
            going = ~over
            step = act(practice)
            first = ~over[step.ended.rows]
            good[step.ended.rows[first]] = step.ended.success[first]
            over[step.ended.rows] = True
            done_now.append(practice.observer.last_action.copy())  # 0 where an episode ended
            valid_now.append((going & ~step.done).astype(np.float64))
        whole = [np.stack(part) for part in (seen_now, done_now, valid_now)]
        for parts, rows, wanted in (
            (good_parts, np.flatnonzero(good), episodes - found),
            (all_parts, np.arange(practice.count), max(episodes - tried, 0)),
        ):
            parts.append(tuple(part[:, rows[:wanted]] for part in whole))
        found, tried = found + int(good.sum()), tried + practice.count
    enough = found >= min(_FEWEST, episodes)
    inputs, actions, valid = (
        torch.from_numpy(np.concatenate(part, axis=1).astype(np.float32))
        for part in zip(*(good_parts if enough else all_parts), strict=True)
    )
    remark = '' if enough else f'{found} of {tried} replays succeed: imitated as they are'
    return Demonstrations(inputs, actions, valid), remark


def imitate(
    actor: Actor, shown: Demonstrations, steps: int, seed: int = 0, rate: float = 1e-3
) -> float:
    """Fit a network to shown episodes (behaviour cloning); return the last loss.

    Args:
        actor: Changed in place.
        shown: The episodes.
        steps: Of Adam, each on some of them.
        seed: Which ones.
        rate: Of learning.
    """
    generator = torch.Generator().manual_seed(seed)
    actor.normaliser.update(shown.inputs)
    optimiser = torch.optim.Adam(actor.parameters(), lr=rate)
    last = float('nan')
    for _ in range(steps):
        loss = imitation_loss(actor, shown.some(_BATCH, generator))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(actor.parameters(), 1.0)
        optimiser.step()
        last = float(loss.detach())
    return last
