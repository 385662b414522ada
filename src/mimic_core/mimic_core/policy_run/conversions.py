"""Messages of a policy that runs."""

import math

from builtin_interfaces.msg import Duration
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from mimic_core import ros
from mimic_core.command import NamedPositions
from mimic_core.policy_run.state import Counts, Tick
from mimic_interfaces.msg import PolicyStatus


def command_to_msg(command: NamedPositions) -> JointTrajectory:
    """Return the message of a command."""
    msg = JointTrajectory(joint_names=list(command.names))
    for time, q in zip(command.times, command.points, strict=True):
        seconds, rest = divmod(round(time * 1e9), 10**9)
        due = Duration(sec=seconds, nanosec=rest)
        msg.points.append(JointTrajectoryPoint(positions=q.tolist(), time_from_start=due))
    msg.header.stamp = ros.to_stamp(command.stamp)
    return msg


def status_to_msg(
    tick: Tick, counts: Counts, task: str, checkpoint: str, now: float
) -> PolicyStatus:
    """Return the message of what was done at a time [s]."""
    seen = not math.isnan(counts.age)
    msg = PolicyStatus(
        state=int(tick.state),
        reason=tick.reason,
        task=task,
        checkpoint=checkpoint,
        observation=ros.to_stamp(now - counts.age if seen else 0.0),
        age=counts.age,
        latency=counts.latency,
        inference=counts.inference,
        chunks=counts.chunks,
        refused=counts.refused,
        commands=counts.commands,
        holds=counts.holds,
        gaps=counts.gaps,
    )
    msg.header.stamp = ros.to_stamp(now)
    return msg
