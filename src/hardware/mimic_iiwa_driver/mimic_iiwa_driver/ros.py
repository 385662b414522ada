"""ROS shell of the link: the messages of lbr_fri_idl."""

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
    warnings: tuple[str, ...] = ()
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


class SessionPublisher:
    """The topic of the session of an emulated stack."""

    def __init__(self, stack: EmulatedStack) -> None:
        self._stack = stack

    def begin(self, node: Node) -> None:
        """Add the topic."""
        from lbr_fri_idl.msg import LBRState

        self._kind = LBRState
        self._publisher = node.create_publisher(LBRState, 'state', 1)

    def end(self) -> None:
        """Do nothing: the node destroys its publishers."""

    def publish(self, stamp: Time) -> None:
        """Publish the state of the session and the joints."""
        stack = self._stack
        up = stack.session >= FriSession.COMMANDING_WAIT
        msg = self._kind(
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
        self._publisher.publish(msg)
