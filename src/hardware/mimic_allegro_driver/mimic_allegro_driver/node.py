"""The node of the Allegro Hand."""

from typing import Any

import numpy as np
from sensor_msgs.msg import JointState

from mimic_allegro_driver.driver import AllegroHand, make_device
from mimic_allegro_driver.gravity import GravityOfArm
from mimic_allegro_driver.params import AllegroParams
from mimic_allegro_driver.topics_node import RosWire
from mimic_core import ros
from mimic_core.driver.device import Device
from mimic_core.driver.ros import DriverNode, run
from mimic_core.errors import MimicError
from mimic_core.limits import JointLimits, SiteLimits


class AllegroNode(DriverNode):
    """Drive one Allegro Hand, on its CAN bus or behind another ROS stack."""

    def __init__(self, **options: Any) -> None:
        self._wire: RosWire | None = None
        super().__init__('hand_driver', AllegroParams, self._make, **options)
        device, params = self.session.device, self.params
        wanted = params.gravity_compensation and params.arm != 'none'
        if wanted and isinstance(device, AllegroHand):
            self._gravity = GravityOfArm(params.arm, np.array(params.gravity), params.prefix)
            self.create_subscription(JointState, 'joint_states', self._on_arm, ros.SENSOR_QOS)

    def _make(self, params: AllegroParams, site: SiteLimits) -> tuple[Device, JointLimits, float]:
        if params.backend == 'topics':
            self._wire = RosWire(self)
        return make_device(params, site, self._wire)

    def _on_arm(self, msg: JointState) -> None:
        try:
            gravity = self._gravity.of(msg.name, msg.position)
        except MimicError as error:
            self.get_logger().warning(f'gravity: {error}', throttle_duration_sec=1.0)
            return
        if gravity is not None:
            self.session.device.set_gravity(gravity)

    def destroy_node(self) -> None:
        """Leave the device, then the topics of the other stack."""
        super().destroy_node()
        if self._wire is not None:
            self._wire.close()


def main() -> None:
    """Run the node until it is stopped."""
    run(AllegroNode)


if __name__ == '__main__':
    main()
