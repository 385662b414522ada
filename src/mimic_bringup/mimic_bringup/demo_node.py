"""Watches the running graph for the demo: starts and stops the episode, tells how it goes."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rich.status import Status
from std_srvs.srv import Trigger

from mimic_bringup.graph import graph
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

_START_TIMEOUT = 90.0  # [s] until the first image was looked at
_LONGEST = 90.0  # [s] of a demonstration
_SILENCE = 4.0  # [s] without an image: the video is over
_DIED = 'process has died'  # what the launcher says
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


def record(
    arguments: Mapping[str, object],
    log: Path,
    *,
    video: bool,
    seconds: float,
    status: Callable[[str], Status],
) -> None:
    """Run the shadow mode until the demonstration is over; leaves an episode named 'episode'.

    Args:
        arguments: Of the launch file.
        log: What the nodes print.
        video: The demonstration is over when pictures stop coming.
        seconds: Stop after this time [s]; 0: when it is over.
        status: Makes the line that tells how it goes.

    Raises:
        DeviceError: A part of the graph does not come up or dies; names the log.
    """
    context = Context()
    rclpy.init(context=context)
    node = DemoNode(context)
    progress = node.progress
    try:
        with graph('shadow', arguments, log) as process:

            def died() -> bool:
                # ros2 launch goes on when a node dies; a demo without one of its nodes is none.
                return process.poll() is not None or _DIED in log.read_text(errors='replace')

            with status('starting the nodes'):
                node.spin_until(lambda: died() or progress.images > 0, _START_TIMEOUT)
            if died() or progress.images == 0:
                raise DeviceError(f'{_what_died(log) or "no image was looked at"}: see {log}')
            node.start_episode('episode', str(arguments['task']), [f'seed={arguments["seed"]}'])
            started = time.monotonic()

            def over() -> bool:
                if died() or time.monotonic() - started > (seconds or _LONGEST):
                    return True
                if video:
                    return time.monotonic() - progress.last_image > _SILENCE
                return progress.phase == 'done'

            with status('') as line:
                while not over():
                    node.spin_until(over, 0.5)
                    line.update(_tell(time.monotonic() - started, progress))
            if died():
                raise DeviceError(f'{_what_died(log) or "the nodes ended too early"}: see {log}')
            node.stop_episode()
    finally:
        node.destroy_node()
        context.try_shutdown()


def _what_died(log: Path) -> str:
    """Return the first fatal line of the log and who died, as one sentence; '' when nobody did."""
    lines = log.read_text(errors='replace').splitlines()
    fatal = next((line.split(']: ', 1)[-1] for line in lines if '[FATAL]' in line), '')
    dead = next((line.split(']: ')[0].split('[')[-1] for line in lines if _DIED in line), '')
    return f'{dead} died{": " if fatal else ""}{fatal}' if dead else ''


def _tell(elapsed: float, progress: Progress) -> str:
    text = [f'{elapsed:4.0f} s', f'gate: {progress.state}']
    if progress.phase:
        text.insert(1, f'hand: {progress.phase}')
    if progress.latency == progress.latency:
        text.append(f'{progress.latency * 1e3:.0f} ms from camera to command')
    if progress.reason:
        text.append(progress.reason)
    return ' · '.join(text)
