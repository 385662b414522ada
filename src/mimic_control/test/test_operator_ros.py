"""The operator's node with a device of the kernel's bytes: rate, release, stop button, unplug."""

import os
import signal
import subprocess
import time

import pytest
from node_process import start_node

from mimic_control.deadman import DOWN, UP
from mimic_control.event_device import EV_KEY, EVENT

pytestmark = pytest.mark.ros
KEY_A, KEY_ESC = 30, 1


@pytest.fixture
def listener(ros_domain):
    import rclpy
    from std_msgs.msg import Bool
    from std_srvs.srv import Trigger

    from mimic_core import ros

    context = rclpy.Context()
    rclpy.init(context=context)

    class Listener:
        def __init__(self) -> None:
            self.heard: list[tuple[float, bool]] = []
            self.stops = 0
            self.node = rclpy.create_node('gate', context=context)
            self.executor = ros.make_executor(context)
            self.executor.add_node(self.node)
            take = lambda msg: self.heard.append((time.monotonic(), msg.data))  # noqa: E731
            self.node.create_subscription(Bool, 'control/enable', take, ros.COMMAND_QOS)
            self.node.create_service(Trigger, 'control/stop', self._stop)

        def _stop(self, _: object, reply: object) -> object:
            self.stops += 1
            reply.success = True
            return reply

        def spin(self, seconds: float) -> None:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                self.executor.spin_once(timeout_sec=0.01)

        def until(self, condition, limit: float = 40.0) -> None:
            end = time.monotonic() + limit
            while not condition():
                assert time.monotonic() < end
                self.executor.spin_once(timeout_sec=0.01)

        def last(self) -> bool | None:
            return self.heard[-1][1] if self.heard else None

    yield Listener()
    rclpy.try_shutdown(context=context)


def start(*params: str) -> subprocess.Popen:
    args = [part for value in params for part in ('-p', value)]
    return start_node('mimic_control.operator_node', *args)


def test_held_released_stopped_unplugged(listener, tmp_path) -> None:
    pytest.importorskip('evdev', reason='names of keys come from the library evdev')
    path = tmp_path / 'pedal'
    os.mkfifo(path)
    out = os.open(path, os.O_RDWR)

    def press(code: int, value: int) -> None:
        os.write(out, EVENT.pack(0, 0, EV_KEY, code, value))

    node = start(f'device:={path}', 'hold:=[KEY_A]', 'reconnect_period:=0.2')
    try:
        listener.until(lambda: listener.node.count_publishers('control/enable') > 0)
        listener.spin(0.5)  # for the discovery of the service
        press(KEY_A, DOWN)
        listener.until(lambda: listener.last() is True)
        before = len(listener.heard)
        listener.spin(1.0)
        assert len(listener.heard) - before >= 10
        assert all(held for _, held in listener.heard[before:])
        press(KEY_A, UP)
        listener.until(lambda: listener.last() is False, 1.0)
        before = len(listener.heard)
        listener.spin(0.5)
        assert len(listener.heard) == before, 'a release is said once'
        press(KEY_ESC, DOWN)
        listener.until(lambda: listener.stops == 1, 10.0)
        press(KEY_ESC, UP)
        press(KEY_A, DOWN)
        listener.until(lambda: listener.last() is True)
        os.close(out)
        listener.until(lambda: listener.last() is False and listener.stops == 2, 10.0)
        path.unlink()
        os.mkfifo(path)
        out = os.open(path, os.O_RDWR)
        listener.spin(1.0)
        press(KEY_A, DOWN)
        listener.until(lambda: listener.last() is True, 10.0)
        node.send_signal(signal.SIGTERM)  # who leaves lets go
        listener.until(lambda: listener.last() is False, 10.0)
        assert node.wait(20) == 0
    finally:
        node.kill()
        node.communicate()
        os.close(out)


@pytest.mark.parametrize(
    ('params', 'says'),
    [
        (['device:=/dev/no_such_pedal'], 'there is no input device'),
        (['device:=no such pedal'], 'no input device has'),
        (['device:=terminal'], 'no terminal'),
        (['hold:=[KEY_SPACEBAR]', 'device:=/dev/null'], 'KEY_SPACE'),
    ],
)
def test_what_cannot_be_used_ends_the_node_with_one_sentence(ros_domain, params, says) -> None:
    node = start(*params)
    _, text = node.communicate(timeout=60)
    assert node.returncode == 1
    fatal = [line for line in text.splitlines() if '[FATAL]' in line]
    assert len(fatal) == 1 and says in fatal[0]
