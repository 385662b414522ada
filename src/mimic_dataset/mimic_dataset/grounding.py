"""How far away the hand of a video without depth is: its palm comes as low as the robot's did.

From its size alone a hand is seen too near by a tenth and more, since nobody's hand has the length
that is assumed and detectors have a scale of their own. Targets of the palm are those of a robot
that grips where the person does (see mimic_retargeting), so where both do the same task they come
equally low.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from scipy.optimize import brentq

from mimic_core.arrays import FloatArray
from mimic_dataset.arrays import EpisodeArrays
from mimic_dataset.errors import EpisodeError

LOWEST: Final = 2.0  # [%] of the heights: not one frame alone
STEP: Final = 0.005  # [m] to which what demonstrations reach is rounded: one more changes nothing
FARTHEST: Final = 1.8  # [1] times as far as it is seen, or as near


def demonstrated(episodes: Iterable[EpisodeArrays]) -> float:
    """Return how low palms come in demonstrations [m] in base_link: the median, rounded."""
    lowest = [np.percentile(episode.action[:, 2], LOWEST) for episode in episodes]
    return float(STEP * np.round(np.median(lowest) / STEP))


def distance_factor(position: FloatArray, camera: FloatArray, lowest: float) -> float:
    """Return by what all distances from a camera are multiplied, so that palms come so low.

    Args:
        position: (N, 3) of the palm in base_link [m]; it moves along its ray.
        camera: (3,) of the camera [m].
        lowest: Wanted [m] in base_link.

    Raises:
        EpisodeError: No factor from 1 / FARTHEST to FARTHEST does.
    """
    rays = position[:, 2] - camera[2]

    def above(factor: float) -> float:
        return float(camera[2] + np.percentile(factor * rays, LOWEST)) - lowest

    near, far = 1.0 / FARTHEST, FARTHEST
    if not above(far) < 0.0 < above(near):
        raise EpisodeError(
            f'the palm comes as low as {above(1.0) + lowest:.3f} m, and no distance of the hand '
            f'from {near:.1f} to {far:.1f} times the seen one brings it to {lowest:.3f} m: is the '
            "camera where its file says, and the whole task in view? That person's --hand-length "
            'may help; --lowest-palm none leaves distances as they are seen'
        )
    return float(brentq(above, near, far, xtol=1e-4))
