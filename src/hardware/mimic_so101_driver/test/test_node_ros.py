"""The real node of the SO-ARM101 before its emulator: topics, services, lifecycle."""

from pathlib import Path

import numpy as np
import pytest
from spun_node import SpunNode

from mimic_so101_driver.emulator import MOTORS, start

pytestmark = pytest.mark.ros


def test_topics_services_and_lifecycle(ros_domain, tmp_path: Path):
    from std_srvs.srv import SetBool

    from mimic_so101_driver.node import So101DriverNode

    with start(tmp_path / 'port') as emulator:
        before = emulator.plant.position.copy()
        parameters = ['limits.so101_elbow_flex.upper:=0.5']
        parameters += [f'{name}:={value}' for name, value in emulator.params.items()]
        with SpunNode(So101DriverNode, *parameters) as bench:
            bench.wait(lambda: len(bench.states) > 50)
            state = bench.states[0]
            assert state.name == [*(f'so101_{name}' for name in MOTORS[:5]), 'so101_gripper_joint']
            assert len(state.velocity) == len(state.effort) == 6
            assert (np.diff(bench.stamps()) > 0).all()
            np.testing.assert_allclose(emulator.writes()[0][1], before, atol=2e-3)

            def there():  # arm and hand, each on its own topic
                bench.send('arm', so101_elbow_flex=0.9, so101_shoulder_pan=0.3)
                bench.send('hand', so101_gripper_joint=1.2)
                return np.allclose(emulator.plant.position[[0, 2, 5]], [0.3, 0.5, 1.2], atol=0.01)

            bench.wait(there)
            assert max(q[2] for _, q in emulator.writes()) <= 0.5 + 2.4e-3  # the site's bound
            bench.call(SetBool, 'arm_driver/set_torque', data=False)
            bench.wait(lambda: not emulator.plant.torque.any())
            device = bench.told('arm_driver')['device']
            assert device == 'SO-ARM101: 6 STS3215 motors, firmware 3.10'
            bench.clean_up()


def test_what_a_launch_file_says_wins_over_the_site_file(ros_domain, tmp_path: Path):
    """A launch file's parameters stand under /**, and ROS merges them with that of the site."""
    import rclpy

    from mimic_core.errors import ConfigError
    from mimic_so101_driver.node import So101DriverNode

    site = Path(__file__).parents[4] / 'config/site.yaml'
    launch = tmp_path / 'launch_params'
    launch.write_text(f'/**:\n  ros__parameters:\n    calibration: {tmp_path}/none.json\n')
    rclpy.init(args=['--ros-args', '--params-file', str(site), '--params-file', str(launch)])
    try:
        with pytest.raises(ConfigError, match=r'there is no calibration file .*none\.json'):
            So101DriverNode()
    finally:
        rclpy.shutdown()
