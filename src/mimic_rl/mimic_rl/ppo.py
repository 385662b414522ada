"""Recurrent PPO: collect steps of B environments, then improve the policy on whole sequences.

Source: Schulman et al. 2017, Proximal Policy Optimization Algorithms; the rate of learning follows
the divergence as in Schulman et al., section 4; demonstrations as in Rajeswaran et al. 2018, DAPG;
what is kept is an average of policies as in Polyak and Juditsky 1992: one update may spoil what is
seldom met, and the next mend it.
"""

import copy
import math
import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from mimic_core.arrays import BoolArray, FloatArray
from mimic_rl.environment import Practice
from mimic_rl.motion import PLACE_ACTIONS
from mimic_rl.network import Actor, Critic, log_probability
from mimic_rl.params import LearningParams

_RATE: Final = (1e-5, 2e-3)  # lowest and highest rate of learning
_EPSILON: Final = 1e-8
_SHOWN_BATCH: Final = 8  # shown episodes beside a minibatch


@dataclass(frozen=True)
class Demonstrations:
    """Whole episodes: what was seen, and what was done."""

    inputs: Tensor  # (T, N, O)
    actions: Tensor  # (T, N, C)
    valid: Tensor  # (T, N) 1 where the episode had not ended

    def some(self, count: int, generator: torch.Generator) -> 'Demonstrations':
        """Return so many of the episodes, all if there are fewer, drawn anew."""
        rows = torch.randperm(self.inputs.shape[1], generator=generator)[:count]
        return Demonstrations(self.inputs[:, rows], self.actions[:, rows], self.valid[:, rows])


@dataclass(frozen=True)
class Report:
    """What an update did."""

    steps: int  # of the policy, in sum
    reward: float  # mean of a step
    episodes: int  # that ended
    success: float  # share of them, NaN if there were none
    distance: float  # [m], median over them, NaN if there were none
    policy_loss: float
    value_loss: float
    divergence: float
    entropy: float
    rate: float
    level: float
    spread: float


class Learner:
    """Learns from one Practice. Equal seeds give equal numbers with equal threads of torch."""

    def __init__(
        self,
        practice: Practice,
        params: LearningParams,
        seed: int = 0,
        demonstrations: Demonstrations | None = None,
    ) -> None:
        """Args: practice: B environments; params: of learning; demonstrations: for DAPG."""
        self.practice: Final = practice
        self.params: Final = params
        self.generator: Final = torch.Generator().manual_seed(seed)
        practice.level, practice.start_level = params.level, params.start_level
        actor, critic = practice.reset()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.actor: Final = Actor(
                actor.shape[1], practice.actions, params.layers, params.memory, params.spread
            )
            self.critic: Final = Critic(critic.shape[1], params.critic_layers)
        with torch.no_grad():
            self.actor.log_std[:PLACE_ACTIONS] = math.log(params.place_spread)
        self.optimiser: Final = torch.optim.Adam(
            [
                {'params': list(self.actor.parameters()), 'lr': params.learning_rate},
                {'params': list(self.critic.parameters()), 'lr': params.critic_rate},
            ],
            eps=1e-5,
        )
        self.rate = params.learning_rate
        self.steps = 0
        self.updates = 0
        self.seconds = 0.0  # that imitation and updates took, of all processes that trained it
        self.processor = 0.0  # [s] of processors that they took
        self.recent: list[bool] = []  # successes at the present level
        self.state = self.actor.blank(practice.count)
        self.begins = torch.ones(practice.count)
        self._demonstrations = demonstrations
        self.demonstration_weight = params.demonstration if demonstrations else 0.0
        self._inputs, self._known = _tensor(actor), _tensor(critic)
        self.actor.normaliser.update(self._inputs)
        self.critic.normaliser.update(self._known)
        self.average: Final = copy.deepcopy(self.actor).requires_grad_(False)
        self.met = 0.0  # share of the range of starts, averaged as the policies are

    def look_again(self) -> None:
        """Take what is seen from the practice, after it was restored."""
        self._inputs = _tensor(self.practice.observer.actor)
        self._known = _tensor(self.practice.observer.critic)

    def set_rate(self, rate: float) -> None:
        """Let the policy learn at a rate from now on; the critic keeps its own."""
        self.rate = rate
        self.optimiser.param_groups[0]['lr'] = rate

    def update(self) -> Report:
        """Collect `horizon` steps of each environment and learn from them."""
        began, processor = time.perf_counter(), time.process_time()
        batch = self._collect()
        policy, value, divergence = self._learn(batch)
        self.updates += 1
        met = max(self.practice.level, self.practice.start_level)
        self._follow_success(batch['success'])
        self.actor.normaliser.update(batch['inputs'])
        self.critic.normaliser.update(batch['known'])
        self._follow_policy(met)
        std = self.actor.std()
        success, distance = batch['success'], batch['distance']
        self.seconds += time.perf_counter() - began
        self.processor += time.process_time() - processor
        return Report(
            steps=self.steps,
            reward=float(batch['reward'].mean()),
            episodes=len(success),
            success=float(np.mean(success)) if len(success) else float('nan'),
            distance=float(np.median(distance)) if len(distance) else float('nan'),
            policy_loss=policy,
            value_loss=value,
            divergence=divergence,
            entropy=float((std.detach().log() + 1.4189385332046727).sum()),
            rate=self.rate,
            level=self.practice.level,
            spread=float(std.detach().mean()),
        )

    # --- inside --------------------------------------------------------------------------------

    def _collect(self) -> dict[str, Any]:
        params, count = self.params, self.practice.count
        inputs, known, actions, begins, chances, rewards, dones = [], [], [], [], [], [], []
        start = self.state
        successes: list[BoolArray] = []
        distances: list[FloatArray] = []
        for _ in range(params.horizon):
            with torch.no_grad():
                means, state = self.actor(self._inputs[None], self.state, self.begins[None])
                std = self.actor.std()
                noise = torch.randn(means.shape[1:], generator=self.generator)
                action = means[0] + std * noise
                chance = log_probability(action, means[0], std)
            step = self.practice.step(action.numpy().astype(np.float64))
            inputs.append(self._inputs)
            known.append(self._known)
            actions.append(action)
            begins.append(self.begins)
            chances.append(chance)
            rewards.append(_tensor(step.reward))
            dones.append(_tensor(step.done.astype(np.float64)))
            self.state, self.begins = state, dones[-1]
            self._inputs, self._known = _tensor(step.actor), _tensor(step.critic)
            successes.append(step.ended.success)
            distances.append(step.ended.distance)
        self.steps += params.horizon * count
        batch: dict[str, Any] = {
            'inputs': torch.stack(inputs), 'known': torch.stack(known),
            'actions': torch.stack(actions), 'begins': torch.stack(begins),
            'chances': torch.stack(chances), 'reward': torch.stack(rewards),
            'done': torch.stack(dones), 'start': start,
            'success': np.concatenate(successes), 'distance': np.concatenate(distances),
        }  # fmt: skip
        with torch.no_grad():
            values = self.critic(batch['known'])
            last = self.critic(self._known)
        batch['advantage'] = advantages(
            batch['reward'], values, last, batch['done'], params.discount, params.trace
        )
        batch['return'] = batch['advantage'] + values
        return batch

    def _learn(self, batch: dict[str, Any]) -> tuple[float, float, float]:
        params, count = self.params, self.practice.count
        advantage = batch['advantage']
        if advantage.numel() > 1:  # one alone has no spread
            batch['advantage'] = (advantage - advantage.mean()) / (advantage.std() + _EPSILON)
        parts = min(params.minibatches, count)
        sums = np.zeros(3)
        steps = 0
        for _ in range(params.epochs):
            order = torch.randperm(count, generator=self.generator)
            divergences = []
            for rows in order.chunk(parts):
                losses = self._improve(batch, rows)
                sums += losses
                divergences.append(losses[2])
                steps += 1
            self._adapt(float(np.mean(divergences)))
        self.demonstration_weight *= params.demonstration_decay
        policy, value, divergence = sums / steps
        return float(policy), float(value), float(divergence)

    def _improve(self, batch: dict[str, Any], rows: Tensor) -> tuple[float, float, float]:
        params = self.params
        means, _ = self.actor(
            batch['inputs'][:, rows], batch['start'][:, rows], batch['begins'][:, rows]
        )
        std = self.actor.std()
        chances = log_probability(batch['actions'][:, rows], means, std)
        change = chances - batch['chances'][:, rows]
        ratio = change.exp()
        advantage = batch['advantage'][:, rows]
        clipped = ratio.clamp(1.0 - params.clip, 1.0 + params.clip)
        policy = -torch.min(ratio * advantage, clipped * advantage).mean()
        value = (self.critic(batch['known'][:, rows]) - batch['return'][:, rows]).square().mean()
        beyond = (means.abs() - 1.0).clamp(min=0.0).square().sum(dim=-1).mean()
        loss = policy + params.value * value + params.bound * beyond
        loss = loss - params.entropy * std.log().sum()
        if self._demonstrations is not None and self.demonstration_weight > 1e-6:
            shown = self._demonstrations.some(_SHOWN_BATCH, self.generator)
            loss = loss + self.demonstration_weight * imitation_loss(self.actor, shown)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.actor.parameters(), params.gradient)
        torch.nn.utils.clip_grad_norm_(self.critic.parameters(), params.gradient)
        self.optimiser.step()
        with torch.no_grad():
            divergence = float((ratio - 1.0 - change).mean())
        return float(policy.detach()), float(value.detach()), divergence

    def _adapt(self, divergence: float) -> None:
        wanted = self.params.divergence
        if wanted <= 0.0:
            return
        if divergence > 2.0 * wanted:
            self.rate = max(self.rate / 1.5, _RATE[0])
        elif divergence < 0.5 * wanted:
            self.rate = min(self.rate * 1.5, _RATE[1])
        self.set_rate(self.rate)

    def _follow_policy(self, met: float) -> None:
        """Take the policy of now, and the starts it met, into the averages.

        At first it counts as much as each one before.
        """
        share = max(1.0 - self.params.average, 1.0 / self.updates)
        self.met += share * (met - self.met)
        now = self.actor.state_dict()
        with torch.no_grad():
            for name, value in self.average.state_dict().items():
                value.lerp_(now[name], share)

    def _follow_success(self, success: BoolArray) -> None:
        """Make it harder or easier by what share of the last episodes succeeded."""
        params = self.params
        self.recent += [bool(s) for s in success]
        if len(self.recent) < params.level_episodes:
            return
        share = float(np.mean(self.recent))
        self.recent = []
        level = self.practice.level
        if share >= params.level_up:
            level += params.level_step
        elif share < params.level_down:
            level -= params.level_step
        self.practice.level = float(np.clip(level, min(params.level, 1.0), 1.0))


def advantages(
    reward: Tensor, value: Tensor, last: Tensor, done: Tensor, discount: float, trace: float
) -> Tensor:
    """Return (T, B) generalised advantages. Source: Schulman et al. 2016, equation 16.

    Args:
        reward: (T, B).
        value: (T, B) before each step.
        last: (B,) after the last one.
        done: (T, B) 1 where the episode ended with the step.
        discount: gamma.
        trace: lambda.
    """
    result = torch.zeros_like(reward)
    running = torch.zeros_like(last)
    following = last
    for t in range(len(reward) - 1, -1, -1):
        going = 1.0 - done[t]
        error = reward[t] + discount * going * following - value[t]
        running = error + discount * trace * going * running
        result[t] = running
        following = value[t]
    return result


def imitation_loss(actor: Actor, shown: Demonstrations) -> Tensor:
    """Return the mean squared difference of actions to those of whole shown episodes."""
    count = shown.inputs.shape[1]
    begins = torch.zeros(shown.inputs.shape[:2])
    begins[0] = 1.0
    means, _ = actor(shown.inputs, actor.blank(count), begins)
    error = (means - shown.actions).square().mean(dim=-1) * shown.valid
    return error.sum() / shown.valid.sum().clamp(min=1.0)


def _tensor(values: FloatArray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
