"""A training step of the small network, against diffusion_policy's code with the same network.

The peer is real-stanford/diffusion_policy at one commit, cloned into out/peers on the first run:
its U-Net, normaliser and average of weights, called as its image policy and its workspace do, on
a batch in memory as its datasets give it: floats, channels first. Picture encoders and sizes are
ours, cropping too, and so is, for the row with a target, the activation; as published it is Mish.
"""

import copy
import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.harness import ROOT, Options, Row, at_most, info
from benchmarks.policy import CROP, SIDE, episodes
from mimic_core.errors import MimicError
from mimic_policy.data import Data, prepare
from mimic_policy.diffusion import Diffusion
from mimic_policy.meta import CAMERAS
from mimic_policy.networks.encoders import SmallEncoder
from mimic_policy.trainer import Trainer
from mimic_policy.training import Settings

REPOSITORY: Final = 'https://github.com/real-stanford/diffusion_policy'
COMMIT: Final = '5ba07ac6661db573af695b419a7947ecb704690f'
PEER: Final = ROOT / 'out' / 'peers' / 'diffusion_policy'
BATCH: Final = 64
THREADS: Final = 1  # two are slower where anything else runs


class PeerError(MimicError):
    """The peer cannot be had."""


def run(options: Options) -> list[Row]:
    """Measure steps in turn, so that what else runs on the machine slows all of them."""
    torch.set_num_threads(THREADS)
    _fetch()
    settings = Settings.of('small', {'method': 'robot_only', 'batch': BATCH, 'seed': options.seed})
    dataset = episodes(options.seed, robots=4)
    data = prepare(dataset, settings.train)
    trainer = Trainer(data, settings.train, settings.network, settings.diffusion, Path('none'))
    frames = np.random.default_rng(options.seed)
    published = _Workspace(settings, data, silu=False)
    same = _Workspace(settings, data, silu=True)
    steps: dict[str, Callable[[], object]] = {
        'ours': trainer.step,
        'same': lambda: same.step(frames),
        'published': lambda: published.step(frames),
    }
    durations: dict[str, list[float]] = {name: [] for name in steps}
    warm, count = (3, 20) if options.quick else (5, 80)
    for i in range(warm + count):
        for name, step in steps.items():
            began = time.perf_counter()
            step()
            if i >= warm:
                durations[name].append(time.perf_counter() - began)
    median = {name: float(np.median(values)) * 1e3 for name, values in durations.items()}
    ratio = {name: float(np.median(np.array(durations['ours']) / np.array(values)))
             for name, values in durations.items()}  # fmt: skip
    count_ours = sum(p.numel() for p in trainer.network.parameters())
    count_theirs = sum(p.numel() for p in same.policy.parameters())
    return [
        info('step of ours', median['ours'], 'ms'),
        info('step of diffusion_policy, the same network', median['same'], 'ms'),
        info('step of diffusion_policy, its activation', median['published'], 'ms'),
        at_most('ours / theirs, the same network', ratio['same'], '1', 0.8),
        info('ours / theirs, its activation', ratio['published'], '1'),
        info('parameters of ours', count_ours / 1e6, '10^6'),
        info('parameters of theirs', count_theirs / 1e6, '10^6'),
    ]


def _fetch() -> None:
    """Clone the peer, once."""
    if not (PEER / 'diffusion_policy').is_dir():
        PEER.mkdir(parents=True, exist_ok=True)
        for command in (
            ['init', '--quiet'],
            ['fetch', '--quiet', '--depth', '1', REPOSITORY, COMMIT],
            ['checkout', '--quiet', 'FETCH_HEAD'],
        ):
            done = subprocess.run(
                ['git', '-C', str(PEER), *command], capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise PeerError(
                    f'{REPOSITORY} cannot be cloned into {PEER}: {done.stderr.strip()}'
                )
    if str(PEER) not in sys.path:
        sys.path.append(str(PEER))
    if importlib.util.find_spec('zarr') is None:  # its normaliser names one type of it
        zarr: Any = ModuleType('zarr')
        zarr.Array = type('Array', (), {})
        sys.modules['zarr'] = zarr


class _Peer(nn.Module):
    """diffusion_policy's U-Net in a policy like its own, and what its workspace does in a step."""

    def __init__(self, settings: Settings, data: Data, *, silu: bool) -> None:
        from diffusion_policy.model.common.normalizer import (
            LinearNormalizer,
            SingleFieldLinearNormalizer,
        )
        from diffusion_policy.model.diffusion.conditional_unet1d import ConditionalUnet1D

        super().__init__()
        sizes, train = settings.network, settings.train
        self.encoders = nn.ModuleDict(
            {
                name: SmallEncoder(sizes.feature, sizes.keypoints, sizes.channels, sizes.dilations)
                for name in CAMERAS
            }
        )
        features = len(CAMERAS) * sizes.feature + len(data.meta.state)
        self.unet = ConditionalUnet1D(
            input_dim=len(data.meta.action),
            global_cond_dim=features * train.observation_steps,
            diffusion_step_embed_dim=sizes.time_width,
            down_dims=sizes.widths,
            kernel_size=sizes.kernel,
            n_groups=8,
            cond_predict_scale=True,
        )
        if silu:
            _replace_mish(self.unet)
        self.normalizer = LinearNormalizer()
        for name in (*CAMERAS, 'state', 'action'):
            self.normalizer[name] = SingleFieldLinearNormalizer.create_identity()
        self.scheduler = Diffusion(settings.diffusion).scheduler

    def compute_loss(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the loss of a batch of floats."""
        scaled = self.normalizer.normalize(batch)
        chunk = scaled['action']
        size = len(chunk)
        features = []
        for name, encoder in self.encoders.items():
            flat = scaled[name].flatten(0, 1)
            corner = torch.randint(0, CROP + 1, (len(flat), 2)).tolist()
            side = SIDE - CROP
            cut = torch.stack(
                [p[:, y : y + side, x : x + side] for p, (y, x) in zip(flat, corner, strict=True)]
            )
            features.append(encoder(cut).view(size, -1))
        condition = torch.cat([*features, scaled['state'].flatten(1)], -1)
        noise = torch.randn(chunk.shape)
        times = torch.randint(0, self.scheduler.config.num_train_timesteps, (size,)).long()
        noised = self.scheduler.add_noise(chunk, noise, times)
        predicted = self.unet(noised, times, global_cond=condition)
        # its datasets and ours predict the chunk itself: prediction_type sample
        loss: torch.Tensor = functional.mse_loss(predicted, chunk, reduction='none')
        return loss.flatten(1).mean(1).mean()


class _Workspace:
    """What diffusion_policy's workspace keeps beside the policy."""

    def __init__(self, settings: Settings, data: Data, *, silu: bool) -> None:
        from diffusion_policy.model.diffusion.ema_model import EMAModel

        self.policy = _Peer(settings, data, silu=silu)
        self._data = data
        self._average = EMAModel(copy.deepcopy(self.policy))
        p = settings.train
        self._optimiser = torch.optim.AdamW(
            self.policy.parameters(), p.learning_rate, weight_decay=p.weight_decay
        )

    def step(self, rng: np.random.Generator) -> float:
        """Take a step; pictures become floats as in its datasets."""
        windows = self._data.robot
        batch = windows.batch(*windows.locate(rng.integers(0, len(windows), BATCH)))
        assert batch.wrist is not None and batch.state is not None

        def view(frames: np.ndarray[Any, Any]) -> torch.Tensor:
            return torch.from_numpy(np.moveaxis(frames, -1, 2).astype(np.float32) / 255.0)

        loss = self.policy.compute_loss(
            {
                'agent': view(batch.agent),
                'wrist': view(batch.wrist),
                'state': torch.from_numpy(batch.state),
                'action': torch.from_numpy(batch.chunk),
            }
        )
        loss.backward()
        self._optimiser.step()
        self._optimiser.zero_grad()
        self._average.step(self.policy)
        return float(loss.item())


def _replace_mish(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.Mish):
            setattr(module, name, nn.SiLU())
        else:
            _replace_mish(child)
