"""The real node of the Ability Hand before its emulator: topics, services, lifecycle."""

from pathlib import Path

import numpy as np
import pytest
from spun_node import SpunNode

from mimic_ability_driver.emulator import start

pytestmark = pytest.mark.ros


def test_topics_services_and_lifecycle(ros_domain, tmp_path: Path):
    from std_srvs.srv import SetBool

    from mimic_ability_driver.node import AbilityNode
    from mimic_core import ros
    from mimic_interfaces.msg import TactileArray

    with start(tmp_path / 'port') as emulator:
        parameters = [f'port:={emulator.params["port"]}', 'prefix:=left_']
        parameters += ['limits.ability_index_q1.upper:=0.5']
        with SpunNode(AbilityNode, *parameters) as bench:
            pads = bench.hear(TactileArray, 'tactile', ros.SENSOR_QOS)
            bench.wait(lambda: len(bench.states) > 100 and len(pads) > 10)
            assert bench.states[0].name[0] == 'left_ability_index_q1'
            assert (np.diff(bench.stamps()) > 0).all()
            assert 0.0 <= bench.now() - bench.stamps()[-1] < 0.5
            assert [p.name for p in pads[0].pads][4] == 'left_ability_thumb_outer'
            assert len(pads[0].pads[0].force) == 6
            # The first set-point is where the hand was.
            np.testing.assert_allclose(
                emulator.writes()[0][1], [0.25, 0.25, 0.25, 0.25, 0.25, -0.5], atol=1e-3
            )

            def there():
                bench.send('hand', left_ability_index_q1=0.9, left_ability_middle_q1=0.6)
                q = emulator.plant.position
                return abs(q[0] - 0.5) < 0.01 and abs(q[1] - 0.6) < 0.01

            bench.wait(there)
            assert max(q[0] for _, q in emulator.writes()) <= 0.5 + 1e-3  # the site's bound
            bench.call(SetBool, 'hand_driver/set_torque', data=False)
            bench.wait(lambda: not emulator.plant.torque.any())
            assert 'Ability Hand' in bench.told('hand_driver')['device']
            bench.clean_up()
            bench.wait(lambda: not emulator.api)
