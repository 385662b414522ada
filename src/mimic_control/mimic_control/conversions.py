"""Messages of the gate: trajectories in and out, status."""

import array
from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Duration
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from mimic_control.gate import GateStatus
from mimic_core import ros
from mimic_core.arrays import FloatArray
from mimic_core.command import NamedPositions
from mimic_core.errors import NotFiniteError, ShapeError
from mimic_interfaces.msg import ControlStatus


def command_from_msg(msg: JointTrajectory) -> NamedPositions:
    """Return the command of a message.

    Raises:
        ShapeError: Points of another length than the names, no points, or names that repeat.
        NotFiniteError: NaN or infinity; says of which joint.
        StaleInputError: Times that go backwards.
    """
    names = tuple(msg.joint_names)
    for number, point in enumerate(msg.points):
        if len(point.positions) != len(names):
            raise ShapeError(
                f'point {number} has {len(point.positions)} positions for {len(names)} joints'
            )
        for name, value in zip(names, point.positions, strict=True):
            if not np.isfinite(value):
                raise NotFiniteError(f'{name} is {value} in point {number}')
    points = np.array([p.positions for p in msg.points]).reshape(len(msg.points), len(names))
    times = np.array(
        [p.time_from_start.sec + p.time_from_start.nanosec * 1e-9 for p in msg.points]
    )
    return NamedPositions(names, points, times, ros.seconds(msg.header.stamp))


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
