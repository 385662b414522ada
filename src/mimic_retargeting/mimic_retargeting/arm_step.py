"""Compiled: one step of the arm towards a pose, within position, speed and acceleration limits."""

import math

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_retargeting.arm_kernels import (
    place_tool,
    pose_in_box,
    tool_jacobian,
    weakest_direction,
)
from mimic_retargeting.compiled import compiled
from mimic_retargeting.tables import Chain


@compiled
def braking_speed(distance: float, acceleration: float, dt: float) -> float:
    """Return the speed from which, after dt more [s], braking ends within the distance.

    Solves v·dt + v²/2a = distance for v.
    """
    room = max(distance, 0.0)
    return acceleration * (math.sqrt(dt * dt + 2.0 * room / acceleration) - dt)


@compiled
def reachable_box(
    q: FloatArray,
    speed: FloatArray,
    goal: FloatArray,
    goal_speed: FloatArray,
    limits: FloatArray,
    dt: float,
    low: FloatArray,
    high: FloatArray,
) -> bool:
    """Write where each joint may be after dt; return whether the goal lies there.

    A joint keeps its acceleration bound, and is slow enough to stop before its position bound and
    to meet its goal at the goal's own speed, so that a sudden stop of the target does not make it
    swing. Where bounds contradict each other, the position comes first, then the speed.

    Args:
        q: (C,) joint positions now, within the bounds.
        speed: (C,) now.
        goal: (C,) where the joints should be.
        goal_speed: (C,) how fast the goal moves.
        limits: (4, C) lower, upper, speed, acceleration.
        dt: [s].
        low: (C,) out.
        high: (C,) out.
    """
    inside = True
    for c in range(q.shape[0]):
        top, gain = limits[2, c], limits[3, c]
        slowest = min(max(speed[c] - gain * dt, -top), top)
        fastest = max(min(speed[c] + gain * dt, top), -top)
        up = min(top, braking_speed(limits[1, c] - q[c], gain, dt))
        down = min(top, braking_speed(q[c] - limits[0, c], gain, dt))
        wanted = (goal[c] - q[c]) / dt
        meets = slowest <= wanted <= fastest and abs(wanted - goal_speed[c]) <= gain * dt
        if not meets:
            closing = braking_speed(abs(goal[c] - q[c]), gain, dt)
            if goal[c] >= q[c]:
                up = min(up, max(goal_speed[c] + closing, 0.0))
            else:
                down = min(down, max(closing - goal_speed[c], 0.0))
        fast = max(min(fastest, up), slowest)
        slow = min(max(slowest, -down), fast)
        high[c] = min(q[c] + fast * dt, limits[1, c])
        low[c] = min(max(q[c] + slow * dt, limits[0, c]), high[c])
        if goal[c] < low[c] - 1e-12 or goal[c] > high[c] + 1e-12:
            inside = False
    return inside


@compiled
def step_towards(
    chain: Chain,
    q: FloatArray,
    speed: FloatArray,
    goal: FloatArray,
    fresh: bool,
    limits: FloatArray,
    tool: FloatArray,
    target_R: FloatArray,
    target_p: FloatArray,
    weights: FloatArray,
    posture: FloatArray,
    posture_speed: float,
    singularity: FloatArray,
    lever: float,
    dt: float,
    max_iterations: int,
    result: FloatArray,
    error: FloatArray,
) -> float:
    """Write to result (C,) the joints after dt on the way to a pose.

    Args:
        chain: The kinematics; its last point is the tool's frame.
        q: (C,) joint positions now, within limits.
        speed: (C,) joint speeds now; out: those of this step.
        goal: (C,) in: the last goal in joint space; out: the new one.
        fresh: There is no last goal.
        limits: (4, C) lower, upper, speed, acceleration.
        tool: (3,) the followed point in the tool's frame [m].
        target_R: (3, 3) wanted orientation.
        target_p: (3,) wanted place [m].
        weights: (3,) of position [1/m²], orientation [1/rad²], posture [1/rad²].
        posture: (C,) where to drift with the freedom that is left.
        posture_speed: How fast at most [rad/s].
        singularity: (4,) singular values below which the position and the pose are damped [m],
            and the greatest damping of each [m].
        lever: Length that turns rotations into metres [m].
        dt: [s].
        max_iterations: Steps of each of the two solves.
        result: (C,) out.
        error: (6,) out, what is missing of the pose at the result.

    Returns:
        The smallest singular value of the pose [m].
    """
    joints, columns = chain.parent.shape[0], q.shape[0]
    rotation = np.empty((joints, 3, 3))
    position = np.empty((joints, 3))
    axes = np.empty((joints, 3))
    tool_R = np.empty((3, 3))
    tool_p = np.empty(3)
    jacobian = np.empty((6, columns))
    place_tool(chain, q, tool, rotation, position, tool_R, tool_p)
    tool_jacobian(chain, rotation, position, tool_p, axes, jacobian)

    # Damp only the joint directions that hardly move the tool; the others stay exact.
    # Source: Maciejewski and Klein 1988, numerical filtering.
    damped = np.empty((2, columns))
    damping = np.zeros(2)
    smallest = weakest_direction(jacobian, 3, lever, damped[0])
    if smallest < singularity[0]:
        part = 1.0 - (smallest / singularity[0]) ** 2
        damping[0] = weights[0] * part * singularity[2] ** 2
    smallest = weakest_direction(jacobian, 6, lever, damped[1])
    if smallest < singularity[1]:
        part = 1.0 - (smallest / singularity[1]) ** 2
        damping[1] = weights[1] / lever**2 * part * singularity[3] ** 2

    drift = np.empty(columns)
    last_goal = goal.copy()
    for c in range(columns):
        away = posture[c] - q[c]
        drift[c] = q[c] + min(max(away, -posture_speed * dt), posture_speed * dt)
        goal[c] = q[c]
    pose_in_box(
        chain, goal, limits[0], limits[1], tool, target_R, target_p, weights, drift, q, damped,
        damping, 0.0, 0.0, max_iterations, error,
    )  # fmt: skip

    goal_speed = speed.copy()
    if not fresh:
        for c in range(columns):
            top = limits[2, c]
            goal_speed[c] = min(max((goal[c] - last_goal[c]) / dt, -top), top)
    low = np.empty(columns)
    high = np.empty(columns)
    inside = reachable_box(q, speed, goal, goal_speed, limits, dt, low, high)
    for c in range(columns):
        result[c] = min(max(goal[c], low[c]), high[c])
    if not inside:
        pose_in_box(
            chain, result, low, high, tool, target_R, target_p, weights, drift, q, damped, damping,
            0.0, 0.0, max_iterations, error,
        )  # fmt: skip
    for c in range(columns):
        speed[c] = (result[c] - q[c]) / dt
    return smallest
