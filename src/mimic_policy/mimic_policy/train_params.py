"""How a policy is trained."""

from dataclasses import dataclass
from typing import Final

from mimic_core.errors import ConfigError
from mimic_core.params import param
from mimic_dataset.video import Region

ROBOT_ONLY: Final = 'robot_only'
FINE_TUNE: Final = 'fine_tune'
CO_TRAIN: Final = 'co_train'
RANDOM_MAP: Final = 'random_map'
IMMIMIC_V: Final = 'immimic_v'
IMMIMIC_A: Final = 'immimic_a'
SMALLEST_SIDE: Final = 0.05  # [1] of a picture, that a region may have
METHODS: Final = (ROBOT_ONLY, FINE_TUNE, CO_TRAIN, RANDOM_MAP, IMMIMIC_V, IMMIMIC_A)


@dataclass(frozen=True, kw_only=True)
class TrainParams:
    """Checked once, before the first step."""

    method: str = param('What is trained on what.', IMMIMIC_A, choices=METHODS)
    steps: int = param(
        'Of training; one of them has a robot batch and a human or mixed one.',
        3000, low=1, high=10_000_000,
    )  # fmt: skip
    batch: int = param('Windows of a batch of one process.', 64, low=1, high=65536)
    learning_rate: float = param('Of AdamW.', 2e-3, low=1e-7, high=0.1)
    warm_up: int = param('Steps until the full learning rate.', 100, low=0, high=1_000_000)
    rate_schedule: str = param(
        'Of the learning rate after the warm-up.', 'cosine', choices=('cosine', 'constant')
    )
    weight_decay: float = param('Of AdamW.', 1e-4, low=0.0, high=1.0)
    clip: float = param('Largest norm of a gradient.', 1.0, low=1e-3, high=1e6)
    ema_power: float = param(
        'Weights are averaged: the average keeps 1 - (1 + step)^-power each step.',
        0.75, low=0.1, high=1.0,
    )  # fmt: skip
    ema_most: float = param('But never keeps more than this [1].', 0.999, low=0.0, high=0.99999)
    height: int = param('Of the pictures [px].', 96, low=16, high=1080)
    width: int = param('Of the pictures [px].', 96, low=16, high=1920)
    region: tuple[float, ...] = param(
        'Of the agent view, which is brought to that size: left, top, right, bottom, as shares of '
        'the picture. The nearer, the better it shows where things are.',
        (0.0, 0.0, 1.0, 1.0), low=0.0, high=1.0,
    )  # fmt: skip
    use_wrist: bool = param('Use the wrist camera where the dataset has one.', True)
    observation_steps: int = param('Moments of an observation.', 1, low=1, high=16)
    horizon: int = param('Rows of a chunk.', 32, low=4, high=256)
    robot_stride: float = param(
        'Frames of robot episodes between rows of a chunk.', 1.0, low=0.1, high=50.0
    )
    human_stride: float = param(
        'Frames of human episodes between rows of a chunk; 0: such that the median human episode '
        'has as many rows as the median robot episode.',
        0.0, low=0.0, high=50.0,
    )  # fmt: skip
    mixing: str = param(
        'Share of the human in mixed samples: from 1 to 0 over training, or drawn.',
        'linear', choices=('linear', 'beta'),
    )  # fmt: skip
    mixing_beta: float = param(
        'Of Beta(b, b), where the share is drawn.', 1.0, low=0.05, high=20.0
    )
    fine_tune_share: float = param(
        'Of the steps of fine_tune that go to humans, before the robot [1].',
        0.5, low=0.0, high=1.0,
    )  # fmt: skip
    visual_share: float = param(
        'Of the steps of immimic_v before its mapping: an encoder must have learned to see [1].',
        0.2, low=0.0, high=1.0,
    )  # fmt: skip
    robot_weight: float = param(
        'Of the loss of robot batches where people are learned from too: few demonstrations are '
        'soon known by heart, and then nothing asks what people show [1].',
        1.0, low=0.0, high=1.0,
    )  # fmt: skip
    colour_jitter: float = param(
        'Largest change of a colour in training [1].', 0.1, low=0.0, high=0.9
    )
    state_dropout: float = param(
        'Share of robot samples without proprioception: what they show is learned from pictures '
        'too [1].',
        0.0, low=0.0, high=1.0,
    )  # fmt: skip
    precision: str = param(
        'auto is bf16 on an accelerator, fp32 on a processor.', 'auto',
        choices=('auto', 'fp32', 'bf16'),
    )  # fmt: skip
    seed: int = param('Of everything random.', 0, low=0, high=2**31 - 1)
    log_every: int = param('Steps between two entries of the loss curve.', 10, low=1, high=100_000)
    save_every: int = param('Steps between two checkpoints.', 500, low=1, high=10_000_000)
    keep: int = param('Checkpoints that stay; 0: all.', 2, low=0, high=1000)

    def __post_init__(self) -> None:
        if len(self.region) != 4:
            raise ConfigError(f'region = {self.region}: left, top, right and bottom are wanted')
        region = Region(*self.region)  # raises
        sides = (region.right - region.left, region.bottom - region.top)
        if min(sides) < SMALLEST_SIDE:
            raise ConfigError(
                f'region = {self.region}: a side of {min(sides):g} of the picture shows next to '
                f'nothing; {SMALLEST_SIDE} is the least'
            )

    @property
    def agent_region(self) -> Region:
        """Of the agent view."""
        return Region(*self.region)
