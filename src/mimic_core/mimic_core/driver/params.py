"""Parameters that every driver has."""

from dataclasses import dataclass

from mimic_core.params import param

POLICIES = ('hold', 'limp')


@dataclass(frozen=True, kw_only=True)
class SessionParams:
    """How a driver treats its device, whatever the device is."""

    rate: float = param(
        "Reads and writes a second [Hz]; 0: that of the device's file in config/robots.",
        0.0, low=0.0, high=2000.0,
    )  # fmt: skip
    command_timeout: float = param(
        'Without a command for so long the client counts as lost [s].', 0.5, low=0.02, high=60.0
    )
    on_lost_client: str = param(
        'Then: hold stays stiff where it is, limp takes the torque off.', 'hold', choices=POLICIES
    )
    on_deactivate: str = param(
        'When deactivated: hold stays stiff, limp takes the torque off.', 'limp', choices=POLICIES
    )
    lost_after: float = param(
        'Without a good reply for so long the device counts as lost [s].',
        0.15, low=0.01, high=5.0,
    )  # fmt: skip
    reconnect_period: float = param(
        'Between attempts to reach a lost device [s].', 0.5, low=0.05, high=60.0
    )
    auto_reset: bool = param(
        'Clear faults of the device without being asked; else the service reset does it.', False
    )
    resume_speed_scale: float = param(
        'Of the speed limits until the first command after a start is reached [1].',
        0.25, low=0.01, high=1.0,
    )  # fmt: skip
    following_error: float = param(
        "Distance of a joint from its command that is worth a warning, of the joint's range [1]; "
        '0: none.', 0.1, low=0.0, high=1.0,
    )  # fmt: skip
    following_time: float = param(
        'How long it must last before the warning [s].', 1.0, low=0.05, high=60.0
    )
    health_period: float = param(
        'Between reads of temperature, current and the like [s].', 1.0, low=0.1, high=60.0
    )


@dataclass(frozen=True, kw_only=True)
class DriverParams(SessionParams):
    """Parameters of a driver's node; a device adds its own (port, ids, gains)."""

    prefix: str = param('Put before every joint name.', '')
    autostart: bool = param(
        'Configure and activate at the start; else a lifecycle manager does.', True
    )
