"""`identify`: moves the joints of a robot a little, through the gate, and says how they answer."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.signals import SignalHandlerOptions

from mimic_core import ros
from mimic_core.errors import MimicError
from mimic_description import RobotModel, load_robot
from mimic_identification.bag import identify_episode
from mimic_identification.errors import IdentificationError
from mimic_identification.motions import MotionPlanner, chosen_joints
from mimic_identification.options import parser, show
from mimic_identification.record import JointRecord
from mimic_identification.results import prepare_folder, save
from mimic_identification.session import MotionTest
from mimic_identification.source_node import IdentifyNode
from mimic_identification.verdict import NOT_TESTED, Outcome, judge_record
from mimic_interfaces.msg import ControlStatus
from mimic_recording.reader import Episode


def main() -> None:
    """Be the command."""
    options = parser().parse_args(rclpy.utilities.remove_ros_args(sys.argv)[1:])
    try:
        failure = identify(options)
    except MimicError as error:
        failure = str(error)
    except (KeyboardInterrupt, ExternalShutdownException):
        failure = 'stopped'
    if failure:
        print(f'identify: {failure}', file=sys.stderr)  # noqa: T201
        raise SystemExit(1)


def identify(options: argparse.Namespace) -> str:
    """Measure, save and show; return why a test ended early, '' when none did.

    Raises:
        MimicError: Nothing could be measured.
    """
    robot = load_robot(options.arm, options.hand, options.prefix)
    wanted = [name for name in options.joints.split(',') if name]
    joints = chosen_joints(robot, wanted)
    folder: Path = prepare_folder(options.out.expanduser())
    failure = ''
    if options.bag is not None:
        with Episode(options.bag.expanduser()) as episode:
            outcomes = identify_episode(episode, joints)
        source = f'episode {options.bag.name}'
    else:
        outcomes, failure = _identify_live(options, robot, joints)
        source = 'test motions'
    if outcomes:
        facts = {'arm': options.arm, 'hand': options.hand, 'prefix': options.prefix}
        facts |= {'from': source, 'date': datetime.now(UTC).isoformat(timespec='seconds')}
        show(outcomes, save(folder, outcomes, facts))
    return failure


def _identify_live(
    options: argparse.Namespace, robot: RobotModel, joints: tuple[str, ...]
) -> tuple[list[Outcome], str]:
    """Return an outcome for each joint that was tested, and why not all were."""
    # Ctrl-C must give the robot back to the gate, so ROS has to outlive it.
    rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    node = IdentifyNode(options.namespace)
    records: list[JointRecord | Outcome] = []
    failure = ''
    try:
        node.connect(robot.joint_names, options.wait)
        _run(node, options, robot, joints, records)
    except IdentificationError as error:
        failure = str(error)
    except KeyboardInterrupt:
        failure = 'stopped'
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    outcomes = [r if isinstance(r, Outcome) else judge_record(r) for r in records]
    return outcomes, failure


def _run(
    node: IdentifyNode,
    options: argparse.Namespace,
    robot: RobotModel,
    joints: tuple[str, ...],
    records: list[JointRecord | Outcome],
) -> None:
    """Test one joint after the other; what is done so far is in `records`."""
    say = node.get_logger().info
    planner = MotionPlanner(robot, options.speed)
    if not options.stay:
        say('going home')
        node.go_home()
    posture = np.array([node.measured[name] for name in robot.joint_names])
    posture = robot.limits.clip(posture if options.stay else robot.home)
    node.set_mode(ControlStatus.REPLAY)
    try:
        for number, name in enumerate(joints, 1):
            motion = planner.plan(name, posture)
            if motion is None:
                records.append(Outcome(name, NOT_TESTED, 'no room for a motion here'))
                continue
            size = f'{motion.amplitude:.3f} to both sides of {motion.centre:.3f}'
            say(f'{number} of {len(joints)}: {name}, {size}, {motion.duration:.0f} s')
            test = MotionTest(name, motion, ros.now(node))
            node.play(test)
            try:
                records.append(test.record())
            except MimicError as error:
                reason = str(error).removeprefix(f'{name}: ')
                records.append(Outcome(name, NOT_TESTED, reason))
    finally:
        if node.watch.mode == 'REPLAY':
            node.set_mode(ControlStatus.IDLE)
