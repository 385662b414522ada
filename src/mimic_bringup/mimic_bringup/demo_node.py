"""Watches the running graph for the demo: starts and stops the episode, tells how it goes."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import Trigger

from mimic_core import ros
from mimic_core.errors import DeviceError
from mimic_interfaces.msg import (
    ControlStatus,
    DemonstratorStatus,
    EpisodeStatus,
    HandArray,
    TwinStatus,
)
from mimic_interfaces.srv import StartEpisode

_STATES = ('idle', 'shadow', 'policy', 'replay', 'hold', 'stopped')


@dataclass
class Progress:
    """What was last heard."""

    phase: str = ''  # of the virtual demonstrator
    state: str = ''  # of the gate
    reason: str = ''
    latency: float = float('nan')  # [s]
    hands: int = 0  # images with a hand
    images: int = 0  # images looked at
    last_image: float = 0.0  # [s] monotonic
    success: bool | None = None
    episode: EpisodeStatus | None = None


class DemoNode(Node):
    """Listen to the status topics and call the recorder's services."""

    def __init__(self, context: Context) -> None:
        super().__init__('demo', context=context)
        self.progress = Progress()
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self)
        for topic, kind, callback in (
            ('demonstrator/status', DemonstratorStatus, self._on_demonstrator),
            ('control/status', ControlStatus, self._on_control),
            ('hand_tracking/hands', HandArray, self._on_hands),
            ('twin/status', TwinStatus, self._on_twin),
            ('episode/status', EpisodeStatus, self._on_episode),
        ):
            self.create_subscription(kind, topic, callback, ros.subscription_qos(topic))

    def _on_demonstrator(self, msg: DemonstratorStatus) -> None:
        self.progress.phase = msg.phase

    def _on_control(self, msg: ControlStatus) -> None:
        self.progress.state, self.progress.reason = _STATES[msg.state], msg.reason
        if msg.latency == msg.latency:  # not NaN
            self.progress.latency = msg.latency

    def _on_hands(self, msg: HandArray) -> None:
        self.progress.images += 1
        self.progress.hands += bool(msg.hands)
        self.progress.last_image = time.monotonic()

    def _on_twin(self, msg: TwinStatus) -> None:
        self.progress.success = msg.success

    def _on_episode(self, msg: EpisodeStatus) -> None:
        self.progress.episode = msg

    def spin_until(self, done: Callable[[], bool], timeout: float) -> bool:
        """Handle messages until a condition holds; return whether it does within a time [s]."""
        end = time.monotonic() + timeout
        while not done():
            if time.monotonic() > end:
                return False
            self._executor.spin_once(timeout_sec=0.1)
        return True

    def start_episode(self, name: str, task: str, tags: list[str]) -> None:
        """Start recording; raises DeviceError when the recorder refuses."""
        self._call(
            StartEpisode, 'episode/start', StartEpisode.Request(name=name, task=task, tags=tags)
        )

    def stop_episode(self) -> None:
        """Stop recording; raises DeviceError when the recorder refuses."""
        self._call(Trigger, 'episode/stop', Trigger.Request())

    def _call(self, kind: type, name: str, request: object) -> None:
        client = self.create_client(kind, name)
        if not self.spin_until(client.service_is_ready, 20.0):
            raise DeviceError(f'nobody offers the service {name}')
        future = client.call_async(request)
        if not self.spin_until(future.done, 30.0):
            raise DeviceError(f'{name} does not answer')
        if not future.result().success:
            raise DeviceError(f'{name}: {future.result().message}')
