"""A robot that goes where it is sent, and the nodes around it as processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
LIMIT = 60.0  # [s] for discovery and imports on a busy machine


class World:
    """Plays the drivers: takes trajectories on some topics and publishes joint states."""

    def __init__(self, robot, q: np.ndarray, topics: tuple[str, ...]) -> None:
        import rclpy
        from rclpy.action import ActionClient
        from sensor_msgs.msg import JointState
        from trajectory_msgs.msg import JointTrajectory

        from mimic_core import ros
        from mimic_interfaces.action import MoveTo

        self.robot, self.ros, self.JointState = robot, ros, JointState
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node('world', context=self.context)
        self.executor = ros.make_executor(self.context)
        self.executor.add_node(self.node)
        self.q = dict(zip(robot.joint_names, q, strict=True))
        self.path: list[np.ndarray] = []
        self.states = self.node.create_publisher(JointState, 'joint_states', 10)
        for topic in topics:
            self.node.create_subscription(JointTrajectory, topic, self._on_command, 50)
        self.node.create_timer(0.01, self._publish)
        self.move = ActionClient(self.node, MoveTo, 'control/move_to')

    def _on_command(self, msg) -> None:
        self.q.update(zip(msg.joint_names, msg.points[-1].positions, strict=True))
        self.path.append(self.position)

    @property
    def position(self) -> np.ndarray:
        return np.array([self.q[name] for name in self.robot.joint_names])

    def _publish(self) -> None:
        names = list(self.q)
        msg = self.JointState(name=names, position=[float(self.q[n]) for n in names])
        msg.velocity = [0.0] * len(names)
        msg.header.stamp = self.node.get_clock().now().to_msg()
        self.states.publish(msg)

    def until(self, condition: Callable[[], bool], limit: float = LIMIT, what: str = '') -> None:
        end = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < end, f'waited {limit} s {what}'
            self.executor.spin_once(timeout_sec=0.02)

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.02)

    def call(self, kind, name: str, **request):
        client = self.node.create_client(kind, name)
        self.until(client.service_is_ready, what=f'for {name}')
        future = client.call_async(kind.Request(**request))
        self.until(future.done, what=f'for an answer of {name}')
        return future.result()

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def make_world(ros_domain: int) -> Iterator[Callable[..., World]]:
    worlds: list[World] = []

    def make(*arguments) -> World:
        worlds.append(World(*arguments))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


@pytest.fixture
def start(ros_domain: int) -> Iterator[Callable[..., 'subprocess.Popen[str]']]:
    """Starts a node of a module, or a script of this folder, as a process with parameters."""
    processes: list[subprocess.Popen[str]] = []

    def begin(module: str, *arguments: str, **params: object) -> 'subprocess.Popen[str]':
        environment = os.environ | {'PYTHONPATH': os.pathsep.join(p for p in sys.path if p)}
        what = (
            [str(HERE / module)]
            if module.endswith('.py')
            else ['-c', f'from {module} import main; main()']
        )
        flags = [x for key, value in params.items() for x in ('-p', f'{key}:={value}')]
        ros_args = ['--ros-args', *flags] if flags else []
        process = subprocess.Popen(
            [sys.executable, *what, *arguments, *ros_args],
            env=environment, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        processes.append(process)
        return process

    yield begin
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    for process in processes:
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
