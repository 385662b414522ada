"""Parameters of the driver of the Allegro Hand."""

from dataclasses import dataclass

from mimic_allegro_driver.protocol import PWM_CAPS
from mimic_core.driver.params import DriverParams
from mimic_core.params import param

# Normalised torque [N m] by [rad] and [rad/s]. Source: the maker's v4 YAML.
_KP = (*(0.4167, 0.6667, 0.75, 0.4167) * 3, 0.8333, 0.5833, 0.5, 0.5)
_KD = (*(0.0208, 0.0417, 0.0458, 0.0333) * 3, 0.0417, 0.0417, 0.0417, 0.0333)


@dataclass(frozen=True, kw_only=True)
class AllegroParams(DriverParams):
    """Checked once, when the node starts."""

    hand: str = param('Stem of a file in config/robots.', 'allegro')
    backend: str = param(
        'How the hand is reached: its CAN bus, or the topics of another ROS stack.',
        'can', choices=('can', 'topics'),
    )  # fmt: skip
    lost_after: float = param(
        'Without a good reply for so long the device counts as lost [s].',
        0.08, low=0.01, high=5.0,
    )  # fmt: skip
    reply_timeout: float = param('Longest wait for positions [s].', 0.02, low=0.004, high=1.0)

    # CAN
    interface: str = param('CAN interface of python-can: socketcan, pcan, slcan, …', 'socketcan')
    channel: str = param('CAN channel; of udp_multicast GROUP:PORT.', 'can0')
    dialect: str = param('CAN frames: v4, or v3 for hands of v2 and v3.', 'v4',
                         choices=('v4', 'v3'))  # fmt: skip
    device_id: int = param('Of a v4 hand on its bus.', 0, low=0, high=3)
    side: str = param('Which hand a v4 hand must say to be.', 'right',
                      choices=('right', 'left', 'any'))  # fmt: skip
    offsets: tuple[int, ...] = param(
        'v3: encoder offsets of the zero file of this very hand [counts], 16.', (0,) * 16
    )
    directions: tuple[int, ...] = param(
        'v3: encoder directions of that file, 1 or -1, 16.', (1,) * 16
    )
    motor_directions: tuple[int, ...] = param(
        'v3: motor directions of that file, 1 or -1, 16.', (1,) * 16
    )
    period_ms: int = param('Between positions that the hand sends [ms].', 3, low=1, high=100)
    temperature_period_ms: int = param(
        'v4: between temperatures that the hand sends [ms]; 0: none.', 500, low=0, high=60000
    )
    info_period: float = param(
        'v4: between looks at status and temperature of the hand [s].', 0.05, low=0.01, high=1.0
    )
    answer_timeout: float = param(
        'Longest wait for information and first positions at the start [s].',
        0.3, low=0.01, high=5.0,
    )  # fmt: skip
    temperature_format: str = param(
        'v4: of a frame of temperatures: bytes are four of a finger, word is one number.',
        'bytes', choices=('bytes', 'word'),
    )  # fmt: skip
    kp: tuple[float, ...] = param('Stiffness of the joints [N m/rad], 16.', _KP)
    kd: tuple[float, ...] = param('Damping of the joints [N m s/rad], 16.', _KD)
    velocity_cutoff: float = param(
        'Of the low-pass filter of measured velocities [Hz].', 30.0, low=1.0, high=160.0
    )
    pwm_per_newton_metre: float = param(
        'PWM counts of a torque [1/(N m)]: 1200 for v4 and v3.0, 800 for v2.',
        1200.0, low=1.0, high=10000.0,
    )  # fmt: skip
    pwm_limits: tuple[int, ...] = param('Largest PWM of the joints [0..1200], 16.', PWM_CAPS)
    gravity_compensation: bool = param('Add the torques that carry the fingers.', False)
    gravity: tuple[float, ...] = param('In base_link [m/s^2], 3.', (0.0, 0.0, -9.81))
    arm: str = param(
        'Arm that carries the hand, whose joint_states tell which way gravity points; none: it '
        'stands upright.',
        'none',
    )  # fmt: skip

    # Topics
    stack: str = param(
        'Who drives the hand: allegro_hand_ros (ROS 1 names, bridged) or wonik_ros2.',
        'allegro_hand_ros', choices=('allegro_hand_ros', 'wonik_ros2'),
    )  # fmt: skip
    discovery_timeout: float = param(
        'Longest wait for the first joint states of that stack [s].', 3.0, low=0.1, high=60.0
    )
    stale_after: float = param(
        'Oldest joint state of that stack that counts [s].', 0.15, low=0.01, high=5.0
    )
    check_stamps: bool = param(
        "The stamps of that stack's joint states are those of this clock; false: the time of "
        'receipt counts.',
        True,
    )
