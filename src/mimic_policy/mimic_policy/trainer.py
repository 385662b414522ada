"""Training: one object that holds all that changes, one method for one step.

Everything random is drawn from the seed and the number of the step, never from a state: a run
that was killed goes on from its last checkpoint with the numbers that it would have had.
"""

import copy
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from mimic_alignment import AlignmentParams, Mapping
from mimic_alignment.alignment import align
from mimic_core.arrays import IntArray
from mimic_core.errors import ConfigError, MimicError
from mimic_policy.checkpoint import (
    TRAINING,
    WEIGHTS,
    Checkpoint,
    CheckpointError,
    build_network,
    load_tensors,
    network_document,
    save_checkpoint,
    writing,
)
from mimic_policy.data import Data, difference
from mimic_policy.diffusion import Diffusion, DiffusionParams
from mimic_policy.distributed import average_gradients, mean_over_processes
from mimic_policy.forecast import Forecast
from mimic_policy.inference import DiffusionPolicy
from mimic_policy.networks.params import NetworkParams
from mimic_policy.networks.policy import View, view
from mimic_policy.schedule import (
    KINDS,
    Kind,
    ema_keep,
    every_kind,
    human_share,
    kinds,
    loss_weight,
    mapping_step,
    rate,
)
from mimic_policy.train_params import IMMIMIC_A, IMMIMIC_V, RANDOM_MAP, TrainParams
from mimic_policy.windows import Batch

MAPPING: Final = 'mapping_visual.json'
_ANEW: Final = 'choose another folder with --out, or begin again with --fresh'
_BEFORE: Final = {'params.region': [0.0, 0.0, 1.0, 1.0]}  # of checkpoints that do not tell
_FREE: Final = ('log_every', 'save_every', 'keep')  # may differ when a run goes on


class TrainingError(MimicError):
    """Training cannot go on; says at which step and why."""


class Trainer:
    """A policy while it learns."""

    def __init__(
        self,
        data: Data,
        params: TrainParams,
        network: NetworkParams,
        diffusion: DiffusionParams,
        run: Path,
        *,
        device: torch.device | None = None,
        rank: int = 0,
        world: int = 1,
        alignment: AlignmentParams | None = None,
        mapping: Mapping | None = None,
    ) -> None:
        """Begin at step 0.

        Args:
            data: From `prepare`.
            params: How.
            network: Sizes.
            diffusion: Noise.
            run: Folder of checkpoints.
            device: Of torch; None: the processor.
            rank: Of this process among those that train together.
            world: Their number.
            alignment: How episodes are mapped; None: defaults.
            mapping: Of humans to robots; None: made as the method wants it.

        Raises:
            ConfigError: Sizes do not fit each other, or the mapping is of other episodes or for a
                method that uses none.
        """
        self.data, self.params, self.run = data, params, run
        self._sizes, self._noise = network, diffusion
        self._device = device or torch.device('cpu')
        self._rank, self._world = rank, world
        self._alignment = alignment or AlignmentParams()
        halvings = 2 ** (len(network.widths) - 1)
        if params.horizon % halvings:
            raise ConfigError(f'horizon = {params.horizon} must be a multiple of {halvings}')
        for name, (height, width) in data.meta.cameras.items():
            if min(height, width) <= network.crop + 8:
                raise ConfigError(f'crop = {network.crop} leaves nothing of the {name} pictures')
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(params.seed)
            self.network = build_network(network, data.meta).to(self._device)
        self._average = copy.deepcopy(self.network).requires_grad_(False)
        self._own: list[Tensor] = list(self.network.parameters())
        self._averages: list[Tensor] = list(self._average.parameters())
        self._diffusion = Diffusion(diffusion)
        self._trained = [p for p in self.network.parameters() if p.requires_grad]
        self._optimiser = torch.optim.AdamW(
            self._trained, params.learning_rate, weight_decay=params.weight_decay, fused=True
        )
        self._precision = _precision(params.precision, self._device)
        self._mapping = mapping
        self._mapped_by: str | None = None  # digest of the mapping of the run that goes on
        if mapping is not None:
            if params.method not in (IMMIMIC_A, IMMIMIC_V):
                raise ConfigError(f'mapping: {params.method} uses none')
            _check_mapping(mapping, data)
        self.step_number = 0
        self._updates = 0
        self._sums: dict[str, list[float]] = {}
        self.forecast = Forecast()

    @property
    def done(self) -> bool:
        """Every step was taken."""
        return self.step_number >= self.params.steps

    def remaining(self) -> float | None:
        """Return the time [s] that is still needed; None: not known yet."""
        p, step = self.params, self.step_number
        checkpoints = math.ceil(p.steps / p.save_every) - step // p.save_every
        return self.forecast.remaining(every_kind(p, step), p.steps - step, checkpoints)

    def policy(self) -> DiffusionPolicy:
        """Return the policy as it is: averaged weights, a copy."""
        network = copy.deepcopy(self._average)
        return DiffusionPolicy(self.data.meta, network, self._diffusion, self._device)

    def step(self) -> dict[Kind, float]:
        """Take one step; return the losses of its batches.

        Raises:
            TrainingError: A loss or a gradient is not finite: nothing of this batch is kept.
        """
        step, began = self.step_number, time.perf_counter()
        losses: dict[Kind, float] = {}
        inside = 0.0
        for kind in kinds(self.params, step):
            start = time.perf_counter()
            losses[kind] = self._update(kind, step)
            inside += time.perf_counter() - start
            self.forecast.took(kind, time.perf_counter() - start)
            total = self._sums.setdefault(kind, [0.0, 0.0])
            total[0] += losses[kind]
            total[1] += 1.0
        self.step_number = step + 1
        self.forecast.took_beside(time.perf_counter() - began - inside)
        return losses

    def averages(self) -> dict[str, float]:
        """Return the mean losses since the last call."""
        means = {kind: total / count for kind, (total, count) in self._sums.items()}
        self._sums = {}
        return means

    def _update(self, kind: Kind, step: int) -> float:
        p = self.params
        seed = (p.seed, step, KINDS.index(kind), self._rank)
        rng = np.random.default_rng(seed)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._precision):
            latent, chunk = self._samples(kind, step, rng)
            noise = self._tensor(rng.standard_normal(chunk.shape, np.float32))
            size = (len(chunk),)
            times = self._tensor(rng.integers(0, self._noise.train_steps, size))
            noised = self._diffusion.noised(chunk, noise, times)
            predicted = self.network(noised, times.float(), latent)
        target = self._diffusion.target(chunk, noise, times)
        loss = (predicted.float() - target).square().mean()
        self._optimiser.zero_grad(set_to_none=True)
        (loss_weight(p, kind, step) * loss).backward()
        average_gradients(self._trained, self._world)
        norm = float(torch.nn.utils.clip_grad_norm_(self._trained, p.clip))
        value = float(mean_over_processes(loss.detach(), self._world))
        for what, number in (('loss', value), ('gradient', norm)):
            if not np.isfinite(number):
                raise TrainingError(
                    f'step {step}: the {what} of the {kind} batch is {number}; the last '
                    f'checkpoint in {self.run} is whole; a lower learning_rate than '
                    f'{p.learning_rate:g} may help'
                )
        for group in self._optimiser.param_groups:
            group['lr'] = rate(p, step)
        self._optimiser.step()
        keep = ema_keep(p, self._updates)
        with torch.no_grad():
            torch._foreach_lerp_(self._averages, self._own, 1.0 - keep)
        self._updates += 1
        return value

    def _samples(self, kind: Kind, step: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return (B, L) latents and (B, T, A) chunks of a batch."""
        robot, human = self.data.robot, self.data.human
        size = self.params.batch
        if kind == 'robot' or human is None:
            batch = robot.batch(*robot.locate(rng.integers(0, len(robot), size)))
            return self._latent(batch, rng), self._tensor(batch.chunk)
        episode, frame = human.locate(rng.integers(0, len(human), size))
        seen = human.batch(episode, frame)
        if kind == 'human':
            return self._latent(seen, rng), self._tensor(seen.chunk)
        mapped = robot.batch(*self._mapped(episode, frame, rng))
        share = self._share(step, rng)
        latent = torch.lerp(self._latent(mapped, rng), self._latent(seen, rng), share)
        chunk = torch.lerp(self._tensor(mapped.chunk), self._tensor(seen.chunk), share[:, :, None])
        return latent, chunk

    def _share(self, step: int, rng: np.random.Generator) -> Tensor:
        """Return (B, 1) shares of the human."""
        p = self.params
        if p.mixing == 'beta':
            return self._tensor(rng.beta(p.mixing_beta, p.mixing_beta, (p.batch, 1)))
        return self._tensor(np.full((p.batch, 1), human_share(p, step)))

    def _mapped(
        self, episode: IntArray, frame: IntArray, rng: np.random.Generator
    ) -> tuple[IntArray, IntArray]:
        """Return (B,) robot episodes, drawn, and the frames in them that match the human's."""
        lengths = self.data.robot.lengths
        chosen = rng.integers(0, len(lengths), len(episode))
        if self.params.method == RANDOM_MAP:
            return chosen, rng.integers(0, lengths[chosen])
        frames = self._mapping_now().frames
        triples = zip(episode.tolist(), chosen.tolist(), frame.tolist(), strict=True)
        return chosen, np.array([frames[h][r][t] for h, r, t in triples])

    def _mapping_now(self) -> Mapping:
        if self._mapping is None:
            self._mapping = self._make_mapping()
            self._check_mapped()
        return self._mapping

    def _check_mapped(self) -> None:
        """Refuse another mapping than that of the run that goes on.

        Raises:
            ConfigError: It is another one.
        """
        now = None if self._mapping is None else self._mapping.digest
        if self._mapped_by is not None and now is not None and now != self._mapped_by:
            raise ConfigError(
                f'{self.run}: training.mapping was {self._mapped_by!r} and is {now!r} now: give '
                f'the mapping of then, {_ANEW}'
            )

    def _check_mapping_given(self, training: dict[str, Any], step: int) -> None:
        """Refuse a mapping that the run began without, and none where it began with one."""
        p = self.params
        before = p.method == IMMIMIC_V and step <= mapping_step(p)  # its own is yet to be made
        given = self._mapping is not None
        if before and 'mapping' in training and given != (self._mapped_by is not None):
            had, has = ('none', 'one') if given else ('one', 'none')
            raise ConfigError(
                f'{self.run}: training.mapping: {had} was given, and {has} is now: {_ANEW}'
            )
        file = self.run / MAPPING
        if p.method == IMMIMIC_V and not (before or given or file.exists()):
            raise ConfigError(f'{file} is not there: give the mapping of then, {_ANEW}')
        self._check_mapped()

    def _make_mapping(self) -> Mapping:
        """Return the mapping of the method, made or, where a killed run made it, read."""
        robots, humans = self.data.dataset.of('robot'), self.data.dataset.of('human')
        if self.params.method == IMMIMIC_A:
            return align(humans, robots, self._alignment).mapping
        file = self.run / MAPPING
        if self.step_number > mapping_step(self.params):  # made by what the network was then
            made = Mapping.load(file)
            _check_mapping(made, self.data, str(file))
            return made
        policy = self.policy()
        mapping = align(
            humans, robots, self._alignment, lambda p: policy.features(p).astype(np.float64)
        ).mapping
        if self._rank == 0:
            with writing(file):
                self.run.mkdir(parents=True, exist_ok=True)
                mapping.save(file)
        return mapping

    def _latent(self, batch: Batch, rng: np.random.Generator) -> Tensor:
        p, crop = self.params, self._sizes.crop
        count = len(batch.agent)

        def cut(frames: np.ndarray[Any, Any]) -> View:
            gain = 1.0 + p.colour_jitter * rng.uniform(-1.0, 1.0, (count, 3))
            corner = torch.from_numpy(rng.integers(0, crop + 1, (count, 2)))
            bytes_ = torch.from_numpy(frames).to(self._device, non_blocking=True)
            return view(bytes_, crop, self._tensor(gain), corner)

        agent = cut(batch.agent)
        wrist = None if batch.wrist is None else cut(batch.wrist)
        state = None if batch.state is None else self._tensor(batch.state)
        absent = None
        if state is not None and p.state_dropout:
            absent = torch.from_numpy(rng.random(count) < p.state_dropout).to(self._device)
        return self.network.latent(agent, wrist, state, absent)

    def _tensor(self, values: np.ndarray[Any, Any]) -> Tensor:
        kind = np.float32 if values.dtype == np.float64 else values.dtype
        return torch.from_numpy(np.asarray(values, kind)).to(self._device)

    # --- checkpoints -------------------------------------------------------------------------

    def save(self) -> Path:
        """Write a checkpoint of now.

        Raises:
            CheckpointError: The disk is full, or the folder cannot be written.
        """
        document = {
            **network_document(self.data.meta, self._sizes, self._noise),
            'training': {
                'params': asdict(self.params),
                'alignment': asdict(self._alignment),
                'dataset': self.data.fingerprint,
                'contents': self.data.contents,
                'processes': self._world,
                'mapping': None if self._mapping is None else self._mapping.digest,
                'updates': self._updates,
                'sums': self._sums,
            },
        }
        state = {f'network.{k}': v for k, v in self.network.state_dict().items()}
        for name, parameter in self.network.named_parameters():
            for key, value in self._optimiser.state.get(parameter, {}).items():
                state[f'optimiser.{key}.{name}'] = value
        tensors = {WEIGHTS: self._average.state_dict(), TRAINING: state}
        return save_checkpoint(self.run, self.step_number, document, tensors, self.params.keep)

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint.

        Raises:
            CheckpointError: It is damaged, or of another network.
            ConfigError: It was trained with other parameters, or on another dataset or mapping;
                names them.
        """
        training = checkpoint.document.get('training')
        if not isinstance(training, dict):
            raise CheckpointError(f'{checkpoint.where}: training is missing')
        now = {
            **{f'params.{k}': v for k, v in asdict(self.params).items() if k not in _FREE},
            **{f'alignment.{k}': v for k, v in asdict(self._alignment).items()},
            'dataset': self.data.fingerprint,
            'processes': self._world,
        }
        for key, value in now.items():
            if key == 'dataset':
                self._check_contents(training, checkpoint.where)
            group, _, field = key.partition('.')
            have = training.get(group)
            if field and isinstance(have, dict):
                have = have.get(field, _BEFORE.get(key))
            if have != _plain(value):
                raise ConfigError(
                    f'{checkpoint.where}: training.{key} was {have!r} and is {value!r} now: '
                    f'{_ANEW}'
                )
        mine = network_document(self.data.meta, self._sizes, self._noise)
        for group in ('network', 'diffusion'):
            for field, value in mine[group].items():
                have = checkpoint.document[group].get(field)
                if have != _plain(value):
                    raise ConfigError(
                        f'{checkpoint.where}: {group}.{field} was {have!r} and is {value!r} now'
                    )
        self._mapped_by = training.get('mapping')
        self._check_mapping_given(training, checkpoint.step)
        updates, sums = _progress(training, checkpoint.where)
        load_tensors(self._average, checkpoint.tensors(WEIGHTS), str(checkpoint.folder / WEIGHTS))
        where = str(checkpoint.folder / TRAINING)
        state = checkpoint.tensors(TRAINING)
        own = {k.removeprefix('network.'): v for k, v in state.items() if k.startswith('network.')}
        load_tensors(self.network, own, where)
        self._load_optimiser(state, where)
        self.step_number, self._updates, self._sums = checkpoint.step, updates, sums

    def _check_contents(self, training: dict[str, Any], where: str) -> None:
        """Refuse episodes of the same names that hold something else than then."""
        then = training.get('contents')
        if then is None:  # of a checkpoint from before this was kept
            return
        if not isinstance(then, dict) or not all(isinstance(e, dict) for e in then.values()):
            raise CheckpointError(f'{where}: training.contents is no map of episodes')
        if changed := difference(then, self.data.contents):
            raise ConfigError(f'{where}: training.dataset: {changed} now: {_ANEW}')

    def _load_optimiser(self, state: dict[str, Tensor], where: str) -> None:
        parameters = dict(self.network.named_parameters())
        for key, value in state.items():
            group, _, rest = key.partition('.')
            field, _, name = rest.partition('.')
            if group != 'optimiser':
                continue
            if name not in parameters:
                raise CheckpointError(f'{where}: {key} is unknown')
            if field != 'step' and value.shape != parameters[name].shape:
                shape = tuple(parameters[name].shape)
                raise CheckpointError(f'{where}: {key} is {tuple(value.shape)}, not {shape}')
            self._optimiser.state[parameters[name]][field] = value.to(self._device)


def _plain(value: Any) -> Any:
    """Return a value of a setting as JSON gives it back."""
    return list(value) if isinstance(value, tuple) else value


def _progress(training: dict[str, Any], where: str) -> tuple[int, dict[str, list[float]]]:
    """Return updates and sums of losses so far.

    Raises:
        CheckpointError: One is missing or wrong; names it.
    """
    updates, sums = training.get('updates'), training.get('sums')
    if not isinstance(updates, int) or updates < 0:
        raise CheckpointError(f'{where}: training.updates = {updates!r} is no count')
    if not isinstance(sums, dict):
        raise CheckpointError(f'{where}: training.sums is missing or wrong')
    for kind, pair in sums.items():
        numbers = isinstance(pair, list) and all(isinstance(x, int | float) for x in pair)
        if kind not in KINDS or not numbers or len(pair) != 2:
            raise CheckpointError(f'{where}: training.sums.{kind} = {pair!r} is no sum and count')
    return updates, {str(kind): [float(x) for x in pair] for kind, pair in sums.items()}


def _check_mapping(mapping: Mapping, data: Data, what: str = 'mapping') -> None:
    """Refuse a mapping of other episodes: its frames would be those of something else."""
    lengths = [] if data.human is None else data.human.lengths.tolist()
    if len(mapping.frames) < len(lengths):
        raise ConfigError(
            f'{what}: of {len(mapping.frames)} human episodes, {len(lengths)} are trained on'
        )
    robots = data.robot.lengths
    for h, length in enumerate(lengths):
        row = mapping.frames[h]
        if len(row) < len(robots):
            raise ConfigError(
                f'{what}: of {len(row)} robot episodes, {len(robots)} are trained on'
            )
        for r, frames in enumerate(row[: len(robots)]):
            if len(frames) != length or frames.max(initial=0) >= robots[r]:
                last = frames.max(initial=0)
                raise ConfigError(
                    f'{what}: human episode {h} on robot episode {r}: {len(frames)} frames up '
                    f'to {last}, the dataset has {length} and {robots[r]}: align it again'
                )


def _precision(name: str, device: torch.device) -> bool:
    """Return whether networks compute in bfloat16."""
    if name == 'auto':
        return device.type == 'cuda' and torch.cuda.is_bf16_supported()
    return name == 'bf16'
