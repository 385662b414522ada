"""Parameters of alignment."""

from dataclasses import dataclass

from mimic_alignment.patterns import PATTERNS
from mimic_core.params import param


@dataclass(frozen=True, kw_only=True)
class WarpParams:
    """Which paths a warp may take."""

    step_pattern: str = param('Steps of a path.', 'symmetric1', choices=tuple(PATTERNS))
    window: float = param(
        'Farthest a path may leave the diagonal, of the longer side [1]; 0: any.',
        0.0, low=0.0, high=1.0,
    )  # fmt: skip
    open_begin: bool = param(
        'A path may begin at any column: step pattern asymmetric only.', False
    )
    open_end: bool = param(
        'A path may end at any column: not with symmetric1, which cannot be normalised.', False
    )


@dataclass(frozen=True, kw_only=True)
class AlignmentParams(WarpParams):
    """What is compared, and how."""

    hand_weight: float = param(
        'Of the mean distance of the J joints of a hand against the L1 distance of translations '
        '[1]: J lambda 1.',
        1.0, low=0.0, high=100.0,
    )  # fmt: skip
    rotation_weight: float = param(
        'Of the rotation angle against the L1 distance of translations [1/rad]: lambda 2.',
        0.2, low=0.0, high=100.0,
    )  # fmt: skip
    workers: int = param('Threads; 0: one for each core.', 0, low=0, high=256)


@dataclass(frozen=True, kw_only=True)
class AlignNodeParams(AlignmentParams):
    """Checked once, when the node starts."""

    encoder: str = param(
        'Of the visual method: thumbnail, module:function or module:function=argument.',
        'thumbnail',
    )
