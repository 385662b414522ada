"""The node: topics to bytes on the wire and back, lifecycle, services, diagnostics."""

import signal
import time

import numpy as np
import pytest
from gripper_client import START_LIMIT, GripperClient, launch

from mimic_robotiq_driver.emulator import start

pytestmark = pytest.mark.ros
JOINT = 'left_robotiq_left_knuckle_joint'
PACKAGE = 'mimic_robotiq_driver'


def test_topics_lifecycle_and_services(tmp_path, ros_domain):
    from lifecycle_msgs.msg import Transition
    from std_srvs.srv import SetBool, Trigger

    with start(tmp_path / 'port', activated=True) as emulator:
        bounds = {f'limits.{JOINT}.upper': 0.6, 'limits.iiwa_joint_1.upper': 1.0}
        process = launch(PACKAGE, port=emulator.params['port'], prefix='left_', **bounds)
        client = GripperClient(JOINT)
        try:
            client.spin(lambda: client.states)
            client.goal = 0.7
            client.spin(lambda: client.states[-1].position[0] > 0.59)
            state = client.states[-1]
            assert state.name == [JOINT] and len(state.position) == 1
            stamps = [s.header.stamp.sec + s.header.stamp.nanosec * 1e-9 for s in client.states]
            assert (np.diff(stamps) > 0.0).all() and abs(time.time() - stamps[-1]) < 1.0
            # The site allows 0.6 rad: 174.8 counts, truncated, on the wire.
            client.spin(lambda: emulator.writes()[-1][1] > 0.59)
            assert bytes(emulator.server.received).count(bytes.fromhex('09 00 00 AE')) > 0
            assert max(q[0] for _, q in emulator.writes()) <= 0.6
            client.spin(lambda: client.values.get('object') == 'at target')
            assert client.values['state'] == 'active' and client.values['accepted'] != '0'

            client.transition(Transition.TRANSITION_DEACTIVATE)
            client.spin(lambda: client.values['state'] == 'inactive')
            count = len(emulator.writes())
            client.goal = 0.2
            before = len(client.states)
            client.spin(lambda: len(client.states) > before + 20)
            assert len(emulator.writes()) == count  # read, and not moved
            assert emulator.plant.position[0] > 0.59 and emulator.plant.torque[0]

            stood = emulator.plant.position.copy()
            client.transition(Transition.TRANSITION_ACTIVATE)
            client.spin(lambda: client.states[-1].position[0] < 0.21)
            assert emulator.writes()[count][1] == pytest.approx(stood, abs=0.006)  # two counts
            client.until_done(client.torque, SetBool.Request(data=False))
            assert not emulator.plant.torque[0]
            client.until_done(client.torque, SetBool.Request(data=True))
            assert emulator.plant.torque[0]

            emulator.faults.set('brown_out')
            client.spin(lambda: client.values['state'] == 'fault')
            emulator.faults.clear()
            client.until_done(client.reset, Trigger.Request())
            client.spin(lambda: client.values['state'] == 'active')

            process.send_signal(signal.SIGINT)
            assert process.wait(10.0) == 0
            assert emulator.plant.torque[0]  # on_deactivate: hold
        finally:
            process.kill()
            process.communicate()
            client.close()


def test_an_unknown_port_ends_it_with_one_sentence(tmp_path, ros_domain):
    process = launch(PACKAGE, port=tmp_path / 'nothing')
    _, text = process.communicate(timeout=START_LIMIT)
    assert process.returncode == 1
    assert 'there is no port' in text and 'Traceback' not in text


def test_stopped_while_it_starts_it_leaves_the_gripper_as_told(tmp_path, ros_domain):
    with start(tmp_path / 'port') as emulator:
        process = launch(PACKAGE, port=emulator.params['port'], on_deactivate='limp')
        try:
            end = time.monotonic() + START_LIMIT
            while not emulator.plant.torque[0]:  # it sweeps: activation is under way
                assert time.monotonic() < end and process.poll() is None
                time.sleep(0.005)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=START_LIMIT)
            assert not emulator.plant.torque[0]
        finally:
            process.kill()
            process.communicate()
