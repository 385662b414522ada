"""`identify` against the twin and the gate: real processes, topics, time."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip('rclpy')
pytest.importorskip('mimic_interfaces.msg')

from std_srvs.srv import Trigger  # noqa: E402

from mimic_description.response import (  # noqa: E402
    JointResponse,
    load_responses,
    save_responses,
)

JOINT, HAND = 'iiwa_joint_4', 'robotiq_2f85'
TRUTH = JointResponse(0.05, 1, 0.08, 1.0, 1.0, 0.0, 0.02)
MODULES = {
    'twin': 'mimic_sim.twin_node',
    'control': 'mimic_control.node',
    'identify': 'mimic_identification.identify_node',
}
WAIT = 40.0  # [s] for processes to start on a busy machine


class Process:
    """A node or tool; its lines are kept."""

    def __init__(self, name: str, *arguments: str) -> None:
        code = f'from {MODULES[name]} import main; main()'
        path = os.pathsep.join(p for p in sys.path if p)
        self.process = subprocess.Popen(
            [sys.executable, '-c', code, *arguments], env={**os.environ, 'PYTHONPATH': path},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.lines: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    @property
    def text(self) -> str:
        return '\n'.join(self.lines)

    def wait_for(self, text: str) -> None:
        end = time.monotonic() + WAIT
        while text not in self.text:
            assert time.monotonic() < end and self.process.poll() is None, self.text
            time.sleep(0.05)

    def end(self, timeout: float = 90.0) -> int:
        code = self.process.wait(timeout)
        time.sleep(0.1)  # the last lines
        return code

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(10.0)
        except subprocess.TimeoutExpired:
            self.process.kill()


@pytest.fixture
def robot(ros_domain, tmp_path):
    """The twin with one joint of known response, and the gate; yields a starter of identify."""
    truth = tmp_path / 'truth.yaml'
    save_responses(truth, {JOINT: TRUTH})
    started = [
        Process('twin', '--ros-args', '-p', f'hand:={HAND}', '-p', f'response:={truth}'),
        Process('control', '--ros-args', '-p', f'hand:={HAND}'),
    ]
    started[0].wait_for('task pick_place')

    def identify(*arguments: str) -> Process:
        out = ('--out', str(tmp_path / 'out'), '--wait', str(WAIT))
        started.append(Process('identify', '--hand', HAND, *out, *arguments))
        return started[-1]

    yield identify
    for process in reversed(started):
        if process.process.poll() is None:
            process.stop()


def call(service: str) -> None:
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node('person', context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    try:
        client = node.create_client(Trigger, service)
        assert client.wait_for_service(WAIT)
        future = client.call_async(Trigger.Request())
        executor.add_node(node)
        executor.spin_until_future_complete(future, WAIT)
        assert future.result().success
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)


def test_a_twin_of_known_response_is_identified_through_the_gate(robot, tmp_path):
    for _ in range(3):
        process = robot('--joints', JOINT)
        # On a busy machine the gate may hold for want of joint states, which ends it rightly.
        if process.end(180.0) == 0 or not any(
            text in process.text for text in ('the gate holds the robot', 'joint states are')
        ):
            break
    assert process.process.returncode == 0, process.text
    found = load_responses(tmp_path / 'out' / 'response.yaml')[JOINT]
    # On a busy machine messages arrive late by milliseconds.
    assert found.lag == pytest.approx(TRUTH.lag, abs=0.015)
    assert found.backlash == pytest.approx(TRUTH.backlash, abs=0.003)
    assert found.gain == pytest.approx(1.0, abs=0.02)
    assert (tmp_path / 'out' / f'{JOINT}.png').exists()
    assert 'backlash' in process.text


def test_a_stop_ends_it_and_it_says_why(robot, tmp_path):
    process = robot('--joints', JOINT)
    process.wait_for('1 of 1')
    time.sleep(1.5)
    call('control/stop')
    assert process.end() == 1
    assert f'{JOINT}: the gate was stopped: control/stop was called' in process.text
    assert not (tmp_path / 'out' / 'response.yaml').exists()


def test_another_robot_is_refused_before_anything_moves(robot):
    process = robot('--arm', 'panda')
    assert process.end() == 1
    assert 'joint_states lack panda_joint_1' in process.text
    assert 'going home' not in process.text


def test_ctrl_c_gives_the_robot_back(robot):
    process = robot('--joints', JOINT, '--stay')
    process.wait_for('1 of 1')
    time.sleep(1.0)
    process.process.send_signal(signal.SIGINT)
    assert process.end() == 1 and 'identify: stopped' in process.text
    again = robot('--joints', JOINT)  # which wants the gate idle
    again.wait_for('going home')


def test_a_gate_that_is_not_enabled_ends_it(ros_domain, tmp_path):
    twin = Process('twin', '--ros-args', '-p', f'hand:={HAND}')
    gate = Process('control', '--ros-args', '-p', f'hand:={HAND}', '-p', 'require_enable:=true')
    process = Process(
        'identify', '--hand', HAND, '--joints', JOINT, '--stay', '--out', str(tmp_path),
        '--wait', str(WAIT),
    )  # fmt: skip
    try:
        assert process.end() == 1
        assert 'the gate holds the robot' in process.text and 'enable' in process.text
    finally:
        for other in (gate, twin):
            other.stop()


def test_without_a_gate_it_says_what_to_start(ros_domain, tmp_path):
    process = Process('identify', '--hand', HAND, '--out', str(tmp_path), '--wait', '1')
    assert process.end() == 1
    assert process.lines[-1] == 'identify: there is no gate: ./mimic launch identify'
