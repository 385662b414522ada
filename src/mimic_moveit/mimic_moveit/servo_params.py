"""Parameters of the bridge to Servo."""

from dataclasses import dataclass

from mimic_core.params import param


@dataclass(frozen=True, kw_only=True)
class ServoBridgeParams:
    """Checked once, when the node starts."""

    arm: str = param('Name of an arm in config/robots.', 'iiwa14')
    hand: str = param("Name of a hand in config/robots, or 'none'.", 'allegro')
    prefix: str = param('Put before every joint and link.', '')
    max_look_age: float = param(
        'Oldest look at the hand that is still answered [s].', 0.25, low=0.02, high=2.0
    )
    retry_period: float = param(
        'Between two tries to make Servo follow poses, and the silence after which it is told so '
        'again [s].',
        1.0, low=0.1, high=60.0,
    )  # fmt: skip
