"""Latents of human and robot pictures in the plane (t-SNE), for two policies side by side."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from benchmarks.experiment.ingest import training_set
from benchmarks.experiment.settings import FOLDER, ROBOTS, DataSettings
from mimic_alignment import encode
from mimic_core.arrays import FloatArray
from mimic_dataset import Dataset

FRAMES: Final = 400  # of each domain
EPISODES: Final = 20  # of people
_HUMAN, _ROBOT = 'Reds', 'Blues'


def latents(checkpoint: Path, dataset: Dataset) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return (N, D) features of the agent view and (N,) shares of the episode, by domain."""
    from mimic_policy.encoding import encoder

    see = encoder(str(checkpoint))
    found = {}
    for domain in ('human', 'robot'):
        episodes = [e for e in dataset.episodes if e.domain == domain]
        each = max(FRAMES // max(len(episodes), 1), 1)
        features, shares = [], []
        for episode in episodes:
            chosen = np.linspace(0, len(episode) - 1, each).round().astype(int)
            features.append(encode(episode.agent[chosen], see))
            shares.append(chosen / (len(episode) - 1))
        found[domain] = (np.concatenate(features), np.concatenate(shares))
    return found


def mixed(features: Mapping[str, tuple[FloatArray, FloatArray]], neighbours: int = 10) -> float:
    """Return how mixed two domains are: foreign share of the nearest, over what chance gives.

    1: nobody can tell them apart; 0: each has only its own around it.
    """
    human, robot = features['human'][0], features['robot'][0]
    points = np.concatenate([human, robot])
    domain = np.arange(len(points)) < len(human)
    square = (points**2).sum(axis=1)
    distance = square[:, None] + square[None] - 2.0 * points @ points.T
    np.fill_diagonal(distance, np.inf)
    nearest = np.argpartition(distance, neighbours, axis=1)[:, :neighbours]
    foreign = (domain[nearest] != domain[:, None]).mean(axis=1)
    chance = np.where(domain, len(robot), len(human)) / (len(points) - 1)
    return float((foreign / chance).mean())


def draw(
    policies: Mapping[str, Path], dataset: Dataset, seed: int
) -> tuple[Figure, dict[str, float]]:
    """Return the picture, and how mixed the domains are, for each policy.

    Args:
        policies: Checkpoint by name.
        dataset: Episodes of both domains.
        seed: Of t-SNE.
    """
    from sklearn.manifold import TSNE

    mixing = {}
    with mpl.rc_context({'font.size': 8}):
        figure = Figure(figsize=(5.2 * len(policies), 4.8), layout='constrained')
        for column, (name, checkpoint) in enumerate(policies.items()):
            found = latents(checkpoint, dataset)
            mixing[name] = mixed(found)
            points = np.concatenate([found['human'][0], found['robot'][0]])
            plane = TSNE(random_state=seed, init='pca', perplexity=30.0).fit_transform(points)
            axes: Any = figure.add_subplot(1, len(policies), column + 1)
            count = len(found['human'][0])
            for domain, part, colours in (
                ('human', plane[:count], _HUMAN), ('robot', plane[count:], _ROBOT)
            ):  # fmt: skip
                axes.scatter(
                    part[:, 0], part[:, 1], c=0.3 + 0.7 * found[domain][1], cmap=colours,
                    vmin=0.0, vmax=1.0, s=9, label=domain,
                )  # fmt: skip
            axes.set_title(f'{name}: mixed {mixing[name]:.2f}')
            axes.set_xticks([])
            axes.set_yticks([])
        figure.suptitle('latents of the agent view: human red, robot blue, darker later')
    return figure, mixing


def figure_of(
    task: str, hand: str, data: DataSettings, checkpoints: Mapping[str, str], seed: int
) -> tuple[Figure, dict[str, float]]:
    """Return the picture for the policies of one hand; checkpoints are relative to the cache."""
    from mimic_policy.encoding import picture_size

    policies = {name: FOLDER / checkpoint for name, checkpoint in checkpoints.items()}
    size = picture_size(next(iter(policies.values())))
    return draw(policies, training_set(task, hand, data, ROBOTS, EPISODES, size), seed)
