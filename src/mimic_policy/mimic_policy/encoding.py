"""A policy's own eyes for alignment: `mimic_policy.encoding:encoder=CHECKPOINT`."""

from pathlib import Path

import numpy as np

from mimic_alignment.features import Encoder
from mimic_core.arrays import FloatArray, Image
from mimic_dataset.video import resized
from mimic_policy.checkpoint import load_policy
from mimic_policy.meta import AGENT


def encoder(checkpoint: str) -> Encoder:
    """Return the encoder of the agent view of a checkpoint, for pictures of any size.

    Args:
        checkpoint: Path of a checkpoint or of a training run.

    Raises:
        CheckpointError: It cannot be read.
    """
    policy = load_policy(Path(checkpoint))
    size = policy.meta.cameras[AGENT]

    def encode(pictures: Image) -> FloatArray:
        scaled = np.stack([resized(picture, size) for picture in pictures])
        return policy.features(scaled).astype(np.float64)

    return encode
