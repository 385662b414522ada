"""Messages of identification."""

from typing import Final

from builtin_interfaces.msg import Duration
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from mimic_core.ros import to_stamp
from mimic_interfaces.msg import ControlStatus

STATUS_NAMES: Final = {
    ControlStatus.IDLE: 'IDLE',
    ControlStatus.SHADOW: 'SHADOW',
    ControlStatus.POLICY: 'POLICY',
    ControlStatus.REPLAY: 'REPLAY',
    ControlStatus.HOLD: 'HOLD',
    ControlStatus.STOPPED: 'STOPPED',
}


def point_to_msg(joint: str, position: float, stamp: float) -> JointTrajectory:
    """Return the command of one joint [rad] or [m] for now, at a stamp [s]."""
    msg = JointTrajectory(joint_names=[joint], points=[JointTrajectoryPoint(positions=[position])])
    msg.header.stamp = to_stamp(stamp)
    return msg


def seconds_of(duration: Duration) -> float:
    """Return a duration [s]."""
    return float(duration.sec) + duration.nanosec * 1e-9
