"""Messages of the gate: trajectories in and out, status."""

import array
from collections.abc import Sequence

from builtin_interfaces.msg import Duration
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from mimic_control.audit import AuditEvent
from mimic_control.output import GateStatus
from mimic_core import ros
from mimic_core.arrays import FloatArray
from mimic_interfaces.msg import ControlAudit, ControlStatus


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
        enable_missing=status.enable_missing,
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


def event_to_msg(event: AuditEvent) -> ControlAudit:
    """Return the message of an event of the audit."""
    msg = ControlAudit(
        last=ros.to_stamp(max(event.last, 0.0)),
        kind=int(event.kind),
        count=event.count,
        source=event.source,
        text=event.text,
        asked=event.asked,
        asked_joint=event.asked_joint,
        sent=event.sent,
        sent_joint=event.sent_joint,
        limit=event.limit,
        value=event.value,
        bound=event.bound,
    )
    msg.header.stamp = ros.to_stamp(max(event.stamp, 0.0))
    return msg
