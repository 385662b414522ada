"""Requests to MoveIt's planning service and what comes back; only where MoveIt's messages are."""

from collections.abc import Sequence

import numpy as np
from moveit_msgs.msg import Constraints, JointConstraint, MotionPlanRequest, MoveItErrorCodes
from moveit_msgs.srv import GetMotionPlan
from sensor_msgs.msg import JointState

from mimic_core.arrays import FloatArray
from mimic_core.errors import ShapeError
from mimic_planning import PlanningError

ARM, ARM_AND_HAND = 'arm', 'arm_hand'  # groups of the SRDF (mimic_moveit)
TOLERANCE = 1e-4  # [rad] or [m] of the goal
_CODES = {
    value: name
    for name in dir(MoveItErrorCodes)
    if name.isupper() and isinstance(value := getattr(MoveItErrorCodes, name), int)
}


def plan_request(
    names: Sequence[str],
    arms: int,
    start: FloatArray,
    goal: FloatArray,
    timeout: float,
    scale: float,
) -> GetMotionPlan.Request:
    """Return the request for a way between two postures.

    Args:
        names: J joints, of the arm first.
        arms: How many of them are the arm's.
        start: (J,) [rad] or [m].
        goal: (J,).
        timeout: [s].
        scale: Of the speed and acceleration limits [1].
    """
    moves = bool(np.abs(goal - start)[arms:].max(initial=0.0) > TOLERANCE)
    count = len(names) if moves else arms
    request = MotionPlanRequest(
        group_name=ARM_AND_HAND if moves else ARM,
        pipeline_id='ompl',
        num_planning_attempts=1,
        allowed_planning_time=timeout,
        max_velocity_scaling_factor=scale,
        max_acceleration_scaling_factor=scale,
    )
    request.start_state.is_diff = True
    request.start_state.joint_state = JointState(name=list(names), position=start.tolist())
    constraints = [
        JointConstraint(
            joint_name=name,
            position=float(position),
            tolerance_above=TOLERANCE,
            tolerance_below=TOLERANCE,
            weight=1.0,
        )
        for name, position in zip(names[:count], goal[:count], strict=True)
    ]
    request.goal_constraints = [Constraints(joint_constraints=constraints)]
    return GetMotionPlan.Request(motion_plan_request=request)


def way_from_msg(
    response: GetMotionPlan.Response, names: Sequence[str], start: FloatArray, goal: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return times (T,) [s], postures (T, J) and speeds (T, J) of a plan.

    Joints that the plan does not name stay at the start. The first posture is the start and the
    last is the goal, which the plan meets within its tolerance.

    Raises:
        PlanningError: MoveIt found none; says its error code.
        ShapeError: The trajectory does not fit the robot.
    """
    answer = response.motion_plan_response
    code = answer.error_code.val
    if code != MoveItErrorCodes.SUCCESS:
        text = getattr(answer.error_code, 'message', '')
        raise PlanningError(f'MoveIt: {_CODES.get(code, code)}{": " + text if text else ""}')
    trajectory = answer.trajectory.joint_trajectory
    index = {name: i for i, name in enumerate(names)}
    unknown = [name for name in trajectory.joint_names if name not in index]
    if unknown or len(trajectory.points) < 2:
        raise ShapeError(f'MoveIt: {len(trajectory.points)} points, unknown joints {unknown}')
    columns = [index[name] for name in trajectory.joint_names]
    points = np.tile(start, (len(trajectory.points), 1))
    speeds = np.zeros_like(points)
    times = np.empty(len(points))
    for i, point in enumerate(trajectory.points):
        if len(point.positions) != len(columns):
            raise ShapeError(f'MoveIt: point {i} has {len(point.positions)} positions')
        points[i, columns] = point.positions
        if len(point.velocities) == len(columns):
            speeds[i, columns] = point.velocities
        times[i] = point.time_from_start.sec + point.time_from_start.nanosec * 1e-9
    for row, wanted, what in ((0, start, 'starts'), (-1, goal, 'ends')):
        away = float(np.abs(points[row] - wanted).max())
        if away > 10.0 * TOLERANCE:
            raise ShapeError(f'MoveIt: the plan {what} {away:.4f} away from where it should')
        points[row] = wanted
    return times - times[0], points, speeds
