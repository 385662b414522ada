"""How long a chunk of actions takes: the small network on one thread, and where the time goes."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import torch

from benchmarks.harness import Options, Row, info, timings
from mimic_dataset import Dataset, DatasetMeta, EpisodeArrays
from mimic_description import load_robot
from mimic_policy import Observation
from mimic_policy.checkpoint import load_policy
from mimic_policy.data import prepare
from mimic_policy.networks.params import NetworkParams
from mimic_policy.trainer import Trainer
from mimic_policy.training import Settings

ARM: Final = 'panda'
HAND: Final = 'allegro'  # the most joints
SIDE: Final = 96  # [px]
CROP: Final = NetworkParams().crop
LIMIT: Final = 60.0  # [ms]
THREADS: Final = 1  # two are slower where anything else runs


def episodes(seed: int, robots: int, frames: int = 120) -> Dataset:
    """Return robot episodes of noise: what they show does not change what a step takes."""
    rng = np.random.default_rng(seed)
    robot = load_robot(ARM, HAND)
    joints = len(robot.hand_joints)
    first = len(robot.arm_joints)
    meta = DatasetMeta(
        task='pick_place', arm=ARM, hand=HAND, joint_names=robot.hand_joints,
        lower=tuple(robot.limits.lower[first:].tolist()),
        upper=tuple(robot.limits.upper[first:].tolist()),
        cameras={'agent': (SIDE, SIDE), 'wrist': (SIDE, SIDE)}, fps=10.0,
    )  # fmt: skip
    found = []
    for i in range(robots):
        pose = np.concatenate([rng.uniform(-1, 1, (frames, 3)), np.zeros((frames, 4))], 1)
        pose[:, 3] = 1.0
        found.append(
            EpisodeArrays(
                name=f'{i}', task=meta.task, arm=ARM, hand=HAND, domain='robot', fps=meta.fps,
                stamps=np.arange(frames) / meta.fps, joint_names=meta.joint_names,
                agent=rng.integers(0, 256, (frames, SIDE, SIDE, 3), dtype=np.uint8),
                wrist=rng.integers(0, 256, (frames, SIDE, SIDE, 3), dtype=np.uint8),
                action=rng.uniform(-1, 1, (frames, 6 + joints)),
                state=np.concatenate([pose, rng.uniform(0, 1, (frames, joints))], 1),
            )
        )  # fmt: skip
    return Dataset(meta, tuple(found))


def run(options: Options) -> list[Row]:
    """Measure predictions of untrained policies: the numbers in a network cost no time."""
    torch.set_num_threads(THREADS)
    count = 20 if options.quick else 200
    rows: list[Row] = []
    dataset = episodes(options.seed, robots=1)
    episode = dataset.episodes[0]
    rng = np.random.default_rng(options.seed)
    with TemporaryDirectory() as folder:
        for preset in ('small',) if options.quick else ('small', 'paper'):
            changes = {'method': 'robot_only', 'height': SIDE, 'width': SIDE, 'horizon': 32}
            settings = Settings.of(preset, changes)
            run_folder = Path(folder) / preset
            trainer = Trainer(
                prepare(dataset, settings.train), settings.train, settings.network,
                settings.diffusion, run_folder,
            )  # fmt: skip
            trainer.save()
            policy = load_policy(run_folder)
            assert episode.wrist is not None and episode.state is not None
            steps = policy.meta.observation_steps
            seen = Observation(episode.agent[:steps], episode.wrist[:steps], episode.state[:steps])
            repeat = count if preset == 'small' else count // 10
            durations = _durations(partial(policy.predict, seen, rng), repeat)
            limit = LIMIT if preset == 'small' else None
            rows += timings(f'chunk of 32, {preset} network', durations, limit)
            parameters = sum(p.numel() for p in policy.network.parameters())
            rows.append(info(f'parameters, {preset} network', parameters / 1e6, '10^6'))
            one = load_policy(run_folder, inference_steps=1)
            least = _durations(partial(one.predict, seen, rng), repeat)
            share = 1.0 - float(np.median(least)) / float(np.median(durations))
            rows.append(info(f'of it 9 of 10 steps of DDIM, {preset} network', share * 100, '%'))
    return rows


def _durations(call: Callable[[], object], count: int) -> list[float]:
    for _ in range(3):
        call()
    found = []
    for _ in range(count):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return found
