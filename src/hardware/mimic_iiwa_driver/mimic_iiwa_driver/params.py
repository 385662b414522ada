"""Parameters of the iiwa's driver."""

from dataclasses import dataclass

from mimic_core.jtc.params import JtcParams
from mimic_core.params import param

STACKS = ('lbr', 'icube')


@dataclass(frozen=True, kw_only=True)
class IiwaParams(JtcParams):
    """Parameters of a driver before one of the iiwa's stacks."""

    arm: str = param('Name of the arm in config/robots: iiwa7 or iiwa14.', 'iiwa14')
    stack: str = param(
        'lbr: lbr_fri_ros2_stack; icube: iiwa_ros2.', 'lbr', choices=STACKS
    )  # fmt: skip
    check_session: bool = param(
        'With lbr: move only while the FRI session is commanding; needs lbr_fri_idl.', True
    )
    health_period: float = param(
        'Between reads of the session for diagnostics [s].', 0.15, low=0.1, high=60.0
    )
