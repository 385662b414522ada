"""Parameters of the driver of the Ability Hand."""

from dataclasses import dataclass

from mimic_core.driver.params import DriverParams
from mimic_core.driver.serial_port import SerialParams
from mimic_core.params import param

ROTOR_SCALES = ('icd', 'wrapper')


@dataclass(frozen=True, kw_only=True)
class AbilityParams(SerialParams, DriverParams):
    """Checked once, when the node starts."""

    hand: str = param('Stem of a file in config/robots: a hand with these six motors.', 'ability')
    baud: int = param('Bits a second [1/s].', 460800, low=1200, high=10_000_000)
    reply_timeout: float = param('Longest wait for a reply [s].', 0.02, low=0.001, high=0.1)
    lost_after: float = param(
        'Without a good reply for so long the device counts as lost [s].',
        0.1, low=0.01, high=5.0,
    )  # fmt: skip
    health_period: float = param(
        'Between looks at what the replies said of currents and limited outputs [s].',
        0.1, low=0.1, high=60.0,
    )  # fmt: skip
    address: int = param('Of the hand on its line.', 0x50, low=1, high=255)
    touch_every: int = param(
        'Every so many cycles the reply holds touch, else velocity; 0: never.', 5, low=0, high=1000
    )
    current_scale: float = param(
        'Counts of an ampere [1/A]; depends on the hardware, the maker reads it with `Rv`.',
        620.606, low=1.0, high=1e5,
    )  # fmt: skip
    rotor_scale: str = param(
        'Unit of rotor velocities: icd is 1/4 rad/s, wrapper is 3000/32767/4 rad/s.',
        'icd', choices=ROTOR_SCALES,
    )  # fmt: skip
    torque_constant: float = param(
        'Of the motors, before the gear [N m/A].', 1.49e-3, low=0.0, high=1.0
    )
