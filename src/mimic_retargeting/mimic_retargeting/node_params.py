"""Parameters of the node: which robot, how old data may be, and those of the core."""

from dataclasses import dataclass

from mimic_core.params import param
from mimic_retargeting.params import RetargetingParams


@dataclass(frozen=True, kw_only=True)
class RetargetingNodeParams(RetargetingParams):
    """Checked once, when the node starts."""

    arm: str = param('Stem of a file in config/robots, or none.', 'iiwa14')
    hand: str = param('Stem of a file in config/robots, or none.', 'allegro')
    prefix: str = param('Put before every joint and link.', '')
    max_input_age: float = param(
        'Oldest hand or joint state still used [s].', 0.3, low=0.02, high=5.0
    )
    require_enable: bool = param('Follow only while control/enable is true.', False)
    enable_timeout: float = param(
        'How long one control/enable counts [s].', 0.5, low=0.05, high=10.0
    )
