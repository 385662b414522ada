"""The node: topics to bytes on the wire and back, lifecycle, diagnostics, with both backends."""

import signal
import time

import numpy as np
import pytest
from gripper_client import START_LIMIT, GripperClient, launch

from mimic_fin_ray_driver.emulator import start

pytestmark = pytest.mark.ros
JOINT = 'left_fin_ray_right_finger_joint'
PACKAGE = 'mimic_fin_ray_driver'


@pytest.mark.parametrize('backend', ['wsg', 'dynamixel'])
def test_topics_and_lifecycle(tmp_path, ros_domain, backend):
    from lifecycle_msgs.msg import Transition

    with start(tmp_path / 'port', backend) as emulator:
        bounds = {f'limits.{JOINT}.upper': 0.04}
        process = launch(PACKAGE, prefix='left_', reply_timeout=0.3, **emulator.params, **bounds)
        client = GripperClient(JOINT)
        try:
            client.spin(lambda: client.states)
            client.goal = 0.05
            client.spin(lambda: 0.038 < client.states[-1].position[0] < 0.041)
            state = client.states[-1]
            assert state.name == [JOINT] and len(state.velocity) == 1
            stamps = [s.header.stamp.sec + s.header.stamp.nanosec * 1e-9 for s in client.states]
            assert (np.diff(stamps) > 0.0).all() and abs(time.time() - stamps[-1]) < 1.0
            client.goal = 0.02
            client.spin(lambda: client.states[-1].position[0] < 0.021)
            sent = np.array([q[0] for _, q in emulator.writes()])
            inside = int(np.argmax(sent <= 0.04))  # homing ends outside the site's bound
            assert inside > 0 or backend == 'dynamixel'
            assert (sent[inside:] <= 0.04 + 1e-4).all()
            client.spin(lambda: client.values.get('state') == 'active')
            assert 'contact' in client.values

            client.transition(Transition.TRANSITION_DEACTIVATE)
            client.spin(lambda: client.values['state'] == 'inactive')
            count, before = len(emulator.writes()), len(client.states)
            client.goal = 0.03
            client.spin(lambda: len(client.states) > before + 10)
            assert len(emulator.writes()) <= count + 1  # the hold of the servo
            client.transition(Transition.TRANSITION_ACTIVATE)
            client.spin(lambda: client.states[-1].position[0] > 0.029)
            process.send_signal(signal.SIGINT)
            assert process.wait(10.0) == 0
            assert emulator.plant.torque[0]  # on_deactivate: hold, and leave was taken
        finally:
            process.kill()
            process.communicate()
            client.close()


def test_nobody_at_the_address_ends_it_with_one_sentence(tmp_path, ros_domain):
    with start(tmp_path / 'port') as emulator:
        params = emulator.params
    process = launch(PACKAGE, **params)
    _, text = process.communicate(timeout=START_LIMIT)
    assert process.returncode == 1
    assert 'refuses TCP port' in text and 'Traceback' not in text
