"""The real node of the LEAP Hand before its emulator: topics, services, lifecycle."""

from pathlib import Path

import numpy as np
import pytest
from spun_node import SpunNode

from mimic_leap_driver.emulator import start

pytestmark = pytest.mark.ros


def test_topics_services_and_lifecycle(ros_domain, tmp_path: Path):
    from std_srvs.srv import SetBool, Trigger

    from mimic_leap_driver.node import LeapDriverNode

    with start(tmp_path / 'port') as emulator:
        before = emulator.plant.position.copy()
        parameters = [f'port:={emulator.params["port"]}', 'prefix:=left_']
        parameters += ['limits.leap_joint_1.upper:=0.8']
        with SpunNode(LeapDriverNode, *parameters) as bench:
            bench.wait(lambda: len(bench.states) > 50)
            state = bench.states[0]
            assert state.name == [f'left_leap_joint_{i}' for i in range(16)]
            assert len(state.velocity) == len(state.effort) == 16
            assert (np.diff(bench.stamps()) > 0).all()
            assert 0.0 <= bench.now() - bench.stamps()[-1] < 0.5
            np.testing.assert_allclose(emulator.writes()[0][1], before, atol=1e-3)

            def there():
                bench.send('hand', left_leap_joint_1=1.2, left_leap_joint_13=0.6)
                q = emulator.plant.position
                return abs(q[1] - 0.8) < 0.01 and abs(q[13] - 0.6) < 0.01

            bench.wait(there)
            assert max(q[1] for _, q in emulator.writes()) <= 0.8 + 1e-3  # the site's bound
            bench.call(SetBool, 'hand_driver/set_torque', data=False)
            bench.wait(lambda: not emulator.plant.torque.any())
            bench.call(SetBool, 'hand_driver/set_torque', data=True)
            bench.wait(lambda: emulator.plant.torque.all())
            values = bench.told('hand_driver')
            assert values['device'] == 'LEAP Hand: 16 motors XL330-M288, firmware 52'
            assert 'temperature: leap_joint_0' in values
            # A supply that fails for a moment, and the way back without a restart of the node.
            emulator.faults.set('brown_out')
            bench.wait(
                lambda: any('restarted' in s.message for d in bench.diagnostics for s in d.status)
            )
            emulator.faults.clear()
            bench.call(Trigger, 'hand_driver/reset')
            bench.wait(lambda: emulator.plant.torque.all())
            bench.clean_up()
            assert not emulator.plant.torque.any()  # on_deactivate is limp
