"""Parameters of the Robotiq driver."""

from dataclasses import dataclass

from mimic_core.driver import DriverParams, SerialParams
from mimic_core.driver.params import POLICIES
from mimic_core.params import param


@dataclass(frozen=True, kw_only=True)
class RobotiqParams(SerialParams, DriverParams):
    """Checked once, when the node starts."""

    hand: str = param('Name of a hand in config/robots.', 'robotiq_2f85')
    model: str = param('Which gripper it is.', '2f85', choices=('2f85', '2f140'))
    slave_id: int = param('Modbus address.', 9, low=1, high=247)
    force: float = param(
        'Grip force [N]; clipped to what the gripper can.', 60.0, low=0.0, high=300.0
    )
    force_at_zero: float = param(
        'Grip force at force byte 0 [N]; 0: that of the model (unconfirmed).',
        0.0, low=0.0, high=100.0,
    )  # fmt: skip
    open_count: int = param(
        'Position count of fully open fingers; 3 with stock fingers.', 3, low=0, high=100
    )
    closed_count: int = param(
        'Position count of fully closed fingers; 230 with stock fingers.', 230, low=101, high=255
    )
    current_unit: float = param(
        'Of a count of measured current [A] (unconfirmed).', 0.01, low=0.0, high=0.1
    )
    command_gap: float = param(
        'Least time between two commands on the bus [s].', 0.005, low=0.0, high=0.1
    )
    activation_timeout: float = param(
        'Longest activation: the fingers sweep their whole stroke [s].', 10.0, low=1.0, high=60.0
    )
    stall_time: float = param(
        'Told to move, without contact and still for so long is worth a warning [s].',
        0.1, low=0.05, high=10.0,
    )  # fmt: skip
    # Limp would cost the sweep of an activation, and drop what is held.
    on_deactivate: str = param(
        'When deactivated: hold stays stiff, limp takes the torque off.', 'hold', choices=POLICIES
    )
    # A gripper that holds an object is away from its command: `stall_time` judges instead.
    following_error: float = param(
        "Distance of a joint from its command that is worth a warning, of the joint's range [1]; "
        '0: none.', 0.0, low=0.0, high=1.0,
    )  # fmt: skip
    lost_after: float = param(
        'Without a good reply for so long the device counts as lost [s].', 0.1, low=0.01, high=5.0
    )
    # It costs nothing: all is in the status that each read brings.
    health_period: float = param(
        'Between looks at current and warnings [s].', 0.1, low=0.1, high=60.0
    )
