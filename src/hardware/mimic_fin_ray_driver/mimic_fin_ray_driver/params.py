"""Parameters of the Fin Ray driver."""

from dataclasses import dataclass

from mimic_core.driver import DriverParams, SerialParams
from mimic_core.driver.params import POLICIES
from mimic_core.params import param


@dataclass(frozen=True, kw_only=True)
class FinRayParams(SerialParams, DriverParams):
    """Checked once, when the node starts."""

    hand: str = param('Name of a hand in config/robots.', 'fin_ray')
    backend: str = param(
        'What moves the fingers: a WSG-50 on TCP, or a Dynamixel servo.',
        'wsg', choices=('wsg', 'dynamixel'),
    )  # fmt: skip
    host: str = param('wsg: address of the gripper (unconfirmed).', '192.168.1.20')
    tcp_port: int = param('wsg: TCP port of its command interface.', 1000, low=1, high=65535)
    connect_timeout: float = param(
        'wsg: longest wait for a connection [s].', 0.5, low=0.05, high=10.0
    )
    kp: float = param(
        'wsg: speed per distance from the set-point [1/s].', 15.0, low=0.1, high=100.0
    )
    kd: float = param('wsg: share of the error of speed [1].', 0.001, low=0.0, high=1.0)
    travel_force: float = param('wsg: force limit on the way [N].', 80.0, low=5.0, high=80.0)
    blocked_force: float = param('wsg: force limit on an object [N].', 80.0, low=5.0, high=80.0)
    homing_timeout: float = param(
        'wsg: longest homing: the fingers open to their stop [s].', 10.0, low=0.5, high=60.0
    )
    system_state: bool = param(
        'wsg: ask for temperature, power and finger faults too (unconfirmed: that a gripper '
        'answers it while the script runs).', True,
    )  # fmt: skip
    motor_id: int = param('dynamixel: id of the servo.', 1, low=0, high=252)
    motor_model: int = param(
        'dynamixel: model number of the servo; 0: any XL330 or XC330.', 0, low=0, high=65535
    )
    closed_ticks: int = param(
        'dynamixel: position of closed fingers [1/4096 turn]; depends on the build.',
        1024, low=-1048575, high=1048575,
    )  # fmt: skip
    open_ticks: int = param(
        'dynamixel: position of open fingers [1/4096 turn]; depends on the build.',
        3072, low=-1048575, high=1048575,
    )  # fmt: skip
    current_limit: float = param(
        'dynamixel: largest current, which bounds the grip [A].', 0.4, low=0.02, high=1.75
    )
    stall_distance: float = param(
        'So far from its set-point, without contact and still [m] …', 0.003, low=0.0005, high=0.1
    )
    stall_time: float = param('… for so long is worth a warning [s].', 0.15, low=0.05, high=10.0)
    # Dropping what is held is worse than holding it.
    on_deactivate: str = param(
        'When deactivated: hold stays stiff, limp takes the torque off.', 'hold', choices=POLICIES
    )
    # A gripper that holds an object is away from its command: `stall_distance` judges instead.
    following_error: float = param(
        'Distance of a joint from its command that is worth a warning [m]; 0: none.',
        0.0, low=0.0, high=10.0,
    )  # fmt: skip
    baud: int = param('dynamixel: bits a second [1/s].', 57600, low=9600, high=4_000_000)
    reply_timeout: float = param('Longest wait for a reply [s].', 0.05, low=0.001, high=1.0)
    lost_after: float = param(
        'Without a good reply for so long the device counts as lost [s].', 0.1, low=0.01, high=5.0
    )
    # What is wrong with the device is told there.
    health_period: float = param(
        'Between reads of temperature, current and faults [s].', 0.15, low=0.1, high=60.0
    )
