"""Messages of the gate: trajectories in and out, status."""

import array
from collections.abc import Sequence

from builtin_interfaces.msg import Duration
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from mimic_control.gate import GateStatus
from mimic_core import ros
from mimic_core.arrays import FloatArray
from mimic_interfaces.msg import ControlStatus


def output_to_msg(
    names: Sequence[str], q: FloatArray, v: FloatArray, period: Duration
) -> JointTrajectory:
    """Return the message of one output: zero stamp, one point to be reached in one period."""
    point = JointTrajectoryPoint(
        positions=array.array('d', q.tobytes()),
        velocities=array.array('d', v.tobytes()),
        time_from_start=period,
    )
    return JointTrajectory(joint_names=list(names), points=[point])


def status_to_msg(status: GateStatus, names: Sequence[str], now: float) -> ControlStatus:
    """Return the message of a status at a time [s]."""
    msg = ControlStatus(
        mode=int(status.mode),
        state=int(status.state),
        source=status.source,
        reason=status.reason,
        limited=list(status.limited),
        joint_names=list(names),
        position=array.array('d', status.position.tobytes()),
        velocity=array.array('d', status.velocity.tobytes()),
        collision_distance=float(status.collision_distance),
        command_stamp=ros.to_stamp(max(status.command_stamp, 0.0)),
        latency=float(status.latency),
        command_age=float(status.command_age),
        accepted=status.accepted,
        refused=status.refused,
        last_refusal=status.last_refusal,
        ticks=status.ticks,
        missed_ticks=status.missed_ticks,
    )
    msg.header.stamp = ros.to_stamp(now)
    return msg
