"""Parameters of the LEAP Hand's driver."""

from dataclasses import dataclass

from mimic_core.driver import DriverParams, SerialParams
from mimic_core.params import param


@dataclass(frozen=True, kw_only=True)
class LeapParams(SerialParams, DriverParams):
    """Checked once, when the node starts."""

    hand: str = param('Stem of a file in config/robots: a hand with these motors.', 'leap')
    baud: int = param('Bits a second [1/s].', 4_000_000, low=9600, high=4_500_000)
    lost_after: float = param(
        'Without a good reply for so long the device counts as lost [s].', 0.1, low=0.01, high=5.0
    )
    health_period: float = param(
        'Between reads of torque, faults, voltage and temperature [s].', 0.1, low=0.1, high=60.0
    )
    ids: tuple[int, ...] = param(
        'Motors in the order of the joints.', tuple(range(16)), low=0, high=252
    )
    zero_counts: tuple[int, ...] = param(
        'Counts of each motor where its joint is at 0 rad, the flat open hand.',
        (2048,) * 16, low=-1_048_575, high=1_048_575,
    )  # fmt: skip
    position_p: int = param('Proportional gain of the position loop.', 600, low=0, high=16383)
    position_i: int = param('Integral gain.', 0, low=0, high=16383)
    position_d: int = param('Derivative gain.', 200, low=0, high=16383)
    side_gain: float = param(
        'Of the gains of the sideways joints, which carry a whole finger [1].',
        0.75, low=0.0, high=1.0,
    )  # fmt: skip
    current_limit: float = param(
        'Largest current of a motor [A]: 0.35 for LEAP Hand Lite, 0.55 for the full hand.',
        0.35, low=0.01, high=1.75,
    )  # fmt: skip
    torque_constant: float = param(
        'Torque for current, in the efforts that are published [N m/A].', 0.51, low=0.0, high=5.0
    )
    fast_read: bool = param(
        'Fast Sync Read: one reply of all motors; off for motors with an old firmware.', True
    )
    reboot_time: float = param(
        'Longest wait for a motor that is restarted by reset [s].', 1.0, low=0.1, high=5.0
    )
