"""Command line: `play FOLDER [--speed S] [--preview]`, the client of replay/play."""

import argparse
import sys
from pathlib import Path

import rclpy
from rclpy.action import ActionClient
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from mimic_interfaces.action import PlayEpisode
from mimic_interfaces.msg import ControlStatus
from mimic_interfaces.srv import SetMode


def main() -> None:
    """Be the command."""
    parser = argparse.ArgumentParser(prog='play', description='Play an episode through the gate.')
    parser.add_argument('folder', help='of the episode')
    parser.add_argument('--speed', type=float, default=1.0, help='of the recorded speed, up to 1')
    parser.add_argument('--preview', action='store_true', help='check it, move nothing')
    parser.add_argument('--namespace', default='', help='of the robot')
    parser.add_argument('--wait', type=float, default=10.0, help='for the nodes, in seconds')
    options = parser.parse_args(rclpy.utilities.remove_ros_args(sys.argv)[1:])
    # Ctrl-C must cancel, so ROS has to outlive it.
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = Node('play', namespace=options.namespace)
    try:
        why = play(node, options)
    except (KeyboardInterrupt, ExternalShutdownException):
        why = 'stopped'
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    raise SystemExit(why or 0)


def play(node: Node, options: argparse.Namespace) -> str:
    """Play an episode; return why it failed, '' when it did not."""
    client = ActionClient(node, PlayEpisode, 'replay/play')
    if not client.wait_for_server(options.wait):
        return 'nobody offers replay/play: start replay.launch.xml'
    if not options.preview:
        modes = node.create_client(SetMode, 'control/set_mode')
        if not modes.wait_for_service(options.wait):
            return 'nobody offers control/set_mode: there is no gate'
        request = SetMode.Request(mode=ControlStatus.REPLAY)
        mode = modes.call_async(request)
        rclpy.spin_until_future_complete(node, mode)
        if not mode.result().success:
            return f'the gate refuses: {mode.result().message}'
    path = str(Path(options.folder).expanduser().absolute())
    goal = PlayEpisode.Goal(path=path, speed=options.speed, preview=options.preview)
    sent = client.send_goal_async(goal)
    rclpy.spin_until_future_complete(node, sent)
    handle = sent.result()
    if not handle.accepted:
        return 'refused: another episode is played'
    done = handle.get_result_async()
    try:
        rclpy.spin_until_future_complete(node, done)
    except KeyboardInterrupt:
        rclpy.spin_until_future_complete(node, handle.cancel_goal_async(), timeout_sec=2.0)
        raise
    result = done.result().result
    node.get_logger().info(result.message)
    return '' if result.success else result.message
