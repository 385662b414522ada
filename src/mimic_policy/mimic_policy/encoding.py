"""A policy's own eyes for alignment: `mimic_policy.encoding:encoder=CHECKPOINT`."""

from pathlib import Path

import numpy as np

from mimic_alignment.features import Encoder
from mimic_core.arrays import FloatArray, Image
from mimic_dataset.video import resized
from mimic_policy.checkpoint import load_policy, read_checkpoint
from mimic_policy.meta import AGENT, PolicyMeta, Size


def picture_size(checkpoint: Path) -> Size:
    """Return height and width [px] of whole pictures of which a policy sees its part as it is.

    Raises:
        CheckpointError: It cannot be read.
        ConfigError: Its meta is wrong.
    """
    found = read_checkpoint(checkpoint)
    meta = PolicyMeta.from_json(found.document['meta'], found.where)
    (height, width), region = meta.cameras[AGENT], meta.region
    return (
        round(height / (region.bottom - region.top)), round(width / (region.right - region.left)),
    )  # fmt: skip


def encoder(checkpoint: str) -> Encoder:
    """Return the encoder of the agent view of a checkpoint, for pictures of any size.

    Args:
        checkpoint: Path of a checkpoint or of a training run.

    Raises:
        CheckpointError: It cannot be read.
    """
    policy = load_policy(Path(checkpoint))
    size, region = policy.meta.cameras[AGENT], policy.meta.region

    def encode(pictures: Image) -> FloatArray:
        scaled = np.stack([resized(picture, size, region) for picture in pictures])
        return policy.features(scaled).astype(np.float64)

    return encode
