"""Small synthetic episodes: a square that moves over noise-free ground."""

from pathlib import Path

import numpy as np
import pytest

from mimic_dataset import DatasetMeta, EpisodeArrays, add_episode, assemble

ROOT = Path(__file__).parents[3]
JOINTS = ('a', 'b')
META = DatasetMeta(
    'push', 'iiwa14', 'two', JOINTS, (0.0, -1.0), (1.0, 1.0),
    {'agent': (36, 64), 'wrist': (24, 32)}, 10.0,
)  # fmt: skip


def pictures(count: int, size: tuple[int, int], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found = np.zeros((count, *size, 3), np.uint8)
    found[:] = rng.integers(40, 200, 3)
    for t in range(count):
        x = int((size[1] - 8) * t / max(count - 1, 1))
        found[t, 8:16, x : x + 8] = (250, 20, 20)
    return found


def episode(name: str = 'e1', domain: str = 'robot', count: int = 21, seed: int = 0, **changes):
    rng = np.random.default_rng(seed)
    share = np.linspace(0.0, 1.0, count)[:, None]
    action = share * rng.uniform(0.2, 1.0, 8) + rng.uniform(-0.1, 0.1, 8)
    state = None
    if domain == 'robot':
        state = np.hstack(
            [action[:, :3], np.tile([0.0, 0.0, 0.6, 0.8], (count, 1)), action[:, 6:]]
        )
    values = {
        'name': name, 'task': 'push', 'arm': 'iiwa14', 'hand': 'two', 'domain': domain,
        'fps': 10.0, 'stamps': np.arange(count) / 10.0,
        'agent': pictures(count, (36, 64), seed),
        'wrist': pictures(count, (24, 32), seed + 50) if domain == 'robot' else None,
        'action': action, 'state': state, 'joint_names': JOINTS, 'success': domain == 'robot',
    }  # fmt: skip
    return EpisodeArrays(**{**values, **changes})


def fill(folder: Path, robots: int = 3, humans: int = 2) -> list[EpisodeArrays]:
    found = [episode(f'r{i}', 'robot', 20 + i, i) for i in range(robots)]
    found += [episode(f'h{i}', 'human', 12 + i, 100 + i) for i in range(humans)]
    for each in found:
        add_episode(folder, META, each, quality=10)
    for domain in ('robot', 'human'):
        assemble(folder, domain)
    return found


@pytest.fixture
def dataset(tmp_path) -> tuple[Path, list[EpisodeArrays]]:
    folder = tmp_path / 'push_two'
    return folder, fill(folder)
