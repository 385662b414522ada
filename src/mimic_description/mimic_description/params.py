"""Parameters of the state publisher."""

from dataclasses import dataclass

from mimic_core.arrays import checked
from mimic_core.errors import ConfigError
from mimic_core.params import param
from mimic_description.registry import NONE
from mimic_description.urdf import render_urdf


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

    def urdf(self) -> str:
        """Return the URDF text that the parameters give or name.

        Raises:
            UnknownDeviceError: There is no such arm or hand.
            ConfigError: They name no robot at all.
            ShapeError: A part of the base pose is not three numbers.
        """
        if self.robot_description:
            return self.robot_description
        if self.arm == self.hand == NONE:
            raise ConfigError("arm and hand are both 'none': there is no robot to publish")
        x, y, z = checked(self.base_xyz, (3,), 'base_xyz').tolist()
        roll, pitch, yaw = checked(self.base_rpy, (3,), 'base_rpy').tolist()
        return render_urdf(
            self.arm,
            self.hand,
            prefix=self.prefix,
            base_xyz=(x, y, z),
            base_rpy=(roll, pitch, yaw),
        )
