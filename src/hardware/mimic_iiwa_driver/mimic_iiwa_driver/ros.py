"""ROS shell of the link: the messages of lbr_fri_idl."""

from collections.abc import Callable
from typing import Any

from builtin_interfaces.msg import Time
from rclpy.node import Node

from mimic_core.errors import ConfigError
from mimic_core.jtc import Session, Stack
from mimic_core.jtc.emulated.stack import EmulatedStack, FriSession
from mimic_core.jtc.ros import RosLink
from mimic_iiwa_driver import protocol
from mimic_iiwa_driver.params import IiwaParams


def make_link(stack: Stack, params: IiwaParams) -> RosLink:
    """Return the link to a stack, with the FRI session where it has one.

    Raises:
        ConfigError: The message of the session is not installed.
    """
    topic = protocol.STACKS[params.stack].session_topic
    if not topic or not params.check_session:
        return RosLink(stack, params.command)
    try:
        from lbr_fri_idl.msg import LBRState
    except ImportError as error:
        raise ConfigError(
            'lbr_fri_idl is not here: source the workspace of lbr_fri_ros2_stack, or set the '
            'parameter check_session to false (then nothing tells whether FRI is commanding)'
        ) from error
    return RosLink(stack, params.command, (LBRState, topic, session_from_msg))


def session_from_msg(msg: Any, received: float) -> Session:
    """Return what an LBRState says."""
    warnings = ()
    if msg.connection_quality <= protocol.POOR:
        quality = protocol.word(protocol.QUALITIES, msg.connection_quality)
        warnings = (f'FRI connection is {quality}',)
    details = {
        'session': protocol.word(protocol.SESSION_STATES, msg.session_state),
        'connection': protocol.word(protocol.QUALITIES, msg.connection_quality),
        'drives': protocol.word(protocol.DRIVE_STATES, msg.drive_state),
        'safety': protocol.word(protocol.SAFETY_STATES, msg.safety_state),
        'sample time': f'{msg.sample_time:.4f} s',
        'tracking performance': f'{msg.tracking_performance:.3f}',
    }
    problem = protocol.session_problem(msg.session_state, msg.drive_state, msg.safety_state)
    return Session(problem, warnings, details, received)


def state_publisher(stack: EmulatedStack) -> Callable[[Node], Callable[[Time], None]]:
    """Return what adds the topic of the session to an emulated stack."""
    from lbr_fri_idl.msg import LBRState

    def extend(node: Node) -> Callable[[Time], None]:
        publisher = node.create_publisher(LBRState, 'state', 1)

        def publish(stamp: Time) -> None:
            up = stack.session >= FriSession.COMMANDING_WAIT
            publisher.publish(
                LBRState(
                    sample_time=1.0 / stack.options.update_rate,
                    session_state=int(stack.session),
                    connection_quality=3 if up else 0,
                    safety_state=1 if stack.faults.on('brown_out') else 0,
                    drive_state=2 if up else 0,
                    client_command_mode=1,
                    time_stamp_sec=stamp.sec,
                    time_stamp_nano_sec=stamp.nanosec,
                    measured_joint_position=stack.plant.position,
                    commanded_joint_position=stack.plant.target,
                    ipo_joint_position=stack.plant.target,
                    tracking_performance=1.0,
                )
            )

        return publish

    return extend
