"""Parameters of the SO-ARM101's driver."""

from dataclasses import dataclass

from mimic_core.driver import DriverParams, SerialParams
from mimic_core.params import param


@dataclass(frozen=True, kw_only=True)
class So101Params(SerialParams, DriverParams):
    """Checked once, when the node starts."""

    port: str = param('Serial port, best by /dev/serial/by-id.', '/dev/ttyACM0')
    baud: int = param('Bits a second [1/s].', 1_000_000, low=9600, high=1_000_000)
    lost_after: float = param(
        'Without a good reply for so long the device counts as lost [s].', 0.1, low=0.01, high=5.0
    )
    health_period: float = param(
        'Between reads of torque, faults, voltage and temperature [s].', 0.1, low=0.1, high=60.0
    )
    calibration: str = param(
        'Calibration file of this very arm, as the tool calibrate and LeRobot write it; '
        'required.', ''
    )  # fmt: skip
    arm: str = param('Stem of a file in config/robots: an arm with these motors.', 'so101')
    hand: str = param(
        'Stem of a file in config/robots: motor 6 is driven where that is its gripper; any other, '
        'or none: the arm alone.', 'so101_gripper'
    )  # fmt: skip
    position_p: int = param('Proportional gain of the position loop.', 16, low=0, high=254)
    position_i: int = param('Integral gain.', 0, low=0, high=254)
    position_d: int = param('Derivative gain.', 32, low=0, high=254)
    gripper_torque: float = param(
        "Bound of the gripper's torque, of its stall torque [1].", 0.5, low=0.0, high=1.0
    )
    stall_torque: float = param(
        'Torque at full load, in the efforts that are published [N m].', 2.9, low=0.0, high=10.0
    )
    current_unit: float = param('Of a count of measured current [A].', 0.0065, low=0.0, high=0.1)
