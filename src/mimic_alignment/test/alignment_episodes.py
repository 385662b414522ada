"""Small episodes with known answers for the tests of this package."""

import numpy as np

from mimic_dataset.arrays import EpisodeArrays

JOINTS = ('finger', 'thumb')
SIDE = 32  # [px]


def episode(name, domain, stretch=lambda s: s, frames=40, colour=255, seed=0, **fields):
    """A hand that goes along a curve, at a speed of its own, before a camera that sees it.

    `stretch` gives the share of the way at the share of the time; both ends stay.
    """
    share = stretch(np.linspace(0.0, 1.0, frames))
    position = np.stack(
        [0.5 + 0.2 * share, 0.15 * np.sin(3 * share), 0.1 + 0.2 * share * (1 - share)]
    ).T
    turn = np.outer(0.8 * share, (0.0, 0.0, 1.0))
    hand = np.stack([share, 1.0 - share**2]).T
    agent = np.zeros((frames, SIDE, SIDE, 3), np.uint8)
    rng = np.random.default_rng(seed)
    for t, s in enumerate(share):
        at = 2 + round(20 * s)
        agent[t, at : at + 8, at : at + 8] = colour
        agent[t] += rng.integers(0, 3, agent[t].shape, dtype=np.uint8)
    values = {
        'task': 'reach',
        'arm': 'iiwa14',
        'hand': 'claw',
        'fps': 10.0,
        'stamps': np.arange(frames) / 10.0,
        'agent': agent,
        'action': np.concatenate([position, turn, hand], axis=1),
        'joint_names': JOINTS,
    }
    return EpisodeArrays(name=name, domain=domain, **{**values, **fields})


def share_of(one):
    """The share of the way at each frame of an episode, (T,)."""
    return (one.action[:, 0] - 0.5) / 0.2
