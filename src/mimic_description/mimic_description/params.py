"""Parameters of the state publisher."""

from dataclasses import dataclass

from mimic_core.params import param


@dataclass(frozen=True, kw_only=True)
class StatePublisherParams:
    """Checked once, when the node starts."""

    robot_description: str = param('URDF text; empty: made from arm, hand and prefix.', '')
    arm: str = param("Arm in config/robots, or 'none'.", 'iiwa14')
    hand: str = param("Hand in config/robots, or 'none'.", 'allegro')
    prefix: str = param('Put before every joint and link.', '')
    base_xyz: tuple[float, ...] = param('Position of base_link in world [m].', (0.0, 0.0, 0.0))
    base_rpy: tuple[float, ...] = param('Roll, pitch, yaw of it [rad].', (0.0, 0.0, 0.0))
    publish_frequency: float = param(
        'Most messages on /tf in a second [Hz].', 30.0, low=1.0, high=1000.0
    )
