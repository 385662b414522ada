"""The Allegro Hand behind another ROS stack: names, order and what is missing."""

import threading
import time

import numpy as np
import pytest

from mimic_allegro_driver.driver import make_device
from mimic_allegro_driver.gravity import GravityOfArm
from mimic_allegro_driver.params import AllegroParams
from mimic_allegro_driver.topics import STACKS, State
from mimic_core.errors import ConfigError, DeviceError, IdentityError, NoReplyError

Q = np.linspace(0.1, 0.9, 16)


class Recorder:
    """Keeps what a device publishes, and lets a test be the stack."""

    def __init__(self):
        self.commands, self.words, self.on_state = [], [], None

    def open(self, stack, on_state):
        self.on_state = on_state

    def close(self):
        self.on_state = None

    def command(self, position):
        self.commands.append(list(position))

    def say(self, word):
        self.words.append(word)


def _hand(stack: str, **params):
    if stack == 'wonik_ros2':
        params = {'on_deactivate': 'hold', **params}
    params = AllegroParams(backend='topics', stack=stack, **params)
    wire = Recorder()
    device, _, rate = make_device(params, wire=wire)
    return device, wire, rate


def _publish(wire, names, position, stamp=5.0, delay=0.001):
    wire.on_state(State(names, position, (), (), stamp, delay))


def _open(device, wire, names):
    def later():
        while wire.on_state is None:
            time.sleep(0.01)
        _publish(wire, names, [0.0] * len(names))

    thread = threading.Thread(target=later)
    thread.start()
    try:
        return device.open()
    finally:
        thread.join()


def test_names_of_the_stacks():
    assert STACKS['allegro_hand_ros'].names[12] == 'joint_12.0'
    wonik = STACKS['wonik_ros2']
    assert [wonik.names[i] for i in (0, 4, 8, 12, 15)] == [
        'ah_joint10', 'ah_joint20', 'ah_joint30', 'ah_joint00', 'ah_joint03',
    ]  # fmt: skip


@pytest.mark.parametrize('stack', STACKS)
def test_values_are_mapped_by_name_whatever_the_order(stack: str):
    device, wire, rate = _hand(stack)
    names = list(STACKS[stack].names)
    assert 'behind' in _open(device, wire, names)
    _publish(wire, names[::-1], Q[::-1].tolist())
    reading = device.read()
    np.testing.assert_allclose(reading.position, Q)
    assert reading.stamp == 5.0
    assert reading.velocity is None and reading.effort is None
    assert rate == STACKS[stack].rate


def test_commands_of_allegro_hand_ros_have_the_thumb_last():
    device, wire, _ = _hand('allegro_hand_ros')
    device.write(Q)
    np.testing.assert_allclose(wire.commands[0], Q)
    device.enable()
    device.disable(hold=True)
    device.disable(hold=False)
    assert wire.words == ['pdControl', 'off']


def test_commands_of_wonik_have_the_thumb_first():
    device, wire, _ = _hand('wonik_ros2')
    device.write(Q)
    np.testing.assert_allclose(wire.commands[0], np.roll(Q, 4))
    device.enable()
    assert wire.words == []
    with pytest.raises(DeviceError, match='no topic that takes the torque off'):
        device.disable(hold=False)


def test_wonik_cannot_be_limp():
    with pytest.raises(ConfigError, match='on_deactivate and on_lost_client must be hold'):
        _hand('wonik_ros2', on_deactivate='limp')


def test_nobody_publishes():
    device, _, _ = _hand('allegro_hand_ros', discovery_timeout=0.1)
    with pytest.raises(NoReplyError, match='no joint states on allegroHand_0/joint_states'):
        device.open()


def test_joints_that_are_missing_are_named():
    device, wire, _ = _hand('allegro_hand_ros')
    with pytest.raises(IdentityError, match=r'lacks joint_15\.0: is it of'):
        _open(device, wire, [f'joint_{i}.0' for i in range(15)])


def test_a_state_is_returned_once():
    device, wire, _ = _hand('allegro_hand_ros')
    _open(device, wire, list(STACKS['allegro_hand_ros'].names))
    with pytest.raises(NoReplyError):
        device.read()


def test_an_old_state_is_not_published():
    device, wire, _ = _hand('allegro_hand_ros')
    names = list(STACKS['allegro_hand_ros'].names)
    _open(device, wire, names)
    for delay in (0.3, -0.3):
        _publish(wire, names, Q.tolist(), delay=delay)
        with pytest.raises(NoReplyError, match=f'came {delay:.2f} s after its stamp'):
            device.read()
    _publish(wire, names, Q.tolist())
    time.sleep(0.2)
    with pytest.raises(NoReplyError, match=r'nothing on allegroHand_0/joint_states for 0\.2'):
        device.read()
    _publish(wire, names, Q.tolist())
    assert device.read().stamp == 5.0


def test_stamps_of_another_clock_can_be_passed_over():
    device, wire, _ = _hand('allegro_hand_ros', check_stamps=False)
    names = list(STACKS['allegro_hand_ros'].names)
    _open(device, wire, names)
    _publish(wire, names, Q.tolist(), delay=90.0)
    reading = device.read()
    assert reading.stamp is None and reading.age < 0.1


def test_gravity_turns_with_the_arm():
    gravity = GravityOfArm('iiwa14', np.array([0.0, 0.0, -9.81]), 'left_')
    names = [f'left_iiwa_joint_{i}' for i in range(1, 8)]
    up = gravity.of(names, [0.0] * 7)
    np.testing.assert_allclose(up, [0.0, 0.0, -9.81], atol=1e-6)
    down = gravity.of(['other', *names], [0.3, 0.0, np.pi / 2, 0.0, 0.0, 0.0, np.pi / 2, 0.0])
    np.testing.assert_allclose(down, [0.0, 0.0, 9.81], atol=1e-6)
    assert gravity.of(names[:6], [0.0] * 6) is None
