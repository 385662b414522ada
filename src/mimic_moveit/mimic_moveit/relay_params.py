"""Parameters of the relay."""

from dataclasses import dataclass

from mimic_core.params import param


@dataclass(frozen=True, kw_only=True)
class RelayParams:
    """Checked once, when the node starts."""

    arm: str = param("Name of an arm in config/robots, or 'none'.", 'iiwa14')
    hand: str = param("Name of a hand in config/robots, or 'none'.", 'allegro')
    prefix: str = param('Put before every joint name.', '')
    relay_arm: bool = param('The arm stands behind the topic-based plugin.', True)
    relay_hand: bool = param('The hand stands behind the topic-based plugin.', True)
    max_start_error: float = param(
        'Farthest a first command may be from what is measured [rad] or [m].',
        0.05, low=0.001, high=1.0,
    )  # fmt: skip
    state_timeout: float = param(
        'Oldest joint state with which commands pass [s].', 0.25, low=0.02, high=5.0
    )
